import Bytes

/// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1): the sequence header of HEVC in FLV and MP4.
package struct HEVCConfiguration: Equatable, Sendable {
    /// general_profile_space, 0…3.
    package var profileSpace: UInt8
    /// general_tier_flag.
    package var isHighTier: Bool
    /// general_profile_idc, 0…31.
    package var profile: UInt8
    /// general_profile_compatibility_flags, flag 0 in the highest bit.
    package var compatibility: UInt32
    /// general_constraint_indicator_flags, the low 48 bits.
    package var constraints: UInt64
    /// general_level_idc, thirty times the level.
    package var level: UInt8
    package var minSpatialSegmentation: UInt16
    package var parallelismType: UInt8
    /// chroma_format_idc.
    package var chromaFormat: UInt8
    /// Bits a sample, 8…15.
    package var bitDepthLuma: UInt8
    package var bitDepthChroma: UInt8
    /// avgFrameRate in frames per 256 s; 0 is unspecified.
    package var averageFrameRate: UInt16
    package var constantFrameRate: UInt8
    package var temporalLayers: UInt8
    package var isTemporalIDNested: Bool
    /// Bytes in front of each NAL unit: 1, 2 or 4.
    package var lengthSize: Int
    package var arrays: [ParameterSets]

    /// The units of one type.
    package struct ParameterSets: Equatable, Sendable {
        package var type: HEVCNALUnitType
        /// array_completeness: none of this type stand in the stream itself.
        package var isComplete: Bool
        package var units: [[UInt8]]
    }

    package init(_ record: RawSpan) throws(MediaError) {
        var reader = HeaderReader(record)
        let version = try reader.readUInt8()
        // Drafts of the format, which some encoders still write, say 0.
        guard version <= 1 else { throw .malformed(.hevcConfiguration) }
        let general = try reader.readUInt8()
        profileSpace = general >> 6
        isHighTier = general & 0x20 != 0
        profile = general & 0x1F
        compatibility = try reader.readUInt32()
        let constraintsHigh = UInt64(try reader.readUInt16())
        constraints = constraintsHigh << 32 | UInt64(try reader.readUInt32())
        level = try reader.readUInt8()
        minSpatialSegmentation = try reader.readUInt16() & 0xFFF
        parallelismType = try reader.readUInt8() & 3
        chromaFormat = try reader.readUInt8() & 3
        bitDepthLuma = try reader.readUInt8() & 7 + 8
        bitDepthChroma = try reader.readUInt8() & 7 + 8
        averageFrameRate = try reader.readUInt16()
        let packed = try reader.readUInt8()
        constantFrameRate = packed >> 6
        temporalLayers = packed >> 3 & 7
        isTemporalIDNested = packed & 4 != 0
        lengthSize = Int(packed & 3) + 1
        guard lengthSize != 3 else { throw .malformed(.hevcConfiguration) }
        arrays = try Self.readArrays(&reader)
    }

    /// Takes the parameter sets out of a byte stream's key frame, each once. Throws when it holds no sequence
    /// parameter set, or one that cannot be read. NAL units get 4-byte lengths.
    package init(fromAnnexB bytes: RawSpan) throws(MediaError) {
        let kinds: [HEVCNALUnitType] = [.videoParameterSet, .sequenceParameterSet, .pictureParameterSet]
        var found = kinds.map { ParameterSets(type: $0, isComplete: true, units: []) }
        var units = AnnexBUnits(bytes)
        while let range = units.next() {
            guard let index = kinds.firstIndex(of: HEVCNALUnitType(header: bytes[range.lowerBound])),
                range.count <= MediaLimits.maxParameterSetBytes, found[index].units.count < 16
            else { continue }
            let unit = bytes.extracting(range).copied()
            if !found[index].units.contains(unit) { found[index].units.append(unit) }
        }
        guard let first = found[1].units.first else { throw .malformed(.hevcConfiguration) }
        let parameters = try HEVCSequenceParameterSet(first.rawSpan)
        profileSpace = parameters.profileSpace
        isHighTier = parameters.isHighTier
        profile = parameters.profile
        compatibility = parameters.compatibility
        constraints = parameters.constraints
        level = parameters.level
        minSpatialSegmentation = 0
        parallelismType = 0
        chromaFormat = UInt8(truncatingIfNeeded: parameters.chromaFormat)
        // The record has three bits; 16-bit video exists in the parameter set only.
        bitDepthLuma = UInt8(min(parameters.bitDepthLuma, 15))
        bitDepthChroma = UInt8(min(parameters.bitDepthChroma, 15))
        averageFrameRate = 0
        constantFrameRate = 0
        temporalLayers = parameters.temporalLayers
        isTemporalIDNested = parameters.isTemporalIDNested
        lengthSize = 4
        arrays = found.filter { !$0.units.isEmpty }
    }

    /// Units of one type, of all arrays.
    package func units(of type: HEVCNALUnitType) -> [[UInt8]] { arrays.filter { $0.type == type }.flatMap(\.units) }

    /// The record's bytes. Traps when there are more sets, or longer ones, than the record has room for.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 128)
        writer.write([1, profileSpace << 6 | (isHighTier ? 0x20 : 0) | profile & 0x1F])
        writer.write(compatibility)
        writer.write(UInt16(truncatingIfNeeded: constraints >> 32))
        writer.write(UInt32(truncatingIfNeeded: constraints))
        writer.write(level)
        writer.write(0xF000 | minSpatialSegmentation & 0xFFF)
        writer.write([
            0xFC | parallelismType, 0xFC | chromaFormat, 0xF8 | (bitDepthLuma - 8), 0xF8 | (bitDepthChroma - 8),
        ])
        writer.write(averageFrameRate)
        writer.write(
            constantFrameRate << 6 | (temporalLayers & 7) << 3 | (isTemporalIDNested ? 4 : 0) | UInt8(lengthSize - 1))
        precondition(arrays.count < 256, "too many arrays of parameter sets")
        writer.write(UInt8(arrays.count))
        for array in arrays {
            writer.write((array.isComplete ? 0x80 : 0) | array.type.rawValue)
            precondition(array.units.count <= Int(UInt16.max), "too many parameter sets")
            writer.write(UInt16(array.units.count))
            for unit in array.units {
                precondition(unit.count <= MediaLimits.maxParameterSetBytes, "parameter set too long")
                writer.write(UInt16(unit.count))
                writer.write(unit)
            }
        }
        return writer.bytes
    }

    private static func readArrays(_ reader: inout HeaderReader) throws(MediaError) -> [ParameterSets] {
        let count = Int(try reader.readUInt8())
        guard count <= MediaLimits.maxHEVCArrays else { throw .overLimit(.hevcConfiguration) }
        var arrays: [ParameterSets] = []
        var total = 0
        for _ in 0..<count {
            let header = try reader.readUInt8()
            let unitCount = Int(try reader.readUInt16())
            total += unitCount
            guard total <= MediaLimits.maxHEVCUnits else { throw .overLimit(.hevcConfiguration) }
            var array = ParameterSets(
                type: HEVCNALUnitType(rawValue: header), isComplete: header & 0x80 != 0, units: [])
            for _ in 0..<unitCount { array.units.append(try reader.readParameterSet(of: .hevcConfiguration)) }
            arrays.append(array)
        }
        return arrays
    }
}
