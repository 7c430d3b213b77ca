import CLinux
import Glibc

/// Memory of this process that is not its own: what it has read of its program and its libraries so far.
///
/// Starting a program reads most of its libraries once, for relocations, symbols and types, and never again; without this,
/// every process of the service would keep some 45 MiB of them resident for its whole life.
package enum ResidentPages {
    /// Lets go of all read-only pages of the program and its libraries, and of free memory of the heap. What is used again
    /// comes back page by page from the system's cache, without a copy: a few milliseconds in all.
    ///
    /// Segments that are writable, or were while the program was loaded, stay, so nothing is lost. The dynamic linker's lock is
    /// held meanwhile: no library comes or goes.
    package static func giveBack() {
        let size = UInt(sysconf(Int32(_SC_PAGESIZE)))
        withUnsafePointer(to: size) { size in
            _ = clinux_dl_iterate_phdr(
                { library, _, size in
                    guard let library = library?.pointee, let size = size?.load(as: UInt.self) else { return 0 }
                    ResidentPages.giveBack(library, pageSize: size)
                    return 0
                }, UnsafeMutableRawPointer(mutating: size))
        }
        malloc_trim(0)
    }

    /// The same after `delay`, on a thread that nothing waits for.
    package static func giveBack(after delay: Duration) {
        Task.detached(priority: .background) {
            try? await Task.sleep(for: delay)
            giveBack()
        }
    }

    /// No huge pages for this process from here on: encoders ask for them, and of two megabytes around each of their planes a
    /// quarter would never be used.
    package static func avoidHugePages() { _ = clinux_disable_huge_pages() }

    private static func giveBack(_ library: clinux_dl_phdr_info, pageSize: UInt) {
        var ranges: [(start: UInt, count: UInt)] = []
        for index in 0..<Int(library.dlpi_phnum) {
            guard let header = library.dlpi_phdr?[index], header.p_type == UInt32(PT_LOAD),
                header.p_flags & UInt32(PF_W) == 0
            else { continue }
            // Only whole pages: the last one may be shared with the segment behind it.
            let start = UInt(library.dlpi_addr) &+ UInt(header.p_vaddr)
            let first = (start &+ pageSize &- 1) / pageSize * pageSize
            let end = (start &+ UInt(header.p_memsz)) / pageSize * pageSize
            if end > first { ranges.append((first, end - first)) }
        }
        // At the end: the headers stand in such a page themselves, and reading one brings its neighbours back.
        for range in ranges {
            _ = madvise(UnsafeMutableRawPointer(bitPattern: range.start), Int(range.count), MADV_DONTNEED)
        }
    }
}
