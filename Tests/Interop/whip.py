"""WHIP publishers in Python: one on aiortc, and one that sends layers of its own encoding as OBS Studio does."""
import asyncio
import fractions
import functools
import itertools
import random
import re
import struct
import threading
from urllib.parse import urljoin

import av
import numpy
from aiortc import (AudioStreamTrack, RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, RTCIceGatherer, RTCIceParameters,
                    RTCIceTransport, RTCPeerConnection, RTCRtpSender, RTCSessionDescription, VideoStreamTrack)
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.opus import OpusEncoder
from aiortc.sdp import candidate_from_sdp

from whep import post


class MovingPicture(VideoStreamTrack):
    """Bars that move, 30 times a second."""

    def __init__(self, width, height):
        super().__init__()
        self.width, self.height = width, height
        self.count = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = picture(self.width, self.height, self.count)
        frame.pts, frame.time_base = pts, time_base
        self.count += 1
        return frame


class Tone(AudioStreamTrack):
    async def recv(self):
        frame = await super().recv()
        wave = numpy.sin(numpy.arange(frame.samples) * 2 * numpy.pi * 400 / frame.sample_rate) * 8_000
        frame.planes[0].update(wave.astype(numpy.int16).tobytes())
        return frame


def picture(width, height, count):
    luma = numpy.add.outer(numpy.arange(height), numpy.arange(width) + 4 * count) % 256
    chroma = numpy.full((height // 2, width), 128)
    return av.VideoFrame.from_ndarray(numpy.vstack([luma, chroma]).astype(numpy.uint8), format="yuv420p")


class Publisher:
    """A publication in its own thread. `description` is what the server answered: (status, headers, text)."""

    def __init__(self, url, *, key=None):
        self.url, self.key = url, key
        self.resource = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.tasks = []
        self._call(self._open())

    def _call(self, work, timeout=30):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    async def _post(self, offer):
        self.status, self.headers, text = await asyncio.to_thread(post, self.url, offer, headers=authorization(self.key))
        assert self.status == 201, f"{self.status}: {text}"
        self.resource = urljoin(self.url, self.headers["Location"])
        return text

    def delete(self):
        """The orderly end; returns the status."""
        return post(self.resource, None, method="DELETE")[0]

    def close(self):
        """The end by DELETE, and of all that runs here."""
        if self.resource:
            self.delete()
        self.vanish()

    def vanish(self):
        """No further packet leaves: as if the process had been killed."""
        if self.thread.is_alive():
            self._call(self._stop())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(10)


class PeerPublisher(Publisher):
    """aiortc's own peer connection. `kind` of video: "VP8" or "H264"; None for sound alone. `sound` is the track, or whether there is
    one at all, and `sound_codec` what it is sent in."""

    PICTURE, SOUND = MovingPicture, Tone

    def __init__(self, url, kind="VP8", size=(640, 360), sound=True, key=None, sound_codec="opus"):
        self.kind, self.size, self.sound, self.sound_codec = kind, size, sound, sound_codec
        super().__init__(url, key=key)

    async def _open(self):
        self.pc = RTCPeerConnection()
        if self.kind:
            self.picture = self.PICTURE(*self.size)
            video = self.pc.addTransceiver(self.picture, direction="sendonly")
            codecs = RTCRtpSender.getCapabilities("video").codecs
            video.setCodecPreferences([codec for codec in codecs if codec.name in (self.kind, "rtx")])
        if self.sound:
            audio = self.pc.addTransceiver((self.SOUND if self.sound is True else self.sound)(), direction="sendonly")
            codecs = RTCRtpSender.getCapabilities("audio").codecs
            audio.setCodecPreferences([codec for codec in codecs if codec.name == self.sound_codec])
        await self.pc.setLocalDescription(await self.pc.createOffer())
        answer = await self._post(self.pc.localDescription.sdp)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def _stop(self):
        for transceiver in self.pc.getTransceivers():
            dtls = transceiver.sender.transport
            # Without this, closing would tell the server.
            dtls._set_state(type(dtls._state).CLOSED)
            await dtls.transport.stop()
        await self.pc.close()


class LayeredPublisher(Publisher):
    """Sends H.264 as OBS Studio does: no candidates in the offer, layers with the rids 0, 1 and 2 in linear steps, one
    DTLS role for all, a key frame every second whatever the server asks for, and no retransmissions. All layers but the smallest begin
    `late` by so many seconds, as browsers have it. `frames` pictures that `paint` made are repeated for ever. `sound` is the track, if any."""

    SOUND, VIDEO = 111, 96

    def __init__(self, url, sizes=((640, 360), (426, 240), (212, 120)), key=None, late=0, frames=30, paint=picture, sound=None):
        self.sizes, self.late, self.sound = sizes, late, sound
        self.clips = [clip(*size, frames, paint) for size in sizes]
        super().__init__(url, key=key)

    async def _open(self):
        self.old_ices = []
        gatherer = RTCIceGatherer()
        self.ice = RTCIceTransport(gatherer)
        self.ice._connection.ice_controlling = True
        self.dtls = RTCDtlsTransport(self.ice, [RTCCertificate.generateCertificate()])
        await gatherer.gather()
        answer = await self._post(self.offer(self.sizes, gatherer.getLocalParameters(), self.dtls.getLocalParameters().fingerprints[0]))
        take = lambda name: re.search(rf"a={name}:(.*\S)", answer).group(1)
        self.answer = answer
        self.tasks.append(asyncio.ensure_future(self._run(take)))

    @classmethod
    def offer_alone(cls, sizes):
        """An offer that nobody stands behind."""
        random_text = lambda count: "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=count))
        return cls.offer(sizes, RTCIceParameters(random_text(4), random_text(24)), RTCDtlsFingerprint("sha-256", ":".join(["AB"] * 32)))

    @classmethod
    def offer(cls, sizes, ice, fingerprint):
        lines = ["v=0", "o=rtc 3767197920 0 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1", "a=group:LS 0 1", "a=msid-semantic:WMS *",
                 "a=setup:actpass", f"a=ice-ufrag:{ice.usernameFragment}", f"a=ice-pwd:{ice.password}", "a=ice-options:ice2,trickle",
                 f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}",
                 f"m=audio 9 UDP/TLS/RTP/SAVPF {cls.SOUND}", "c=IN IP4 0.0.0.0", "a=mid:0", "a=sendonly", "a=rtcp-mux",
                 f"a=rtpmap:{cls.SOUND} opus/48000/2", f"a=fmtp:{cls.SOUND} minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1",
                 f"m=video 9 UDP/TLS/RTP/SAVPF {cls.VIDEO}", "c=IN IP4 0.0.0.0", "a=mid:1",
                 "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
                 "a=sendonly", "a=rtcp-mux", f"a=rtpmap:{cls.VIDEO} H264/90000", f"a=rtcp-fb:{cls.VIDEO} nack", f"a=rtcp-fb:{cls.VIDEO} nack pli",
                 f"a=rtcp-fb:{cls.VIDEO} goog-remb", f"a=fmtp:{cls.VIDEO} profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1"]
        if len(sizes) > 1:
            rids = range(len(sizes))
            lines += [f"a=rid:{rid} send" for rid in rids] + [f"a=simulcast:send {';'.join(map(str, rids))}"]
        return "\r\n".join(lines) + "\r\n"

    async def _connect(self, take):
        await connect(self.ice, self.answer)
        self.dtls._set_role("server" if take("setup") == "active" else "client")
        algorithm, value = take("fingerprint").split(" ")
        await self.dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(algorithm, value)]))

    async def _run(self, take):
        await self._connect(take)
        if self.sound:
            self.tasks.append(asyncio.ensure_future(self._speak()))
        clips = self.clips
        start, sequences, ssrc = self.loop.time(), [0] * len(clips), random.getrandbits(31)
        for count in range(1 << 30):
            await asyncio.sleep(max(0, start + count / 30 - self.loop.time()))
            for rid, frames in enumerate(clips):
                if count < self.late * 30 and rid < len(clips) - 1:
                    continue
                units = H264Encoder._packetize(H264Encoder._split_bitstream(frames[count % len(frames)]))
                for index, unit in enumerate(units):
                    header = rtp(self.VIDEO, sequences[rid], count * 3_000, ssrc + rid, marker=index == len(units) - 1,
                                 extensions=((1, b"1"), (2, str(rid).encode())) if len(clips) > 1 else ((1, b"1"),))
                    sequences[rid] += 1
                    await self.dtls._send_rtp(header + unit)

    async def _speak(self):
        track, encoder, ssrc, sequences = self.sound(), OpusEncoder(), random.getrandbits(31), itertools.count()
        while True:
            payloads, timestamp = encoder.encode(await track.recv())
            for index, payload in enumerate(payloads):
                await self.dtls._send_rtp(rtp(self.SOUND, next(sequences), timestamp + 960 * index, ssrc) + payload)

    def restart(self):
        """A restart of ICE on other addresses; media goes over the old path until the new one stands."""
        self._call(self._restart())

    async def _restart(self):
        gatherer = RTCIceGatherer()
        ice = RTCIceTransport(gatherer)
        ice._connection.ice_controlling = True
        await gatherer.gather()
        ours = gatherer.getLocalParameters()
        fragment = (f"a=ice-ufrag:{ours.usernameFragment}\r\na=ice-pwd:{ours.password}\r\n"
                    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n")
        headers = {"If-Match": self.headers["ETag"], **authorization(self.key)}
        status, self.headers, answer = await asyncio.to_thread(
            post, self.resource, fragment, "application/trickle-ice-sdpfrag", "PATCH", headers)
        assert status == 200, f"{status}: {answer}"
        await connect(ice, answer)
        # Their end would be that of DTLS.
        self.old_ices.append(self.ice)
        self.ice = self.dtls._transport = ice

    async def _stop(self):
        for task in self.tasks:
            task.cancel()
        self.dtls._set_state(type(self.dtls._state).CLOSED)
        for ice in self.old_ices + [self.ice]:
            await ice.stop()


async def connect(ice, answer):
    """By the candidates and credentials of an answer, or of a restart's fragment."""
    take = lambda name: re.search(rf"a={name}:(.*\S)", answer).group(1)
    for line in re.findall(r"a=candidate:(.* udp .*\S)", answer):
        candidate = candidate_from_sdp(line)
        candidate.sdpMid = "0"
        await ice.addRemoteCandidate(candidate)
    await ice.addRemoteCandidate(None)
    await ice.start(RTCIceParameters(take("ice-ufrag"), take("ice-pwd")))


def rtp(payload_type, sequence, timestamp, ssrc, marker=False, extensions=()):
    head = struct.pack(">BBHII", 0x90 if extensions else 0x80, marker << 7 | payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    if not extensions:
        return head
    body = b"".join(bytes([number << 4 | len(value) - 1]) + value for number, value in extensions)
    body += bytes(-len(body) % 4)
    return head + struct.pack(">HH", 0xBEDE, len(body) // 4) + body


@functools.cache
def clip(width, height, frames=30, paint=picture):
    """H.264 with a key frame every second that may be repeated for ever: a list of access units."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = fractions.Fraction(30), fractions.Fraction(1, 30)
    encoder.gop_size = 30
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    units = []
    for count in range(frames):
        frame = paint(width, height, count)
        frame.pts = count
        units += [bytes(packet) for packet in encoder.encode(frame)]
    return units + [bytes(packet) for packet in encoder.encode(None)]


def authorization(key):
    return {"Authorization": f"Bearer {key}"} if key else {}
