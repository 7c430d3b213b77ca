import Bytes
import Media

extension FLVDemuxer {
    mutating func demuxLegacyAudio(_ payload: SlabSlice, _ timestamp: Int64) throws(FLVError) {
        let tag = try AudioTag(header: payload.bytes[0])
        let time = Self.nanoseconds(timestamp)
        guard tag.codec == .aac else {
            guard payload.count > 1 else { throw .emptyFrame(.audio) }
            try announceAudio(
                AudioConfiguration(codec: tag.codec, record: nil, sampleRate: tag.sampleRate, channels: tag.channels))
            return try audioFrame(tag.codec, payload, 1..<payload.count, time)
        }
        guard payload.count > 1 else { throw .truncated(offset: 1) }
        let packetType = payload.bytes[1]
        switch packetType {
        case AudioTag.sequenceHeader: try startAudio(.aac, payload, 2..<payload.count)
        case AudioTag.raw: try audioFrame(.aac, payload, 2..<payload.count, time)
        default: throw .unknownPacketType(.audio, packetType)
        }
    }

    mutating func demuxEnhancedAudio(_ payload: SlabSlice, _ timestamp: Int64) throws(FLVError) {
        var reader = TagReader(payload.bytes)
        let header = try EnhancedHeader(&reader, kind: .audio)
        guard let type = AudioPacketType(rawValue: header.packetType) else {
            throw .unknownPacketType(.audio, header.packetType)
        }
        let time = Self.nanoseconds(timestamp) &+ header.nanosecondOffset
        var index = 0
        while let track = try header.nextTrack(&reader, index: index, kind: .audio) {
            index += 1
            if track.id == 0 {
                try demuxAudioTrack(track, type: type, payload, time)
            } else {
                try reportExtraTrack(track.id, kind: .audio)
            }
        }
    }

    private mutating func demuxAudioTrack(
        _ track: EnhancedHeader.Track, type: AudioPacketType, _ payload: SlabSlice, _ time: MediaTime
    ) throws(FLVError) {
        guard let codec = track.fourCC.audioCodec else { throw .unknownFourCC(track.fourCC) }
        switch type {
        case .sequenceStart: try startAudio(codec, payload, track.body)
        case .codedFrames: try audioFrame(codec, payload, track.body, time)
        case .sequenceEnd: try emit(.endOfSequence(.audio))
        case .multichannelConfig: try setMultichannel(codec, payload.bytes.extracting(track.body))
        case .multitrack, .modEx: throw .unknownPacketType(.audio, type.rawValue)
        }
    }

    /// A sequence header. Codecs that can do without may send an empty one (FFmpeg does for AC-3).
    private mutating func startAudio(_ codec: AudioCodec, _ payload: SlabSlice, _ range: Range<Int>) throws(FLVError) {
        guard let bytes = try record(payload, range, kind: .audio) else {
            if AudioTag.needsRecord(codec) { throw .invalidSequenceHeader(.audio) }
            return
        }
        if let audio, audio.codec == codec, Self.areEqual(audio.record, bytes) { return }
        var configuration = AudioConfiguration(codec: codec, record: bytes, sampleRate: 0, channels: 0)
        do {
            switch codec {
            case .aac:
                let config = try AudioSpecificConfig(bytes.bytes)
                (configuration.sampleRate, configuration.channels) = (config.outputSampleRate, config.channels)
            case .opus:
                (configuration.sampleRate, configuration.channels) = (48_000, try OpusHead(bytes.bytes).channels)
            case .flac:
                let block = bytes[try FLACStreamInfo.range(in: bytes.bytes)]
                let info = try FLACStreamInfo(block.bytes)
                configuration.record = SlabSlice(copying: block.bytes)
                (configuration.sampleRate, configuration.channels) = (info.sampleRate, info.channels)
            default:
                return  // MP3, AC-3 and E-AC-3 have no sequence header
            }
        } catch {
            throw .invalidSequenceHeader(.audio)
        }
        try announceAudio(configuration)
    }

    private mutating func audioFrame(
        _ codec: AudioCodec, _ payload: SlabSlice, _ range: Range<Int>, _ time: MediaTime
    ) throws(FLVError) {
        guard !range.isEmpty else { throw .emptyFrame(.audio) }
        if audio?.codec != codec {
            if AudioTag.needsRecord(codec) { throw .missingSequenceHeader(.audio) }
            try announceAudio(headerless(codec))
        }
        try emitFrame(.audio(codec), payload, range, isKey: true, dts: time, pts: time)
    }

    /// MultichannelConfig: order, count, and a map by order. Sequence headers know better, so only codecs without one
    /// use it.
    private mutating func setMultichannel(_ codec: AudioCodec, _ body: RawSpan) throws(FLVError) {
        var reader = TagReader(body)
        let order = try reader.readUInt8()
        let channels = Int(try reader.readUInt8())
        guard channels > 0 else { throw .malformedSignal(.audio) }
        switch order {
        case 1: try reader.skip(4)  // native: a mask of speakers
        case 2: try reader.skip(channels)  // custom: a speaker for each channel
        default: break
        }
        multichannel = (codec, channels)
        if let audio, audio.codec == codec, audio.record == nil { try announceAudio(headerless(codec)) }
    }

    private func headerless(_ codec: AudioCodec) -> AudioConfiguration {
        let channels = multichannel?.codec == codec ? multichannel?.channels : nil
        return AudioConfiguration(
            codec: codec, record: nil, sampleRate: codec == .opus ? 48_000 : 0, channels: channels ?? 0)
    }

    private mutating func announceAudio(_ configuration: AudioConfiguration) throws(FLVError) {
        if let audio, audio.codec == configuration.codec, audio.sampleRate == configuration.sampleRate,
            audio.channels == configuration.channels, Self.areEqual(audio.record, configuration.record)
        {
            return
        }
        try emit(.audioConfiguration(configuration))
        audio = configuration
    }
}
