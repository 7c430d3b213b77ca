package import Bytes

/// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1): the sequence header of H.264 in FLV and MP4.
package struct AVCConfiguration: Equatable, Sendable {
    /// AVCProfileIndication: profile_idc of the parameter sets.
    package var profile: UInt8
    /// profile_compatibility: the constraint_set flags.
    package var compatibility: UInt8
    /// AVCLevelIndication: level_idc.
    package var level: UInt8
    /// Bytes in front of each NAL unit: 1, 2 or 4.
    package var lengthSize: Int
    /// NAL units, header byte included, emulation bytes in place; at most 31.
    package var sequenceParameterSets: [[UInt8]]
    /// NAL units; at most 255.
    package var pictureParameterSets: [[UInt8]]
    /// The fields that only the High profiles have; nil when absent.
    package var highProfile: HighProfile?

    /// What stands behind the parameter sets for all profiles but Baseline, Main and Extended.
    package struct HighProfile: Equatable, Sendable {
        /// chroma_format_idc: 0 is monochrome, 1 is 4:2:0, 3 is 4:4:4.
        package var chromaFormat: UInt8
        /// Bits a sample, 8…15.
        package var bitDepthLuma: UInt8
        package var bitDepthChroma: UInt8
        package var sequenceParameterSetExtensions: [[UInt8]]
    }

    /// Reads a record. The High profile fields are taken when whole, and ignored otherwise: some encoders leave them
    /// out.
    package init(_ record: RawSpan) throws(MediaError) {
        var reader = HeaderReader(record)
        let version = try reader.readUInt8()
        profile = try reader.readUInt8()
        compatibility = try reader.readUInt8()
        level = try reader.readUInt8()
        lengthSize = Int(try reader.readUInt8() & 3) + 1
        guard version == 1, lengthSize != 3 else { throw .malformed(.avcConfiguration) }
        var sequenceSets: [[UInt8]] = []
        for _ in 0..<(try reader.readUInt8() & 0x1F) {
            sequenceSets.append(try reader.readParameterSet(of: .avcConfiguration))
        }
        var pictureSets: [[UInt8]] = []
        for _ in 0..<(try reader.readUInt8()) {
            pictureSets.append(try reader.readParameterSet(of: .avcConfiguration))
        }
        sequenceParameterSets = sequenceSets
        pictureParameterSets = pictureSets
        highProfile = Self.hasHighFields(profile) ? try? Self.readHighProfile(reader.readRest()) : nil
    }

    /// Takes the parameter sets out of a byte stream's key frame, each once. Throws when it holds no sequence
    /// parameter set, or one that cannot be read. NAL units get 4-byte lengths.
    package init(fromAnnexB bytes: RawSpan) throws(MediaError) {
        var sequenceSets: [[UInt8]] = []
        var pictureSets: [[UInt8]] = []
        var units = AnnexBUnits(bytes)
        while let range = units.next() {
            guard range.count <= MediaLimits.maxParameterSetBytes else { continue }
            let type = H264NALUnitType(header: bytes[range.lowerBound])
            guard type == .sequenceParameterSet || type == .pictureParameterSet else { continue }
            let unit = bytes.extracting(range).copied()
            if type == .sequenceParameterSet, sequenceSets.count < 31, !sequenceSets.contains(unit) {
                sequenceSets.append(unit)
            } else if type == .pictureParameterSet, pictureSets.count < 255, !pictureSets.contains(unit) {
                pictureSets.append(unit)
            }
        }
        guard let first = sequenceSets.first else { throw .malformed(.avcConfiguration) }
        let parameters = try H264SequenceParameterSet(first.rawSpan)
        profile = parameters.profileIDC
        compatibility = parameters.constraintFlags
        level = parameters.levelIDC
        lengthSize = 4
        sequenceParameterSets = sequenceSets
        pictureParameterSets = pictureSets
        if Self.hasHighFields(profile) {
            highProfile = HighProfile(
                chromaFormat: UInt8(truncatingIfNeeded: parameters.chromaFormat),
                bitDepthLuma: UInt8(truncatingIfNeeded: parameters.bitDepthLuma),
                bitDepthChroma: UInt8(truncatingIfNeeded: parameters.bitDepthChroma),
                sequenceParameterSetExtensions: [])
        } else {
            highProfile = nil
        }
    }

    /// The record's bytes. Traps when there are more sets, or longer ones, than the record has room for.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 64)
        writer.write([1, profile, compatibility, level, 0xFC | UInt8(lengthSize - 1)])
        precondition(sequenceParameterSets.count < 32 && pictureParameterSets.count < 256, "too many parameter sets")
        writer.write(0xE0 | UInt8(sequenceParameterSets.count))
        for unit in sequenceParameterSets { Self.write(unit, to: &writer) }
        writer.write(UInt8(pictureParameterSets.count))
        for unit in pictureParameterSets { Self.write(unit, to: &writer) }
        if let highProfile, Self.hasHighFields(profile) {
            writer.write(0xFC | highProfile.chromaFormat)
            writer.write(0xF8 | (highProfile.bitDepthLuma - 8))
            writer.write(0xF8 | (highProfile.bitDepthChroma - 8))
            precondition(highProfile.sequenceParameterSetExtensions.count < 256, "too many parameter set extensions")
            writer.write(UInt8(highProfile.sequenceParameterSetExtensions.count))
            for unit in highProfile.sequenceParameterSetExtensions { Self.write(unit, to: &writer) }
        }
        return writer.bytes
    }

    /// The parameter sets as a byte stream, for decoders and RTP, which want them before a key frame.
    package func appendAnnexBParameterSets(to writer: inout SlabWriter) {
        for unit in sequenceParameterSets + pictureParameterSets where !unit.isEmpty {
            for byte in [0, 0, 0, 1] as [UInt8] { writer.append(byte) }
            writer.append(unit)
        }
    }

    /// The standard names 100, 110, 122 and 144; muxers write the fields for all profiles that have chroma formats.
    private static func hasHighFields(_ profile: UInt8) -> Bool { ![66, 77, 88].contains(profile) }

    private static func write(_ unit: [UInt8], to writer: inout ByteWriter) {
        precondition(unit.count <= MediaLimits.maxParameterSetBytes, "parameter set too long")
        writer.write(UInt16(unit.count))
        writer.write(unit)
    }

    private static func readHighProfile(_ bytes: RawSpan) throws(MediaError) -> HighProfile {
        var reader = HeaderReader(bytes)
        var fields = HighProfile(
            chromaFormat: try reader.readUInt8() & 3, bitDepthLuma: try reader.readUInt8() & 7 + 8,
            bitDepthChroma: try reader.readUInt8() & 7 + 8, sequenceParameterSetExtensions: [])
        for _ in 0..<(try reader.readUInt8()) {
            fields.sequenceParameterSetExtensions.append(try reader.readParameterSet(of: .avcConfiguration))
        }
        return fields
    }
}
