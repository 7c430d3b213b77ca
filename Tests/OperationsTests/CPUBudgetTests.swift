import Bytes
import ServiceConfiguration
import Ingress
import Testing

@Suite struct CPUBudgetTests {
    @Test("a cost of zero takes sessions however busy the machine is")
    func noCost() {
        var costs = CPUCostConfiguration()
        costs.rtmp = 0
        var budget = CPUBudget(cpuCount: 2, costs: costs)
        budget.sampled(idle: 0)
        #expect(budget.canAccept(.rtmp, at: at(0)))
        let isTaken = budget.accept(.rtmp, at: at(0))
        #expect(isTaken)
        #expect(!budget.canAccept(.whip, at: at(0)))
        #expect(!budget.isAvailable(at: at(0)))
        (costs.whip, costs.whipBypassTranscoding, costs.url) = (0, 0, 0)
        budget.costs = costs
        #expect(budget.isAvailable(at: at(0)))
    }

    private func at(_ milliseconds: Int64) -> Monotonic { Monotonic.zero + .milliseconds(milliseconds) }

    private func budget(cpus: Double, idle: Double? = nil) -> CPUBudget {
        var budget = CPUBudget(cpuCount: cpus, costs: CPUCostConfiguration())
        if let idle { budget.sampled(idle: idle) }
        return budget
    }

    @Test("nothing is accepted before the first sample")
    func unknown() {
        var budget = budget(cpus: 64)
        let first = budget.accept(.whipBypass, at: at(0))
        #expect(!first)
        #expect(!budget.canAccept(.whipBypass, at: at(0)))
        #expect(!budget.isAvailable(at: at(0)))
        #expect(budget.load == 1)
        budget.sampled(idle: 64)
        let second = budget.accept(.whipBypass, at: at(0))
        #expect(second)
        #expect(budget.load == 0)
    }

    @Test("an offer keeps the whole idle share, a session at the door half of it")
    func ratios() {
        // 10 CPUs: 3 stay free for offers, 1.5 for sessions.
        var budget = budget(cpus: 10, idle: 4.9)
        #expect(!budget.canAccept(.rtmp, at: at(0)))
        let first = budget.accept(.rtmp, at: at(0))
        #expect(first)
        budget = self.budget(cpus: 10, idle: 5.1)
        #expect(budget.canAccept(.rtmp, at: at(0)))
    }

    @Test("what is available has to be more than the cost, not just as much")
    func strictly() {
        var costs = CPUCostConfiguration()
        costs.minIdleRatio = 0.5
        var budget = CPUBudget(cpuCount: 8, costs: costs)
        budget.sampled(idle: 6)
        #expect(budget.available(idleRatio: 0.5, at: at(0)) == 2)
        #expect(!budget.canAccept(.rtmp, at: at(0)))
        #expect(budget.canAccept(.whipBypass, at: at(0)))
        budget.sampled(idle: 4)
        let first = budget.accept(.rtmp, at: at(0))
        #expect(!first)
        budget.sampled(idle: 4.001)
        let second = budget.accept(.rtmp, at: at(0))
        #expect(second)
    }

    @Test("an accepted session's cost is held for one second")
    func pending() {
        var budget = budget(cpus: 10, idle: 5)
        let first = budget.accept(.rtmp, at: at(0))
        #expect(first)
        let second = budget.accept(.rtmp, at: at(999))
        #expect(!second)
        let third = budget.accept(.whipBypass, at: at(999))
        #expect(third)
        #expect(abs(budget.available(idleRatio: 0, at: at(999)) - 2.9) < 1e-9)
        #expect(abs(budget.available(idleRatio: 0, at: at(1_000)) - 4.9) < 1e-9)
        let fourth = budget.accept(.rtmp, at: at(1_000))
        #expect(fourth)
    }

    @Test("a refused session holds nothing")
    func refused() {
        var budget = budget(cpus: 10, idle: 3)
        let first = budget.accept(.rtmp, at: at(0))
        #expect(!first)
        #expect(budget.available(idleRatio: 0, at: at(0)) == 3)
    }

    @Test("each kind has its own cost, and availability needs the largest")
    func kinds() {
        var budget = budget(cpus: 10, idle: 6)
        budget.costs.rtmp = 1
        budget.costs.whip = 2
        budget.costs.whipBypassTranscoding = 0.5
        budget.costs.url = 3
        #expect(SessionKind.allCases.map(budget.cost) == [1, 2, 0.5, 3])
        #expect(!budget.isAvailable(at: at(0)))
        #expect(budget.canAccept(.whip, at: at(0)))
        budget.sampled(idle: 6.01)
        #expect(budget.isAvailable(at: at(0)))
    }

    @Test("a ratio of nothing or less is the default")
    func defaultRatio() {
        var budget = budget(cpus: 10, idle: 4.9)
        budget.costs.minIdleRatio = -1
        #expect(!budget.canAccept(.rtmp, at: at(0)))
        budget.sampled(idle: 5.1)
        #expect(budget.canAccept(.rtmp, at: at(0)))
    }

    @Test("samples outside of what is possible are bounded")
    func bounds() {
        var budget = budget(cpus: 2, idle: 5)
        #expect(budget.idle == 2)
        budget.sampled(idle: -1)
        #expect(budget.idle == 0)
        #expect(budget.load == 1)
    }

    @Test("a machine too small for any session, for some, and for none")
    func shortage() throws {
        #expect(budget(cpus: 0.05).shortage == .none(smallestCost: 0.1))
        #expect(budget(cpus: 1.5).shortage == .some([.rtmp, .whip, .url]))
        #expect(budget(cpus: 2).shortage == nil)
        let text = try #require(budget(cpus: 0.05).shortage).text(cpuCount: 0.05)
        #expect(text.hasPrefix("server capacity exceeded: 0.05 CPUs"))
        #expect(
            CPUBudget.Shortage.some([.rtmp, .url]).text(cpuCount: 1)
                == "not enough CPUs (1.0) for sessions of kind rtmp, url")
    }

    @Test("kinds are named that even an idle machine refuses")
    func neverAccepted() {
        #expect(budget(cpus: 2).neverAccepted == [.rtmp, .whip, .url])
        #expect(budget(cpus: 2.4).neverAccepted == [])
        #expect(budget(cpus: 0.1).neverAccepted == SessionKind.allCases)
    }
}

@Suite struct AdmissionControlTests {
    private let now = Monotonic.zero

    private func admission(idle: Double) -> AdmissionControl {
        let admission = AdmissionControl(budget: CPUBudget(cpuCount: 10, costs: CPUCostConfiguration()))
        admission.sampled(idle: idle)
        return admission
    }

    @Test("a session is taken or refused with the cause")
    func accept() throws {
        let admission = admission(idle: 4)
        try admission.accept(.rtmp, at: now)
        #expect(throws: AdmissionRefusal.capacityExceeded) { try admission.accept(.rtmp, at: now) }
        #expect(abs(admission.load - 0.6) < 1e-9)
    }

    @Test("shutting down refuses everything, with its own cause")
    func shuttingDown() {
        let admission = admission(idle: 10)
        #expect(admission.isAvailable(at: now))
        #expect(admission.affinity(for: .url, at: now) == 1)
        admission.shutDown()
        #expect(throws: AdmissionRefusal.shuttingDown) { try admission.accept(.whipBypass, at: now) }
        #expect(!admission.isAvailable(at: now))
        #expect(admission.affinity(for: .url, at: now) == -1)
    }

    @Test("reloaded costs count at once")
    func reload() throws {
        let admission = admission(idle: 4)
        var costs = CPUCostConfiguration()
        costs.rtmp = 5
        admission.update(costs: costs)
        #expect(throws: AdmissionRefusal.capacityExceeded) { try admission.accept(.rtmp, at: now) }
        costs.rtmp = 1
        admission.update(costs: costs)
        try admission.accept(.rtmp, at: now)
    }
}
