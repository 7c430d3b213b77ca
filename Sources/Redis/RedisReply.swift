/// One answer of the server (RESP 2).
package enum RedisReply: Equatable, Sendable {
    case string([UInt8])
    /// Such as "OK".
    case status(String)
    /// The first word is a code: "ERR", "MOVED", "READONLY", …
    case error(String)
    case integer(Int64)
    /// No such value; also the null array.
    case null
    case array([RedisReply])

    /// The bytes of a string or status as text.
    package var text: String? {
        switch self {
        case .string(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        case .error, .integer, .null, .array: nil
        }
    }
}

/// What came on a channel.
package struct RedisMessage: Equatable, Sendable {
    package let channel: String
    package let payload: [UInt8]

    package init(channel: String, payload: [UInt8]) {
        self.channel = channel
        self.payload = payload
    }
}

/// The code that an error reply begins with.
func errorCode(of text: String) -> String { String(text.prefix { $0 != " " && $0 != "\r" && $0 != "\n" }.prefix(32)) }
