import CFFmpeg
import Testing
import Transcode

@Suite struct PictureHalvingTests {
    private func picture(_ width: Int, _ height: Int, _ value: (Int, Int) -> UInt8) throws -> AVFrameRef {
        let frame = try AVFrameRef(width: width, height: height)
        let planes = [
            (frame.raw.pointee.data.0, frame.raw.pointee.linesize.0, width, height),
            (frame.raw.pointee.data.1, frame.raw.pointee.linesize.1, width / 2, height / 2),
            (frame.raw.pointee.data.2, frame.raw.pointee.linesize.2, width / 2, height / 2),
        ]
        for (plane, stride, width, height) in planes {
            for row in 0..<height {
                for column in 0..<width { plane?[row * Int(stride) + column] = value(column, row) }
            }
        }
        return frame
    }

    private func plane(_ frame: borrowing AVFrameRef, _ index: Int) -> [[UInt8]] {
        let raw = frame.raw.pointee
        let base = [raw.data.0, raw.data.1, raw.data.2][index]
        let stride = Int([raw.linesize.0, raw.linesize.1, raw.linesize.2][index])
        let (width, height) =
            index == 0 ? (frame.size.width, frame.size.height) : (frame.size.width / 2, frame.size.height / 2)
        return (0..<height).map { row in (0..<width).map { base?[row * stride + $0] ?? 0 } }
    }

    private func expectFit(_ source: borrowing AVFrameRef, _ target: borrowing AVFrameRef, _ expected: Bool) {
        let isFit = PictureHalving.fits(source, target)
        #expect(isFit == expected)
    }

    /// Widths that whole vectors cover, with a rest, and narrower than one.
    @Test("each pixel is the rounded mean of four, in all planes", arguments: [(64, 8), (104, 12), (4, 4), (36, 4)])
    func means(width: Int, height: Int) throws {
        func value(_ column: Int, _ row: Int) -> UInt8 {
            UInt8(truncatingIfNeeded: column &* column &* 7 &+ row &* 91 &+ 200)
        }
        let source = try picture(width, height, value)
        let half = try AVFrameRef(width: width / 2, height: height / 2)
        let isDone = PictureHalving.halve(source, into: half)
        #expect(isDone)
        for index in 0..<3 {
            let (width, height) = index == 0 ? (width / 2, height / 2) : (width / 4, height / 4)
            let expected = (0..<height).map { row in
                (0..<width).map { column in
                    let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map { Int(value(2 * column + $0.0, 2 * row + $0.1)) }
                    return UInt8((four.reduce(0, +) + 2) / 4)
                }
            }
            #expect(plane(half, index) == expected, "plane \(index)")
        }
    }

    @Test("other ratios, ranges and forms are left to libswscale")
    func others() throws {
        let source = try picture(64, 32) { _, _ in 100 }
        let half = try AVFrameRef(width: 32, height: 16)
        expectFit(source, half, true)
        for (width, height) in [(32, 18), (34, 16), (64, 32), (16, 8)] {
            let other = try AVFrameRef(width: width, height: height)
            expectFit(source, other, false)
        }
        let odd = try picture(70, 34) { _, _ in 100 }
        let oddHalf = try AVFrameRef(width: 35, height: 17)
        expectFit(odd, oddHalf, false)
        source.raw.pointee.color_range = AVCOL_RANGE_JPEG
        expectFit(source, half, false)
        source.raw.pointee.color_range = AVCOL_RANGE_MPEG
        source.raw.pointee.format = AV_PIX_FMT_YUV420P10LE.rawValue
        expectFit(source, half, false)
    }
}
