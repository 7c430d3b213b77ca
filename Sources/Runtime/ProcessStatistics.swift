package import Bytes
import CLinux
import Glibc

/// What the kernel accounts to this process: for metrics, and for tests that look for leaks.
package struct ProcessStatistics: Equatable, Sendable {
    package var openDescriptors: Int
    package var residentBytes: Int
    package var threads: Int
    /// Of all threads together, since the start.
    package var processorTime: Interval

    /// Reads /proc; a value that cannot be read is 0.
    package static func current() -> ProcessStatistics {
        let status = field("/proc/self/stat")
        // Fields after the command name, which may hold spaces: 18 is num_threads, 22 is rss in pages (proc(5), less
        // 2).
        let values = status[(status.lastIndex(of: UInt8(ascii: ")")) ?? status.startIndex)...].split(
            separator: UInt8(ascii: " "))
        let value = { (index: Int) in
            values.indices.contains(index) ? Int(String(decoding: values[index], as: UTF8.self)) ?? 0 : 0
        }
        return ProcessStatistics(
            openDescriptors: descriptorCount(), residentBytes: value(22) * Int(getpagesize()), threads: value(18),
            processorTime: SystemClock.processTime())
    }

    /// Bytes that the C allocator has handed out, large blocks included. Looks into every arena, so not for hot paths.
    package static func heapBytesInUse() -> Int {
        let info = mallinfo2()
        return Int(info.uordblks) + Int(info.hblkhd)
    }

    private static func descriptorCount() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Not counted: ".", ".." and the directory being read.
        return max(0, count - 3)
    }

    private static func field(_ path: String) -> [UInt8] {
        guard let file = try? Syscalls.open(path) else { return [] }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let result = bytes.withUnsafeMutableBytes { Syscalls.read(file.raw, $0) }
        guard case .done(let count) = result else { return [] }
        return Array(bytes.prefix(count))
    }
}
