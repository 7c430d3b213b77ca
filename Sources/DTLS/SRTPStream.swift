/// What a session remembers of one SSRC: where its packet indices are, and which were seen (RFC 3711 section 3.2.3).
package struct SRTPStream: Sendable {
    /// Packets of RTP and of RTCP that one key may protect (RFC 3711 section 9.2, RFC 7714 section 14.1): roll-over counter
    /// and sequence number, and the 31 bits of SRTCP's index.
    package static let indexLimit: UInt64 = 1 << 48
    package static let controlIndexLimit: UInt64 = 1 << 31

    private var media: ReplayWindow
    private var control: ReplayWindow

    /// As it stands before the first packet.
    package init() { (media, control) = (ReplayWindow(), ReplayWindow()) }

    /// After packets with these indices.
    package init(index: UInt64, controlIndex: UInt64) {
        self.init()
        media.insert(index)
        control.insert(controlIndex)
    }

    /// The index that `sequence` most likely stands for (RFC 3711 section 3.3.1): with the roll-over counter that brings it
    /// nearest to the newest one. Nothing lies before the first round. At `indexLimit` and above the key is used up.
    package func index(of sequence: UInt16) -> UInt64 {
        guard let newest = media.newest else { return UInt64(sequence) }
        let (round, last, sequence) = (newest >> 16, newest & 0xFFFF, UInt64(sequence))
        if last < 0x8000 {
            let isBefore = sequence > last + 0x8000 && round > 0
            return (isBefore ? round - 1 : round) << 16 | sequence
        }
        let isAfter = sequence < last - 0x8000
        return (isAfter ? round + 1 : round) << 16 | sequence
    }

    package func verdict(on index: UInt64) -> ReplayWindow.Verdict { media.verdict(on: index) }

    package mutating func insert(_ index: UInt64) { media.insert(index) }

    package func controlVerdict(on index: UInt64) -> ReplayWindow.Verdict { control.verdict(on: index) }

    package mutating func insertControl(_ index: UInt64) { control.insert(index) }

    /// The index of the next RTCP packet that we send, from 1 on; nil when the key is used up.
    package mutating func nextControlIndex() -> UInt64? {
        let index = (control.newest ?? 0) + 1
        guard index < Self.controlIndexLimit else { return nil }
        control.insert(index)
        return index
    }
}
