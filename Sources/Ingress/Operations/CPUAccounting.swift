/// Readers of the kernel's texts about processors. Each gives nil for what it does not understand.
package enum CPUAccounting {
    /// The first line of /proc/stat, in ticks since the start of the machine (proc(5)).
    package struct HostTimes: Equatable, Sendable {
        /// With the time that waits for disks: nobody uses the processor then.
        package var idle: UInt64
        package var total: UInt64

        package init(idle: UInt64, total: UInt64) {
            self.idle = idle
            self.total = total
        }
    }

    package static func hostTimes(_ stat: String) -> HostTimes? {
        // It is the first line; the others, of which each processor and interrupt has one, are not looked at each second.
        let line = Substring(stat.utf8.prefix { $0 != UInt8(ascii: "\n") })
        guard line.hasPrefix("cpu ") else { return nil }
        // user nice system idle iowait irq softirq steal; what follows is counted in user already.
        let ticks = line.split(separator: " ").dropFirst().prefix(8).map { UInt64($0) }
        guard ticks.count >= 4 else { return nil }
        var times = HostTimes(idle: 0, total: 0)
        for (index, tick) in ticks.enumerated() {
            guard let tick else { return nil }
            times.total &+= tick
            if index == 3 || index == 4 { times.idle &+= tick }
        }
        return times
    }

    /// The processors that /proc/stat lists.
    package static func hostCount(_ stat: String) -> Int {
        stat.split(separator: "\n").count { $0.hasPrefix("cpu") && !$0.hasPrefix("cpu ") }
    }

    /// A list such as `0-3,8` (cpuset.cpus.effective).
    package static func setCount(_ list: String) -> Int? {
        var count = 0
        for part in list.trimmingSpace.split(separator: ",") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard let first = ends.first, let first, let last = ends.last, let last, ends.count <= 2, first <= last
            else {
                return nil
            }
            count += Int(last - first) + 1
        }
        return count > 0 ? count : nil
    }

    /// `Cpus_allowed_list` of /proc/self/status: what cpusets and the affinity leave.
    package static func allowedCount(_ status: String) -> Int? {
        let key = "Cpus_allowed_list:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return nil }
        return setCount(String(line.dropFirst(key.count)))
    }

    /// cpu.max of cgroup v2, `max 100000` or `150000 100000`: the CPUs of the quota.
    package static func quota(cpuMax text: String) -> Double? {
        let fields = text.trimmingSpace.split(separator: " ")
        guard fields.count == 2, let quota = Int64(fields[0]), let period = Int64(fields[1]) else { return nil }
        return quota > 0 && period > 0 ? Double(quota) / Double(period) : nil
    }

    /// cpu.cfs_quota_us and cpu.cfs_period_us of cgroup v1; a quota of −1 is none.
    package static func quota(quotaMicroseconds: String, periodMicroseconds: String) -> Double? {
        quota(cpuMax: quotaMicroseconds.trimmingSpace + " " + periodMicroseconds.trimmingSpace)
    }

    /// usage_usec of cgroup v2's cpu.stat, in nanoseconds.
    package static func usage(cpuStat text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 2, fields[0] == "usage_usec", let value = UInt64(fields[1]) else { continue }
            return value.multipliedReportingOverflow(by: 1_000).overflow ? nil : value * 1_000
        }
        return nil
    }

    /// cpuacct.usage of cgroup v1, in nanoseconds.
    package static func usage(cpuacct text: String) -> UInt64? { UInt64(text.trimmingSpace) }

    /// /proc/self/cgroup: the group's path in the hierarchy that has the controller; the empty name is version 2's.
    package static func groupPath(_ text: String, controller: String) -> String? {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, fields[2].hasPrefix("/") else { continue }
            if fields[1].split(separator: ",", omittingEmptySubsequences: false).contains(Substring(controller)) {
                return String(fields[2])
            }
        }
        return nil
    }

    /// LIVEKIT_CPU_REQUEST: a number above zero.
    package static func request(_ text: String?) -> Double? {
        guard let text, text.utf8.allSatisfy({ 48...57 ~= $0 || $0 == 46 }), let value = Double(text) else {
            return nil
        }
        return value > 0 && value.isFinite ? value : nil
    }
}

extension String {
    /// Without blanks and line ends around it.
    fileprivate var trimmingSpace: String {
        var rest = self[...].drop { $0.isWhitespace }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
