package import Bytes

/// Appends one STUN message to memory that the caller lends. `finish` comes last and sets the length.
///
/// The caller makes sure of room: 20 bytes, and for each attribute 4 plus its value padded to 4, 24 for
/// MESSAGE-INTEGRITY and 8 for FINGERPRINT.
package struct STUNWriter {
    private let start: Int
    private let transactionID: STUNTransactionID

    package init(
        _ method: STUNMethod, _ messageClass: STUNClass, transactionID: STUNTransactionID,
        into output: inout OutputRawSpan
    ) {
        start = output.byteCount
        self.transactionID = transactionID
        output.append(bigEndian: STUNMessage.type(method, messageClass))
        output.append(bigEndian: UInt16(0))
        output.append(bigEndian: STUNMessage.magicCookie)
        output.append(bigEndian: transactionID.high)
        output.append(bigEndian: transactionID.low)
    }

    package func append(_ attribute: STUNAttribute, _ value: UInt32, to output: inout OutputRawSpan) {
        appendHeader(attribute, 4, to: &output)
        output.append(bigEndian: value)
    }

    package func append(_ attribute: STUNAttribute, _ value: UInt64, to output: inout OutputRawSpan) {
        appendHeader(attribute, 8, to: &output)
        output.append(bigEndian: value)
    }

    /// An attribute without a value: USE-CANDIDATE.
    package func append(flag attribute: STUNAttribute, to output: inout OutputRawSpan) {
        appendHeader(attribute, 0, to: &output)
    }

    package func append(_ attribute: STUNAttribute, _ value: RawSpan, to output: inout OutputRawSpan) {
        appendHeader(attribute, value.byteCount, to: &output)
        output.append(copying: value)
        pad(value.byteCount, &output)
    }

    /// USERNAME `<first>:<second>`.
    package func append(username first: [UInt8], _ second: [UInt8], to output: inout OutputRawSpan) {
        let count = first.count + 1 + second.count
        appendHeader(.username, count, to: &output)
        output.append(copying: first)
        output.append(byte: UInt8(ascii: ":"))
        output.append(copying: second)
        pad(count, &output)
    }

    /// XOR-MAPPED-ADDRESS and its kin (RFC 8489 section 14.2).
    package func append(_ attribute: STUNAttribute, xor address: TransportAddress, to output: inout OutputRawSpan) {
        let port = address.port ^ UInt16(truncatingIfNeeded: STUNMessage.magicCookie >> 16)
        switch address.ip {
        case .v4(let ip):
            appendHeader(attribute, 8, to: &output)
            output.append(bigEndian: 1 as UInt16)
            output.append(bigEndian: port)
            output.append(bigEndian: ip ^ STUNMessage.magicCookie)
        case .v6(let high, let low):
            let mask = transactionID.xorMask
            appendHeader(attribute, 20, to: &output)
            output.append(bigEndian: 2 as UInt16)
            output.append(bigEndian: port)
            output.append(bigEndian: high ^ mask.0)
            output.append(bigEndian: low ^ mask.1)
        }
    }

    /// ERROR-CODE with an empty reason phrase (section 14.8).
    package func append(errorCode: Int, to output: inout OutputRawSpan) {
        precondition((300...699).contains(errorCode), "STUN error codes are 300 to 699")
        append(.errorCode, UInt32(errorCode / 100) << 8 | UInt32(errorCode % 100), to: &output)
    }

    /// UNKNOWN-ATTRIBUTES (section 14.9).
    package func append(unknown attributes: [STUNAttribute], to output: inout OutputRawSpan) {
        appendHeader(.unknownAttributes, attributes.count * 2, to: &output)
        for attribute in attributes { output.append(bigEndian: attribute.rawValue) }
        pad(attributes.count * 2, &output)
    }

    /// Sets the length and closes the message with MESSAGE-INTEGRITY, when a key is given, and FINGERPRINT, when
    /// wanted.
    package func finish(
        integrityKey key: [UInt8]?, fingerprint: Bool, hmac: HMACSHA1, to output: inout OutputRawSpan
    ) {
        if let key {
            patchLength(adding: 4 + STUNMessage.integrityBytes, &output)
            let digest = hmac(key, written(output))
            appendHeader(.messageIntegrity, STUNMessage.integrityBytes, to: &output)
            output.append(copying: digest.span.raw)
        }
        patchLength(adding: fingerprint ? 8 : 0, &output)
        guard fingerprint else { return }
        let checksum = CRC32.checksum(written(output)) ^ STUNMessage.fingerprintMask
        append(.fingerprint, checksum, to: &output)
    }

    private func appendHeader(_ attribute: STUNAttribute, _ length: Int, to output: inout OutputRawSpan) {
        output.append(bigEndian: attribute.rawValue)
        output.append(bigEndian: UInt16(truncatingIfNeeded: length))
    }

    private func pad(_ length: Int, _ output: inout OutputRawSpan) {
        for _ in 0..<(4 - length & 3) & 3 { output.append(byte: 0) }
    }

    private func patchLength(adding extra: Int, _ output: inout OutputRawSpan) {
        let length = output.byteCount - start - STUNMessage.headerBytes + extra
        output.patch(bigEndian: UInt16(truncatingIfNeeded: length), at: start + 2)
    }

    @_lifetime(borrow output)
    private func written(_ output: borrowing OutputRawSpan) -> RawSpan {
        output.bytes.extracting(start..<output.byteCount)
    }
}
