import Bytes
import Media
import RTP
import TestSupport
import Testing

/// A sender of a packet every millisecond behind a network that loses, delays and reorders; what is lost can be sent
/// again after a round trip, through the same network.
private struct JitterWorld {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var settings: NetemSettings
        var roundTrip: Int64?
        /// Most of the numbers that may be passed over, in a thousand.
        var maxLost: Int
        /// The longest that a packet may have waited in the buffer, in ms.
        var maxHeld: Int64
        var blackOut: ClosedRange<Int64>?
    }

    var lost = 0
    var delivered: [Int64] = []
    var longestHold = Interval.zero
    var heldAtAll = 0

    mutating func run(_ row: Row, packets: Int64 = 5_000) {
        var network = Netem<(Int64, isRepeat: Bool)>(row.settings, seed: 7)
        var buffer = JitterBuffer(.video)
        var arrived: Set<Int64> = []
        var highest: Int64 = -1
        /// When each missing number is to be sent again.
        var repeats: [(number: Int64, at: Int64, tries: Int)] = []
        for ms in 0..<packets + 1_000 {
            network.isDown = row.blackOut?.contains(ms) ?? false
            if ms < packets { network.send((ms, isRepeat: false), at: .ms(ms)) }
            while let due = repeats.firstIndex(where: { $0.at <= ms }) {
                var entry = repeats.remove(at: due)
                guard !arrived.contains(entry.number) else { continue }
                network.send((entry.number, isRepeat: true), at: .ms(ms))
                entry.tries += 1
                if let roundTrip = row.roundTrip, entry.tries < 4 {
                    entry.at = ms + roundTrip
                    repeats.append(entry)
                }
            }
            while let (number, _) = network.receive(at: .ms(ms)) {
                if number > highest + 1, let roundTrip = row.roundTrip {
                    for missing in highest + 1..<number { repeats.append((missing, ms + roundTrip / 2, 0)) }
                }
                highest = max(highest, number)
                arrived.insert(number)
                buffer.receive(
                    JitterBuffer.Packet(
                        sequenceNumber: number, timestamp: 0, marker: false, payloadType: 0,
                        payload: SlabSlice(copying: [0]), arrival: .ms(ms)))
                drain(&buffer, at: ms)
            }
            drain(&buffer, at: ms)
        }
        lost = Int(buffer.statistics.lost)
    }

    private mutating func drain(_ buffer: inout JitterBuffer, at ms: Int64) {
        while let packet = buffer.pollPacket(at: .ms(ms)) {
            delivered.append(packet.sequenceNumber)
            let held = Monotonic.ms(ms) - packet.arrival
            longestHold = max(longestHold, held)
            if held > .zero { heldAtAll += 1 }
        }
    }
}

@Suite struct JitterNetworkTests {
    private static func settings(
        loss: Double = 0, reorder: Double = 0, duplicate: Double = 0, jitter: Int64 = 0
    ) -> NetemSettings {
        var settings = NetemSettings()
        settings.loss = loss
        settings.reorder = reorder
        settings.duplicate = duplicate
        settings.delay = .milliseconds(20)
        settings.jitter = .milliseconds(jitter)
        return settings
    }

    @Test(
        "order is kept, waits are bounded, and what can come again in time is not passed over",
        arguments: [
            JitterWorld.Row(testDescription: "clean", settings: settings(), maxLost: 0, maxHeld: 0),
            JitterWorld.Row(
                testDescription: "jitter in order", settings: settings(jitter: 80), maxLost: 0, maxHeld: 0),
            JitterWorld.Row(
                testDescription: "doubled", settings: settings(duplicate: 0.3), maxLost: 0, maxHeld: 0),
            JitterWorld.Row(
                testDescription: "reordered", settings: settings(reorder: 0.05, jitter: 10), maxLost: 0, maxHeld: 30),
            JitterWorld.Row(
                testDescription: "2 % lost, repeated after 50 ms", settings: settings(loss: 0.02), roundTrip: 50,
                maxLost: 1, maxHeld: 300),
            JitterWorld.Row(
                testDescription: "5 % lost, repeated after 50 ms", settings: settings(loss: 0.05), roundTrip: 50,
                maxLost: 1, maxHeld: 300),
            JitterWorld.Row(
                testDescription: "10 % lost, repeated after 100 ms", settings: settings(loss: 0.1), roundTrip: 100,
                maxLost: 1, maxHeld: 800),
            JitterWorld.Row(
                testDescription: "10 % lost for good", settings: settings(loss: 0.1), maxLost: 120, maxHeld: 200),
            JitterWorld.Row(
                testDescription: "black-out of a second", settings: settings(), roundTrip: 50, maxLost: 250,
                maxHeld: 200, blackOut: 2_000...3_000),
        ])
    private func rows(row: JitterWorld.Row) {
        var world = JitterWorld()
        world.run(row)
        #expect(world.delivered == world.delivered.sorted())
        #expect(Set(world.delivered).count == world.delivered.count)
        #expect(world.delivered.count + world.lost >= 4_990)
        #expect(world.lost <= row.maxLost * 5, "\(world.lost) lost")
        #expect(world.longestHold <= .milliseconds(row.maxHeld), "\(world.longestHold.milliseconds) ms held")
        if row.maxHeld == 0 { #expect(world.heldAtAll == 0) }
    }
}
