package import Bytes
package import SwiftProtobuf

/// What both sides agree on about a method. Nothing of it goes over the wire.
package struct RPCMethodTraits: Hashable, Sendable {
    package let service: String
    package let name: String
    /// Servers say how well they suit; the best is chosen after a short wait.
    package let hasAffinity: Bool
    /// Every server answers.
    package let isMulti: Bool
    /// A server asks for the request and waits until the client has chosen it.
    package let requiresClaim: Bool
    /// One server of all handles a request, by a lock in Redis.
    package let isQueued: Bool

    package init(
        _ service: String, _ name: String, hasAffinity: Bool = false, isMulti: Bool = false,
        isSingleServer: Bool = false
    ) {
        self.service = service
        self.name = name
        self.hasAffinity = hasAffinity
        self.isMulti = isMulti
        requiresClaim = !isMulti && !isSingleServer
        isQueued = !hasAffinity && !isMulti
    }

    package func requestChannel(_ topic: [String]) -> String { ChannelName.request(service, name, topic) }

    package func grantChannel(_ topic: [String]) -> String { ChannelName.grant(service, name, topic) }
}

/// A method with the types of its messages.
package struct RPCMethod<Request: Message, Response: Message>: Sendable {
    package let traits: RPCMethodTraits

    package init(_ traits: RPCMethodTraits) { self.traits = traits }
}

/// One moment on both clocks: the machine's own for waiting, the wall clock for what is said to others.
package struct RPCTime: Equatable, Sendable {
    package var monotonic: Monotonic
    package var unixNanoseconds: Int64

    package init(monotonic: Monotonic, unixNanoseconds: Int64) {
        self.monotonic = monotonic
        self.unixNanoseconds = unixNanoseconds
    }
}

/// When the caller of a method stops waiting.
package struct RPCDeadline: Equatable, Sendable {
    package let monotonic: Monotonic
    /// As the caller gave it.
    package let unixNanoseconds: Int64

    /// Nil when `expiry` has passed by the clocks of `now`. A request that would live longer than `longest` is cut.
    package init?(expiry: Int64, at now: RPCTime, longest: Interval) {
        guard expiry > now.unixNanoseconds else { return nil }
        let (left, overflow) = expiry.subtractingReportingOverflow(now.unixNanoseconds)
        unixNanoseconds = expiry
        monotonic = now.monotonic + (overflow ? longest : min(Interval(nanoseconds: left), longest))
    }
}
