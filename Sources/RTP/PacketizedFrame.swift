package import Bytes
package import Media

/// What one packet carries of a frame: bytes that are not in it (`prefix`), then a range of its payload.
package struct PayloadFragment: Hashable, Sendable {
    package var prefix: InlineBytes
    /// The last packet of its frame.
    package var marker: Bool
    /// RTP padding (RFC 3550 section 5.1) behind the payload; 0 is none.
    package private(set) var paddingCount: UInt8 = 0
    private let start: UInt32
    private let length: UInt32

    /// `range` is inside the frame's payload.
    package init(prefix: InlineBytes = InlineBytes(), range: Range<Int>, marker: Bool = false) {
        self.prefix = prefix
        self.marker = marker
        start = UInt32(truncatingIfNeeded: range.lowerBound)
        length = UInt32(truncatingIfNeeded: range.count)
    }

    /// Padding and nothing else.
    init(paddingCount: UInt8) {
        self.init(range: 0..<0)
        self.paddingCount = paddingCount
    }

    package var range: Range<Int> { Int(start)..<Int(start) + Int(length) }
    /// Bytes of payload that the packet carries.
    package var byteCount: Int { prefix.count + Int(length) }
}

/// How the payload of a frame is cut into packets.
package enum PayloadFormat: Hashable, Sendable {
    /// RFC 6184, packetization mode 1; an Annex B byte stream.
    case h264AnnexB
    /// RFC 6184, packetization mode 1; NAL units behind lengths of 1, 2 or 4 bytes.
    case h264LengthPrefixed(lengthSize: Int)
    /// RFC 7741.
    case vp8(VP8PictureID)
    /// RFC 9628, non-flexible mode; pictures of one layer.
    case vp9(VP9PictureID)
    /// AV1 RTP payload format 1.0; temporal units whose units have their sizes.
    case av1
    /// RFC 7798 without decoding order numbers; an Annex B byte stream.
    case hevcAnnexB
    /// RFC 7587.
    case opus
}

/// One encoded frame, cut into packets once and shared by all who send it: viewers' pacers and retransmission
/// histories hold references to it, never copies.
package final class PacketizedFrame: Sendable {
    package let payload: SlabSlice
    package let fragments: [PayloadFragment]
    /// Presentation time in nanoseconds on the process's monotonic clock; RTP timestamps and capture times follow
    /// from it.
    package let pts: MediaTime
    package let kind: MediaKind
    /// A decoder can start here.
    package let isKey: Bool
    /// Of audio, when it was measured.
    package let audioLevel: HeaderExtensionValues.AudioLevel?
    /// Payload bytes of all packets.
    package let byteCount: Int

    /// One packet of padding alone, which every receiver drops: it fills a bandwidth probe.
    static let padding = PacketizedFrame(paddingCount: 255)

    private init(paddingCount: UInt8) {
        payload = SlabSlice(copying: [])
        fragments = [PayloadFragment(paddingCount: paddingCount)]
        pts = 0
        kind = .video
        isKey = false
        audioLevel = nil
        byteCount = 0
    }

    /// `maxPayloadBytes` bounds prefix and frame bytes of each packet. A frame without anything to send has no
    /// fragments.
    package init(
        _ frame: EncodedFrame, as format: PayloadFormat, audioLevel: HeaderExtensionValues.AudioLevel? = nil,
        maxPayloadBytes: Int = RTPLimits.maxPayloadBytes
    ) throws(RTPError) {
        precondition(
            (64...RTPLimits.maxPayloadBytes).contains(maxPayloadBytes), "packet payloads have 64 to 1,120 bytes")
        guard frame.payload.count <= RTPLimits.maxFrameBytes else { throw .overLimit }
        var fragments: [PayloadFragment] = []
        fragments.reserveCapacity(frame.payload.count / maxPayloadBytes + 4)
        let bytes = frame.payload.bytes
        switch format {
        case .h264AnnexB: try H264Packetizer.cut(annexB: bytes, maxPayloadBytes, into: &fragments)
        case .h264LengthPrefixed(let size):
            try H264Packetizer.cut(lengthPrefixed: bytes, lengthSize: size, maxPayloadBytes, into: &fragments)
        case .vp8(let pictureID): try VP8Packetizer.cut(bytes, pictureID: pictureID, maxPayloadBytes, into: &fragments)
        case .vp9(let pictureID):
            try VP9Packetizer.cut(
                bytes, pictureID: pictureID, isKey: frame.isKey, maxPayloadBytes, into: &fragments)
        case .av1: try AV1Packetizer.cut(bytes, isKey: frame.isKey, maxPayloadBytes, into: &fragments)
        case .hevcAnnexB: try HEVCPacketizer.cut(annexB: bytes, maxPayloadBytes, into: &fragments)
        case .opus: try OpusPacketizer.cut(bytes, maxPayloadBytes, into: &fragments)
        }
        self.fragments = fragments
        payload = frame.payload
        pts = frame.pts
        kind = frame.kind
        isKey = frame.isKey
        self.audioLevel = audioLevel
        byteCount = fragments.reduce(0) { $0 + $1.byteCount }
    }
}

extension [PayloadFragment] {
    /// Adds one fragment within the bound of a frame.
    mutating func add(_ fragment: PayloadFragment) throws(RTPError) {
        guard count < RTPLimits.maxFragmentsPerFrame else { throw .overLimit }
        append(fragment)
    }

    /// Cuts `range` into as few parts as `maxBytes` allows, all of one size but the last, which is never larger: equal
    /// datagrams can leave in one system call. `prefix` gets each part's place.
    mutating func addParts(
        of range: Range<Int>, maxBytes: Int, prefix: (_ isFirst: Bool, _ isLast: Bool) -> InlineBytes
    ) throws(RTPError) {
        guard !range.isEmpty else { return }
        let parts = (range.count + maxBytes - 1) / maxBytes
        let size = (range.count + parts - 1) / parts
        var start = range.lowerBound
        while start < range.upperBound {
            let end = Swift.min(start + size, range.upperBound)
            let prefix = prefix(start == range.lowerBound, end == range.upperBound)
            try add(PayloadFragment(prefix: prefix, range: start..<end))
            start = end
        }
    }

    mutating func markLast() {
        if !isEmpty { self[count - 1].marker = true }
    }
}
