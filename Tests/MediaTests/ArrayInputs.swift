import Bytes
import Media

// Views of temporary arrays do not outlive the expression, so tests parse arrays through these.

extension AVCConfiguration {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
    init(annexB: [UInt8]) throws(MediaError) { try self.init(fromAnnexB: annexB.rawSpan) }
}

extension HEVCConfiguration {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
    init(annexB: [UInt8]) throws(MediaError) { try self.init(fromAnnexB: annexB.rawSpan) }
}

extension H264SequenceParameterSet {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
}

extension HEVCSequenceParameterSet {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
}

extension AudioSpecificConfig {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
}

extension OpusHead {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
}

extension OpusPacket {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
}

extension FLACStreamInfo {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
    static func range(bytes: [UInt8]) throws(MediaError) -> Range<Int> { try range(in: bytes.rawSpan) }
}

extension AV1Configuration {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
}

extension AV1SequenceHeader {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
    static func find(bytes: [UInt8]) throws(MediaError) -> AV1SequenceHeader? { try find(in: bytes.rawSpan) }
}

extension VP8FrameHeader {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
}

extension VP9FrameHeader {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
}

extension VPConfiguration {
    init(bytes: [UInt8]) throws(MediaError) { try self.init(bytes.rawSpan) }
}
