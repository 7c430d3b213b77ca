"""Receives what a publisher sends: aioice and aiortc's DTLS and SRTP below, and per layer the frames, decoded with PyAV. aiortc's own receivers
know one stream per track, so RTP is taken where it comes out of SRTP and told apart by mid and rid until its SSRC is known."""
import asyncio
import concurrent.futures
import dataclasses
import json
import math
import random
import time

import aioice
import aioice.ice
import av
import numpy
from aiortc import clock
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import vp8_depayload
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket, unwrap_rtx

from . import rtcp, sdp

GAP_PACKETS, GAP_SECONDS = 200, 1.0


def loopback_too(use_ipv4, use_ipv6, gather=aioice.ice.get_host_addresses):
    """aioice leaves the loopback address out, and a machine without a network has no other."""
    return gather(use_ipv4, False) + (["127.0.0.1"] if use_ipv4 else [])


aioice.ice.get_host_addresses = loopback_too


@dataclasses.dataclass
class Frame:
    at: float
    timestamp: int
    key: bool
    size: tuple = None
    # Mean brightness 0…255, or loudness in dB.
    level: float = None


class Stream:
    """What came of one layer of one track."""

    def __init__(self, receiver, section, rid, ssrc):
        self.receiver, self.section, self.rid, self.ssrc = receiver, section, rid, ssrc
        self.mid, self.kind = section.mid, section.kind
        self.codec = None
        self.packets = self.octets = self.lost = self.retransmitted = self.decoded = self.samples = 0
        self.frames, self.reports, self.errors, self.sizes, self.levels = [], [], [], [], []
        self.loudness = -127.0
        # The newest samples, a row for each channel.
        self.sound = None
        self.highest = self.expected = self.gap_since = None
        self.nacked_at = 0
        self.waiting, self.unit = {}, []
        self.decoder = None

    def __str__(self):
        return (f"{self.codec} {self.rid or self.kind}: {self.packets} packets, {self.lost} lost, {len(self.frames)} frames, "
                f"{self.decoded} decoded, {self.sizes}, {self.samples} samples, {self.loudness:.0f} dB, errors {self.errors[:3]}")

    @property
    def keys(self):
        return [frame for frame in self.frames if frame.key]

    def captured(self, timestamp):
        """The sender's wall clock at an RTP timestamp, by its last sender report."""
        _, ntp, rtp = self.reports[-1]
        return ntp + ((timestamp - rtp + (1 << 31) & 0xFFFFFFFF) - (1 << 31)) / (48_000 if self.kind == "audio" else 90_000)

    def add(self, packet, at):
        """Takes a packet in any order; what is missing is asked for, and given up after a while."""
        sequence = packet.sequence_number
        if self.expected is None:
            self.expected = self.highest = sequence
        sequence = self.highest + ((sequence - self.highest + 0x8000 & 0xFFFF) - 0x8000)
        self.highest = max(self.highest, sequence)
        if sequence < self.expected:
            return
        self.packets += 1
        self.octets += len(packet.payload)
        self.waiting[sequence] = packet
        self._drain(at)
        if not self.waiting:
            self.gap_since = None
            return
        self.gap_since = self.gap_since or at
        if at - self.gap_since > GAP_SECONDS or len(self.waiting) > GAP_PACKETS:
            self.lost += min(self.waiting) - self.expected
            self.expected, self.unit, self.gap_since = min(self.waiting), [], None
            self._drain(at)
            self.receiver.send(rtcp.picture_loss(self.receiver.ssrc, self.ssrc))
        elif self.kind == "video" and at - self.nacked_at > 0.03:
            self.nacked_at = at
            gaps = [n & 0xFFFF for n in range(self.expected, max(self.waiting)) if n not in self.waiting]
            self.receiver.send(rtcp.missing(self.receiver.ssrc, self.ssrc, gaps[:100]))

    def _drain(self, at):
        while self.expected in self.waiting:
            packet = self.waiting.pop(self.expected)
            self.expected += 1
            if not packet.payload:
                continue
            if self.kind == "audio":
                if packet.extensions.audio_level is not None:
                    self.levels.append(packet.extensions.audio_level[1])
                self.frames.append(Frame(at, packet.timestamp, True))
                self.receiver.decode(self, packet.payload, self.frames[-1])
                continue
            if self.unit and self.unit[0].timestamp != packet.timestamp:
                self.unit = []
            self.unit.append(packet)
            if packet.marker:
                self._picture(at)

    def _picture(self, at):
        depayload = h264_depayload if self.codec == "h264" else vp8_depayload
        try:
            data = b"".join(depayload(packet.payload) for packet in self.unit)
        except ValueError as error:
            self.errors.append(f"payload: {error}")
            self.unit = []
            return
        if self.codec == "h264":
            starts = data.split(b"\x00\x00\x01")[1:]
            key = any(nal and nal[0] & 31 == 5 for nal in starts)
        else:
            key = not data[0] & 1
        frame = Frame(at, self.unit[0].timestamp, key)
        self.unit = []
        self.frames.append(frame)
        self.receiver.decode(self, data, frame)

    def decode(self, data, frame):
        """Runs in the receiver's decoding thread."""
        if self.decoder is None:
            self.decoder = av.CodecContext.create({"h264": "h264", "vp8": "vp8", "opus": "opus"}[self.codec], "r")
            if self.kind == "audio":
                self.decoder.sample_rate, self.decoder.layout = 48_000, "stereo"
            else:
                self.decoder.thread_count, self.decoder.flags = 1, self.decoder.flags | av.codec.context.Flags.low_delay
        try:
            for picture in self.decoder.decode(av.Packet(data)):
                self.decoded += 1
                if self.kind == "audio":
                    self.samples += picture.samples
                    self.sound = picture.to_ndarray().astype("float64")
                    power = float((self.sound ** 2).mean())
                    self.loudness = frame.level = 10 * math.log10(max(power, 1e-13))
                else:
                    frame.size, frame.level = (picture.width, picture.height), float(numpy.frombuffer(picture.planes[0], "uint8")[::97].mean())
                    if not self.sizes or self.sizes[-1] != frame.size:
                        self.sizes.append(frame.size)
        except av.FFmpegError as error:
            self.errors.append(f"decode: {error}")


class Dtls(RTCDtlsTransport):
    """Hands decrypted packets to the receiver."""

    receiver = None

    async def _handle_rtp_data(self, data, arrival_time_ms):
        self.receiver.rtp(data)

    async def _handle_rtcp_data(self, data):
        self.receiver.rtcp(data)


class Path:
    """What DTLS takes for its transport: the newest ICE connection that works. An ICE restart puts a new one under the same DTLS."""

    role = "controlled"

    def __init__(self):
        self.arrived = asyncio.Queue()
        self.current = self.newest = None
        self.tasks = set()
        self.connected = asyncio.Event()
        self.restarts = -1
        self.blocked = None

    async def open(self, ufrag, pwd):
        self.newest = aioice.Connection(ice_controlling=False, use_ipv6=False)
        self.newest.remote_username, self.newest.remote_password = ufrag, pwd
        self.restarts += 1
        await self.newest.gather_candidates()
        task = asyncio.ensure_future(self._run(self.newest))
        self.tasks.add(task)

    async def _run(self, connection):
        try:
            await connection.connect()
            old, self.current = self.current, connection
            self.connected.set()
            if old:
                await old.close()
            while True:
                data = await connection.recv()
                if connection is not self.blocked:
                    self.arrived.put_nowait(data)
        except ConnectionError:
            if connection is self.current:
                self.arrived.put_nowait(None)

    async def _recv(self):
        data = await self.arrived.get()
        if data is None:
            raise ConnectionError
        return data

    async def _send(self, data):
        if self.current and self.current is not self.blocked:
            await self.current.send(data)

    async def close(self):
        for connection in {self.current, self.newest} - {None}:
            await connection.close()
        for task in self.tasks:
            task.cancel()


class Receiver:
    """The receiving end of one publisher peer connection."""

    def __init__(self, on_connected=lambda: None):
        self.path = Path()
        self.dtls = Dtls(self.path, [RTCCertificate.generateCertificate()])
        self.dtls.receiver = self
        self.dtls._set_role("client")
        self.ssrc = random.randrange(1, 1 << 32)
        self.offers, self.streams, self.by_ssrc, self.repairs = [], [], {}, {}
        self.unknown = 0
        self.on_connected = on_connected
        self.extensions = HeaderExtensionsMap()
        self.feedback = rtcp.TransportFeedback()
        self.delays = []
        self.lose = lambda packet: False
        self.thread = concurrent.futures.ThreadPoolExecutor(1)
        self.tasks = []
        self.sends = asyncio.Queue()

    @property
    def connected(self):
        return self.dtls.state == "connected"

    def stream(self, rid=None, kind="video"):
        """The newest stream of a layer, or None before its first packet."""
        return next((s for s in reversed(self.streams) if s.kind == kind and s.rid == rid), None)

    @property
    def audio(self):
        return self.stream(kind="audio")

    # Negotiation

    async def negotiate(self, text):
        """The answer to an offer. A new ICE fragment restarts ICE below the same DTLS."""
        offer = sdp.Offer(text)
        restart = not self.offers or offer.ufrag != self.offers[-1].ufrag
        first = not self.offers
        self.offers.append(offer)
        for section in offer.sections:
            self.extensions.configure(RTCRtpParameters(headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=number, uri=uri) for number, uri in section.extensions.items()]))
        if restart:
            await self.path.open(offer.ufrag, offer.pwd)
        for candidate in offer.candidates:
            await self.candidate(candidate)
        if first:
            self.tasks = [asyncio.ensure_future(work) for work in (self._connect(offer), self._report(), self._send())]
        local = self.path.newest
        return sdp.answer(offer, local.local_username, local.local_password, self.dtls.getLocalParameters().fingerprints)

    async def candidate(self, text):
        """Takes a candidate of the publisher, with or without its prefix."""
        text = text.removeprefix("a=").removeprefix("candidate:")
        if text and " udp " in text.lower():
            await self.path.newest.add_remote_candidate(aioice.Candidate.from_sdp(text))

    def candidates(self):
        """Our candidates as a server trickles them."""
        local = self.path.newest
        return [json.dumps({"candidate": f"candidate:{c.to_sdp()} ufrag {local.local_username}", "sdpMid": self.offers[-1].sections[0].mid,
                            "sdpMLineIndex": 0, "usernameFragment": None}) for c in local.local_candidates]

    async def _connect(self, offer):
        await self.path.connected.wait()
        algorithm, value = offer.fingerprint
        await self.dtls.start(RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint(algorithm=algorithm, value=value)]))
        if self.connected:
            self.on_connected()

    # Media

    def rtp(self, data):
        at = time.monotonic()
        packet = RtpPacket.parse(data, self.extensions)
        if self.lose(packet):
            return
        if packet.extensions.transport_sequence_number is not None:
            self.feedback.add(packet.extensions.transport_sequence_number, at)
        section = self._section(packet)
        if section is None:
            self.unknown += 1
            return
        name = section.codecs.get(str(packet.payload_type), (None,))[0]
        if name == "rtx":
            stream = self._repaired(section, packet)
            if stream is None or len(packet.payload) < 2:
                return
            apt = int(section.format(str(packet.payload_type)).split("apt=")[1])
            packet = unwrap_rtx(packet, payload_type=apt, ssrc=stream.ssrc)
            stream.retransmitted += 1
        else:
            stream = self._stream(section, packet)
            if stream is None:
                return
            stream.codec = name
        stream.add(packet, at)

    def _section(self, packet):
        """By mid, by a stream that is known, by the SSRCs of the offer, by the payload type."""
        sections = self.offers[-1].sections
        if packet.extensions.mid is not None:
            return next((s for s in sections if s.mid == packet.extensions.mid), None)
        known = self.by_ssrc.get(packet.ssrc) or self.repairs.get(packet.ssrc)
        if known:
            return known.section
        return (next((s for s in sections if packet.ssrc in s.ssrcs), None)
                or next((s for s in sections if str(packet.payload_type) in s.payload_types), None))

    def _stream(self, section, packet):
        stream = self.by_ssrc.get(packet.ssrc)
        if stream is None:
            rid = packet.extensions.rtp_stream_id
            if (section.rids and rid not in section.rids) or (not section.rids and packet.ssrc not in section.ssrcs):
                self.unknown += 1
                return None
            stream = self.by_ssrc[packet.ssrc] = Stream(self, section, rid, packet.ssrc)
            self.streams.append(stream)
        return stream

    def _repaired(self, section, packet):
        rid = packet.extensions.repaired_rtp_stream_id
        if packet.ssrc not in self.repairs and (stream := self.stream(rid)):
            self.repairs[packet.ssrc] = stream
        return self.repairs.get(packet.ssrc)

    def rtcp(self, data):
        for kind, _, body in rtcp.parts(data):
            if kind == 200:
                ssrc, ntp, timestamp, *_, middle = rtcp.sender_report(body)
                if stream := self.by_ssrc.get(ssrc):
                    stream.reports.append((time.monotonic(), ntp, timestamp))
                    stream.last_report = middle
            elif kind == 207:
                self.delays.append(body)

    def decode(self, stream, data, frame):
        self.thread.submit(stream.decode, data, frame)

    # What the receiver tells

    def send(self, data):
        self.sends.put_nowait(data)

    def ask_for_key(self, stream):
        self.send(rtcp.picture_loss(self.ssrc, stream.ssrc))

    async def _send(self):
        while True:
            data = await self.sends.get()
            try:
                await self.dtls._send_rtp(data)
            except ConnectionError:
                pass

    async def _report(self):
        """Feedback on the transport ten times a second, receiver reports and a reference time once a second."""
        for turn in range(1 << 62):
            await asyncio.sleep(0.1)
            video = next((s for s in self.streams if s.kind == "video"), None)
            if video and (report := self.feedback.report(self.ssrc, video.ssrc)):
                self.send(report)
            if turn % 10:
                continue
            now = time.monotonic()
            for stream in self.streams:
                last, delay = (stream.last_report, now - stream.reports[-1][0]) if stream.reports else (0, 0)
                self.send(rtcp.receiver_report(self.ssrc, stream.ssrc, stream.highest, stream.lost, last, delay)
                          + rtcp.reference_time(self.ssrc, clock.current_ntp_time()))

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await self.dtls.stop()
        await self.path.close()
        self.thread.shutdown(wait=False, cancel_futures=True)
