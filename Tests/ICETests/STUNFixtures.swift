import Bytes
import ICE
import TestSupport

/// RFC 5769 sections 2.1 to 2.3.
enum RFC5769 {
    static let password = Array("VOkJxbRl1RmTxUk/WvJxBt".utf8)
    static let transactionID = STUNTransactionID(high: 0xB7E7_A701, low: 0xBC34_D686_FA87_DFAE)
    static let request = hex(
        """
        00010058 2112a442 b7e7a701bc34d686fa87dfae
        80220010 5354554e207465737420636c69656e74
        00240004 6e0001ff 80290008 932ff9b151263b36
        00060009 6576746a3a6836765920 2020
        00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf
        """)
    static let responseV4 = hex(
        """
        0101003c 2112a442 b7e7a701bc34d686fa87dfae
        8022000b 7465737420766563746f7220
        00200008 0001a147e112a643
        00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96
        """)
    static let responseV6 = hex(
        """
        01010048 2112a442 b7e7a701bc34d686fa87dfae
        8022000b 7465737420766563746f7220
        00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9
        00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c
        """)
}

let testHMAC: HMACSHA1 = { key, message in
    let digest = hmacSHA1(key: key, message.copied())
    return [20 of UInt8] { digest[$0] }
}

/// A STUN message made by `body`, without integrity and fingerprint unless asked for.
func makeMessage(
    _ method: STUNMethod = .binding, _ messageClass: STUNClass = .request,
    id: STUNTransactionID = RFC5769.transactionID, key: [UInt8]? = nil, fingerprint: Bool = false,
    _ body: (STUNWriter, inout OutputRawSpan) -> Void = { _, _ in }
) -> [UInt8] {
    captureOutput { output in
        let writer = STUNWriter(method, messageClass, transactionID: id, into: &output)
        body(writer, &output)
        writer.finish(integrityKey: key, fingerprint: fingerprint, hmac: testHMAC, to: &output)
    }.bytes
}

/// Parses and reads; `#expect` itself cannot hold the message.
func read<Value>(
    _ bytes: [UInt8], _ body: (borrowing STUNMessage) throws(ICEError) -> Value
) throws(ICEError) -> Value {
    let message = try STUNMessage(bytes.rawSpan)
    return try body(message)
}

/// What parsing throws; nil when it does not.
func parseError(_ bytes: [UInt8]) -> ICEError? { readError(bytes) { _ in } }

/// What parsing or reading throws; nil when neither does.
func readError<Value>(_ bytes: [UInt8], _ body: (borrowing STUNMessage) throws(ICEError) -> Value) -> ICEError? {
    do throws(ICEError) {
        _ = try read(bytes, body)
        return nil
    } catch {
        return error
    }
}

/// What parsing or checking integrity and fingerprint throws.
func verifyError(_ bytes: [UInt8], key: [UInt8]) -> ICEError? {
    readError(bytes) { message throws(ICEError) in
        try message.verifyIntegrity(key: key, hmac: testHMAC)
        try message.verifyFingerprint()
    }
}

func address(_ host: String, _ port: UInt16) -> TransportAddress {
    guard let address = TransportAddress(host: host, port: port) else { preconditionFailure("bad address in a test") }
    return address
}
