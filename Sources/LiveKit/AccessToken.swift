import Bytes
import DTLS

/// What lets an ingress into a room: a JSON Web Token (RFC 7519) with a LiveKit grant, signed with HMAC-SHA-256.
///
/// The grant is fixed: join the one room, publish, change one's own attributes, subscribe to nothing; only
/// `administration` gives another. A signed token is a secret; logs get it through `Redacted` or not at all.
package struct AccessToken: Sendable {
    /// Sessions live on refreshed tokens after this.
    package static let lifetimeSeconds: Int64 = 24 * 60 * 60
    /// One call needs no longer.
    private static let callSeconds: Int64 = 60

    package var room: String
    /// The participant's; must not be empty.
    package var identity: String
    /// Left out when empty.
    package var name = ""
    /// Left out when empty.
    package var metadata = ""
    package var ingressID: String

    package init(room: String, identity: String, ingressID: String) {
        self.room = room
        self.identity = identity
        self.ingressID = ingressID
    }

    /// The compact form (RFC 7515 section 7.1), valid from `unixSeconds` for `lifetimeSeconds`. Servers allow clocks to
    /// differ by a minute.
    package func signed(apiKey: String, secret: String, unixSeconds: Int64) -> String {
        Self.signed(claims(of: apiKey, at: unixSeconds), secret: secret)
    }

    /// A token for one call that changes `room` from outside, valid for `callSeconds`.
    package static func administration(
        of room: String, apiKey: String, secret: String, unixSeconds: Int64
    ) -> String {
        let claims = JSONWriter.object {
            $0.member("iss", apiKey)
            $0.member("nbf", unixSeconds)
            $0.member("exp", unixSeconds + callSeconds)
            $0.member("video") {
                $0.member("roomAdmin", true)
                $0.member("room", room)
            }
        }
        return signed(Array(claims.utf8), secret: secret)
    }

    private static func signed(_ claims: [UInt8], secret: String) -> String {
        let header = JSONWriter.object {
            $0.member("alg", "HS256")
            $0.member("typ", "JWT")
        }
        let signed = base64URL(Array(header.utf8)) + "." + base64URL(claims)
        return signed + "." + base64URL(HMAC.sha256(key: Array(secret.utf8), Array(signed.utf8)))
    }

    private func claims(of apiKey: String, at unixSeconds: Int64) -> [UInt8] {
        let json = JSONWriter.object {
            $0.member("iss", apiKey)
            $0.member("sub", identity)
            $0.member("identity", identity)
            $0.member("nbf", unixSeconds)
            $0.member("iat", unixSeconds)
            $0.member("exp", unixSeconds + Self.lifetimeSeconds)
            if !name.isEmpty { $0.member("name", name) }
            $0.member("kind", "ingress")
            if !metadata.isEmpty { $0.member("metadata", metadata) }
            $0.member("attributes", ["ingress.ingressID": ingressID])
            $0.member("video") {
                $0.member("roomJoin", true)
                $0.member("room", room)
                $0.member("canPublish", true)
                $0.member("canSubscribe", false)
                $0.member("canUpdateOwnMetadata", true)
            }
        }
        return Array(json.utf8)
    }

    private static func base64URL(_ bytes: [UInt8]) -> String { String(base64: bytes, urlSafe: true, padded: false) }
}
