/// A picture that shows by itself what happened to it: moving colour bars, a hand that turns once in two seconds, and
/// the frame number as a row of black and white blocks that survive coding. For tests and the demo publisher.
package struct TestPicture: ~Copyable {
    /// The picture of the last `draw`.
    package let frame: AVFrameRef
    private let size: PictureSize

    /// Bits of the frame number that the picture carries.
    static let numberBits = 24
    /// The eight bars of a colour bar picture at three quarters of full level, limited range.
    private static let bars: [(y: UInt8, u: UInt8, v: UInt8)] = [
        (180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198), (65, 100, 212), (35, 212, 114),
        (16, 128, 128),
    ]

    /// Takes even sides of at least 32 pixels.
    package init(width: Int, height: Int) throws(TranscodeError) {
        guard width >= 32, height >= 32, width % 2 == 0, height % 2 == 0 else { throw .formatOutOfLimits }
        frame = try AVFrameRef(width: width, height: height)
        size = PictureSize(width, height)
    }

    /// Draws picture `number`; its time is the caller's.
    /// - Parameter noise: strength of grain on the bars, 0 … 7 bits; encoders need many bits for it.
    package func draw(_ number: Int, noise: Int = 0) {
        _ = frame.withPlanes { planes in
            drawBars(planes, number)
            if noise > 0 { addGrain(planes, seed: number, mask: 1 << UInt64(min(noise, 7)) - 1) }
            drawHand(planes, number)
            drawNumber(planes, number)
        }
    }

    private func drawBars(_ planes: PicturePlanes, _ number: Int) {
        let shift = number &* 4
        for column in 0..<size.width {
            let bar = ((column &+ shift) % size.width) * 8 / size.width
            planes.base.0[column] = Self.bars[bar & 7].y
            if column % 2 == 0 {
                planes.base.1[column / 2] = Self.bars[bar & 7].u
                planes.base.2[column / 2] = Self.bars[bar & 7].v
            }
        }
        for row in 1..<size.height {
            (planes.base.0 + row * Int(planes.strides.0)).update(from: planes.base.0, count: size.width)
        }
        for row in 1..<size.height / 2 {
            (planes.base.1 + row * Int(planes.strides.1)).update(from: planes.base.1, count: size.width / 2)
            (planes.base.2 + row * Int(planes.strides.2)).update(from: planes.base.2, count: size.width / 2)
        }
    }

    private func addGrain(_ planes: PicturePlanes, seed: Int, mask: UInt64) {
        var state = UInt64(bitPattern: Int64(seed)) &* 0x9E37_79B9_7F4A_7C15 | 1
        for row in 0..<size.height {
            let line = planes.base.0 + row * Int(planes.strides.0)
            for column in 0..<size.width {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                line[column] = UInt8(clamping: Int(line[column]) + Int(state >> 32 & mask))
            }
        }
    }

    /// A white square that runs around a circle like a clock's hand, sixty steps a turn.
    private func drawHand(_ planes: PicturePlanes, _ number: Int) {
        let radius = min(size.width, size.height) / 3
        let side = max(4, radius / 6)
        let point = Self.circle(number % 60)
        let left = size.width / 2 + radius * point.x / 1024 - side / 2
        let top = size.height / 2 + radius * point.y / 1024 - side / 2
        fill(planes, left, top, side, side, 235)
    }

    /// One block for each bit along the top, the lowest first.
    private func drawNumber(_ planes: PicturePlanes, _ number: Int) {
        let side = size.width / Self.numberBits
        for bit in 0..<Self.numberBits {
            fill(planes, bit * side, 0, side, min(max(8, side), size.height / 4), number >> bit & 1 == 1 ? 235 : 16)
        }
    }

    private func fill(_ planes: PicturePlanes, _ left: Int, _ top: Int, _ width: Int, _ height: Int, _ luma: UInt8) {
        for row in max(0, top)..<min(size.height, top + height) {
            for column in max(0, left)..<min(size.width, left + width) {
                planes.base.0[row * Int(planes.strides.0) + column] = luma
                planes.base.1[row / 2 * Int(planes.strides.1) + column / 2] = 128
                planes.base.2[row / 2 * Int(planes.strides.2) + column / 2] = 128
            }
        }
    }

    /// The number that `frame` shows, of a picture of any size; nil when its blocks are neither black nor white.
    package static func number(in frame: borrowing AVFrameRef) -> Int? {
        let size = frame.size
        let number = frame.withPlanes { planes -> Int? in
            var number = 0
            for bit in 0..<numberBits {
                let column = (bit * 2 + 1) * (size.width / numberBits) / 2
                let row = max(2, size.width / numberBits / 4)
                let luma = planes.base.0[min(row, size.height - 1) * Int(planes.strides.0) + column]
                if luma > 150 { number |= 1 << bit } else if luma > 100 { return nil }
            }
            return number
        }
        return number ?? nil
    }

    /// Sixty points of a circle of radius 1024, by turning a vector six degrees at a time.
    private static func circle(_ step: Int) -> (x: Int, y: Int) {
        var (x, y) = (0.0, -1024.0)
        let (cosine, sine) = (0.994_521_895_368_273, 0.104_528_463_267_653)
        for _ in 0..<step { (x, y) = (x * cosine - y * sine, x * sine + y * cosine) }
        return (Int(x), Int(y))
    }
}

/// A beep of 1 kHz for a tenth of each second, at 48 kHz. For tests and the demo publisher.
package struct TestTone: Sendable {
    private let channels: Int
    private let amplitude: Float
    private var index = 0
    private var wave: (x: Float, y: Float) = (1, 0)

    package init(channels: Int, amplitude: Float = 0.25) {
        self.channels = channels
        self.amplitude = amplitude
    }

    /// Fills `samples` with the next 20 ms, interleaved, as `OpusEncoder` takes them.
    package mutating func next(into samples: inout [Float]) {
        samples.removeAll(keepingCapacity: true)
        let (cosine, sine): (Float, Float) = (0.991_444_86, 0.130_526_19)
        for _ in 0..<AudioSpec.frameSamples {
            if index % AudioSpec.sampleRate == 0 { wave = (1, 0) }
            let isOn = index % AudioSpec.sampleRate < AudioSpec.sampleRate / 10
            let value = isOn ? wave.y * amplitude : 0
            for _ in 0..<channels { samples.append(value) }
            wave = (wave.x * cosine - wave.y * sine, wave.x * sine + wave.y * cosine)
            index += 1
        }
    }
}
