import Bytes

/// First looks at a datagram, before any session is known (RFC 7983 section 7).
package enum STUNDemux {
    package enum Kind: Equatable, Sendable {
        case stun
        case dtls
        /// TURN channel data.
        case channelData
        case rtp
        case rtcp
        case unknown
    }

    /// What the first byte says, and for RTCP the packet type (RFC 5761 section 4: 192 to 223 on the wire).
    package static func classify(_ datagram: RawSpan) -> Kind {
        guard datagram.byteCount > 0 else { return .unknown }
        switch datagram[0] {
        case 0...3: return .stun
        case 20...63: return .dtls
        case 64...79: return .channelData
        case 128...191:
            guard datagram.byteCount > 1 else { return .unknown }
            return (64...95).contains(datagram[1] & 0x7F) ? .rtcp : .rtp
        default: return .unknown
        }
    }

    /// Our own fragment, the part of USERNAME before ":", of what looks like a STUN Binding request; nil for anything
    /// else.
    ///
    /// For a server with one port for all peers: the fragment finds the agent, whose `receive` then checks the
    /// message in full. Fragments up to 15 characters, which `ICECredentials(random:)` makes, are read without
    /// touching the heap.
    package static func localFragment(of datagram: RawSpan) -> String? {
        let count = datagram.byteCount
        guard count >= STUNMessage.headerBytes, count <= ICELimits.messageBytes,
            datagram.bigEndian(at: 0, as: UInt16.self) == STUNMessage.type(.binding, .request),
            datagram.bigEndian(at: 4, as: UInt32.self) == STUNMessage.magicCookie
        else { return nil }
        var offset = STUNMessage.headerBytes
        for _ in 0..<ICELimits.attributes {
            guard count - offset >= 4 else { return nil }
            let length = Int(datagram.bigEndian(at: offset + 2, as: UInt16.self))
            guard length <= count - offset - 4 else { return nil }
            if datagram.bigEndian(at: offset, as: UInt16.self) == STUNAttribute.username.rawValue {
                return fragment(datagram.extracting(offset + 4..<offset + 4 + length))
            }
            offset += 4 + (length + 3) & ~3
        }
        return nil
    }

    /// The first 32 bits of the transaction id of what looks like an answer to a Binding request; nil for anything else.
    /// See `ICEAgent.Configuration.transactionTag`.
    package static func transactionTag(ofResponse datagram: RawSpan) -> UInt32? {
        guard datagram.byteCount >= STUNMessage.headerBytes,
            datagram.bigEndian(at: 4, as: UInt32.self) == STUNMessage.magicCookie
        else { return nil }
        let type = datagram.bigEndian(at: 0, as: UInt16.self)
        guard type == STUNMessage.type(.binding, .success) || type == STUNMessage.type(.binding, .error) else {
            return nil
        }
        return datagram.bigEndian(at: 8, as: UInt32.self)
    }

    private static func fragment(_ username: RawSpan) -> String? {
        var text = ""
        for offset in 0..<min(username.byteCount, ICELimits.fragmentCharacters.upperBound + 1) {
            let byte = username[offset]
            if byte == UInt8(ascii: ":") { return ICELimits.fragmentCharacters.contains(offset) ? text : nil }
            guard ICECredentials.isICECharacter(byte) else { return nil }
            text.unicodeScalars.append(Unicode.Scalar(byte))
        }
        return nil
    }
}
