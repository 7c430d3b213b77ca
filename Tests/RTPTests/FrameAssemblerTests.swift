import Bytes
import Media
import RTP
import Testing

/// An assembler of VP8 pictures of two packets each: number 2n begins picture n, 2n + 1 ends it.
private struct Assembly: ~Copyable {
    var assembler: FrameAssembler
    var timestamps: [UInt32] = []
    var arrivals: [Monotonic] = []

    init() {
        guard let assembler = FrameAssembler(codec: .video(.vp8)) else { preconditionFailure("no VP8") }
        self.assembler = assembler
    }

    /// `keys`: which pictures are key frames.
    mutating func receive(_ number: Int64, at ms: Int64, isKey: Bool = false) {
        let isStart = number & 1 == 0
        let payload: [UInt8] = isStart ? [0x10, isKey ? 0 : 1, 2] : [0x00, 3]
        assembler.receive(
            JitterBuffer.Packet(
                sequenceNumber: number, timestamp: UInt32(number / 2), marker: !isStart, payloadType: 96,
                payload: SlabSlice(copying: payload), arrival: .ms(ms)))
        poll(at: ms)
    }

    mutating func poll(at ms: Int64) {
        while let frame = assembler.pollFrame(at: .ms(ms)) {
            timestamps.append(frame.frame.timestamp)
            arrivals.append(frame.arrivedAt)
        }
    }
}

@Suite struct FrameAssemblerTests {
    @Test("frames leave with their last packet, and say when it came")
    func clean() {
        var assembly = Assembly()
        for number in 0..<8 as Range<Int64> { assembly.receive(number, at: number * 10, isKey: number == 0) }
        #expect(assembly.timestamps == [0, 1, 2, 3])
        #expect(assembly.arrivals == [.ms(10), .ms(30), .ms(50), .ms(70)])
        let needs = assembly.assembler.needsKeyFrame
        #expect(!needs)
    }

    @Test("nothing leaves before the first key frame")
    func start() {
        var assembly = Assembly()
        let atFirst = assembly.assembler.needsKeyFrame
        #expect(atFirst)
        for number in 2..<10 as Range<Int64> { assembly.receive(number, at: number, isKey: number == 6) }
        #expect(assembly.timestamps == [3, 4])
        let (needs, withheld) = (assembly.assembler.needsKeyFrame, assembly.assembler.statistics.framesWithheld)
        #expect(!needs && withheld == 2)
    }

    @Test("a loss is told as soon as it is certain, and frames are withheld until the next key frame")
    func loss() throws {
        var assembly = Assembly()
        for number in 0..<4 as Range<Int64> { assembly.receive(number, at: number, isKey: number == 0) }
        assembly.receive(5, at: 5)
        let promised = assembly.assembler.nextDeadline
        let deadline = try #require(promised)
        let before = assembly.assembler.needsKeyFrame
        #expect(!before)
        let ms = (deadline - .zero).milliseconds
        assembly.poll(at: ms)
        let after = assembly.assembler.needsKeyFrame
        #expect(after)
        for number in 6..<12 as Range<Int64> { assembly.receive(number, at: ms + number, isKey: number == 8) }
        #expect(assembly.timestamps == [0, 1, 4, 5])
        let needs = assembly.assembler.needsKeyFrame
        #expect(!needs)
    }

    @Test("a packet that comes again in time leaves no trace but delay")
    func repaired() {
        var assembly = Assembly()
        for (index, number) in ([0, 1, 2, 4, 5, 3] as [Int64]).enumerated() {
            assembly.receive(number, at: Int64(index) * 10, isKey: number == 0)
        }
        #expect(assembly.timestamps == [0, 1, 2])
        #expect(assembly.arrivals == [.ms(10), .ms(50), .ms(50)])
    }

    @Test("a malformed packet breaks its frame and makes a key frame necessary")
    func malformed() {
        var assembly = Assembly()
        for number in 0..<2 as Range<Int64> { assembly.receive(number, at: number, isKey: true) }
        assembly.assembler.receive(
            JitterBuffer.Packet(
                sequenceNumber: 2, timestamp: 1, marker: true, payloadType: 96, payload: SlabSlice(copying: [0x90]),
                arrival: .ms(2)))
        assembly.poll(at: 2)
        let (needs, malformed) = (assembly.assembler.needsKeyFrame, assembly.assembler.statistics.malformedPackets)
        #expect(needs && malformed == 1)
    }

    @Test("sound goes on after a loss")
    func audio() {
        guard var assembler = FrameAssembler(codec: .audio(.opus)) else { preconditionFailure("no Opus") }
        var frames: [FrameAssembler.Frame] = []
        for number in [0, 1, 3, 4] as [Int64] {
            assembler.receive(
                JitterBuffer.Packet(
                    sequenceNumber: number, timestamp: UInt32(number), marker: false, payloadType: 111,
                    payload: SlabSlice(copying: [1]), arrival: .ms(number * 20)))
            while let frame = assembler.pollFrame(at: .ms(number * 20)) { frames.append(frame) }
        }
        while let frame = assembler.pollFrame(at: .ms(200)) { frames.append(frame) }
        #expect(frames.map(\.frame.timestamp) == [0, 1, 3, 4])
        #expect(frames.map(\.frame.followsLoss) == [false, false, true, false])
        let needs = assembler.needsKeyFrame
        #expect(!needs)
    }

    @Test("a codec without a payload format has no assembler")
    func unknown() {
        for codec: EncodedFrame.Codec in [.audio(.aac), .video(.vp6)] {
            let assembler = FrameAssembler(codec: codec)
            let isMissing = assembler == nil
            #expect(isMissing)
            #expect(Depacketizer.clockRate(of: codec) == nil)
        }
    }
}
