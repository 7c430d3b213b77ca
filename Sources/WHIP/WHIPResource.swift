import Bytes
import SDP

/// A user name and password of ICE, from the other side.
struct RemoteCredentials: Equatable, Sendable {
    var ufrag: String
    var password: String
}

/// What is known of one session here.
struct WHIPResource: Sendable {
    /// Its publisher exists and has been answered.
    var isOpen = false
    let key: String
    /// As it came with the POST, if one did.
    let bearerToken: String?
    let client: ClientGroup?
    /// What other servers call the session that this one is of; several publishers may share one.
    var sessionID: String?
    var entityTag: EntityTag
    /// Those of the running ICE generation.
    var credentials: RemoteCredentials?
    let mids: Set<String>
    /// A PATCH is being carried out.
    var isBusy = false
    var waiting: [CheckedContinuation<Void, Never>] = []

    init(opening: WHIPOpening, bearerToken: String?, client: ClientGroup?, entityTag: EntityTag) {
        key = opening.key
        self.bearerToken = bearerToken
        self.client = client
        self.entityTag = entityTag
        mids = Set(opening.offer.media.compactMap(\.mid))
        // A bundle has one pair, which stands in its first section or above all of them.
        let transports = opening.offer.media.map { opening.offer.transport(of: $0) }
        credentials = transports.lazy.compactMap(\.credentials).first
    }

    /// The id is what authorises; a key or token beside it must be the one that the session was made with, though.
    func admits(key: String?, bearerToken: String?) -> Bool {
        let mine = [self.key, self.bearerToken].compactMap { $0 }
        return [key, bearerToken].compactMap { $0 }.allSatisfy { given in mine.contains { $0.isEqualSecret(to: given) }
        }
    }
}

extension TransportAttributes {
    fileprivate var credentials: RemoteCredentials? {
        guard let iceUfrag, let icePwd else { return nil }
        return RemoteCredentials(ufrag: iceUfrag, password: icePwd)
    }
}

extension String {
    /// In a time that tells nothing but the lengths.
    package func isEqualSecret(to other: String) -> Bool {
        utf8.count == other.utf8.count && zip(utf8, other.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// What a PATCH with a fragment asks for.
enum FragmentMeaning: Equatable {
    /// Candidates of the generation that runs.
    case trickle
    /// RFC 9725 section 4.3.3: credentials that differ are a restart.
    case restart(RemoteCredentials)
}

extension TrickleFragment {
    func meaning(for resource: WHIPResource) throws(WHIPError) -> FragmentMeaning {
        for section in media {
            if let mid = section.mid, !resource.mids.contains(mid) { throw .unusableFragment(.unknownSection) }
        }
        guard let found = try credentials() else { return .trickle }
        guard let password = found.password else {
            // Without a password it can only name the generation that runs.
            guard found.ufrag == resource.credentials?.ufrag else { throw .unusableFragment(.halfCredentials) }
            return .trickle
        }
        let new = RemoteCredentials(ufrag: found.ufrag, password: password)
        guard new != resource.credentials else { return .trickle }
        if let old = resource.credentials, old.ufrag == new.ufrag || old.password == new.password {
            throw .unusableFragment(.halfCredentials)
        }
        guard WHIPLimits.iceUfrag.contains(new.ufrag.utf8.count),
            WHIPLimits.icePassword.contains(new.password.utf8.count)
        else { throw .unusableFragment(.credentialLength) }
        return .restart(new)
    }

    /// The one pair that the fragment has; nil when it has none.
    private func credentials() throws(WHIPError) -> (ufrag: String, password: String?)? {
        let levels = [transport] + media.map(\.transport)
        let ufrags = Set(levels.compactMap(\.iceUfrag))
        let passwords = Set(levels.compactMap(\.icePwd))
        guard ufrags.count <= 1, passwords.count <= 1 else { throw .unusableFragment(.severalCredentials) }
        guard let ufrag = ufrags.first else {
            if !passwords.isEmpty { throw .unusableFragment(.halfCredentials) }
            return nil
        }
        return (ufrag, passwords.first)
    }
}

/// The last sessions that ended, so that ending one twice is no mistake (RFC 9110 section 9.2.2).
struct EndedResources {
    private var ids: Set<String> = []
    /// A ring: the oldest stands at `next` once it is full.
    private var order: [String] = []
    private var next = 0

    func contains(_ id: String) -> Bool { ids.contains(id) }

    mutating func insert(_ id: String) {
        guard ids.insert(id).inserted else { return }
        guard order.count == WHIPLimits.endedResources else { return order.append(id) }
        ids.remove(order[next])
        order[next] = id
        next = (next + 1) % order.count
    }
}
