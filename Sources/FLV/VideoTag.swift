import Media

/// Numbers of the legacy VideoTagHeader (FLV 10.1, annex E.4.3.1).
enum VideoTag {
    /// FrameType, the upper four bits of the first byte; in enhanced mode the highest of them is the mode flag.
    enum FrameType {
        static let key: UInt8 = 1
        static let inter: UInt8 = 2
        /// Reserved for servers, and a key frame as well.
        static let generatedKey: UInt8 = 4
        static let command: UInt8 = 5

        static func isKey(_ type: UInt8) -> Bool { type == key || type == generatedKey }
    }

    /// CodecID 7, and 12 of encoders that carried HEVC before enhanced RTMP: packet type and composition time follow.
    static let avc: UInt8 = 7
    static let legacyHEVC: UInt8 = 12

    /// AVCPacketType.
    static let sequenceHeader: UInt8 = 0
    static let codedUnits: UInt8 = 1
    static let endOfSequence: UInt8 = 2

    static func codec(_ id: UInt8) -> VideoCodec? {
        switch id {
        case 2: .sorensonH263
        case 3: .screenVideo
        case 4: .vp6
        case 5: .vp6Alpha
        case 6: .screenVideo2
        case avc: .h264
        case legacyHEVC: .hevc
        default: nil
        }
    }

    /// Codecs that cannot be decoded without their record; the others say all in their key frames.
    static func needsRecord(_ codec: VideoCodec) -> Bool { codec == .h264 || codec == .hevc }
}
