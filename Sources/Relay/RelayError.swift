/// Why a relay connection cannot go on, or why a message was not written. A reader that threw gives the same error again.
package enum RelayError: Error, Equatable, Sendable {
    /// The other end is another build. The version that it speaks.
    case unsupportedVersion(UInt8)
    case unknownType(UInt8)
    /// A message that does not belong to this direction, or a second hello.
    case unexpectedMessage(RelayMessageType)
    /// The first message of a connection is no hello.
    case helloExpected
    /// The announced length does not hold the message's fixed fields.
    case truncated(RelayMessageType)
    /// The length is above the message's bound in `RelayLimits`; the number of bytes behind the fixed fields.
    case overLimit(RelayMessageType, bytes: Int)
    /// A field has a value that no sender writes, or there are bytes where none belong.
    case malformed(RelayMessageType)
    /// The bytes on the inherited pipe are no invitation.
    case malformedInvitation
}
