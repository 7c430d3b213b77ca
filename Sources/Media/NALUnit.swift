package import Bytes

/// nal_unit_type of H.264 (ITU-T H.264 table 7-1), with the aggregation types of RFC 6184 left to the RTP module.
package struct H264NALUnitType: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue & 0x1F }
    /// From the first byte of a unit.
    package init(header: UInt8) { self.init(rawValue: header) }

    package static let slice = Self(rawValue: 1)
    package static let idrSlice = Self(rawValue: 5)
    package static let sei = Self(rawValue: 6)
    package static let sequenceParameterSet = Self(rawValue: 7)
    package static let pictureParameterSet = Self(rawValue: 8)
    package static let accessUnitDelimiter = Self(rawValue: 9)
    package static let endOfSequence = Self(rawValue: 10)
    package static let endOfStream = Self(rawValue: 11)
    package static let fillerData = Self(rawValue: 12)
    package static let sequenceParameterSetExtension = Self(rawValue: 13)

    /// Part of a coded picture: slices and data partitions.
    package var isVCL: Bool { (1...5).contains(rawValue) }
}

/// nal_unit_type of HEVC (ITU-T H.265 table 7-1).
package struct HEVCNALUnitType: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue & 0x3F }
    /// From the first byte of a unit's two-byte header.
    package init(header: UInt8) { self.init(rawValue: header >> 1) }

    package static let idrWithLeading = Self(rawValue: 19)
    package static let idrWithoutLeading = Self(rawValue: 20)
    package static let cleanRandomAccess = Self(rawValue: 21)
    package static let videoParameterSet = Self(rawValue: 32)
    package static let sequenceParameterSet = Self(rawValue: 33)
    package static let pictureParameterSet = Self(rawValue: 34)
    package static let accessUnitDelimiter = Self(rawValue: 35)
    package static let endOfSequence = Self(rawValue: 36)
    package static let fillerData = Self(rawValue: 38)
    package static let prefixSEI = Self(rawValue: 39)
    package static let suffixSEI = Self(rawValue: 40)

    package var isVCL: Bool { rawValue < 32 }
    /// BLA, IDR and CRA pictures: decoding can start there.
    package var isRandomAccess: Bool { (16...23).contains(rawValue) }
}

/// Walks the NAL units of a byte stream (H.264 Annex B, H.265 Annex B) as ranges, without allocating.
///
/// Bytes before the first start code are passed over; so are empty units and the zero bytes that end a unit.
package struct AnnexBUnits: ~Escapable {
    private let bytes: RawSpan
    /// Offset of the first byte behind the last start code; nil once the input is used up.
    private var unitStart: Int?

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) {
        self.bytes = bytes
        unitStart = Self.startCode(in: bytes, from: 0).map { $0 + 3 }
    }

    /// The next unit, header byte included and start code not; nil at the end.
    @_lifetime(self: copy self)
    package mutating func next() -> Range<Int>? {
        while let start = unitStart {
            let code = Self.startCode(in: bytes, from: start)
            unitStart = code.map { $0 + 3 }
            var end = code ?? bytes.byteCount
            while end > start, bytes[end - 1] == 0 { end -= 1 }
            if end > start { return start..<end }
        }
        return nil
    }

    /// Offset of the next 00 00 01.
    private static func startCode(in bytes: RawSpan, from start: Int) -> Int? {
        var index = start
        while index + 2 < bytes.byteCount {
            let last = bytes[index + 2]
            if last > 1 {
                index += 3
            } else if last == 1, bytes[index] == 0, bytes[index + 1] == 0 {
                return index
            } else {
                index += 1
            }
        }
        return nil
    }
}

/// Walks NAL units that each have their length in front (ISO/IEC 14496-15) as ranges, without allocating.
/// Empty units are passed over.
package struct LengthPrefixedUnits: ~Escapable {
    private let bytes: RawSpan
    private let lengthSize: Int
    private var offset = 0

    /// `lengthSize`, in bytes, is 1, 2 or 4, as the configuration record says.
    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan, lengthSize: Int) {
        precondition(lengthSize == 1 || lengthSize == 2 || lengthSize == 4, "a NAL unit's length has 1, 2 or 4 bytes")
        self.bytes = bytes
        self.lengthSize = lengthSize
    }

    /// The next unit without its length; nil at the end. After an error the walk is over.
    @_lifetime(self: copy self)
    package mutating func next() throws(MediaError) -> Range<Int>? {
        while offset < bytes.byteCount {
            let at = offset
            offset = bytes.byteCount
            guard bytes.byteCount - at >= lengthSize else { throw .truncated(offset: at) }
            var length = 0
            for index in at..<at + lengthSize { length = length << 8 | Int(bytes[index]) }
            let start = at + lengthSize
            guard length <= bytes.byteCount - start else { throw .truncated(offset: at) }
            offset = start + length
            if length > 0 { return start..<offset }
        }
        return nil
    }
}

/// Changes between the two framings of NAL units.
package enum NALUnitFraming {
    /// Appends the units of an Annex B byte stream with 4-byte lengths, leaving out those for which `isLeftOut` holds.
    package static func appendLengthPrefixed(
        annexB bytes: RawSpan, to writer: inout SlabWriter,
        leavingOut isLeftOut: (_ header: UInt8) -> Bool = { _ in false }
    ) {
        var units = AnnexBUnits(bytes)
        while let range = units.next() {
            if isLeftOut(bytes[range.lowerBound]) { continue }
            let length = UInt32(truncatingIfNeeded: range.count)
            for shift in [24, 16, 8, 0] as [UInt32] { writer.append(UInt8(truncatingIfNeeded: length >> shift)) }
            writer.append(bytes.extracting(range))
        }
    }

    /// Appends length-prefixed units as an Annex B byte stream with 4-byte start codes.
    package static func appendAnnexB(
        lengthPrefixed bytes: RawSpan, lengthSize: Int, to writer: inout SlabWriter
    ) throws(MediaError) {
        var units = LengthPrefixedUnits(bytes, lengthSize: lengthSize)
        while let range = try units.next() {
            for byte in [0, 0, 0, 1] as [UInt8] { writer.append(byte) }
            writer.append(bytes.extracting(range))
        }
    }
}
