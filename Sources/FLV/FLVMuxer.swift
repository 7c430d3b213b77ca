import Bytes
package import Media

/// Builds the messages that a publisher sends: for the demo encoder and for tests.
///
/// H.264 and AAC go into legacy tags unless `prefersEnhanced`; all others need enhanced RTMP. Frames of H.264 and HEVC
/// are length-prefixed with the length size of their record, or come as Annex B through `frame(annexB:…)`, which
/// writes 4-byte lengths.
package struct FLVMuxer: Sendable {
    /// Uses FourCC headers for H.264 and AAC too.
    package var prefersEnhanced: Bool
    /// Writes what the millisecond timestamps leave out as ModEx; needs enhanced headers.
    package var writesNanoseconds: Bool

    package init(prefersEnhanced: Bool = false, writesNanoseconds: Bool = false) {
        self.prefersEnhanced = prefersEnhanced
        self.writesNanoseconds = writesNanoseconds
    }

    /// "@setDataFrame", "onMetaData" and the members, as a publisher sends them; a file has no "@setDataFrame".
    package func metadata(_ metadata: StreamMetadata, forFile: Bool = false) -> FLVTag {
        let values: [AMF0Value] = (forFile ? [] : [.string("@setDataFrame")]) + [.string("onMetaData"), metadata.value]
        return FLVTag(
            kind: .script, timestampMilliseconds: 0, payload: SlabSlice(copying: AMF0Writer.encode(values)))
    }

    /// A sequence header; a configuration without a record makes an empty one.
    package func sequenceStart(
        _ configuration: VideoConfiguration, timestampMilliseconds: Int64 = 0
    ) throws(FLVError) -> FLVTag {
        var writer = SlabWriter(reservingCapacity: 64)
        if usesLegacy(configuration.codec) {
            writer.append([VideoTag.FrameType.key << 4 | VideoTag.avc, VideoTag.sequenceHeader, 0, 0, 0])
        } else {
            let first = 0x80 | VideoTag.FrameType.key << 4 | VideoPacketType.sequenceStart.rawValue
            writer.append(first)
            try append(FLVFourCC(configuration.codec), to: &writer)
        }
        if let record = configuration.record { writer.append(record.bytes) }
        return FLVTag(kind: .video, timestampMilliseconds: timestampMilliseconds, payload: writer.seal())
    }

    /// A sequence header with the parameter sets of an H.264 or HEVC key frame.
    package func sequenceStart(
        annexB bytes: RawSpan, codec: VideoCodec, timestampMilliseconds: Int64 = 0
    ) throws(FLVError) -> FLVTag {
        let record: [UInt8]
        do {
            record =
                codec == .hevc
                ? try HEVCConfiguration(fromAnnexB: bytes).encoded() : try AVCConfiguration(fromAnnexB: bytes).encoded()
        } catch {
            throw .invalidSequenceHeader(.video)
        }
        let configuration = VideoConfiguration(codec: codec, record: SlabSlice(copying: record))
        return try sequenceStart(configuration, timestampMilliseconds: timestampMilliseconds)
    }

    /// A sequence header; a configuration without a record makes an empty one.
    package func sequenceStart(
        _ configuration: AudioConfiguration, timestampMilliseconds: Int64 = 0
    ) throws(FLVError) -> FLVTag {
        var writer = SlabWriter(reservingCapacity: 64)
        if usesLegacy(configuration.codec) {
            writer.append([Self.legacyAAC, AudioTag.sequenceHeader])
        } else {
            writer.append(AudioTag.enhancedFormat << 4 | AudioPacketType.sequenceStart.rawValue)
            try append(FLVFourCC(configuration.codec), to: &writer)
        }
        if let record = configuration.record { writer.append(record.bytes) }
        return FLVTag(kind: .audio, timestampMilliseconds: timestampMilliseconds, payload: writer.seal())
    }

    /// One coded frame with its payload as it is.
    package func frame(_ frame: EncodedFrame) throws(FLVError) -> FLVTag {
        var writer = SlabWriter(reservingCapacity: frame.payload.count + 24)
        let milliseconds = try appendHeader(frame, to: &writer)
        writer.append(frame.payload.bytes)
        let kind: FLVTag.Kind = frame.kind == .video ? .video : .audio
        return FLVTag(kind: kind, timestampMilliseconds: milliseconds, payload: writer.seal())
    }

    /// One H.264 or HEVC picture from a byte stream. Parameter sets, which the sequence header has, and delimiters are
    /// left out.
    package func frame(
        annexB bytes: RawSpan, codec: VideoCodec, pts: MediaTime, dts: MediaTime, isKey: Bool
    ) throws(FLVError) -> FLVTag {
        var writer = SlabWriter(reservingCapacity: bytes.byteCount + 64)
        let empty = SlabSlice(copying: [])
        let frame = EncodedFrame(codec: .video(codec), pts: pts, dts: dts, isKey: isKey, payload: empty)
        let milliseconds = try appendHeader(frame, to: &writer)
        NALUnitFraming.appendLengthPrefixed(annexB: bytes, to: &writer) { header in
            codec == .hevc
                ? (32...35).contains(HEVCNALUnitType(header: header).rawValue)
                : (7...9).contains(H264NALUnitType(header: header).rawValue)
        }
        return FLVTag(kind: .video, timestampMilliseconds: milliseconds, payload: writer.seal())
    }

    /// The end of a sequence. Legacy audio has none: an empty message stands for it.
    package func sequenceEnd(_ codec: EncodedFrame.Codec, timestampMilliseconds: Int64) throws(FLVError) -> FLVTag {
        var writer = SlabWriter(reservingCapacity: 16)
        switch codec {
        case .video(let codec):
            if usesLegacy(codec) {
                writer.append([VideoTag.FrameType.key << 4 | VideoTag.avc, VideoTag.endOfSequence, 0, 0, 0])
            } else {
                let first = 0x80 | VideoTag.FrameType.key << 4 | VideoPacketType.sequenceEnd.rawValue
                writer.append(first)
                try append(FLVFourCC(codec), to: &writer)
            }
            return FLVTag(kind: .video, timestampMilliseconds: timestampMilliseconds, payload: writer.seal())
        case .audio(let codec):
            if !usesLegacy(codec) {
                writer.append(AudioTag.enhancedFormat << 4 | AudioPacketType.sequenceEnd.rawValue)
                try append(FLVFourCC(codec), to: &writer)
            }
            return FLVTag(kind: .audio, timestampMilliseconds: timestampMilliseconds, payload: writer.seal())
        }
    }
}
