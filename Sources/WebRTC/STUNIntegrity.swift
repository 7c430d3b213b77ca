import Bytes
package import DTLS
package import ICE

extension HMAC {
    /// HMAC-SHA1 in the form that the ICE agent takes.
    package static let stunIntegrity: HMACSHA1 = { key, message in
        let digest = HMAC.sha1(key: key.rawSpan, message)
        var code = [20 of UInt8](repeating: 0)
        for index in code.indices { code[index] = digest[index] }
        return code
    }
}
