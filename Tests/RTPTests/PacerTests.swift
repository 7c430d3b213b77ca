import Bytes
import RTP
import Testing

/// What a pacer let go, and when.
private struct Trace {
    var items: [(at: Monotonic, item: Pacer.Item)] = []

    /// Packets of each millisecond.
    func bytes(in range: Range<Int64>) -> Int {
        items.filter { range.contains(($0.at - .zero).milliseconds) }.reduce(0) { sum, entry in
            guard case .fragment(_, let frame, let index, _) = entry.item else { return sum }
            return sum + frame.fragments[index].byteCount + Pacer.packetOverheadBytes
        }
    }

    var lastAt: Monotonic? { items.last?.at }
}

/// A pacer that expectations can take: they copy what they look at.
private final class PacerBench {
    var pacer: Pacer

    init(targetBitrate: Int) { pacer = Pacer(targetBitrate: targetBitrate) }

    var isEmpty: Bool { pacer.isEmpty && pacer.queuedBytes == 0 && pacer.nextDeadline == nil }

    func enqueue(_ frame: PacketizedFrame, stream: Int = 0, timestamp: UInt32 = 0, at now: Monotonic) -> Bool {
        pacer.enqueue(frame, stream: stream, timestamp: timestamp, at: now)
    }

    func enqueueAgain(byteCount: Int, number: UInt16 = 0) -> Bool {
        pacer.enqueueRetransmission(stream: 0, sequenceNumber: number, byteCount: byteCount)
    }

    /// Polls as a driver does, sleeping until each deadline, until nothing waits or `end` has come.
    func run(from start: Monotonic, to end: Monotonic = .ms(10_000)) -> Trace {
        var trace = Trace()
        var now = start
        while true {
            while let item = pacer.next(at: now) { trace.items.append((now, item)) }
            guard let deadline = pacer.nextDeadline, deadline <= end else { return trace }
            precondition(deadline > now, "a drained pacer is due in the future")
            now = deadline
        }
    }
}

@Suite struct PacerTests {
    @Test("frames of usual size leave at once", arguments: [(500_000, 20), (3_000_000, 28), (6_000_000, 50)])
    func smallFrames(bitrate: Int, packets: Int) throws {
        let bench = PacerBench(targetBitrate: bitrate)
        #expect(bench.enqueue(try pictures(packets: packets), at: .ms(5)))
        let trace = bench.run(from: .ms(5))
        #expect(trace.items.count == packets)
        #expect(trace.lastAt == .ms(5))
    }

    @Test("steady video at its target bitrate is never held")
    func steady() throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        // 30 frames of 10 packets make 2.9 Mbit/s.
        for index in 0..<90 {
            let now = Monotonic.ms(Int64(index) * 33)
            #expect(bench.enqueue(try pictures(packets: 10), at: now))
            let trace = bench.run(from: now)
            #expect(trace.items.count == 10 && trace.lastAt == now)
        }
    }

    @Test(
        "a large key frame starts with the burst, is spread out, and is gone within the drain time",
        arguments: [100, 200, 400])
    func keyFrame(packets: Int) throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        #expect(bench.enqueue(try pictures(packets: packets, isKey: true), at: .zero))
        let trace = bench.run(from: .zero)
        #expect(trace.items.count == packets)
        let atOnce = trace.bytes(in: 0..<1)
        #expect((Pacer.burstBytes.lowerBound...2 * Pacer.burstBytes.upperBound).contains(atOnce))
        let last = try #require(trace.lastAt)
        #expect(last <= .zero + Pacer.drainTime + Pacer.quantum)
        #expect(last >= .ms(20))
        #expect(bench.isEmpty)
    }

    @Test("held packets leave in groups, so that wake-ups stay few")
    func groups() throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        _ = bench.enqueue(try pictures(packets: 400), at: .zero)
        let times = Set(bench.run(from: .zero).items.map(\.at))
        #expect(times.count <= Int(Pacer.drainTime.milliseconds / Pacer.quantum.milliseconds) + 2)
    }

    @Test("the queue is never later than the cap, whatever is asked of it")
    func latencyCap() throws {
        let bench = PacerBench(targetBitrate: 64_000)
        for index in 0..<60 {
            _ = bench.enqueue(try pictures(packets: 50), timestamp: UInt32(index), at: .ms(Int64(index)))
        }
        for _ in 0..<Pacer.retransmissionCapacity {
            _ = bench.enqueueAgain(byteCount: 1_100)
        }
        for entry in bench.run(from: .ms(60)).items {
            guard case .fragment(_, _, _, let timestamp) = entry.item else { continue }
            #expect(entry.at <= .ms(Int64(timestamp)) + Pacer.latencyCap)
        }
    }

    @Test("audio goes first and is never held, retransmissions go before video")
    func priorities() throws {
        let bench = PacerBench(targetBitrate: 1_000_000)
        _ = bench.enqueue(try pictures(packets: 100), at: .zero)
        while bench.pacer.next(at: .zero) != nil {}
        _ = bench.enqueueAgain(byteCount: 1_100, number: 7)
        _ = bench.enqueue(try audioFrame(), stream: 1, at: .zero)
        let kinds = bench.run(from: .zero).items.map { entry in
            switch entry.item {
            case .fragment(let stream, _, _, _): stream == 1 ? "audio" : "video"
            case .retransmission: "again"
            }
        }
        #expect(Array(kinds[..<3]) == ["audio", "again", "video"])
        #expect(!kinds[3...].contains { $0 != "video" })
    }

    @Test("a flood of retransmissions is held to the pace")
    func retransmissionPace() {
        let bench = PacerBench(targetBitrate: 800_000)
        for _ in 0..<Pacer.retransmissionCapacity {
            #expect(bench.enqueueAgain(byteCount: 930))
        }
        #expect(!bench.enqueueAgain(byteCount: 930))
        let sent = bench.run(from: .zero, to: .ms(1_000)).items.count
        // 2.5 times 100 kB/s, and the burst.
        #expect(sent * 1_000 <= 250_000 + Pacer.burstBytes.lowerBound + 3_000)
        #expect(sent * 1_000 >= 240_000)
    }

    @Test("fragments of a frame come in order, frames one after the other")
    func order() throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        for stamp in 0..<3 as Range<UInt32> {
            _ = bench.enqueue(try pictures(packets: 30), timestamp: stamp, at: .zero)
        }
        let seen = bench.run(from: .zero).items.map { entry -> Int in
            guard case .fragment(_, _, let index, let timestamp) = entry.item else { return -1 }
            return Int(timestamp) * 30 + index
        }
        #expect(seen == Array(0..<90))
    }

    @Test("a stalled or full queue refuses video and keeps what it has")
    func stall() throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        let frame = try pictures(packets: 1)
        #expect(bench.enqueue(frame, at: .zero))
        #expect(bench.enqueue(frame, at: .zero + Pacer.stallTime))
        #expect(!bench.enqueue(frame, at: .ms(501)))
        #expect(bench.run(from: .ms(501)).items.count == 2)
        for _ in 0..<Pacer.videoCapacity { #expect(bench.enqueue(frame, at: .ms(600))) }
        #expect(!bench.enqueue(frame, at: .ms(600)))
    }

    @Test("a frame without packets leaves no trace")
    func emptyFrame() throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        #expect(bench.enqueue(try videoFrame([]), at: .zero))
        #expect(bench.isEmpty)
    }

    @Test("a higher target makes a faster pace")
    func target() throws {
        func drainTime(_ bitrate: Int) throws -> Int {
            let bench = PacerBench(targetBitrate: 64_000)
            bench.pacer.targetBitrate = bitrate
            for _ in 0..<Pacer.retransmissionCapacity {
                _ = bench.enqueueAgain(byteCount: 930)
            }
            return bench.run(from: .zero, to: .ms(100)).items.count
        }
        #expect(try drainTime(8_000_000) > 2 * drainTime(1_000_000))
    }

    @Test("on a limited path nothing leaves faster than its pace, however late it is")
    func limitedPath() throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        bench.pacer.pathBitrate = 800_000
        _ = bench.enqueue(try pictures(packets: 100, isKey: true), at: .zero)
        let trace = bench.run(from: .zero)
        #expect(trace.items.count == 100)
        // Nine eighths of 100 kB/s.
        #expect(trace.bytes(in: 0..<500) < 67_000)
        #expect(trace.bytes(in: 500..<900) > 40_000)
        #expect(trace.lastAt ?? .zero > .ms(900))
        #expect(bench.isEmpty)
    }

    @Test("a limit that goes sets the queue free")
    func limitGoes() throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        bench.pacer.pathBitrate = 300_000
        _ = bench.enqueue(try pictures(packets: 100), at: .zero)
        _ = bench.run(from: .zero, to: .ms(100))
        bench.pacer.pathBitrate = nil
        let trace = bench.run(from: .ms(200))
        #expect(trace.lastAt ?? .distantFuture <= .ms(200) + Pacer.drainTime + Pacer.quantum)
    }

    @Test("on a limited path retransmissions are few, and take turns with new packets")
    func limitedRetransmissions() throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        bench.pacer.pathBitrate = 800_000
        _ = bench.enqueue(try pictures(packets: 40), at: .zero)
        let taken = (0..<200).count { _ in bench.enqueueAgain(byteCount: 1_000) }
        // 112.5 kB/s in 150 ms.
        #expect((15...18).contains(taken))
        let kinds = bench.run(from: .zero).items.prefix(20).map { entry in
            if case .retransmission = entry.item { true } else { false }
        }
        #expect(kinds == (0..<20).map { $0 % 2 == 0 })
    }

    @Test("a bandwidth probe takes what waits, the pace regardless")
    func burst() throws {
        let bench = PacerBench(targetBitrate: 3_000_000)
        bench.pacer.pathBitrate = 300_000
        _ = bench.enqueue(try pictures(packets: 50), at: .zero)
        #expect(bench.enqueueAgain(byteCount: 1_000))
        while bench.pacer.next(at: .zero) != nil {}
        #expect(bench.pacer.queueTime > .seconds(1))
        var count = 0
        while bench.pacer.nextInBurst(at: .zero) != nil { count += 1 }
        #expect(count > 40)
        #expect(bench.isEmpty)
    }
}
