import Bytes
import Testing
import Transcode

@Suite struct RateControlTests {
    static let size = PictureSize(640, 360)

    /// A picture's content, as far as rate control sees it: bits at step 1 of a key frame and of any other, and how much is
    /// new.
    struct Content {
        var key = 2_500_000.0
        var other = 300_000.0
        var changed = 0.05
    }

    /// An encoder that takes exactly what its content costs.
    struct Source {
        var control: RateControl
        var pts: Int64 = 0
        var quantizers: [Int] = []
        var bits = 0.0
        var highestBacklog = 0.0

        init(bitrate: Int = 1_000_000, frameRate: Double = 30) {
            control = RateControl(bitrate: bitrate, frameRate: frameRate, size: size)
        }

        mutating func next(_ content: Content, isKey: Bool = false, after seconds: Double? = nil) {
            pts += Int64((seconds ?? 1 / control.frameRate) * 1e9)
            let quantizer = control.nextQuantizer(isKey: isKey, changed: content.changed, pts: pts)
            let step = (0..<quantizer).reduce(1.0) { step, _ in step * 1.122462048309373 }
            let taken = max((isKey ? content.key : content.other) / step, 100)
            control.record(bits: Int(taken), isKey: isKey)
            quantizers.append(quantizer)
            bits += taken
            highestBacklog = max(highestBacklog, control.backlog)
        }

        /// Bits per second of `seconds` of one content, with a key frame every four seconds.
        mutating func run(_ content: Content, seconds: Int) -> Double {
            let start = (bits, pts)
            let rate = Int(control.frameRate)
            for index in 0..<seconds * rate { next(content, isKey: index % (4 * rate) == 0) }
            return (bits - start.0) / (Double(pts - start.1) / 1e9)
        }
    }

    @Test(
        "what a second takes is the bit rate, whatever the content and the rate of pictures",
        arguments: [(300_000.0, 30.0), (3_000_000, 30), (2_000_000, 5), (100_000, 120), (5_000_000, 2)])
    func holds(cost: Double, frameRate: Double) {
        var source = Source(frameRate: frameRate)
        let content = Content(key: 8 * cost, other: cost)
        _ = source.run(content, seconds: 8)
        let measured = source.run(content, seconds: 16)
        #expect((930_000...1_070_000).contains(measured), "\(measured)")
    }

    @Test("the bucket never runs over while content changes by less than it can know")
    func bounded() {
        var source = Source()
        for factor in [1.0, 3, 0.3, 2, 0.2, 1] {
            _ = source.run(Content(other: 300_000 * factor), seconds: 8)
        }
        #expect(source.highestBacklog < 1_000_000, "\(source.highestBacklog)")
    }

    @Test("a cut is expected to take what a key frame does, so that a still picture's fine quantiser does not meet it")
    func cut() {
        var source = Source()
        _ = source.run(Content(key: 12_000_000, other: 0, changed: 0), seconds: 3)
        #expect(source.quantizers.last == RateControl.Limits.quantizers.lowerBound)
        source.highestBacklog = 0
        source.next(Content(other: 12_000_000, changed: 0.9))
        #expect(source.highestBacklog < 1_000_000, "\(source.highestBacklog)")
        let afterCut = source.quantizers.last ?? 0
        #expect(afterCut > RateControl.Limits.quantizers.lowerBound, "\(afterCut)")
    }

    @Test("a picture after black is not taken for black")
    func afterBlack() {
        var source = Source()
        _ = source.run(Content(key: 10_000, other: 0, changed: 0), seconds: 8)
        source.highestBacklog = 0
        source.next(Content(other: 3_500_000, changed: 1))
        #expect(source.highestBacklog < 1_000_000, "\(source.highestBacklog)")
    }

    @Test("key frames as often as viewers may ask keep the bit rate too")
    func manyKeys() {
        var source = Source()
        for index in 0..<600 { source.next(Content(), isKey: index % 9 == 0) }
        let measured = source.bits / 20
        #expect(measured < 1_060_000, "\(measured)")
        #expect(source.highestBacklog < 1_100_000, "\(source.highestBacklog)")
    }

    @Test("a lower bit rate holds after a second, a higher one is used within two")
    func newRate() {
        var source = Source()
        _ = source.run(Content(), seconds: 8)
        source.control.bitrate = 300_000
        _ = source.run(Content(), seconds: 1)
        let low = source.run(Content(), seconds: 4)
        #expect((240_000...320_000).contains(low), "\(low)")
        source.control.bitrate = 2_000_000
        _ = source.run(Content(), seconds: 2)
        let high = source.run(Content(), seconds: 4)
        #expect((1_850_000...2_150_000).contains(high), "\(high)")
    }

    @Test("a gap in the source drains the bucket, a step back does not fill it", arguments: [0.5, 20, -3, -1e9, 2e9])
    func clockJumps(seconds: Double) {
        var source = Source()
        _ = source.run(Content(), seconds: 4)
        let before = source.control.backlog
        source.next(Content(other: 0, changed: 0), after: seconds)
        let after = source.control.backlog
        #expect(seconds > 0 ? after <= 100 : after == before + 100, "\(before) \(after)")
    }

    @Test("quantisers stay within their range, at any cost")
    func range() {
        for cost in [0.0, 1e12] {
            var source = Source()
            _ = source.run(Content(key: cost, other: cost, changed: 1), seconds: 5)
            let range = RateControl.Limits.quantizers
            #expect(source.quantizers.allSatisfy(range.contains))
            #expect(source.quantizers.last == (cost == 0 ? range.lowerBound : range.upperBound))
        }
    }
}

@Suite struct PictureChangeTests {
    @Test("a picture like the last one is not new, another one is, and noise is not")
    func shares() throws {
        let size = PictureSize(320, 180)
        var change = PictureChange(size: size)
        var luma = [UInt8](repeating: 100, count: 320 * 180)
        #expect(change.measure(luma, stride: 320) == 1)
        #expect(change.measure(luma, stride: 320) == 0)
        for index in luma.indices { luma[index] = UInt8(100 + index % 16) }
        #expect(change.measure(luma, stride: 320) == 0)
        for index in 0..<320 * 88 { luma[index] = 200 }
        #expect(change.measure(luma, stride: 320) == 0.5)
    }

    @Test(
        "pictures too small to tell count as new",
        arguments: [PictureSize(2, 2), PictureSize(15, 720), PictureSize(720, 7)])
    func tiny(size: PictureSize) {
        var change = PictureChange(size: size)
        let luma = [UInt8](repeating: 0, count: size.width * size.height)
        #expect(change.measure(luma, stride: size.width) == 1)
        #expect(change.measure(luma, stride: size.width) == 1)
    }
}
