package import Bytes
import Glibc
import Synchronization

/// Turns names into addresses on threads of its own, because the C library's resolver blocks.
package enum Resolver {
    /// Lookups under way at a time; more fail at once, so that a dead name server cannot gather threads.
    package static let maximumLookups = 8

    private static let lookups = Atomic<Int>(0)

    /// All addresses of `host`, in the order of preference that the system gives. An address in text comes back at
    /// once. A lookup cannot be cancelled: its caller may go, the thread ends when the system's own time-out does.
    package static func resolve(_ host: String, port: UInt16) async throws(RuntimeError) -> [TransportAddress] {
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        if let address = TransportAddress(host: bare, port: port) { return [address] }
        guard lookups.add(1, ordering: .relaxed).newValue <= maximumLookups else {
            lookups.subtract(1, ordering: .relaxed)
            throw .resolverBusy
        }
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Lookup, Never>) in
            do throws(RuntimeError) {
                try Thread.start(name: "resolver", stackBytes: Thread.defaultStackBytes) {
                    let result = lookUp(bare, port: port)
                    lookups.subtract(1, ordering: .relaxed)
                    continuation.resume(returning: result)
                }
            } catch {
                lookups.subtract(1, ordering: .relaxed)
                continuation.resume(returning: .failure(error))
            }
        }
        return try result.get()
    }

    private typealias Lookup = Result<[TransportAddress], RuntimeError>

    private static func lookUp(_ host: String, port: UInt16) -> Lookup {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { return .failure(.resolve(host: host, code: code)) }
        defer { freeaddrinfo(list) }
        var addresses: [TransportAddress] = []
        for entry in sequence(first: list, next: { $0?.pointee.ai_next }) {
            guard let entry = entry?.pointee, let raw = entry.ai_addr,
                var address = SocketAddress.decode(UnsafeRawBufferPointer(start: raw, count: Int(entry.ai_addrlen)))
            else { continue }
            address.port = port
            if !addresses.contains(address) { addresses.append(address) }
        }
        return addresses.isEmpty ? .failure(.resolve(host: host, code: EAI_NONAME)) : .success(addresses)
    }
}
