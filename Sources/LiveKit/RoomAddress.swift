package import LiveKitProtocol

/// Why `ws_url` is no address of a signalling server.
package enum RoomAddressError: Error, Equatable, Sendable {
    /// Not http, https, ws or wss.
    case scheme
    case host
    /// Blanks, control characters, a query or a fragment.
    case character
    case tooLong
}

/// The signalling addresses of one server, made of its `ws_url`.
///
/// http stands for ws, as operators use both; a path is kept as a prefix and slashes at its end do not count.
package struct RoomAddress: Hashable, Sendable {
    package enum Limits {
        package static let addressBytes = 2_048
    }

    /// What a client says of itself. The server gates features by protocol and SDK.
    private static let client = "protocol=17&sdk=go&version=2.18.2&os=linux&auto_subscribe=0&adaptive_stream=0"

    /// With ws or wss and without a slash at its end.
    package let base: String
    /// TLS below the websocket.
    package let isSecure: Bool

    package init(_ text: String) throws(RoomAddressError) {
        guard text.utf8.count <= Limits.addressBytes else { throw .tooLong }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        else { throw .character }
        guard let colon = text.firstIndex(of: ":" as Character), text[colon...].hasPrefix("://") else { throw .scheme }
        switch text[..<colon].lowercased() {
        case "ws", "http": isSecure = false
        case "wss", "https": isSecure = true
        default: throw .scheme
        }
        var rest = text[colon...].dropFirst(3)
        while rest.last == "/" { rest.removeLast() }
        guard let first = rest.first, first != "/", first != ":" else { throw .host }
        base = (isSecure ? "wss://" : "ws://") + rest
    }

    /// A name or an address, without brackets.
    package var host: String {
        let authority = base.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" }
        let endpoint = authority.split(separator: "@" as Character).last ?? ""
        if endpoint.first == "[" { return String(endpoint.dropFirst().prefix { $0 != "]" }) }
        return String(endpoint.prefix { $0 != ":" })
    }

    /// The server's own WHIP endpoint.
    package var whip: String { http + "/whip/v1" }

    /// The call of the server's RoomService that takes a participant out of its room.
    package var removeParticipant: String { http + "/twirp/livekit.RoomService/RemoveParticipant" }

    private var http: String { (isSecure ? "https" : "http") + base.drop { $0 != ":" } }

    /// A new participant.
    package var join: String { "\(base)/rtc?\(Self.client)" }

    /// The participant that has `sid`, again.
    package func resume(sid: String, reason: Livekit_ReconnectReason) -> String {
        "\(join)&reconnect=1&sid=\(Self.escape(sid))&reconnect_reason=\(reason.rawValue)"
    }

    /// Sids are letters, digits and underscores; whatever else a server may say must not change the query.
    private static func escape(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                escaped += byte < 16 ? "%0\(hex)" : "%\(hex)"
            }
        }
        return escaped
    }
}
