import CSRTP
import DTLS

/// libsrtp as an oracle: the same keys, one direction, any SSRC, the window of 1024 packets that `SRTPSession` has.
final class LibSRTP {
    private let session: srtp_t

    /// Where libsrtp is built on NSS, NSS would start with each first session and stop with each last.
    private static let isReady: Bool = {
        guard srtp_init() == srtp_err_status_ok else { return false }
        return make(.sending, .aes128CMSHA1With80BitTag, [UInt8](repeating: 0, count: 30)) != nil
    }()

    init?(_ direction: SRTPSession.Direction, _ profile: SRTPProfile, key: [UInt8]) {
        guard Self.isReady, let session = Self.make(direction, profile, key) else { return nil }
        self.session = session
    }

    deinit { srtp_dealloc(session) }

    /// Nil when it is refused.
    func protected(_ plain: [UInt8], rtcp: Bool) -> [UInt8]? {
        run(plain + [UInt8](repeating: 0, count: Int(SRTP_MAX_TAG_LEN + SRTP_MAX_MKI_LEN) + 4), plain.count) {
            rtcp ? srtp_protect_rtcp(session, $0, $1) : srtp_protect(session, $0, $1)
        }
    }

    func unprotected(_ packet: [UInt8], rtcp: Bool) -> [UInt8]? {
        run(packet, packet.count) {
            rtcp ? srtp_unprotect_rtcp(session, $0, $1) : srtp_unprotect(session, $0, $1)
        }
    }

    private func run(
        _ memory: [UInt8], _ count: Int,
        _ operation: (UnsafeMutableRawPointer?, UnsafeMutablePointer<Int32>?) -> srtp_err_status_t
    ) -> [UInt8]? {
        var memory = memory
        var length = Int32(count)
        let status = memory.withUnsafeMutableBytes { operation($0.baseAddress, &length) }
        return status == srtp_err_status_ok ? Array(memory.prefix(Int(length))) : nil
    }

    private static func make(_ direction: SRTPSession.Direction, _ profile: SRTPProfile, _ key: [UInt8]) -> srtp_t? {
        var policy = srtp_policy_t()
        switch profile {
        case .aeadAES128GCM:
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp)
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp)
        case .aeadAES256GCM:
            srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp)
            srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp)
        case .aes128CMSHA1With80BitTag:
            srtp_crypto_policy_set_rtp_default(&policy.rtp)
            srtp_crypto_policy_set_rtcp_default(&policy.rtcp)
        }
        policy.ssrc.type = direction == .sending ? ssrc_any_outbound : ssrc_any_inbound
        policy.window_size = 1024
        policy.allow_repeat_tx = 1
        var session: srtp_t?
        var key = key
        let status = key.withUnsafeMutableBufferPointer { key in
            policy.key = key.baseAddress
            return srtp_create(&session, &policy)
        }
        return status == srtp_err_status_ok ? session : nil
    }
}
