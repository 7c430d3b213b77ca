import Bytes
import Media
import RTP

/// A packet as a depacketizer gets it.
struct PlacedPayload {
    var payload: [UInt8]
    var sequence: UInt16
    var timestamp: UInt32
    var marker: Bool

    init(_ payload: [UInt8], _ sequence: UInt16, _ timestamp: UInt32 = 0, marker: Bool = false) {
        self.payload = payload
        self.sequence = sequence
        self.timestamp = timestamp
        self.marker = marker
    }
}

/// What came out of a depacketizer.
struct Unpacked {
    var frames: [DepacketizedFrame] = []
    var errors: [RTPError] = []

    var payloads: [[UInt8]] { frames.map { $0.payload.copied() } }
    var keys: [Bool] { frames.map(\.isKey) }
    var losses: [Bool] { frames.map(\.followsLoss) }
}

/// Gives the packets to the depacketizer of a codec.
func unpack(
    _ codec: EncodedFrame.Codec, _ packets: [PlacedPayload], parameterSets: [[UInt8]] = [],
    maxFrameBytes: Int = RTPLimits.maxFrameBytes
) -> Unpacked {
    guard var depacketizer = Depacketizer(codec: codec, parameterSets: parameterSets, maxFrameBytes: maxFrameBytes)
    else { preconditionFailure("a codec without a payload format") }
    var result = Unpacked()
    for packet in packets {
        let place = DepacketizerInput(
            sequenceNumber: packet.sequence, timestamp: packet.timestamp, marker: packet.marker)
        do throws(RTPError) { try depacketizer.receive(packet.payload.rawSpan, place) } catch {
            result.errors.append(error)
        }
        while let frame = depacketizer.pollFrame() { result.frames.append(frame) }
    }
    return result
}

/// The packets of frames, numbered on over the wrap, 3,000 ticks apart.
func placed(_ frames: [PacketizedFrame], from sequence: UInt16 = 65_530) -> [PlacedPayload] {
    var next = sequence
    return frames.enumerated().flatMap { index, frame in
        zip(payloads(of: frame), frame.fragments).map { payload, fragment in
            defer { next &+= 1 }
            return PlacedPayload(payload, next, UInt32(index * 3_000), marker: fragment.marker)
        }
    }
}

extension [PlacedPayload] {
    func without(_ index: Int) -> [PlacedPayload] { enumerated().filter { $0.offset != index }.map(\.element) }
}

/// Bits of a header, most significant first.
struct Bits {
    private(set) var bytes: [UInt8] = []
    private var used = 0

    mutating func add(_ value: Int, _ count: Int) {
        for shift in (0..<count).reversed() {
            if used % 8 == 0 { bytes.append(0) }
            bytes[used / 8] |= UInt8(value >> shift & 1) << UInt8(7 - used % 8)
            used += 1
        }
    }

    /// ue(v).
    mutating func addUE(_ value: Int) {
        let width = Int.bitWidth - (value + 1).leadingZeroBitCount
        add(0, width - 1)
        add(value + 1, width)
    }
}
