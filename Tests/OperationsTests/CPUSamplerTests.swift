import Bytes
import Ingress
import Synchronization
import Testing

@Suite struct CPUAccountingTests {
    private let stat = """
        cpu  100 10 50 800 40 0 5 3 7 1
        cpu0 50 5 25 400 20 0 2 1 3 0
        cpu1 50 5 25 400 20 0 3 2 4 1
        intr 12345
        """

    @Test("/proc/stat: idle is idle and iowait, guests are not counted twice")
    func stats() {
        #expect(CPUAccounting.hostTimes(stat) == CPUAccounting.HostTimes(idle: 840, total: 1_008))
        #expect(CPUAccounting.hostCount(stat) == 2)
        #expect(CPUAccounting.hostTimes("cpu  1 2 3 4\n") == CPUAccounting.HostTimes(idle: 4, total: 10))
    }

    @Test(
        "what is no /proc/stat is refused",
        arguments: ["", "cpu0 1 2 3 4", "cpu 1 2 3", "cpu 1 2 x 4 5", "cpu -1 2 3 4"])
    func badStats(text: String) { #expect(CPUAccounting.hostTimes(text) == nil) }

    @Test("sets of processors", arguments: [("0", 1), ("0-3\n", 4), ("0-1,8", 3), ("0,2,4-7", 6), ("5-5", 1)])
    func sets(list: String, count: Int) { #expect(CPUAccounting.setCount(list) == count) }

    @Test("what is no set", arguments: ["", "\n", "a", "3-1", "1-2-3", "0-99999", "-1", "1-"])
    func badSets(list: String) { #expect(CPUAccounting.setCount(list) == nil) }

    @Test("the processors that /proc/self/status allows")
    func status() {
        #expect(CPUAccounting.allowedCount("Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n") == 8)
        #expect(CPUAccounting.allowedCount("Name:\tx\n") == nil)
    }

    @Test("quotas may be parts of a processor")
    func quotas() {
        #expect(CPUAccounting.quota(cpuMax: "150000 100000\n") == 1.5)
        #expect(CPUAccounting.quota(cpuMax: "max 100000\n") == nil)
        for bad in ["", "100000", "0 100000", "1 0", "x y", "-1 100000", "1 2 3"] {
            #expect(CPUAccounting.quota(cpuMax: bad) == nil)
        }
        #expect(CPUAccounting.quota(quotaMicroseconds: "50000\n", periodMicroseconds: "100000\n") == 0.5)
        #expect(CPUAccounting.quota(quotaMicroseconds: "-1\n", periodMicroseconds: "100000\n") == nil)
    }

    @Test("a group's use in nanoseconds")
    func usage() {
        #expect(CPUAccounting.usage(cpuStat: "usage_usec 1234\nuser_usec 1000\n") == 1_234_000)
        #expect(CPUAccounting.usage(cpuStat: "user_usec 1000\n") == nil)
        #expect(CPUAccounting.usage(cpuStat: "usage_usec 18446744073709551615\n") == nil)
        #expect(CPUAccounting.usage(cpuacct: "987654321\n") == 987_654_321)
        #expect(CPUAccounting.usage(cpuacct: "x") == nil)
    }

    @Test("the group's path in each hierarchy")
    func groups() {
        let text = "12:cpu,cpuacct:/docker/a:b\n3:cpuset:/\n0::/system.slice/x.service\nbroken\n4:memory:relative\n"
        #expect(CPUAccounting.groupPath(text, controller: "cpu") == "/docker/a:b")
        #expect(CPUAccounting.groupPath(text, controller: "cpuacct") == "/docker/a:b")
        #expect(CPUAccounting.groupPath(text, controller: "cpuset") == "/")
        #expect(CPUAccounting.groupPath(text, controller: "") == "/system.slice/x.service")
        #expect(CPUAccounting.groupPath(text, controller: "memory") == nil)
    }

    @Test("LIVEKIT_CPU_REQUEST is a number above zero")
    func request() {
        for (text, value) in [("4", 4.0), ("3.33", 3.33), ("0.5", 0.5)] {
            #expect(CPUAccounting.request(text) == value)
        }
        for text in ["", "-1", "0", "abc", "4abc", "inf", "0x4", "1e3"] { #expect(CPUAccounting.request(text) == nil) }
        #expect(CPUAccounting.request(nil) == nil)
    }
}

@Suite struct CPUSamplerTests {
    /// Files that change between samples.
    private final class Machine: Sendable {
        private let files: Mutex<[String: String]>
        init(_ files: [String: String]) { self.files = Mutex(files) }

        func set(_ path: String, _ text: String) { files.withLock { $0[path] = text } }
        func remove(_ path: String) { files.withLock { $0[path] = nil } }
        func read(_ path: String) -> String? { files.withLock { $0[path] } }

        func sampler(request: String? = nil) -> CPUSampler { CPUSampler(request: request) { [self] in read($0) } }
    }

    private func at(_ seconds: Int64) -> Monotonic { Monotonic.zero + .seconds(seconds) }

    private func stat(cpus: Int, busy: Int, idle: Int) -> String {
        "cpu  \(busy) 0 0 \(idle) 0 0 0 0 0 0\n" + (0..<cpus).map { "cpu\($0) 0 0 0 0\n" }.joined()
    }

    private func host(cpus: Int) -> [String: String] {
        ["/proc/stat": stat(cpus: cpus, busy: 0, idle: 0), "/proc/self/cgroup": "0::/init.scope\n"]
    }

    @Test("a machine without groups: idle processors by /proc/stat, and nothing at the first call")
    func bare() throws {
        let machine = Machine(host(cpus: 8))
        var sampler = machine.sampler()
        #expect(sampler.cpuCount == 8)
        #expect(sampler.sample(at: at(0)) == nil)
        machine.set("/proc/stat", stat(cpus: 8, busy: 200, idle: 600))
        #expect(sampler.sample(at: at(1)) == 6)
        machine.set("/proc/stat", stat(cpus: 8, busy: 1_000, idle: 600))
        #expect(sampler.sample(at: at(2)) == 0)
    }

    private func containerV2(quota: String, set: String = "0-7\n") -> [String: String] {
        host(cpus: 8).merging([
            "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cgroup.controllers": "cpu\n",
            "/sys/fs/cgroup/cpu.max": quota, "/sys/fs/cgroup/cpu.stat": "usage_usec 5000000\n",
            "/sys/fs/cgroup/cpuset.cpus.effective": set,
        ]) { _, new in new }
    }

    @Test("a container of cgroup v2 with a quota: a part of a processor counts, and its own use")
    func quotaV2() {
        let machine = Machine(containerV2(quota: "250000 100000\n"))
        var sampler = machine.sampler()
        #expect(sampler.cpuCount == 2.5)
        _ = sampler.sample(at: at(0))
        machine.set("/proc/stat", stat(cpus: 8, busy: 100, idle: 700))
        machine.set("/sys/fs/cgroup/cpu.stat", "usage_usec 6500000\n")
        #expect(sampler.sample(at: at(1)) == 1)
        machine.set("/sys/fs/cgroup/cpu.stat", "usage_usec 16500000\n")
        #expect(sampler.sample(at: at(2)) == 0)
    }

    @Test("no more is idle in a container than on its host")
    func neighbours() {
        let machine = Machine(containerV2(quota: "400000 100000\n"))
        var sampler = machine.sampler()
        _ = sampler.sample(at: at(0))
        machine.set("/proc/stat", stat(cpus: 8, busy: 700, idle: 100))
        #expect(sampler.sample(at: at(1)) == 1)
    }

    @Test("a set of processors bounds the count")
    func cpuset() {
        #expect(Machine(containerV2(quota: "max 100000\n", set: "0-2\n")).sampler().cpuCount == 3)
        #expect(Machine(containerV2(quota: "max 100000\n")).sampler().cpuCount == 8)
        var files = host(cpus: 8)
        files["/proc/self/status"] = "Cpus_allowed_list:\t0,5\n"
        #expect(Machine(files).sampler().cpuCount == 2)
    }

    @Test("a group on the host: the quota of a group above it counts as well")
    func nested() {
        var files = host(cpus: 8)
        files["/proc/self/cgroup"] = "0::/a.slice/b.service\n"
        files["/sys/fs/cgroup/cgroup.controllers"] = "cpu\n"
        files["/sys/fs/cgroup/a.slice/cpu.max"] = "100000 100000\n"
        files["/sys/fs/cgroup/a.slice/b.service/cpu.max"] = "300000 100000\n"
        files["/sys/fs/cgroup/a.slice/b.service/cpu.stat"] = "usage_usec 0\n"
        #expect(Machine(files).sampler().cpuCount == 1)
    }

    @Test("cgroup v1, its paths with and without the container's name", arguments: ["", "/docker/abc"])
    func v1(folder: String) {
        var files = host(cpus: 8)
        files["/proc/self/cgroup"] = "4:cpuset:/docker/abc\n2:cpu,cpuacct:/docker/abc\n"
        files["/sys/fs/cgroup/cpu,cpuacct\(folder)/cpu.cfs_quota_us"] = "200000\n"
        files["/sys/fs/cgroup/cpu,cpuacct\(folder)/cpu.cfs_period_us"] = "100000\n"
        files["/sys/fs/cgroup/cpu,cpuacct\(folder)/cpuacct.usage"] = "1000\n"
        files["/sys/fs/cgroup/cpuset\(folder)/cpuset.cpus"] = "0-5\n"
        let machine = Machine(files)
        var sampler = machine.sampler()
        #expect(sampler.cpuCount == 2)
        _ = sampler.sample(at: at(0))
        machine.set("/proc/stat", stat(cpus: 8, busy: 100, idle: 700))
        machine.set("/sys/fs/cgroup/cpu,cpuacct\(folder)/cpuacct.usage", "500001000\n")
        #expect(sampler.sample(at: at(1)) == 1.5)
    }

    @Test("the machine's own root of v1 has no quota and counts nothing")
    func rootV1() {
        var files = host(cpus: 4)
        files["/proc/self/cgroup"] = "2:cpu,cpuacct:/\n"
        files["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"] = "-1\n"
        files["/sys/fs/cgroup/cpu/cpu.cfs_period_us"] = "100000\n"
        files["/sys/fs/cgroup/cpuacct/cpuacct.usage"] = "0\n"
        let machine = Machine(files)
        var sampler = machine.sampler()
        #expect(sampler.cpuCount == 4)
        _ = sampler.sample(at: at(0))
        machine.set("/proc/stat", stat(cpus: 4, busy: 0, idle: 400))
        machine.set("/sys/fs/cgroup/cpuacct/cpuacct.usage", "4000000000\n")
        #expect(sampler.sample(at: at(1)) == 4)
    }

    @Test("LIVEKIT_CPU_REQUEST replaces the count")
    func request() {
        let machine = Machine(containerV2(quota: "max 100000\n"))
        var sampler = machine.sampler(request: "3.5")
        #expect(sampler.cpuCount == 3.5)
        #expect(machine.sampler(request: "many").cpuCount == 8)
        _ = sampler.sample(at: at(0))
        machine.set("/proc/stat", stat(cpus: 8, busy: 100, idle: 700))
        machine.set("/sys/fs/cgroup/cpu.stat", "usage_usec 6000000\n")
        #expect(sampler.sample(at: at(1)) == 2.5)
    }

    @Test("time or counters that do not move, or go back, give no nonsense")
    func standstill() {
        let machine = Machine(host(cpus: 2))
        var sampler = machine.sampler()
        machine.set("/proc/stat", stat(cpus: 2, busy: 100, idle: 100))
        #expect(sampler.sample(at: at(1)) == nil)
        #expect(sampler.sample(at: at(1)) == nil)
        #expect(sampler.sample(at: at(2)) == nil)
        machine.set("/proc/stat", stat(cpus: 2, busy: 300, idle: 50))
        #expect(sampler.sample(at: at(3)) == 0)
        machine.remove("/proc/stat")
        #expect(sampler.sample(at: at(4)) == nil)
    }

    @Test("nothing readable at all is one processor")
    func nothing() { #expect(Machine([:]).sampler().cpuCount == 1) }

    @Test("this machine has processors")
    func here() {
        #expect(CPUSampler.system(environment: [:]).cpuCount > 0)
        #expect(CPUSampler.kernelText("/proc/self/cgroup") != nil)
        #expect(CPUSampler.kernelText("/proc/self/no-such-file") == nil)
        #expect(CPUSampler.kernelText("/proc") == nil)
    }
}
