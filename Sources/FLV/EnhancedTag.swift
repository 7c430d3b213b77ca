import Bytes
import Media

/// VideoPacketType of enhanced RTMP v2.
package enum VideoPacketType: UInt8, Sendable {
    case sequenceStart = 0
    case codedFrames = 1
    case sequenceEnd = 2
    /// Coded frames whose composition time is zero and not written.
    case codedFramesX = 3
    case metadata = 4
    case mpeg2TSSequenceStart = 5
    case multitrack = 6
    case modEx = 7
}

/// AudioPacketType of enhanced RTMP v2.
package enum AudioPacketType: UInt8, Sendable {
    case sequenceStart = 0
    case codedFrames = 1
    case sequenceEnd = 2
    case multichannelConfig = 4
    case multitrack = 5
    case modEx = 7
}

/// AvMultitrackType of enhanced RTMP v2.
package enum MultitrackType: UInt8, Sendable {
    case oneTrack = 0
    case manyTracks = 1
    case manyTracksManyCodecs = 2
}

/// The part of ExVideoTagHeader and ExAudioTagHeader that a message has once, in front of its tracks.
struct EnhancedHeader {
    /// As on the wire: `VideoPacketType` or `AudioPacketType`, never ModEx or Multitrack.
    var packetType: UInt8
    /// Added to the message's timestamp, nanoseconds.
    var nanosecondOffset: Int64 = 0
    /// Nil outside of multitrack mode.
    var multitrack: MultitrackType?
    /// Nil where each track names its own codec.
    var fourCC: FLVFourCC?
    /// The message holds a seek command and no media.
    var isCommand = false

    /// Reads from the tag's first byte up to the first track.
    init(_ reader: inout TagReader, kind: MediaKind) throws(FLVError) {
        let first = try reader.readUInt8()
        packetType = first & 0x0F
        try readModifiers(&reader, kind: kind)
        if kind == .video, first >> 4 & 7 == VideoTag.FrameType.command, packetType != VideoPacketType.metadata.rawValue
        {
            isCommand = true
            return
        }
        let multitrackValue = kind == .video ? VideoPacketType.multitrack.rawValue : AudioPacketType.multitrack.rawValue
        guard packetType == multitrackValue else {
            fourCC = try reader.readFourCC()
            return
        }
        let types = try reader.readUInt8()
        guard let type = MultitrackType(rawValue: types >> 4) else { throw .unknownMultitrackType(types >> 4) }
        multitrack = type
        packetType = types & 0x0F
        guard packetType != multitrackValue, packetType != Self.modEx else {
            throw .unknownPacketType(kind, packetType)
        }
        if type != .manyTracksManyCodecs { fourCC = try reader.readFourCC() }
    }

    /// The same number for audio and video.
    private static let modEx = VideoPacketType.modEx.rawValue
    private static let timestampOffsetNano: UInt8 = 0

    private mutating func readModifiers(_ reader: inout TagReader, kind: MediaKind) throws(FLVError) {
        var count = 0
        while packetType == Self.modEx {
            count += 1
            guard count <= FLVLimits.maxModifiers else { throw .tooManyParts(kind) }
            var size = Int(try reader.readUInt8()) + 1
            if size == 256 { size = Int(try reader.readUInt16()) + 1 }
            // Three bytes are read ahead of knowing the type, which stands behind the data.
            var value: UInt32?
            if size >= 3 {
                value = try reader.readUInt24()
                try reader.skip(size - 3)
            } else {
                try reader.skip(size)
            }
            let types = try reader.readUInt8()
            packetType = types & 0x0F
            guard types >> 4 == Self.timestampOffsetNano else { continue }
            guard let value, value <= FLVLimits.maxNanosecondOffset else { throw .malformedSignal(kind) }
            nanosecondOffset = Int64(value)
        }
    }

    /// The next track of the message: its codec, its number and where its body lies. Nil when all were read.
    /// `index` counts the tracks read before.
    func nextTrack(_ reader: inout TagReader, index: Int, kind: MediaKind) throws(FLVError) -> Track? {
        guard let multitrack else {
            guard index == 0, let fourCC else { return nil }
            return Track(id: 0, fourCC: fourCC, body: reader.offset..<reader.offset + reader.remaining)
        }
        if multitrack == .oneTrack ? index > 0 : reader.remaining == 0 { return nil }
        guard index < FLVLimits.maxTracksPerMessage else { throw .tooManyParts(kind) }
        let codec: FLVFourCC
        if let fourCC { codec = fourCC } else { codec = try reader.readFourCC() }
        let id = try reader.readUInt8()
        let size = multitrack == .oneTrack ? reader.remaining : Int(try reader.readUInt24())
        let start = reader.offset
        try reader.skip(size)
        return Track(id: id, fourCC: codec, body: start..<start + size)
    }

    struct Track {
        var id: UInt8
        var fourCC: FLVFourCC
        /// Offsets in the tag's payload.
        var body: Range<Int>
    }
}
