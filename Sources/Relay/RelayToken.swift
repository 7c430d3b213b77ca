import Bytes

/// The secret by which a child proves that it is the one that was started: 32 random bytes, good for one connection.
package struct RelayToken: Sendable, CustomStringConvertible {
    package static let byteCount = 32

    let bytes: [UInt8]

    /// Traps unless there are `byteCount` bytes. They come from the kernel's random source, or from the wire.
    package init(_ bytes: [UInt8]) {
        precondition(bytes.count == Self.byteCount, "a token has 32 bytes")
        self.bytes = bytes
    }

    /// Takes the same time wherever the first difference is.
    package func matches(_ other: RelayToken) -> Bool {
        var difference: UInt8 = 0
        for index in 0..<Self.byteCount { difference |= bytes[index] ^ other.bytes[index] }
        return difference == 0
    }

    /// Tells nothing, so that a token in a log line is no leak.
    package var description: String { "(token)" }
}

/// What a child is told on the inherited pipe: whom it belongs to and where to report.
///
/// Version, process id (32 bits), port (16 bits) and token, big-endian, nothing behind it.
package struct RelayInvitation: Sendable {
    package static let byteCount = 1 + 4 + 2 + RelayToken.byteCount

    /// The main process, which has to be the child's parent as long as the child lives.
    package var parent: Int32
    /// Where the main process listens on 127.0.0.1.
    package var port: UInt16
    package var token: RelayToken

    package init(parent: Int32, port: UInt16, token: RelayToken) {
        self.parent = parent
        self.port = port
        self.token = token
    }

    package init(parsing bytes: RawSpan) throws(RelayError) {
        guard bytes.byteCount > 0 else { throw .malformedInvitation }
        guard bytes[0] == RelayWire.version else { throw .unsupportedVersion(bytes[0]) }
        guard bytes.byteCount == Self.byteCount else { throw .malformedInvitation }
        parent = bytes.bigEndian(at: 1, as: Int32.self)
        port = bytes.bigEndian(at: 5, as: UInt16.self)
        token = RelayToken(bytes.extracting(7..<Self.byteCount).copied())
        guard parent > 0, port > 0 else { throw .malformedInvitation }
    }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: Self.byteCount)
        writer.write(RelayWire.version)
        writer.write(UInt32(bitPattern: parent))
        writer.write(port)
        writer.write(token.bytes)
        return writer.bytes
    }
}
