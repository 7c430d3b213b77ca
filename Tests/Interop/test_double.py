"""The double of livekit-server against independent clients: LiveKit's own SDK publishes into it, and its RPC client asks its RPC server."""
import asyncio
import subprocess
import sys

import pytest
from livekit.protocol import ingress

from conftest import until
from livekit_double import messages, psrpc

PUBLISHER = """
import asyncio, sys
from livekit import rtc
async def main(url, token, codec):
    room = rtc.Room()
    await room.connect(url, token)
    picture, sound = rtc.VideoSource(1280, 720), rtc.AudioSource(48000, 1)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=True, video_codec=getattr(rtc.VideoCodec, codec))
    await room.local_participant.publish_track(rtc.LocalVideoTrack.create_video_track("picture", picture), options)
    await room.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("sound", sound), rtc.TrackPublishOptions())
    for number in range(10_000):
        picture.capture_frame(rtc.VideoFrame(1280, 720, rtc.VideoBufferType.I420, bytes([number & 255]) * (1280 * 720) + bytes(1280 * 360)))
        for _ in range(4):
            await sound.capture_frame(rtc.AudioFrame((b"\\x00\\x20" * 24 + b"\\x00\\xe0" * 24) * 10, 48000, 1, 480))
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_sdk_publishes(livekit, codec):
    """Simulcast video and sound of LiveKit's SDK arrive, every layer in its size."""
    token = livekit.token("room", "sdk")
    client = subprocess.Popen([sys.executable, "-c", PUBLISHER, livekit.url, token, codec])
    try:
        participant = until(lambda: livekit.participant("sdk"))
        for rid, size in (("q", (320, 180)), ("h", (640, 360)), ("f", (1280, 720))):
            stream = until(lambda: participant.stream(rid), message=f"no layer {rid}")
            until(lambda: stream.decoded >= 10 and stream.reports, message=str(stream))
            assert (stream.codec, stream.sizes) == (codec.lower(), [size])
        until(lambda: participant.audio and participant.audio.samples >= 48_000)
        assert participant.audio.loudness > -30
        assert participant.active and len(participant.tracks) == 2
        stream = participant.stream("q")
        before = len(stream.keys)
        livekit.loop.call_soon_threadsafe(participant.receiver.ask_for_key, stream)
        until(lambda: len(stream.keys) > before, message="a PLI had no effect")
    finally:
        client.kill()
        client.wait()


def test_rpc(livekit):
    """Known and unknown keys, and the order of states."""
    record = livekit.create()

    async def run():
        client = await psrpc.Client(livekit.bus, "IOInfo").start()

        async def get(key):
            return (await client.request("GetIngressInfo", messages.GetIngressInfoRequest(stream_key=key), messages.GetIngressInfoResponse)).info

        async def update(status, started, updated):
            state = ingress.IngressState(status=status, started_at=started, updated_at=updated)
            await client.request("UpdateIngressState", messages.UpdateIngressStateRequest(ingress_id=record.info.ingress_id, state=state),
                                 ingress.IngressState)

        assert (await get(record.info.stream_key)).ingress_id == record.info.ingress_id
        with pytest.raises(psrpc.Error, match="not_found"):
            await get("unknown")
        await update(ingress.IngressState.ENDPOINT_BUFFERING, 2, 2)
        await update(ingress.IngressState.ENDPOINT_PUBLISHING, 2, 4)
        await update(ingress.IngressState.ENDPOINT_INACTIVE, 2, 3)
        with pytest.raises(psrpc.Error, match="failed_precondition"):
            await update(ingress.IngressState.ENDPOINT_ERROR, 1, 9)

    livekit.call(run())
    assert record.statuses == ["BUFFERING", "PUBLISHING"]
    assert livekit.directory.events == [("ingress_started", record.info.ingress_id)]


def test_rpc_after_redis_restarts(livekit):
    record = livekit.create()
    livekit.redis.stop()
    livekit.redis.start()

    async def get():
        client = await psrpc.Client(livekit.bus, "IOInfo").start()
        request = messages.GetIngressInfoRequest(stream_key=record.info.stream_key)
        return (await client.request("GetIngressInfo", request, messages.GetIngressInfoResponse)).info

    def answered():
        try:
            return livekit.call(get()).ingress_id == record.info.ingress_id
        except (psrpc.Error, asyncio.TimeoutError, OSError):
            return False

    until(answered)
