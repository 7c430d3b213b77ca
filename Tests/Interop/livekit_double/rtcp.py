"""The RTCP a receiver writes and reads that aiortc has no classes for, or hides behind its own receivers."""
from struct import pack, unpack_from

from aiortc.rtp import pack_rtcp_packet


def parts(data):
    """(packet type, count or format, body) of every packet in a compound."""
    at = 0
    while at + 4 <= len(data):
        first, kind, length = unpack_from("!BBH", data, at)
        yield kind, first & 31, data[at + 4:at + 4 + length * 4]
        at += 4 + length * 4


def sender_report(body):
    """(SSRC, NTP time in seconds, RTP timestamp, packets, octets, middle 32 bits of NTP)"""
    ssrc, ntp, rtp, packets, octets = unpack_from("!LQLLL", body)
    return ssrc, ntp / (1 << 32) - 2_208_988_800, rtp, packets, octets, ntp >> 16 & 0xFFFFFFFF


def receiver_report(own, ssrc, highest, lost, last_report, delay):
    lost = max(0, min(lost, 0x7FFFFF))
    return pack_rtcp_packet(201, 1, pack("!LLLLLLL", own, ssrc, lost, highest & 0xFFFFFFFF, 0, last_report, int(delay * 65536)))


def reference_time(own, ntp):
    """An extended report that asks for its delay to be told (RFC 3611 section 4.4)."""
    return pack_rtcp_packet(207, 0, pack("!LBBHQ", own, 4, 0, 2, ntp))


def picture_loss(own, ssrc):
    return pack_rtcp_packet(206, 1, pack("!LL", own, ssrc))


def missing(own, ssrc, numbers):
    """Generic NACK; `numbers` are sequence numbers in order."""
    items, numbers = b"", list(numbers)
    while numbers:
        first, mask = numbers.pop(0), 0
        while numbers and 0 < (numbers[0] - first) & 0xFFFF <= 16:
            mask |= 1 << (((numbers.pop(0) - first) & 0xFFFF) - 1)
        items += pack("!HH", first & 0xFFFF, mask)
    return pack_rtcp_packet(205, 1, pack("!LL", own, ssrc) + items)


class TransportFeedback:
    """Gathers arrivals by transport-wide sequence number and reports them (draft-holmer-rmcat-transport-wide-cc-extensions-01)."""

    def __init__(self):
        self.arrivals = {}
        self.next = None
        self.count = 0

    def add(self, number, at):
        if self.next is None:
            self.next = number
        number = self.next + ((number - self.next + 0x8000 & 0xFFFF) - 0x8000)
        if number >= self.next:
            self.arrivals[number] = at

    def report(self, own, ssrc):
        """One packet about everything since the last one, or None."""
        if not self.arrivals:
            return None
        base, last = self.next, max(self.arrivals)
        last = min(last, base + 1000)
        first_at = next((self.arrivals[n] for n in range(base, last + 1) if n in self.arrivals), None)
        if first_at is None:
            self.next = last + 1
            return None
        reference = int(first_at / 0.064)
        clock = reference * 256
        symbols, deltas = [], b""
        for number in range(base, last + 1):
            at = self.arrivals.pop(number, None)
            if at is None:
                symbols.append(0)
                continue
            delta = int(at / 0.00025) - clock
            small = 0 <= delta <= 255
            delta = delta if small else max(-32768, min(delta, 32767))
            clock += delta
            symbols.append(1 if small else 2)
            deltas += pack("!B" if small else "!h", delta)
        chunks = b""
        for at in range(0, len(symbols), 7):
            seven = symbols[at:at + 7] + [0] * 7
            chunks += pack("!H", 0xC000 | sum(symbol << (12 - 2 * i) for i, symbol in enumerate(seven[:7])))
        head = pack("!LLHHL", own, ssrc, base & 0xFFFF, len(symbols), (reference & 0xFFFFFF) << 8 | self.count & 0xFF)
        body = head + chunks + deltas
        self.next, self.count = last + 1, self.count + 1
        return pack_rtcp_packet(205, 15, body + bytes(-len(body) % 4))
