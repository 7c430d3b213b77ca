import Bytes
import Media

/// What a NAL unit is to the access unit that it stands in.
enum NALUnitRole: Equatable {
    /// 0 video, 1 sequence, 2 picture parameter set.
    case parameterSet(rank: Int)
    /// Of a picture at which decoding can start.
    case keySlice
    /// Of another picture, predicted from nothing as far as this slice goes.
    case intraSlice
    case slice
    case other
}

/// The differences between H.264 and HEVC that matter when access units are put together.
enum NALSyntax {
    case h264, hevc

    /// Bytes of a unit's header.
    var headerCount: Int { self == .h264 ? 1 : 2 }

    /// Ranks of the parameter sets that a decoder needs, one bit each.
    var neededSets: UInt8 { self == .h264 ? 0b110 : 0b111 }

    /// `header` is the unit's first byte; `body` what follows the header, maybe cut short.
    func role(header: UInt8, body: RawSpan) -> NALUnitRole {
        switch self {
        case .h264:
            switch H264NALUnitType(header: header) {
            case .idrSlice: .keySlice
            case .slice: Self.isIntra(body) ? .intraSlice : .slice
            case .sequenceParameterSet: .parameterSet(rank: 1)
            case .pictureParameterSet: .parameterSet(rank: 2)
            case let type: type.isVCL ? .slice : .other
            }
        case .hevc:
            switch HEVCNALUnitType(header: header) {
            case .videoParameterSet: .parameterSet(rank: 0)
            case .sequenceParameterSet: .parameterSet(rank: 1)
            case .pictureParameterSet: .parameterSet(rank: 2)
            case let type: type.isRandomAccess ? .keySlice : (type.isVCL ? .slice : .other)
            }
        }
    }

    /// Whether a unit certainly is the first of an access unit, or stands in front of the first that matters: parameter
    /// sets, delimiters and the like, and a picture's first slice.
    func beginsAccessUnit(header: UInt8, body: RawSpan) -> Bool {
        // first_mb_in_slice of 0 is coded as a leading 1 bit (ITU-T H.264 section 7.3.3);
        // first_slice_segment_in_pic_flag is one (ITU-T H.265 section 7.3.6.1).
        let isFirstSlice = body.byteCount > 0 && body[0] & 0x80 != 0
        switch self {
        case .h264:
            let type = header & 0x1F
            return (6...9).contains(type) || ((1...5).contains(type) && type != 3 && type != 4 && isFirstSlice)
        case .hevc:
            let type = HEVCNALUnitType(header: header)
            return (32...35).contains(type.rawValue) || type == .prefixSEI || (type.isVCL && isFirstSlice)
        }
    }

    /// The number of a parameter set among those of its rank; nil when it cannot be read. `unit` is whole.
    func parameterSetID(_ unit: RawSpan, rank: Int) -> Int? {
        switch (self, rank) {
        case (.h264, 1):
            // Behind profile, constraints and level (ITU-T H.264 section 7.3.2.1.1).
            return unit.byteCount > 4 ? Self.firstCode(unit.extracting(droppingFirst: 4), upTo: 31) : nil
        case (.h264, _): return Self.firstCode(unit.extracting(droppingFirst: 1), upTo: 255)
        case (.hevc, 0): return unit.byteCount > 2 ? Int(unit[2] >> 4) : nil
        case (.hevc, 1): return (try? HEVCSequenceParameterSet(unit))?.id
        case (.hevc, _): return unit.byteCount > 2 ? Self.firstCode(unit.extracting(droppingFirst: 2), upTo: 63) : nil
        }
    }

    private static func firstCode(_ bytes: RawSpan, upTo limit: UInt32) -> Int? {
        var bits = BitReader(bytes, skippingEmulation: true)
        guard let id = try? bits.readUE(), id <= limit else { return nil }
        return Int(id)
    }

    /// slice_type of I and SI slices (ITU-T H.264 table 7-6).
    private static func isIntra(_ body: RawSpan) -> Bool {
        var bits = BitReader(body, skippingEmulation: true)
        guard (try? bits.readUE()) != nil, let type = try? bits.readUE() else { return false }
        return type < 10 && (type % 5 == 2 || type % 5 == 4)
    }
}

/// The last parameter sets of a stream, for key frames that come without.
struct ParameterSets {
    private struct Entry {
        var rank: Int
        var id: Int
        var unit: [UInt8]
    }

    private let syntax: NALSyntax
    /// By rank, so that each set comes before those that refer to it.
    private var entries: [Entry] = []

    init(_ syntax: NALSyntax, _ units: [[UInt8]]) {
        self.syntax = syntax
        for unit in units where unit.count > syntax.headerCount {
            let span = unit.rawSpan
            if case .parameterSet(let rank) = syntax.role(
                header: span[0], body: span.extracting(droppingFirst: syntax.headerCount))
            {
                note(span, rank: rank)
            }
        }
    }

    /// Keeps a copy in place of the one with the same number. Without memory of its own when nothing changed.
    mutating func note(_ unit: RawSpan, rank: Int) {
        guard unit.byteCount <= MediaLimits.maxParameterSetBytes,
            let id = syntax.parameterSetID(unit, rank: rank)
        else { return }
        if let index = entries.firstIndex(where: { $0.rank == rank && $0.id == id }) {
            let kept = entries[index].unit
            if !kept.rawSpan.elementsEqual(unit) { entries[index].unit = unit.copied() }
            return
        }
        // Streams have one or two of each; what goes on inventing numbers loses the first ones of the rank.
        if entries.count >= RTPLimits.maxParameterSets {
            guard let oldest = entries.firstIndex(where: { $0.rank == rank }) else { return }
            entries.remove(at: oldest)
        }
        let place = entries.firstIndex { $0.rank > rank } ?? entries.count
        entries.insert(Entry(rank: rank, id: id, unit: unit.copied()), at: place)
    }

    /// Ranks of which there is a set, one bit each.
    var ranks: UInt8 { entries.reduce(0) { $0 | 1 << UInt8($1.rank) } }

    /// All sets of `rank` and those that may refer to them, in the order that decoders want.
    func units(fromRank rank: Int) -> [[UInt8]] { entries.filter { $0.rank >= rank }.map(\.unit) }
}
