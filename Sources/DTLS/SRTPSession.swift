import Bytes

/// Protects what we send or unprotects what the peer sends, in place, RTP and RTCP alike (RFC 3711, RFC 7714); one session per
/// direction, for all SSRCs of it. Confined to one thread. Once an SSRC is known, its packets cost no allocation.
///
/// Replays are refused within a window of 1024 packets. Protecting the same packet twice is allowed, as a retransmission on the
/// original SSRC must have the same bytes; never protect two different packets under one sequence number.
package final class SRTPSession {
    package enum Direction: Sendable {
        case sending
        case receiving
    }

    /// Free bytes that protection needs behind the packet: the longest tag, and RTCP's index.
    package static let protectionTailBytes = 16 + 4
    /// SSRCs that get state; an authenticated peer could otherwise fill our memory.
    package static let maximumStreams = 64
    private static let maximumPacketBytes = 65_535
    private static let minimumRTPBytes = 12
    private static let minimumRTCPBytes = 8

    private let direction: Direction
    private let media: SRTPTransform
    private let control: SRTPTransform
    /// Where each SSRC stands in `streams`.
    private var sources: [UInt32] = []
    private var streams: [SRTPStream] = []

    /// `key`: master key followed by salt, as in `SRTPKeyingMaterial`.
    package convenience init(_ direction: Direction, profile: SRTPProfile, key: [UInt8]) throws(DTLSError) {
        guard key.count == profile.keyBytes + profile.saltBytes else { throw .srtpKeyMaterialMalformed }
        try self.init(
            direction, profile: profile, mediaKeys: SRTPKeys(.media, profile: profile, master: key),
            controlKeys: SRTPKeys(.control, profile: profile, master: key))
    }

    /// With session keys that were derived before.
    package init(
        _ direction: Direction, profile: SRTPProfile, mediaKeys: SRTPKeys, controlKeys: SRTPKeys
    ) throws(DTLSError) {
        self.direction = direction
        media = try SRTPTransform(direction, .media, profile: profile, keys: mediaKeys)
        control = try SRTPTransform(direction, .control, profile: profile, keys: controlKeys)
    }

    package convenience init(sendingWith material: SRTPKeyingMaterial) throws(DTLSError) {
        try self.init(.sending, profile: material.profile, key: material.local)
    }

    package convenience init(receivingWith material: SRTPKeyingMaterial) throws(DTLSError) {
        try self.init(.receiving, profile: material.profile, key: material.remote)
    }

    /// Takes up an SSRC after packets with these indices of RTP and RTCP; so tests come to where the numbers end.
    package func resume(_ ssrc: UInt32, index: UInt64, controlIndex: UInt64) {
        guard sources.count < Self.maximumStreams, !sources.contains(ssrc) else { return }
        add(ssrc, SRTPStream(index: index, controlIndex: controlIndex))
    }
}

// MARK: - Protecting

extension SRTPSession {
    /// `packet` holds a whole RTP packet and grows by the tag. Traps without `protectionTailBytes` of free capacity behind it.
    /// On any status but `ok` the content is undefined.
    package func protectRTP(_ packet: inout OutputRawSpan) -> SRTPStatus {
        protect(&packet, minimum: Self.minimumRTPBytes) { buffer, count in
            guard let header = Self.headerBytes(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else {
                return .malformed
            }
            let sequence = UInt16(bigEndian: buffer.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
            let ssrc = UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
            guard let stream = stream(of: ssrc) else { return .tooManyStreams }
            let index = streams[stream].index(of: sequence)
            guard index < SRTPStream.indexLimit else { return .keyExpired }
            let status = seal(with: media, buffer, header: header, count: &count, ssrc, index)
            if status == .ok { streams[stream].insert(index) }
            return status
        }
    }

    /// As `protectRTP`, for a compound RTCP packet; it grows by index and tag.
    package func protectRTCP(_ packet: inout OutputRawSpan) -> SRTPStatus {
        protect(&packet, minimum: Self.minimumRTCPBytes) { buffer, count in
            let ssrc = UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            guard let stream = stream(of: ssrc) else { return .tooManyStreams }
            guard let index = streams[stream].nextControlIndex() else { return .keyExpired }
            return seal(with: control, buffer, header: Self.minimumRTCPBytes, count: &count, ssrc, index)
        }
    }

    private func protect(
        _ packet: inout OutputRawSpan, minimum: Int,
        with body: (UnsafeMutableRawBufferPointer, inout Int) -> SRTPStatus
    ) -> SRTPStatus {
        precondition(direction == .sending, "a receiving session protects nothing")
        precondition(packet.freeCapacity >= Self.protectionTailBytes, "no room for the tag behind the packet")
        guard packet.byteCount >= minimum, packet.byteCount <= Self.maximumPacketBytes else { return .malformed }
        return packet.withUnsafeMutableBytes { buffer, count in body(buffer, &count) }
    }

    private func seal(
        with transform: SRTPTransform, _ buffer: UnsafeMutableRawBufferPointer, header: Int, count: inout Int,
        _ ssrc: UInt32, _ index: UInt64
    ) -> SRTPStatus {
        guard let base = buffer.baseAddress,
            transform.seal(.init(base: base, header: header, count: count, ssrc: ssrc, index: index))
        else { return .failed }
        count += transform.overhead
        return .ok
    }

    /// An SSRC of ours, which gets its place with its first packet.
    private func stream(of ssrc: UInt32) -> Int? {
        if let known = sources.firstIndex(of: ssrc) { return known }
        guard sources.count < Self.maximumStreams else { return nil }
        add(ssrc, SRTPStream())
        return sources.count - 1
    }

    private func add(_ ssrc: UInt32, _ stream: SRTPStream) {
        sources.append(ssrc)
        streams.append(stream)
    }
}

// MARK: - Unprotecting

extension SRTPSession {
    /// Unprotects all of `packet` in place. `count` is the length of the RTP packet at its start, 0 unless the status is `ok`;
    /// the content is undefined then. Nothing is remembered of a packet before its tag was found right.
    package func unprotectRTP(_ packet: inout MutableRawSpan) -> (status: SRTPStatus, count: Int) {
        unprotect(&packet, with: media, minimum: Self.minimumRTPBytes) { buffer, count in
            guard let header = Self.headerBytes(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else {
                return .malformed
            }
            let sequence = UInt16(bigEndian: buffer.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
            let ssrc = UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
            let known = sources.firstIndex(of: ssrc)
            guard known != nil || sources.count < Self.maximumStreams else { return .tooManyStreams }
            let index = known.map { streams[$0].index(of: sequence) } ?? UInt64(sequence)
            guard index < SRTPStream.indexLimit else { return .keyExpired }
            if let known, let refusal = SRTPStatus(streams[known].verdict(on: index)) { return refusal }
            guard open(with: media, buffer, header: header, count: count, ssrc, index) else {
                return .authenticationFailed
            }
            if known == nil { add(ssrc, SRTPStream()) }
            streams[known ?? streams.count - 1].insert(index)
            return .ok
        }
    }

    /// As `unprotectRTP`, for RTCP. What is not encrypted is refused: no profile of DTLS-SRTP leaves that open (RFC 5764
    /// section 4.1.2).
    package func unprotectRTCP(_ packet: inout MutableRawSpan) -> (status: SRTPStatus, count: Int) {
        unprotect(&packet, with: control, minimum: Self.minimumRTCPBytes) { buffer, count in
            guard let word = control.controlWord(of: UnsafeRawBufferPointer(buffer)), word & 0x8000_0000 != 0 else {
                return .malformed
            }
            let index = UInt64(word & 0x7FFF_FFFF)
            let ssrc = UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            let known = sources.firstIndex(of: ssrc)
            guard known != nil || sources.count < Self.maximumStreams else { return .tooManyStreams }
            if let known, let refusal = SRTPStatus(streams[known].controlVerdict(on: index)) { return refusal }
            guard open(with: control, buffer, header: Self.minimumRTCPBytes, count: count, ssrc, index) else {
                return .authenticationFailed
            }
            if known == nil { add(ssrc, SRTPStream()) }
            streams[known ?? streams.count - 1].insertControl(index)
            return .ok
        }
    }

    /// `body` gets all bytes, and how many of them the plain packet has.
    private func unprotect(
        _ packet: inout MutableRawSpan, with transform: SRTPTransform, minimum: Int,
        _ body: (UnsafeMutableRawBufferPointer, Int) -> SRTPStatus
    ) -> (status: SRTPStatus, count: Int) {
        precondition(direction == .receiving, "a sending session unprotects nothing")
        let count = packet.byteCount - transform.overhead
        guard count >= minimum, packet.byteCount <= Self.maximumPacketBytes else { return (.malformed, 0) }
        return packet.withUnsafeMutableBytes { buffer in
            let status = body(buffer, count)
            return (status, status == .ok ? count : 0)
        }
    }

    private func open(
        with transform: SRTPTransform, _ buffer: UnsafeMutableRawBufferPointer, header: Int, count: Int,
        _ ssrc: UInt32, _ index: UInt64
    ) -> Bool {
        guard let base = buffer.baseAddress else { return false }
        return transform.open(.init(base: base, header: header, count: count, ssrc: ssrc, index: index))
    }

    /// Bytes in front of an RTP packet's payload: fixed header, CSRCs, extension (RFC 3550 section 5.1); nil when they are
    /// not all there.
    private static func headerBytes(_ packet: UnsafeRawBufferPointer) -> Int? {
        let first = packet[0]
        var header = minimumRTPBytes + 4 * Int(first & 0x0F)
        if first & 0x10 != 0 {
            guard packet.count >= header + 4 else { return nil }
            let words = UInt16(bigEndian: packet.loadUnaligned(fromByteOffset: header + 2, as: UInt16.self))
            header += 4 + 4 * Int(words)
        }
        return packet.count >= header ? header : nil
    }
}
