import Bytes
import Media

/// Walks the elements of an AV1 packet, which are open bitstream units or fragments of them (AV1 RTP payload format 1.0
/// section 4.4), without allocating.
struct AV1Elements: ~Escapable {
    struct Element: Hashable, Sendable {
        /// Inside the packet's payload.
        var range: Range<Int>
        /// Goes on with the unit that the packet before left unfinished.
        var continues: Bool
        /// The unit goes on in the next packet.
        var isContinued: Bool
    }

    private let payload: RawSpan
    private var offset = 1
    private var index = 0

    /// `payload` is at least one byte.
    @_lifetime(copy payload)
    init(_ payload: RawSpan) { self.payload = payload }

    /// Z.
    var beginsWithFragment: Bool { payload[0] & 0x80 != 0 }
    /// Y.
    var endsWithFragment: Bool { payload[0] & 0x40 != 0 }
    /// N: the packet is the first of a coded video sequence.
    var beginsSequence: Bool { payload[0] & 0x08 != 0 }

    /// The next element; nil at the end. After an error the walk is over.
    @_lifetime(self: copy self)
    mutating func next() throws(RTPError) -> Element? {
        let count = Int(payload[0] >> 4 & 3)
        guard offset < payload.byteCount else {
            // W tells the number of elements, and a packet has at least one.
            guard index > 0, count == 0 || index == count else { throw .badPayload }
            return nil
        }
        index += 1
        guard count == 0 || index <= count else { throw over() }
        var start = offset
        var length = payload.byteCount - start
        if count == 0 || index < count {
            do { length = try LEB128.read(payload, at: &start) } catch { throw over() }
            guard length <= payload.byteCount - start else { throw over() }
        }
        offset = start + length
        let isLast = offset == payload.byteCount
        return Element(
            range: start..<offset, continues: index == 1 && beginsWithFragment,
            isContinued: isLast && endsWithFragment)
    }

    @_lifetime(self: copy self)
    private mutating func over() -> RTPError {
        offset = payload.byteCount
        index = 0
        return .badPayload
    }
}

/// The first byte of an open bitstream unit (AV1 section 5.3.2).
struct AV1UnitHeader {
    static let sizeFlag: UInt8 = 0x02

    let byte: UInt8

    init(_ byte: UInt8) { self.byte = byte }

    var isForbidden: Bool { byte & 0x80 != 0 }
    var type: UInt8 { byte >> 3 & 0xF }
    var hasExtension: Bool { byte & 0x04 != 0 }
    var hasSize: Bool { byte & Self.sizeFlag != 0 }
    /// Bytes of the header, its size left out.
    var byteCount: Int { hasExtension ? 2 : 1 }

    /// By the first byte of a frame or its header: a key frame that is coded here (AV1 section 5.9.2).
    static func isKeyFrame(_ first: UInt8) -> Bool { first & 0xE0 == 0 }

    /// Whether decoding can start at a temporal unit: it has a sequence header and begins with a key frame.
    static func isKey(_ temporalUnit: RawSpan) throws(MediaError) -> Bool {
        var units = AV1Units(temporalUnit)
        var hasSequenceHeader = false
        var isKey: Bool?
        while let unit = try units.next() {
            switch unit.type {
            case AV1Units.UnitType.sequenceHeader: hasSequenceHeader = true
            case AV1Units.UnitType.frame, AV1Units.UnitType.frameHeader:
                guard isKey == nil, !unit.payload.isEmpty else { continue }
                isKey = isKeyFrame(temporalUnit[unit.payload.lowerBound])
            default: break
            }
        }
        return hasSequenceHeader && isKey == true
    }
}
