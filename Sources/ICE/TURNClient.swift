package import Bytes

/// Why a relay is not, or no longer, to be had.
package enum TURNFailure: Error, Hashable, Sendable {
    /// No answer.
    case timedOut
    /// The server does not know the name or the password.
    case unauthorized
    /// The server refused, with this error code (RFC 8656 section 19).
    case refused(Int)
    /// The answer to Allocate makes no sense, or names a server loop that does not end.
    case protocolError
    /// The TCP or TLS connection to the server broke, or was never made.
    case connectionLost
}

/// One allocation on a TURN server (RFC 8656, and RFC 5766 as far as it differs), without sockets and without a clock:
/// UDP relaying, over UDP or a stream, with long-term credentials.
///
/// Datagrams for a peer are wrapped where they stand: as Send indications at first, as channel data once `bind` was
/// answered. Nothing is relayed from addresses that were not permitted.
///
/// Not here: TCP relaying (RFC 6062), IPv6 relayed addresses, other servers by 300 (ALTERNATE-SERVER), mobility.
///
/// Verbs: `receive`, `advance`, `permit`, `bind`, `close`; after each drain `pollTransmit`, then `pollEvent`, then read
/// `nextDeadline`.
package struct TURNClient {
    package struct Configuration: Sendable {
        /// Our socket towards the server, and the server.
        package var path: ICEPath
        let username: [UInt8]
        let password: [UInt8]

        /// Throws when name or password are longer than `ICELimits` allows.
        package init(path: ICEPath, username: String, password: String) throws(ICEError) {
            self.path = path
            self.username = Array(username.utf8)
            self.password = Array(password.utf8)
            guard self.username.count <= ICELimits.turnNameBytes, self.password.count <= ICELimits.turnNameBytes else {
                throw .tooLarge
            }
        }
    }

    package enum State: Hashable, Sendable {
        case allocating
        case allocated
        case failed(TURNFailure)
        case closed
    }

    package enum Event: Hashable, Sendable {
        /// `mapped`: how the server sees our socket.
        case allocated(relayed: TransportAddress, mapped: TransportAddress?)
        case failed(TURNFailure)
    }

    package enum Received: Equatable, Sendable {
        /// The server's answer to us.
        case handled
        /// Bytes of `range` from a peer.
        case data(Range<Int>, from: TransportAddress)
        /// Dropped.
        case ignored(ICEError)
    }

    /// What is asked of the server.
    enum Request: Hashable {
        case allocate
        case refresh
        /// A refresh with lifetime 0.
        case release
        case permission(TransportAddress.IP)
        case channel(UInt16)
    }

    struct Transaction {
        var id: STUNTransactionID
        let request: Request
        var schedule: RetransmitSchedule
        var isDue = false
        /// Sent with credentials.
        var isSigned: Bool
        var attempts = 1
    }

    struct Permission {
        let ip: TransportAddress.IP
        var usedAt: Monotonic
        /// When to ask for it again; nil while asking.
        var renewAt: Monotonic?
        var isGranted = false
    }

    struct Channel {
        let number: UInt16
        let peer: TransportAddress
        var renewAt: Monotonic?
        var isBound = false
    }

    package let path: ICEPath
    let username: [UInt8]
    let password: [UInt8]
    let hmac: HMACSHA1
    let md5: MD5Hash
    let timing: ICETiming
    var random: ICERandom
    /// Of all Send indications, to which nobody answers.
    let indicationID: STUNTransactionID

    package internal(set) var state = State.allocating
    var realm: [UInt8] = []
    var nonce: [UInt8] = []
    /// Once the server asked for credentials.
    var key: [UInt8]?
    var refreshAt: Monotonic?
    var transactions: [Transaction] = []
    var permissions: [Permission] = []
    var channels: [Channel] = []
    var events: [Event] = []

    /// `seed`: at least 16 cryptographically random bytes. Asks for an allocation at once.
    package init(
        _ configuration: Configuration, seed: [UInt8], hmac: @escaping HMACSHA1, md5: @escaping MD5Hash,
        timing: ICETiming = ICETiming(), at now: Monotonic
    ) {
        path = configuration.path
        username = configuration.username
        password = configuration.password
        self.hmac = hmac
        self.md5 = md5
        self.timing = timing
        random = ICERandom(seed: seed, hmac: hmac)
        indicationID = random.nextTransactionID()
        begin(.allocate, at: now)
        advance(to: now)
    }

    package var isAllocated: Bool { state == .allocated }

    var hasTransmit: Bool { transactions.contains(where: \.isDue) }

    package mutating func pollEvent() -> Event? { events.isEmpty ? nil : events.removeFirst() }

    /// Gives the allocation back: one more request waits in `pollTransmit`. Its answer is not waited for.
    package mutating func close(at now: Monotonic) {
        guard state != .closed else { return }
        let wasAllocated = state == .allocated
        transactions.removeAll()
        events.removeAll()
        if wasAllocated {
            begin(.release, at: now)
            for index in transactions.indices { transactions[index].isDue = true }
        }
        state = .closed
    }

    /// The connection to the server is gone.
    package mutating func connectionLost() { fail(.connectionLost) }

    mutating func fail(_ failure: TURNFailure) {
        guard state == .allocating || state == .allocated else { return }
        state = .failed(failure)
        transactions.removeAll()
        permissions.removeAll()
        channels.removeAll()
        refreshAt = nil
        events.append(.failed(failure))
    }

    mutating func begin(_ request: Request, at now: Monotonic) {
        transactions.append(
            Transaction(
                id: random.nextTransactionID(), request: request,
                schedule: RetransmitSchedule(firstTimeout: timing.initialRTO, at: now), isSigned: key != nil))
    }
}

// MARK: - Time

extension TURNClient {
    private static let permissionRenewal = Interval.seconds(240)
    private static let permissionLifetime = Interval.seconds(300)
    private static let channelRenewal = Interval.seconds(480)
    /// After a refusal.
    private static let retryDelay = Interval.seconds(10)

    /// When `advance(to:)` has something to do; nil for never.
    package var nextDeadline: Monotonic? {
        guard state == .allocating || state == .allocated else { return nil }
        var earliest = refreshAt ?? .distantFuture
        for transaction in transactions { earliest = min(earliest, transaction.schedule.next) }
        for permission in permissions { earliest = min(earliest, permission.renewAt ?? .distantFuture) }
        for channel in channels { earliest = min(earliest, channel.renewAt ?? .distantFuture) }
        return earliest == .distantFuture ? nil : earliest
    }

    package mutating func advance(to now: Monotonic) {
        guard state == .allocating || state == .allocated else { return }
        if let refreshAt, refreshAt <= now {
            self.refreshAt = nil
            begin(.refresh, at: now)
        }
        renewPermissions(at: now)
        for index in channels.indices where channels[index].renewAt.map({ $0 <= now }) ?? false {
            channels[index].renewAt = nil
            begin(.channel(channels[index].number), at: now)
        }
        var overdue: [Request] = []
        for index in transactions.indices.reversed() {
            switch transactions[index].schedule.advance(to: now, timing, transport: path.socket.transport) {
            case .wait: break
            case .send: transactions[index].isDue = true
            case .giveUp: overdue.append(transactions.remove(at: index).request)
            }
        }
        for request in overdue { giveUp(request, .timedOut, at: now) }
    }

    private mutating func renewPermissions(at now: Monotonic) {
        permissions.removeAll { permission in
            guard let renewAt = permission.renewAt else { return false }
            return renewAt <= now && permission.usedAt + Self.permissionLifetime <= now
        }
        for index in permissions.indices where permissions[index].renewAt.map({ $0 <= now }) ?? false {
            permissions[index].renewAt = nil
            begin(.permission(permissions[index].ip), at: now)
        }
    }

    /// A request came to nothing.
    mutating func giveUp(_ request: Request, _ failure: TURNFailure, at now: Monotonic) {
        switch request {
        case .allocate, .refresh: fail(failure)
        case .release: break
        case .permission(let ip):
            guard let index = permissions.firstIndex(where: { $0.ip == ip }) else { return }
            permissions[index].isGranted = false
            permissions[index].renewAt = now + Self.retryDelay
        case .channel(let number):
            guard let index = channels.firstIndex(where: { $0.number == number }) else { return }
            channels[index].isBound = false
            channels[index].renewAt = now + Self.permissionRenewal
        }
    }

    /// The server has done as it was asked.
    mutating func succeed(_ request: Request, at now: Monotonic) {
        switch request {
        case .allocate, .refresh, .release: break
        case .permission(let ip):
            guard let index = permissions.firstIndex(where: { $0.ip == ip }) else { return }
            permissions[index].isGranted = true
            permissions[index].renewAt = now + Self.permissionRenewal
        case .channel(let number):
            guard let index = channels.firstIndex(where: { $0.number == number }) else { return }
            channels[index].isBound = true
            channels[index].renewAt = now + Self.channelRenewal
        }
    }

    /// `seconds` of life from now on.
    mutating func live(for seconds: UInt32, at now: Monotonic) {
        let bounds = ICELimits.allocationSeconds
        let seconds = min(max(Int64(seconds), bounds.lowerBound), bounds.upperBound)
        refreshAt = now + max(.seconds(seconds - 60), .seconds(seconds / 2))
    }
}

// MARK: - Peers

extension TURNClient {
    /// Lets datagrams pass to and from an address, for as long as this is called now and then.
    ///
    /// The request goes out before anything that is wrapped after it, so that nothing needs to wait for the answer.
    package mutating func permit(_ ip: TransportAddress.IP, at now: Monotonic) {
        guard state == .allocated else { return }
        if let index = permissions.firstIndex(where: { $0.ip == ip }) {
            permissions[index].usedAt = now
            return
        }
        if permissions.count >= ICELimits.permissions {
            let stalest = permissions.indices.filter { permissions[$0].renewAt != nil }
                .min { permissions[$0].usedAt < permissions[$1].usedAt }
            guard let stalest else { return }
            permissions.remove(at: stalest)
        }
        permissions.append(Permission(ip: ip, usedAt: now))
        begin(.permission(ip), at: now)
        advance(to: now)
    }

    /// Asks for a channel to a peer: 4 bytes for each datagram instead of 36.
    package mutating func bind(_ peer: TransportAddress, at now: Monotonic) {
        guard state == .allocated, channels.count < ICELimits.channels,
            !channels.contains(where: { $0.peer == peer })
        else { return }
        // RFC 8656 section 12: 0x4000 to 0x4FFF, none used again for another peer.
        let number = 0x4000 + UInt16(truncatingIfNeeded: channels.count)
        channels.append(Channel(number: number, peer: peer))
        begin(.channel(number), at: now)
        advance(to: now)
    }

    /// Makes of the datagram in `output` one for the server, which sends it on to `peer`. The bytes are moved once, by the
    /// length of the header. False, and nothing changed, without an allocation or room for
    /// `ICELimits.relayOverheadBytes` more.
    package func wrap(_ output: inout OutputRawSpan, to peer: TransportAddress) -> Bool {
        guard state == .allocated, output.freeCapacity >= ICELimits.relayOverheadBytes,
            output.byteCount <= Int(UInt16.max) - ICELimits.relayOverheadBytes
        else { return false }
        let count = output.byteCount
        let padding = (4 - count & 3) & 3
        if let channel = channels.first(where: { $0.peer == peer }), channel.isBound {
            output.append(bigEndian: channel.number)
            output.append(bigEndian: UInt16(truncatingIfNeeded: count))
            output.moveToFront(last: 4)
            // Over UDP the datagram's end is the data's (RFC 8656 section 12.5).
            if path.socket.transport == .tcp { for _ in 0..<padding { output.append(byte: 0) } }
            return true
        }
        let writer = STUNWriter(.send, .indication, transactionID: indicationID, into: &output)
        writer.append(.xorPeerAddress, xor: peer, to: &output)
        output.append(bigEndian: STUNAttribute.data.rawValue)
        output.append(bigEndian: UInt16(truncatingIfNeeded: count))
        output.moveToFront(last: output.byteCount - count)
        for _ in 0..<padding { output.append(byte: 0) }
        output.patch(bigEndian: UInt16(truncatingIfNeeded: output.byteCount - STUNMessage.headerBytes), at: 2)
        return true
    }
}
