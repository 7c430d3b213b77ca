package import Bytes

/// Counts the processors that this process may use, and measures how many of them are idle.
///
/// In a container both are the container's: a quota (cgroup v1 or v2, of the group or of one above it) or a set of
/// processors bounds the count, and the group's own use counts against it, but never more is idle than on the host.
package struct CPUSampler {
    /// Gives the text of a small file of /proc or /sys; nil when it cannot be read.
    package typealias Reader = @Sendable (_ path: String) -> String?

    /// Where the group's use stands.
    private enum Usage {
        case v1(path: String)
        case v2(path: String)
    }

    private struct Sample {
        var time: Monotonic
        var host: CPUAccounting.HostTimes?
        var usage: UInt64?
    }

    private static let root = "/sys/fs/cgroup"

    package let cpuCount: Double
    private let hostCount: Int
    private let read: Reader
    private let usage: Usage?
    private var previous: Sample?

    /// `request` is what LIVEKIT_CPU_REQUEST holds: it replaces the count.
    package init(request: String?, read: @escaping Reader) {
        self.read = read
        let listed = read("/proc/stat").map(CPUAccounting.hostCount) ?? 0
        let allowed = read("/proc/self/status").flatMap(CPUAccounting.allowedCount)
        hostCount = max(1, listed, allowed ?? 0)
        let group = Self.group(read)
        usage = group.usage
        let bounds = [Double(hostCount), allowed.map(Double.init), group.setCount.map(Double.init), group.quota]
        cpuCount = CPUAccounting.request(request) ?? bounds.compactMap(\.self).min() ?? 1
    }

    /// The CPUs that were idle since the last call; nil at the first one, and where nothing can be read.
    package mutating func sample(at now: Monotonic) -> Double? {
        let sample = Sample(
            time: now, host: read("/proc/stat").flatMap(CPUAccounting.hostTimes), usage: currentUsage())
        defer { previous = sample }
        guard let previous, previous.time < now else { return nil }
        var idle: Double?
        if let host = sample.host, let before = previous.host, host.total > before.total {
            let share = Double(host.idle &- min(before.idle, host.idle)) / Double(host.total - before.total)
            idle = min(share * Double(hostCount), cpuCount)
        }
        if let usage = sample.usage, let before = previous.usage {
            let busy = Double(usage &- min(before, usage)) / Double((now - previous.time).nanoseconds)
            idle = min(idle ?? cpuCount, cpuCount - busy)
        }
        return idle.map { min(max($0, 0), cpuCount) }
    }

    private func currentUsage() -> UInt64? {
        switch usage {
        case .v1(let path): read(path).flatMap(CPUAccounting.usage(cpuacct:))
        case .v2(let path): read(path).flatMap(CPUAccounting.usage(cpuStat:))
        case nil: nil
        }
    }

    // MARK: Groups

    private struct Group {
        var usage: Usage?
        var quota: Double?
        var setCount: Int?
    }

    private static func group(_ read: Reader) -> Group {
        let membership = read("/proc/self/cgroup") ?? ""
        return groupV2(membership, read) ?? groupV1(membership, read)
    }

    /// The group's folder and those above it, nearest first. Inside a container the path may be the host's, which is not
    /// there; then the mounted root is the group.
    private static func folders(_ base: String, _ path: String) -> [String] {
        var folders: [String] = []
        var parts = path.split(separator: "/").filter { $0 != ".." }
        while !parts.isEmpty {
            folders.append(base + "/" + parts.joined(separator: "/"))
            parts.removeLast()
        }
        return folders + [base]
    }

    private static func groupV2(_ membership: String, _ read: Reader) -> Group? {
        guard let path = CPUAccounting.groupPath(membership, controller: ""), read(root + "/cgroup.controllers") != nil
        else { return nil }
        let folders = folders(root, path)
        var group = Group()
        // The machine's own root has no cpu.max; its use is that of all, which /proc/stat tells as well.
        if let own = folders.first(where: { read($0 + "/cpu.max") != nil && read($0 + "/cpu.stat") != nil }) {
            group.usage = .v2(path: own + "/cpu.stat")
        }
        group.quota = folders.compactMap { read($0 + "/cpu.max").flatMap(CPUAccounting.quota(cpuMax:)) }.min()
        group.setCount = folders.compactMap { read($0 + "/cpuset.cpus.effective") }.first
            .flatMap(CPUAccounting.setCount)
        return group
    }

    private static func groupV1(_ membership: String, _ read: Reader) -> Group {
        var group = Group()
        let path = CPUAccounting.groupPath(membership, controller: "cpu") ?? "/"
        let accounting = CPUAccounting.groupPath(membership, controller: "cpuacct") ?? path
        let quotas = ["/cpu", "/cpu,cpuacct"].flatMap { folders(root + $0, path) }.compactMap { folder -> Double? in
            guard let quota = read(folder + "/cpu.cfs_quota_us"), let period = read(folder + "/cpu.cfs_period_us")
            else {
                return nil
            }
            return CPUAccounting.quota(quotaMicroseconds: quota, periodMicroseconds: period)
        }
        group.quota = quotas.min()
        // Without a group and a quota this is the machine itself.
        if accounting != "/" || group.quota != nil {
            let files = ["/cpuacct", "/cpu,cpuacct"].flatMap { folders(root + $0, accounting) }
                .map { $0 + "/cpuacct.usage" }
            group.usage = files.first { read($0) != nil }.map { .v1(path: $0) }
        }
        let set = CPUAccounting.groupPath(membership, controller: "cpuset") ?? "/"
        group.setCount = folders(root + "/cpuset", set)
            .compactMap { read($0 + "/cpuset.effective_cpus") ?? read($0 + "/cpuset.cpus") }.first
            .flatMap(CPUAccounting.setCount)
        return group
    }
}
