package import Bytes
import Glibc

/// A system error number, kept as the kernel gave it.
package struct Errno: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    package var description: String {
        var text = [CChar](repeating: 0, count: 128)
        guard strerror_r(rawValue, &text, text.count) == 0 else { return "error \(rawValue)" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    package static let addressInUse = Errno(rawValue: EADDRINUSE)
    package static let addressNotAvailable = Errno(rawValue: EADDRNOTAVAIL)
    package static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    package static let connectionReset = Errno(rawValue: ECONNRESET)
    package static let brokenPipe = Errno(rawValue: EPIPE)
    package static let accessDenied = Errno(rawValue: EACCES)
    package static let timedOut = Errno(rawValue: ETIMEDOUT)
    package static let invalidArgument = Errno(rawValue: EINVAL)
    package static let tooManyOpenFiles = Errno(rawValue: EMFILE)
    package static let noBufferSpace = Errno(rawValue: ENOBUFS)
}

/// What went wrong below the protocols. The error number is kept; `description` is a sentence for a person.
package enum RuntimeError: Error, Equatable, Sendable {
    /// The system calls that may fail for reasons outside of the program.
    package enum Call: String, Sendable {
        case accept4, bind, clock, connect, epollCreate, epollCtl, eventfd, getifaddrs, getrandom, getsockname,
            getsockopt
        case listen, open, pidfdOpen, pipe2, posixSpawn, prctl, pthreadCreate, read, recvmmsg, send, sendmmsg,
            setsockopt
        case shutdown, sigaction, socket, write
    }

    /// A local address could not be taken.
    case bind(TransportAddress, Errno)
    /// A connection to `address` was not made, a time-out included (ETIMEDOUT).
    case connect(TransportAddress, Errno)
    /// A name did not resolve; `code` is an EAI_ value.
    case resolve(host: String, code: Int32)
    /// Too many lookups are under way.
    case resolverBusy
    /// Any other call that failed.
    case system(Call, Errno)

    /// The system's error number where there is one.
    package var errno: Errno? {
        switch self {
        case .bind(_, let errno), .connect(_, let errno), .system(_, let errno): errno
        case .resolve, .resolverBusy: nil
        }
    }
}

extension RuntimeError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .bind(let address, .addressInUse): "port \(address.port) is in use (\(address))"
        case .bind(let address, .accessDenied):
            "port \(address.port) needs more rights than this process has (\(address))"
        case .bind(let address, .addressNotAvailable): "this machine has no address \(address.host)"
        case .bind(let address, let errno): "cannot listen on \(address): \(errno)"
        case .connect(let address, let errno): "cannot connect to \(address): \(errno)"
        case .resolve(let host, let code): "cannot resolve \(host): \(String(cString: gai_strerror(code)))"
        case .resolverBusy: "too many name lookups are under way"
        case .system(let call, let errno): "\(call.rawValue) failed: \(errno)"
        }
    }
}
