import Bytes
import RTMP
import TestSupport
import Testing

@Suite struct ControlMessageTests {
    static let samples: [(message: RTMPControlMessage, wire: String)] = [
        (.setChunkSize(4096), "00001000"), (.abort(5), "00000005"), (.acknowledgement(.max), "FFFFFFFF"),
        (.windowAcknowledgementSize(2_500_000), "002625A0"), (.setPeerBandwidth(1, limitType: 2), "00000001 02"),
        (.streamBegin(1), "0000 00000001"), (.streamEnd(1), "0001 00000001"),
        (.setBufferLength(1, milliseconds: 3000), "0003 00000001 00000BB8"),
        (.pingRequest(7), "0006 00000007"), (.pingResponse(7), "0007 00000007"), (.otherEvent(31), "001F"),
    ]

    @Test("each control message is written and read as specified", arguments: 0..<samples.count)
    func vectors(index: Int) throws {
        let (message, wire) = Self.samples[index]
        #expect(message.payload == hex(wire))
        #expect(try read(message.type, hex(wire)) == message)
    }

    @Test("every truncation is refused with the type", arguments: 0..<samples.count)
    func truncations(index: Int) {
        let (message, wire) = Self.samples[index]
        // The limit type of Set Peer Bandwidth may be missing.
        let shortest = message.type == .setPeerBandwidth ? 4 : hex(wire).count
        for length in 0..<shortest {
            #expect(throws: RTMPError.malformedControlMessage(type: message.type.rawValue)) {
                try read(message.type, Array(hex(wire)[..<length]))
            }
        }
    }

    @Test("bytes behind a control message do not matter")
    func leftover() throws {
        #expect(try read(.setChunkSize, hex("00001000 FF")) == .setChunkSize(4096))
        #expect(try read(.setPeerBandwidth, hex("00000001")) == .setPeerBandwidth(1, limitType: 2))
    }

    @Test("other messages are none")
    func others() throws {
        #expect(try read(.audio, [1, 2, 3, 4]) == nil)
    }

    private func read(_ type: RTMPMessageType, _ bytes: [UInt8]) throws(RTMPError) -> RTMPControlMessage? {
        try RTMPControlMessage(
            RTMPMessage(typeID: type.rawValue, messageStreamID: 0, timestamp: 0, payload: SlabSlice(copying: bytes)))
    }
}

@Suite struct TimestampUnwrapperTests {
    @Test("times go on past 2^32 ms")
    func wraps32() {
        var unwrapper = TimestampUnwrapper()
        let seen = [0xFFFF_FFF0, 0xFFFF_FFFF, 0, 16].map { unwrapper.unwrap($0) }
        #expect(seen == [0xFFFF_FFF0, 0xFFFF_FFFF, 0x1_0000_0000, 0x1_0000_0010])
    }

    @Test("times go on past 2^31 ms for encoders that keep 31 bits")
    func wraps31() {
        var unwrapper = TimestampUnwrapper()
        let seen = [0x7FFF_FFF0, 0, 16, 0x4000_0000, 0x7FFF_FFFF, 1].map { unwrapper.unwrap($0) }
        #expect(seen == [0x7FFF_FFF0, 0x8000_0000, 0x8000_0010, 0xC000_0000, 0xFFFF_FFFF, 0x1_0000_0001])
    }

    @Test("small backward steps are backward steps, across a wrap too")
    func backwards() {
        var unwrapper = TimestampUnwrapper()
        let seen = [100, 60, 0xFFFF_FFFF, 5].map { unwrapper.unwrap($0) }
        #expect(seen == [100, 60, -1, 5])
    }

    @Test("resolving leaves no trace")
    func resolve() {
        var unwrapper = TimestampUnwrapper()
        var values: [Int64] = []
        values.append(unwrapper.resolve(9))
        values.append(unwrapper.unwrap(1000))
        values.append(unwrapper.resolve(0))
        values.append(unwrapper.unwrap(1040))
        #expect(values == [9, 1000, 0, 1040])
    }

    @Test("unwrapped times are congruent to what came and never jump by more than 12.4 days")
    func property() {
        var generator = SeededGenerator(seed: 3)
        var unwrapper = TimestampUnwrapper()
        var last = unwrapper.unwrap(0)
        for _ in 0..<10_000 {
            let time = UInt32(truncatingIfNeeded: generator.next())
            let value = unwrapper.unwrap(time)
            #expect((UInt32(truncatingIfNeeded: value) &- time) & 0x7FFF_FFFF == 0)
            #expect(abs(value - last) <= 1 << 30)
            last = value
        }
    }
}

@Suite struct AcknowledgementWindowTests {
    @Test("half a window of bytes is acknowledged once, and the count wraps")
    func due() {
        var window = AcknowledgementWindow()
        var due: UInt32?
        window.set(1000)
        window.count(499)
        due = window.takeDue()
        #expect(due == nil)
        window.count(1)
        due = window.takeDue()
        #expect(due == 500)
        due = window.takeDue()
        #expect(due == nil)
        window.count(Int(UInt32.max))
        due = window.takeDue()
        #expect(due == 499)
    }

    @Test("a window of 0 means the default and one of 1 acknowledges each byte")
    func extremes() {
        var window = AcknowledgementWindow()
        var due: UInt32?
        window.set(0)
        window.count(1000)
        due = window.takeDue()
        #expect(due == nil)
        window.set(1)
        due = window.takeDue()
        #expect(due == 1000)
        due = window.takeDue()
        #expect(due == nil)
    }
}

@Suite struct RateBudgetTests {
    @Test("a second's budget is spent once and comes again with the next")
    func budget() {
        var budget = RateBudget(perSecond: 2)
        let start = Monotonic.zero + .seconds(100)
        let spent = [
            budget.spend(2, at: start), budget.spend(1, at: start + .milliseconds(999)),
            budget.spend(1, at: start + .seconds(1)),
        ]
        #expect(spent == [true, false, true])
    }
}
