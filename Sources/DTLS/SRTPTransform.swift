import Bytes
import COpenSSL

/// Encrypts and tags, or checks and decrypts, packets of one direction's RTP or RTCP in place (RFC 3711 section 4, RFC 7714
/// sections 8 and 9). It knows the key and no state beside it. Confined to one thread.
///
/// A packet costs no allocation: the cipher's context is made once and gets only the packet's IV, and the keyed hash starts
/// from copies of states that took the key before. OpenSSL 3.0 would allocate for a copy of an `EVP_MD_CTX`.
final class SRTPTransform {
    /// A plain packet, or what will be one, and what its IV is made of. Behind it are `overhead` bytes of the same memory.
    struct Packet {
        let base: UnsafeMutableRawPointer
        /// Bytes at the front that are not encrypted.
        let header: Int
        /// All bytes, header included.
        let count: Int
        let ssrc: UInt32
        let index: UInt64
    }

    /// Bytes that protection adds.
    let overhead: Int
    private let context: OpaquePointer
    private let purpose: SRTPKeys.Purpose
    private let isAEAD: Bool
    private let tagBytes: Int
    /// As big-endian numbers, with zeros behind.
    private let salt: (high: UInt64, low: UInt64)
    private var inner = SHA_CTX()
    private var outer = SHA_CTX()

    init(
        _ direction: SRTPSession.Direction, _ purpose: SRTPKeys.Purpose, profile: SRTPProfile, keys: SRTPKeys
    ) throws(DTLSError) {
        guard keys.cipher.count == profile.keyBytes, keys.salt.count == profile.saltBytes,
            profile.isAEAD || keys.authentication.count == HMAC.sha1Bytes
        else { throw .srtpKeyMaterialMalformed }
        guard let context = EVP_CIPHER_CTX_new() else { throw .setupFailed(.drain()) }
        self.context = context
        self.purpose = purpose
        isAEAD = profile.isAEAD
        tagBytes = profile.tagBytes
        overhead = profile.tagBytes + (purpose == .control ? 4 : 0)
        let padded = keys.salt + [UInt8](repeating: 0, count: 16 - keys.salt.count)
        let (high, low) = (
            padded.rawSpan.bigEndian(at: 0, as: UInt64.self), padded.rawSpan.bigEndian(at: 8, as: UInt64.self)
        )
        salt = (high, low)
        // Counter mode encrypts both ways.
        let encrypts: Int32 = direction == .sending || !profile.isAEAD ? 1 : 0
        try check(EVP_CipherInit_ex(context, profile.cipher, nil, keys.cipher, nil, encrypts))
        if !profile.isAEAD {
            Self.start(&inner, keys.authentication, padding: 0x36)
            Self.start(&outer, keys.authentication, padding: 0x5C)
        }
    }

    deinit {
        EVP_CIPHER_CTX_free(context)
        OPENSSL_cleanse(&inner, MemoryLayout<SHA_CTX>.size)
        OPENSSL_cleanse(&outer, MemoryLayout<SHA_CTX>.size)
    }

    /// Fills the bytes behind the packet. False is a fault of OpenSSL; the content is undefined then.
    func seal(_ packet: Packet) -> Bool {
        guard begin(packet), crypt(packet) else { return false }
        let end = packet.base + packet.count
        guard isAEAD else {
            if purpose == .control { end.storeBytes(of: word(packet).bigEndian, as: UInt32.self) }
            var tag = authenticator(packet)
            let place = end + (overhead - tagBytes)
            withUnsafeBytes(of: &tag) {
                UnsafeMutableRawBufferPointer(start: place, count: tagBytes).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: $0.prefix(tagBytes)))
            }
            return true
        }
        guard finish(), EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagBytes), end) == 1 else {
            return false
        }
        if purpose == .control { (end + tagBytes).storeBytes(of: word(packet).bigEndian, as: UInt32.self) }
        return true
    }

    /// Checks the tag behind the packet, in constant time, and decrypts. When false, the packet is forged, damaged or another
    /// key's, and the content is undefined.
    func open(_ packet: Packet) -> Bool {
        let end = packet.base + packet.count
        guard isAEAD else {
            let expected = authenticator(packet)
            let isRight = withUnsafeBytes(of: expected) {
                CRYPTO_memcmp($0.baseAddress, end + (overhead - tagBytes), tagBytes) == 0
            }
            return isRight && begin(packet) && crypt(packet)
        }
        return begin(packet) && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagBytes), end) == 1
            && crypt(packet) && finish()
    }

    /// The word that SRTCP carries: index, and that the packet is encrypted (RFC 3711 section 3.4). Nil in what is too short.
    func controlWord(of packet: UnsafeRawBufferPointer) -> UInt32? {
        let offset = packet.count - (isAEAD ? 4 : overhead)
        guard offset >= 0 else { return nil }
        return UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// What is authenticated beside the packet: SRTCP's word, or the roll-over counter, which only counter mode needs.
    private func word(_ packet: Packet) -> UInt32 {
        purpose == .control
            ? UInt32(truncatingIfNeeded: packet.index) | 0x8000_0000 : UInt32(truncatingIfNeeded: packet.index >> 16)
    }
}

// MARK: - Cipher

extension SRTPTransform {
    /// Sets the IV (RFC 3711 section 4.1.1, RFC 7714 sections 8.1 and 9.1).
    private func begin(_ packet: Packet) -> Bool {
        let (ssrc, index) = (UInt64(packet.ssrc), packet.index)
        let (high, low) = isAEAD ? (ssrc << 16 | index >> 32, index << 32) : (ssrc, index << 16)
        let iv = ((salt.high ^ high).bigEndian, (salt.low ^ low).bigEndian)
        return withUnsafeBytes(of: iv) {
            EVP_CipherInit_ex(context, nil, nil, nil, $0.bindMemory(to: UInt8.self).baseAddress, -1) == 1
        }
    }

    private func crypt(_ packet: Packet) -> Bool {
        let bytes = packet.base.assumingMemoryBound(to: UInt8.self)
        var written: Int32 = 0
        if isAEAD {
            guard EVP_CipherUpdate(context, nil, &written, bytes, Int32(packet.header)) == 1 else { return false }
            if purpose == .control {
                let isDone = withUnsafeBytes(of: word(packet).bigEndian) {
                    EVP_CipherUpdate(context, nil, &written, $0.bindMemory(to: UInt8.self).baseAddress, 4) == 1
                }
                guard isDone else { return false }
            }
        }
        let rest = packet.count - packet.header
        guard rest > 0 else { return true }
        let payload = bytes + packet.header
        return EVP_CipherUpdate(context, payload, &written, payload, Int32(rest)) == 1 && written == rest
    }

    /// Ends what AEAD covers; when decrypting, true says that the tag is right.
    private func finish() -> Bool {
        var written: Int32 = 0
        var nothing = [16 of UInt8](repeating: 0)
        return withUnsafeMutableBytes(of: &nothing) {
            EVP_CipherFinal_ex(context, $0.bindMemory(to: UInt8.self).baseAddress, &written) == 1
        }
    }
}

// MARK: - Keyed hash

extension SRTPTransform {
    /// HMAC-SHA1 of the packet and its word (RFC 3711 section 4.2), of which the tag is the beginning.
    private func authenticator(_ packet: Packet) -> [20 of UInt8] {
        var tag = [20 of UInt8](repeating: 0)
        var (inner, outer) = (inner, outer)
        withUnsafeMutableBytes(of: &tag) { tag in
            let digest = tag.bindMemory(to: UInt8.self).baseAddress
            shim_SHA1_Update(&inner, packet.base, packet.count)
            withUnsafeBytes(of: word(packet).bigEndian) { _ = shim_SHA1_Update(&inner, $0.baseAddress, $0.count) }
            shim_SHA1_Final(digest, &inner)
            shim_SHA1_Update(&outer, digest, tag.count)
            shim_SHA1_Final(digest, &outer)
        }
        return tag
    }

    /// Takes the padded key into a hash's state (RFC 2104 section 4).
    private static func start(_ state: inout SHA_CTX, _ key: [UInt8], padding: UInt8) {
        var block = [UInt8](repeating: padding, count: Int(SHA_CBLOCK))
        for index in key.indices { block[index] ^= key[index] }
        shim_SHA1_Init(&state)
        shim_SHA1_Update(&state, block, block.count)
        OPENSSL_cleanse(&block, block.count)
    }
}
