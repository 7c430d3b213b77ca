import Bytes

/// The RTP header extensions that this server reads or writes.
package enum HeaderExtensionKind: UInt8, CaseIterable, Sendable, Hashable {
    case mid, streamID, repairedStreamID, audioLevel, transportSequence, absoluteSendTime, absoluteCaptureTime,
        playoutDelay, dependencyDescriptor

    /// `allCases`, made once: it is walked for every packet.
    static let all = allCases

    /// As in `a=extmap`.
    package var uri: String {
        switch self {
        case .mid: "urn:ietf:params:rtp-hdrext:sdes:mid"
        case .streamID: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
        case .repairedStreamID: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
        case .audioLevel: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
        case .transportSequence: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        case .absoluteSendTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
        case .absoluteCaptureTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
        case .playoutDelay: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
        case .dependencyDescriptor:
            "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        }
    }

    package init?(uri: some StringProtocol) {
        guard let kind = Self.allCases.first(where: { $0.uri == uri }) else { return nil }
        self = kind
    }
}

/// Which id stands for which extension in one media section (RFC 8285 section 5).
package struct HeaderExtensionMap: Hashable, Sendable {
    /// The id of each kind, one byte each in the order of the kinds; 0 means not negotiated.
    private var ids: UInt128 = 0

    package init() {}

    /// 1…14 or 16…255; 0 and 15 are reserved and count as not negotiated.
    package subscript(_ kind: HeaderExtensionKind) -> UInt8? {
        get {
            let id = UInt8(truncatingIfNeeded: ids >> shift(kind))
            return id == 0 ? nil : id
        }
        set {
            let id = newValue == 15 ? 0 : newValue ?? 0
            ids = ids & ~(0xFF << shift(kind)) | UInt128(id) << shift(kind)
        }
    }

    package func kind(of id: UInt8) -> HeaderExtensionKind? {
        guard id != 0 else { return nil }
        return HeaderExtensionKind.all.first { self[$0] == id }
    }

    package var isEmpty: Bool { ids == 0 }

    private func shift(_ kind: HeaderExtensionKind) -> Int { Int(kind.rawValue) * 8 }
}

/// Walks the elements of a packet's header extension block, in the one-byte or the two-byte form (RFC 8285 section 4).
/// Blocks of any other profile have no elements.
package struct HeaderExtensionReader: ~Escapable {
    /// "defined by profile" bits of the one-byte form.
    package static let oneByteProfile: UInt16 = 0xBEDE
    /// The two-byte form, whose lowest four bits are free for applications.
    package static let twoByteProfile: UInt16 = 0x1000

    private let packet: RawSpan
    private let isOneByte: Bool
    private var offset: Int
    private let end: Int

    /// `header` must have been parsed from `packet`.
    @_lifetime(copy packet)
    package init(_ header: RTPHeader, of packet: RawSpan) {
        self.packet = packet
        let profile = header.extensionProfile ?? 0
        isOneByte = profile == Self.oneByteProfile
        let isKnown = isOneByte || profile & 0xFFF0 == Self.twoByteProfile
        offset = header.extensionRange.lowerBound
        end = isKnown ? header.extensionRange.upperBound : offset
    }

    /// The next element: its id and where its data stands in the packet. Nil at the end.
    @_lifetime(self: copy self)
    package mutating func next() throws(RTPError) -> (id: UInt8, data: Range<Int>)? {
        while offset < end {
            let at = offset
            let first = packet[at]
            if first == 0 {
                offset += 1
                continue
            }
            let id: UInt8
            let length: Int
            if isOneByte {
                (id, length) = (first >> 4, Int(first & 0x0F) + 1)
                // Id 15 ends the walk; id 0 with a length is nonsense that section 4.2 says to end at as well.
                if id == 15 || id == 0 { break }
                offset += 1
            } else {
                guard at + 2 <= end else { throw .badExtension(offset: at) }
                (id, length) = (first, Int(packet[at + 1]))
                offset += 2
            }
            let start = offset
            guard length <= end - start else {
                offset = end
                throw .badExtension(offset: at)
            }
            offset = start + length
            return (id, start..<offset)
        }
        offset = end
        return nil
    }

    /// Where the first element with this id has its data; nil when there is none, or the block is malformed in front of
    /// it.
    static func place(of id: UInt8, in header: RTPHeader, of packet: RawSpan) -> Range<Int>? {
        var reader = HeaderExtensionReader(header, of: packet)
        while let element = try? reader.next() {
            if element.id == id { return element.data }
        }
        return nil
    }
}
