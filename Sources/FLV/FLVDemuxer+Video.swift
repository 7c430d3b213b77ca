import Bytes
import Media

extension FLVDemuxer {
    mutating func demuxLegacyVideo(_ payload: SlabSlice, _ timestamp: Int64) throws(FLVError) {
        let first = payload.bytes[0]
        let frameType = first >> 4
        if frameType == VideoTag.FrameType.command { return }
        guard let codec = VideoTag.codec(first & 0x0F) else { throw .unknownVideoCodec(first & 0x0F) }
        let isKey = VideoTag.FrameType.isKey(frameType)
        let dts = Self.nanoseconds(timestamp)
        switch codec {
        case .h264, .hevc:
            try demuxLegacyUnits(payload, codec: codec, isKey: isKey, dts: dts)
        case .vp6, .vp6Alpha:
            // One byte says how much of the picture to cut off; decoders take it as their record.
            guard payload.count > 1 else { throw .truncated(offset: 1) }
            try announceVideo(codec, record: try record(payload, 1..<2, kind: .video))
            try videoFrame(codec, payload, 2..<payload.count, isKey: isKey, dts: dts, pts: dts)
        default:
            try videoFrame(codec, payload, 1..<payload.count, isKey: isKey, dts: dts, pts: dts)
        }
    }

    /// AVCVIDEOPACKET (annex E.4.3.2).
    private mutating func demuxLegacyUnits(
        _ payload: SlabSlice, codec: VideoCodec, isKey: Bool, dts: MediaTime
    ) throws(FLVError) {
        var reader = TagReader(payload.bytes)
        try reader.skip(1)
        let packetType = try reader.readUInt8()
        switch packetType {
        case VideoTag.sequenceHeader:
            try reader.skip(3)
            try startVideo(codec, payload, reader.offset..<payload.count)
        case VideoTag.codedUnits:
            let pts = try Self.presentation(dts, offset: try reader.readInt24())
            try videoFrame(codec, payload, reader.offset..<payload.count, isKey: isKey, dts: dts, pts: pts)
        case VideoTag.endOfSequence:
            try emit(.endOfSequence(.video))
        default:
            throw .unknownPacketType(.video, packetType)
        }
    }

    mutating func demuxEnhancedVideo(_ payload: SlabSlice, _ timestamp: Int64) throws(FLVError) {
        var reader = TagReader(payload.bytes)
        let header = try EnhancedHeader(&reader, kind: .video)
        if header.isCommand { return }
        guard let type = VideoPacketType(rawValue: header.packetType) else {
            throw .unknownPacketType(.video, header.packetType)
        }
        let isKey = VideoTag.FrameType.isKey(payload.bytes[0] >> 4 & 7)
        let dts = Self.nanoseconds(timestamp) &+ header.nanosecondOffset
        var index = 0
        while let track = try header.nextTrack(&reader, index: index, kind: .video) {
            index += 1
            if track.id == 0 {
                try demuxVideoTrack(track, type: type, payload, isKey: isKey, dts: dts)
            } else {
                try reportExtraTrack(track.id, kind: .video)
            }
        }
    }

    private mutating func demuxVideoTrack(
        _ track: EnhancedHeader.Track, type: VideoPacketType, _ payload: SlabSlice, isKey: Bool, dts: MediaTime
    ) throws(FLVError) {
        guard let codec = track.fourCC.videoCodec else { throw .unknownFourCC(track.fourCC) }
        let body = track.body
        switch type {
        case .sequenceStart:
            try startVideo(codec, payload, body)
        case .codedFrames where codec == .h264 || codec == .hevc:
            var reader = TagReader(payload.bytes.extracting(body))
            let pts = try Self.presentation(dts, offset: try reader.readInt24())
            try videoFrame(codec, payload, body.lowerBound + 3..<body.upperBound, isKey: isKey, dts: dts, pts: pts)
        case .codedFrames, .codedFramesX:
            try videoFrame(codec, payload, body, isKey: isKey, dts: dts, pts: dts)
        case .sequenceEnd:
            try emit(.endOfSequence(.video))
        case .metadata:
            break  // colour information, which the bitstreams carry as well
        case .mpeg2TSSequenceStart where codec == .av1:
            break  // a descriptor for transport streams; AV1 repeats its sequence header in key frames
        case .mpeg2TSSequenceStart, .multitrack, .modEx:
            throw .unknownPacketType(.video, type.rawValue)
        }
    }

    /// A sequence header. Codecs that can do without may send an empty one (FFmpeg does for AV1).
    private mutating func startVideo(
        _ codec: VideoCodec, _ payload: SlabSlice, _ range: Range<Int>
    ) throws(FLVError) {
        guard let record = try record(payload, range, kind: .video) else {
            if VideoTag.needsRecord(codec) { throw .invalidSequenceHeader(.video) }
            return
        }
        if isAnnounced(codec, record) { return }
        let isReadable =
            switch codec {
            case .h264: (try? AVCConfiguration(record.bytes)) != nil
            case .hevc: (try? HEVCConfiguration(record.bytes)) != nil
            case .av1: (try? AV1Configuration(record.bytes)) != nil
            default: true
            }
        guard isReadable else { throw .invalidSequenceHeader(.video) }
        try announceVideo(codec, record: record)
    }

    private mutating func videoFrame(
        _ codec: VideoCodec, _ payload: SlabSlice, _ range: Range<Int>, isKey: Bool, dts: MediaTime, pts: MediaTime
    ) throws(FLVError) {
        guard !range.isEmpty else { throw .emptyFrame(.video) }
        if video?.codec != codec {
            if VideoTag.needsRecord(codec) { throw .missingSequenceHeader(.video) }
            try announceVideo(codec, record: nil)
        }
        try emitFrame(.video(codec), payload, range, isKey: isKey, dts: dts, pts: pts)
    }

    private mutating func announceVideo(_ codec: VideoCodec, record: SlabSlice?) throws(FLVError) {
        if isAnnounced(codec, record) { return }
        let configuration = VideoConfiguration(codec: codec, record: record)
        try emit(.videoConfiguration(configuration))
        video = configuration
    }

    private func isAnnounced(_ codec: VideoCodec, _ record: SlabSlice?) -> Bool {
        guard let video, video.codec == codec else { return false }
        return Self.areEqual(video.record, record)
    }

    static func areEqual(_ a: SlabSlice?, _ b: SlabSlice?) -> Bool {
        guard let a, let b else { return a == nil && b == nil }
        return a.bytes.elementsEqual(b.bytes)
    }

    private static func presentation(_ dts: MediaTime, offset: Int32) throws(FLVError) -> MediaTime {
        guard offset.magnitude <= FLVLimits.maxCompositionMilliseconds.magnitude else {
            throw .compositionTimeOutOfRange(milliseconds: offset)
        }
        return dts &+ nanoseconds(Int64(offset))
    }
}
