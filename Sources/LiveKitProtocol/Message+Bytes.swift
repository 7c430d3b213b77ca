package import SwiftProtobuf

/// Why received bytes are not the message they should be.
package enum LiveKitProtocolError: Error, Equatable, Sendable {
    /// Cut off, nested too deeply, or not protobuf at all.
    case malformed
}

extension Message {
    /// Reads the whole of `bytes`; fields that the message does not know are kept and written again.
    ///
    /// The cost is linear in the bytes and nesting is bounded; what the bytes may be long is the caller's limit.
    package init(parsing bytes: [UInt8]) throws(LiveKitProtocolError) {
        do { try self.init(serializedBytes: bytes) } catch { throw .malformed }
    }

    /// The message on the wire. Messages of syntax proto3 without `Any` can always be written.
    package func wireBytes() -> [UInt8] {
        do {
            return try serializedBytes()
        } catch {
            preconditionFailure("a message that cannot be written: larger than 2 GiB, or not of proto3")
        }
    }
}
