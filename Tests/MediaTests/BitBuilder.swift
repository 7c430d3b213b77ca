/// Builds headers bit by bit, for fields that no encoder at hand writes.
struct BitBuilder {
    private(set) var bytes: [UInt8] = []
    private var used = 0

    mutating func u(_ value: Int, _ count: Int) {
        for shift in stride(from: count - 1, through: 0, by: -1) {
            if used % 8 == 0 { bytes.append(0) }
            bytes[used / 8] |= UInt8(value >> shift & 1) << UInt8(7 - used % 8)
            used += 1
        }
    }

    mutating func ue(_ value: Int) {
        let width = Int.bitWidth - (value + 1).leadingZeroBitCount
        u(0, width - 1)
        u(value + 1, width)
    }

    mutating func se(_ value: Int) { ue(value > 0 ? 2 * value - 1 : -2 * value) }

    /// With the bytes that keep start codes out of a NAL unit (H.264 section 7.4.1).
    var escaped: [UInt8] {
        var result: [UInt8] = []
        var zeroes = 0
        for byte in bytes {
            if zeroes >= 2, byte <= 3 {
                result.append(3)
                zeroes = 0
            }
            result.append(byte)
            zeroes = byte == 0 ? zeroes + 1 : 0
        }
        return result
    }
}

/// An H.264 sequence parameter set with every field at hand.
struct ParameterSetFields {
    var profile = 100
    var constraints = 0
    var level = 31
    var id = 0
    var chromaFormat = 1
    var bitDepthLuma = 8
    var scalingDeltas: [Int]?
    var orderType = 0
    var cycleLength = 0
    var references = 4
    var widthUnits = 79
    var heightUnits = 44
    var isFrameOnly = true
    var crop: (left: Int, right: Int, top: Int, bottom: Int)?
    var usability: ((inout BitBuilder) -> Void)?

    var unit: [UInt8] {
        var bits = BitBuilder()
        bits.u(profile, 8)
        bits.u(constraints, 8)
        bits.u(level, 8)
        bits.ue(id)
        if ![66, 77, 88].contains(profile) { writeChroma(&bits) }
        bits.ue(0)
        bits.ue(orderType)
        if orderType == 0 { bits.ue(2) }
        if orderType == 1 {
            bits.u(0, 1)
            bits.se(-3)
            bits.se(5)
            bits.ue(cycleLength)
            for index in 0..<cycleLength { bits.se(index % 7 - 3) }
        }
        bits.ue(references)
        bits.u(0, 1)
        bits.ue(widthUnits)
        bits.ue(heightUnits)
        bits.u(isFrameOnly ? 1 : 0, 1)
        if !isFrameOnly { bits.u(1, 1) }
        bits.u(1, 1)
        bits.u(crop == nil ? 0 : 1, 1)
        if let crop { for value in [crop.left, crop.right, crop.top, crop.bottom] { bits.ue(value) } }
        bits.u(usability == nil ? 0 : 1, 1)
        usability?(&bits)
        bits.u(1, 1)
        return [0x67] + bits.escaped
    }

    private func writeChroma(_ bits: inout BitBuilder) {
        bits.ue(chromaFormat)
        if chromaFormat == 3 { bits.u(0, 1) }
        bits.ue(bitDepthLuma - 8)
        bits.ue(0)
        bits.u(0, 1)
        bits.u(scalingDeltas == nil ? 0 : 1, 1)
        guard let scalingDeltas else { return }
        bits.u(1, 1)
        for delta in scalingDeltas { bits.se(delta) }
        for _ in 1..<(chromaFormat == 3 ? 12 : 8) { bits.u(0, 1) }
    }
}
