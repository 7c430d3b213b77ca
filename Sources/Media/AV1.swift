import Bytes

/// AV1CodecConfigurationRecord (AV1 in ISOBMFF section 2.3.3): the sequence header of AV1 in FLV and MP4.
package struct AV1Configuration: Equatable, Sendable {
    /// seq_profile: 0 Main, 1 High, 2 Professional.
    package var profile: UInt8
    /// seq_level_idx_0, 0…31: level 2.0 and up in steps of 0.1, four to a major level.
    package var levelIndex: UInt8
    package var isHighTier: Bool
    /// Bits a sample: 8, 10 or 12.
    package var bitDepth: Int
    package var isMonochrome: Bool
    /// configOBUs: normally one sequence header unit with its size.
    package var units: [UInt8]

    package init(profile: UInt8, levelIndex: UInt8, isHighTier: Bool, bitDepth: Int, isMonochrome: Bool, units: [UInt8])
    {
        self.profile = profile
        self.levelIndex = levelIndex
        self.isHighTier = isHighTier
        self.bitDepth = bitDepth
        self.isMonochrome = isMonochrome
        self.units = units
    }

    package init(_ record: RawSpan) throws(MediaError) {
        var reader = HeaderReader(record)
        // Marker bit and version 1.
        guard try reader.readUInt8() == 0x81 else { throw .malformed(.av1Configuration) }
        let level = try reader.readUInt8()
        profile = level >> 5
        levelIndex = level & 0x1F
        let flags = try reader.readUInt8()
        isHighTier = flags & 0x80 != 0
        bitDepth = flags & 0x40 == 0 ? 8 : (flags & 0x20 == 0 ? 10 : 12)
        isMonochrome = flags & 0x10 != 0
        _ = try reader.readUInt8()  // initial_presentation_delay
        guard profile <= 2 else { throw .malformed(.av1Configuration) }
        guard reader.remaining <= MediaLimits.maxParameterSetBytes else { throw .overLimit(.av1Configuration) }
        units = reader.readRest().copied()
    }

    /// The record's bytes, for 4:2:0 and without a presentation delay.
    package func encoded() -> [UInt8] {
        let depth: UInt8 = bitDepth == 8 ? 0 : (bitDepth == 10 ? 0x40 : 0x60)
        let flags = (isHighTier ? 0x80 : 0) | depth | (isMonochrome ? 0x10 : 0) | 0x0C
        return [0x81, profile << 5 | levelIndex & 0x1F, flags, 0] + units
    }
}

/// Walks the open bitstream units of a temporal unit that carry their sizes (AV1 section 5.3), without allocating.
package struct AV1Units: ~Escapable {
    private let bytes: RawSpan
    private var offset = 0

    /// obu_type (section 6.2.2).
    package enum UnitType {
        package static let sequenceHeader: UInt8 = 1
        package static let temporalDelimiter: UInt8 = 2
        package static let frameHeader: UInt8 = 3
        package static let metadata: UInt8 = 5
        package static let frame: UInt8 = 6
        package static let tileList: UInt8 = 8
        package static let padding: UInt8 = 15
    }

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) { self.bytes = bytes }

    /// Type and payload of the next unit; nil at the end. A unit without a size reaches to the end. After an error the
    /// walk is over.
    @_lifetime(self: copy self)
    package mutating func next() throws(MediaError) -> (type: UInt8, payload: Range<Int>)? {
        guard offset < bytes.byteCount else { return nil }
        let start = offset
        offset = bytes.byteCount
        let header = bytes[start]
        guard header & 0x80 == 0 else { throw .malformed(.av1Unit) }
        var position = start + (header & 4 != 0 ? 2 : 1)
        guard position <= bytes.byteCount else { throw .truncated(offset: start) }
        let type = header >> 3 & 0xF
        guard header & 2 != 0 else { return (type, position..<bytes.byteCount) }
        let size = try LEB128.read(bytes, at: &position)
        guard size <= bytes.byteCount - position else { throw .truncated(offset: position) }
        offset = position + size
        return (type, position..<offset)
    }
}

/// leb128() (AV1 section 4.10.5): little-endian base 128.
package enum LEB128 {
    /// Reads at `offset` and moves it behind the number: at most 8 bytes and 32 bits.
    package static func read(_ bytes: RawSpan, at offset: inout Int) throws(MediaError) -> Int {
        var value = 0
        for index in 0..<8 {
            guard offset < bytes.byteCount else { throw .truncated(offset: offset) }
            let byte = bytes[offset]
            offset += 1
            value |= Int(byte & 0x7F) << (index * 7)
            if byte & 0x80 == 0 {
                guard value <= Int(UInt32.max) else { throw .malformed(.av1Unit) }
                return value
            }
        }
        throw .malformed(.av1Unit)
    }

    /// Hands out the bytes of the shortest form, first one first.
    package static func encode<E: Error>(_ value: UInt32, _ append: (UInt8) throws(E) -> Void) throws(E) {
        var rest = value
        while rest > 0x7F {
            try append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        try append(UInt8(truncatingIfNeeded: rest))
    }
}

/// The start of an AV1 sequence header (AV1 section 5.5.1).
package struct AV1SequenceHeader: Equatable, Sendable {
    package var profile: UInt8
    /// seq_level_idx of the first operating point.
    package var levelIndex: UInt8 = 0
    package var isHighTier = false
    /// Largest frame, in pixels.
    package var size = VideoSize(width: 0, height: 0)
    /// Of the first operating point, which has all layers.
    package var spatialLayers = 1

    /// Finds the header among the units of a temporal unit or of a configuration record; nil when there is none.
    package static func find(in units: RawSpan) throws(MediaError) -> AV1SequenceHeader? {
        var walk = AV1Units(units)
        while let unit = try walk.next() {
            if unit.type == AV1Units.UnitType.sequenceHeader {
                return try AV1SequenceHeader(units.extracting(unit.payload))
            }
        }
        return nil
    }

    /// `payload` is the unit without its header and size.
    package init(_ payload: RawSpan) throws(MediaError) {
        var bits = HeaderBits(payload)
        profile = UInt8(try bits.readBits(3))
        guard profile <= 2 else { throw .malformed(.av1SequenceHeader) }
        try bits.skipBits(1)  // still_picture
        if try bits.readFlag() {  // reduced_still_picture_header
            levelIndex = UInt8(try bits.readBits(5))
        } else {
            try readOperatingPoints(&bits)
        }
        let widthBits = Int(try bits.readBits(4)) + 1
        let heightBits = Int(try bits.readBits(4)) + 1
        let width = Int(try bits.readBits(widthBits)) + 1
        let height = Int(try bits.readBits(heightBits)) + 1
        guard width <= MediaLimits.maxDimension, height <= MediaLimits.maxDimension else {
            throw .overLimit(.av1SequenceHeader)
        }
        size = VideoSize(width: width, height: height)
    }

    private mutating func readOperatingPoints(_ bits: inout HeaderBits) throws(MediaError) {
        var delayBits = 0
        if try bits.readFlag() {  // timing_info_present_flag
            try bits.skipBits(64)
            if try bits.readFlag() { _ = try bits.readUE() }  // num_ticks_per_picture_minus_1
            if try bits.readFlag() {  // decoder_model_info_present_flag
                delayBits = Int(try bits.readBits(5)) + 1
                try bits.skipBits(32 + 5 + 5)
            }
        }
        let hasDisplayDelay = try bits.readFlag()
        for point in 0...(try bits.readBits(5)) {
            let layers = UInt16(truncatingIfNeeded: try bits.readBits(12))  // operating_point_idc
            if point == 0 { spatialLayers = max((layers >> 8).nonzeroBitCount, 1) }
            let level = UInt8(try bits.readBits(5))
            let isHigh = level > 7 ? try bits.readFlag() : false
            if point == 0 { (levelIndex, isHighTier) = (level, isHigh) }
            if delayBits > 0, try bits.readFlag() { try bits.skipBits(2 * delayBits + 1) }
            if hasDisplayDelay, try bits.readFlag() { try bits.skipBits(4) }
        }
    }
}
