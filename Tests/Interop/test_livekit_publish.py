"""What comes into the room: layers, sound, clocks, tracks, the participant, and the states that the server is told."""
import time

import pytest
from livekit.protocol import ingress, models

from conftest import AAC, FFMPEG_NEW, FFMPEG_OLD, H264, until
from daemon import looped

LADDERS = {
    "720p": (ingress.H264_720P_30FPS_3_LAYERS, {"q": (320, 180), "h": (640, 360), "f": (1280, 720)}),
    "540p": (ingress.H264_540P_25FPS_2_LAYERS, {"q": (480, 270), "f": (960, 540)}),
    "one": (ingress.H264_720P_30FPS_1_LAYER, {None: (1280, 720)}),
}


def preset(value):
    return ingress.IngressVideoOptions(preset=value, name="picture", source=models.SCREEN_SHARE)


def arrive(livekit, sizes, frames=20, identity="ingress"):
    """The participant, once that many pictures of every layer were decoded, and sound."""
    participant = until(lambda: livekit.participant(identity), message="nobody joined")
    for rid in sizes:
        until(lambda: participant.stream(rid) and participant.stream(rid).decoded >= frames,
              message=f"layer {rid}: {[str(stream) for stream in participant.receiver.streams] if participant.receiver else participant.requests}")
    until(lambda: participant.audio and participant.audio.samples >= 24_000, message=f"no sound: {participant.audio}")
    return participant


def check_layers(participant, sizes, codec="h264"):
    for rid, size in sizes.items():
        stream = participant.stream(rid)
        assert (stream.codec, stream.sizes, stream.errors, stream.lost) == (codec, [size], [], 0), stream
        assert stream.frames[0].key, "a layer began without a key frame"
    assert participant.audio.loudness > -40 and not participant.audio.errors
    assert participant.receiver.unknown == 0, "packets that belong to no track"


@pytest.mark.parametrize("binary", [FFMPEG_OLD, FFMPEG_NEW], ids=["ffmpeg-5.1", "ffmpeg-new"])
def test_ladder(livekit, daemon, encode, big_clip, binary):
    """The default preset: three layers in their sizes, sound, from either FFmpeg."""
    record = livekit.create()
    encode(*looped(big_clip, daemon.url(record)), binary=binary)
    sizes = LADDERS["720p"][1]
    participant = arrive(livekit, sizes)
    check_layers(participant, sizes)
    section = next(section for section in participant.receiver.offers[-1].sections if section.kind == "video")
    assert section.simulcast() == "q;h;f"


@pytest.mark.parametrize("name", ["540p", "one"])
def test_other_presets(livekit, daemon, encode, big_clip, name):
    value, sizes = LADDERS[name]
    encode(*looped(big_clip, daemon.url(livekit.create(video=preset(value)))))
    participant = arrive(livekit, sizes)
    check_layers(participant, sizes)
    assert len([stream for stream in participant.receiver.streams if stream.kind == "video"]) == len(sizes)
    # A server takes a section without rids for a track once the connection is up, and webhooks would have the track before its owner.
    assert participant.track(models.AUDIO).is_owner_active
    assert participant.track(models.VIDEO).is_owner_active == (None in sizes)


def test_custom_vp8_layers(livekit, daemon, encode, clip):
    layers = [models.VideoLayer(quality=models.LOW, width=320, height=180, bitrate=200_000),
              models.VideoLayer(quality=models.HIGH, width=640, height=360, bitrate=700_000)]
    options = ingress.IngressVideoEncodingOptions(video_codec=models.VP8, frame_rate=25, layers=layers)
    encode(*looped(clip, daemon.url(livekit.create(video=ingress.IngressVideoOptions(options=options)))))
    sizes = {"q": (320, 180), "f": (640, 360)}
    check_layers(arrive(livekit, sizes), sizes, "vp8")


def test_small_source_is_not_enlarged(livekit, daemon, encode, clip):
    """640x360 into the 720p preset: the two layers that it fills, with true sizes announced."""
    encode(*looped(clip, daemon.url(livekit.create())))
    sizes = {"q": (320, 180), "h": (640, 360)}
    participant = arrive(livekit, sizes)
    check_layers(participant, sizes)
    assert [(layer.quality, layer.width, layer.height) for layer in participant.track().request.layers] == [
        (models.LOW, 320, 180), (models.MEDIUM, 640, 360)]


def test_clocks(livekit, daemon, encode, big_clip):
    """Sender reports put all layers and the sound on one clock: the same picture has the same time in every layer."""
    sizes = LADDERS["720p"][1]
    encode(*looped(big_clip, daemon.url(livekit.create())))
    participant = arrive(livekit, sizes)
    streams = [*[participant.stream(rid) for rid in sizes], participant.audio]
    until(lambda: all(len(stream.reports) >= 4 for stream in streams), message=str([len(stream.reports) for stream in streams]))
    wall = time.time() - time.monotonic()
    for stream in streams:
        rate = 48_000 if stream.kind == "audio" else 90_000
        (_, first_ntp, first_rtp), (_, last_ntp, last_rtp) = stream.reports[0], stream.reports[-1]
        assert abs((last_rtp - first_rtp & 0xFFFFFFFF) / rate - (last_ntp - first_ntp)) < 0.01, "the two clocks of the reports disagree"
        delays = [wall + frame.at - stream.captured(frame.timestamp) for frame in stream.frames[-20:]]
        assert -0.1 < min(delays) and max(delays) < 3, delays
    top = [streams[2].captured(frame.timestamp) for frame in streams[2].frames[-60:]]
    for stream in streams[:2]:
        for frame in stream.frames[-30:-10]:
            assert min(abs(stream.captured(frame.timestamp) - at) for at in top) < 0.003, "a picture has different times in two layers"


def onsets(stream, threshold):
    """When, by the sender's clock, the level rises above the threshold after a pause."""
    known = [frame for frame in stream.frames if frame.level is not None]
    return [stream.captured(b.timestamp) for a, b in zip(known, known[1:]) if a.level < threshold <= b.level]


def test_lips_and_voice(livekit, daemon, encode, media):
    """A flash and a beep at the same moment of the source have the same time by the sender reports."""
    blink = media("blink.flv", "-f", "lavfi", "-i", "color=black:size=640x360:rate=30:duration=8,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.2)'",
                  "-f", "lavfi", "-i", "aevalsrc=0.5*sin(2*PI*880*t)*lt(mod(t\\,1)\\,0.2):sample_rate=48000:duration=8", *H264, *AAC)
    encode(*looped(blink, daemon.url(livekit.create())))
    participant = until(lambda: livekit.participant())
    until(lambda: participant.stream("q") and participant.audio)
    flashes, beeps = [until(lambda: len(found := onsets(stream, threshold)) >= 5 and stream.reports and found)
                      for stream, threshold in ((participant.stream("q"), 120), (participant.audio, -25))]
    # A frame's duration, and what the sound codecs smear.
    assert all(min(abs(flash - beep) for beep in beeps) < 0.08 for flash in flashes[1:4]), (flashes, beeps)


def test_sound(livekit, daemon, encode, big_clip):
    """Stereo Opus on one steady clock, with levels for the active speakers."""
    options = ingress.IngressAudioOptions(name="voice", source=models.SCREEN_SHARE_AUDIO, preset=ingress.OPUS_STEREO_96KBPS)
    encode(*looped(big_clip, daemon.url(livekit.create(audio=options))))
    participant = arrive(livekit, LADDERS["720p"][1])
    audio, track = participant.audio, participant.track(models.AUDIO)
    until(lambda: len(audio.frames) > 100)
    steps = [b.timestamp - a.timestamp & 0xFFFFFFFF for a, b in zip(audio.frames, audio.frames[1:])]
    assert set(steps) == {960}, set(steps)
    assert audio.levels and 0 < audio.levels[-1] < 60
    assert (track.info.name, track.info.source, track.request.stereo, track.request.disable_dtx) == ("voice", models.SCREEN_SHARE_AUDIO, True, False)


def test_tracks_and_participant(livekit, daemon, encode, big_clip):
    """Names, sources and layers as configured; the token's claims and the attributes as LiveKit's own service has them."""
    record = livekit.create(room="studio", identity="camera-1", participant_name="Camera one", participant_metadata='{"seat": 4}',
                            video=preset(ingress.H264_720P_30FPS_3_LAYERS))
    encode(*looped(big_clip, daemon.url(record)))
    participant = arrive(livekit, LADDERS["720p"][1], identity="camera-1")
    claims = dict(participant.claims)
    now = time.time()
    assert 86_000 < claims.pop("exp") - now <= 86_400 and claims.pop("nbf") <= now + 1
    assert claims.pop("iat", now) <= now + 1 and claims.pop("identity", "camera-1") == "camera-1"
    assert claims == {
        "iss": livekit.KEY, "sub": "camera-1", "name": "Camera one", "kind": "ingress", "metadata": '{"seat": 4}',
        "attributes": {"ingress.ingressID": record.info.ingress_id},
        "video": {"roomJoin": True, "room": "studio", "canPublish": True, "canSubscribe": False, "canUpdateOwnMetadata": True}}
    assert participant.query["protocol"] == "17" and participant.query["auto_subscribe"] in ("0", "false")
    until(lambda: participant.attributes.get("ingress.resourceID") == record.state.resource_id)
    request = participant.track().request
    assert (request.cid, request.name, request.source, request.width, request.height) == (
        record.info.ingress_id, "picture", models.SCREEN_SHARE, 1280, 720)
    layers = [(models.LOW, 320, 180, 237_500), (models.MEDIUM, 640, 360, 671_751), (models.HIGH, 1280, 720, 1_900_000)]
    assert [(layer.quality, layer.width, layer.height, layer.bitrate) for layer in request.layers] == layers
    assert [codec.codec.lower() for codec in request.simulcast_codecs] == ["video/h264"]


def test_states(livekit, daemon, encode, big_clip):
    """BUFFERING, PUBLISHING with what is known of the input, INACTIVE; one start, growing times, two events."""
    record = livekit.create()
    encoder = encode(*looped(big_clip, daemon.url(record)))
    participant = arrive(livekit, LADDERS["720p"][1])
    state = until(lambda: record.state.room_id and record.state.video.width and record.state.audio.channels and record.state)
    assert (state.video.mime_type.lower(), state.video.width, state.video.height) == ("video/h264", 1280, 720)
    until(lambda: abs(record.state.video.framerate - 30) < 1, message=lambda: f"frame rate {record.state.video.framerate}")
    assert (state.audio.mime_type.lower(), state.audio.channels, state.audio.sample_rate) in [("audio/aac", 1, 44_100), ("audio/mpeg", 1, 44_100)]
    assert state.room_id == participant.room.sid
    until(lambda: {track.sid for track in record.state.tracks} == {track.info.sid for track in participant.tracks})
    until(lambda: record.state.video.average_bitrate > 100_000 and record.state.audio.average_bitrate > 10_000, 90, "no bit rates were told")
    encoder.stop()
    until(lambda: record.statuses[-1] == "INACTIVE", message=record.statuses)
    assert record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"]
    assert len({state.started_at for state in record.history}) == len({state.resource_id for state in record.history}) == 1
    assert all(a.updated_at < b.updated_at for a, b in zip(record.history, record.history[1:])) and not record.refused
    assert record.state.ended_at >= record.state.started_at and not record.state.error
    assert [name for name, _ in livekit.directory.events] == ["ingress_started", "ingress_ended"]
    assert participant.left == models.CLIENT_INITIATED
