import Bytes
import TestSupport
import Testing

@Suite struct NetemTests {
    /// Sends 1 000 numbers 1 ms apart and gives them in order of arrival, with their travel time in ms.
    private func run(_ settings: NetemSettings, seed: UInt64 = 1) -> [(number: Int, milliseconds: Int64)] {
        var netem = Netem<Int>(settings, seed: seed)
        var arrived: [(Int, Int64)] = []
        for tick in 0..<3_000 {
            let now = Monotonic.zero + .milliseconds(Int64(tick))
            if tick < 1_000 { netem.send(tick, at: now) }
            while let number = netem.receive(at: now) { arrived.append((number, Int64(tick - number))) }
        }
        #expect(netem.nextDeadline == nil)
        return arrived
    }

    @Test("a perfect network gives all at once, in order")
    func perfect() {
        let arrived = run(.perfect)
        #expect(arrived.map(\.number) == Array(0..<1_000))
        #expect(arrived.allSatisfy { $0.milliseconds == 0 })
    }

    @Test("delay and jitter stay in their bounds and, without reordering, keep the order")
    func delay() {
        let arrived = run(NetemSettings(delay: .milliseconds(20), jitter: .milliseconds(30)))
        #expect(arrived.map(\.number) == Array(0..<1_000))
        #expect(arrived.allSatisfy { (20...51).contains($0.milliseconds) })
        #expect(Set(arrived.map(\.milliseconds)).count > 10)
    }

    @Test("loss, doubling and reordering come about as often as asked for")
    func rates() {
        #expect((60...140).contains(1_000 - run(NetemSettings(loss: 0.1)).count))
        #expect((60...140).contains(run(NetemSettings(duplicate: 0.1)).count - 1_000))
        let arrived = run(NetemSettings(reorder: 0.1, delay: .milliseconds(10))).map(\.number)
        #expect((60...140).contains(zip(arrived, arrived.dropFirst()).count { $0 > $1 }))
        #expect(run(NetemSettings(loss: 1)).isEmpty)
    }

    @Test("the same seed gives the same, another gives another")
    func seeds() {
        let one = run(.mobile, seed: 1).map(\.number)
        #expect(one == run(.mobile, seed: 1).map(\.number))
        #expect(one != run(.mobile, seed: 2).map(\.number))
    }

    @Test("a black-out loses everything and counts it")
    func blackout() {
        var netem = Netem<[UInt8]>(.lan)
        netem.isDown = true
        netem.send([1], at: .zero)
        netem.isDown = false
        netem.send([2], at: .zero)
        #expect(netem.lostCount == 1)
        #expect(netem.sentCount == 2)
        #expect(netem.nextDeadline == .zero + .milliseconds(1))
        #expect(netem.receive(at: .zero) == nil)
        #expect(netem.receive(at: .zero + .milliseconds(1)) == [2])
    }
}
