import CSRTP

/// What became of one packet; a value and no error, as a lost or forged packet is everyday work.
package enum SRTPStatus: UInt8, Equatable, Sendable, CaseIterable {
    case ok
    /// The tag is wrong: forged, damaged, or made with another key.
    case authenticationFailed
    /// Seen before.
    case replayed
    /// Too far behind the newest packet to tell whether it was seen.
    case tooOld
    /// No RTP or RTCP packet, or too short to hold a tag.
    case malformed
    /// One SSRC more than `SRTPSession.maximumStreams`.
    case tooManyStreams
    /// The key may protect no more packets (RFC 3711 section 9.2).
    case keyExpired
    /// Everything else; a fault of ours or of the library.
    case failed

    init(_ status: srtp_err_status_t) {
        self =
            switch status {
            case srtp_err_status_ok: .ok
            case srtp_err_status_auth_fail: .authenticationFailed
            case srtp_err_status_replay_fail: .replayed
            case srtp_err_status_replay_old, srtp_err_status_pkt_idx_old, srtp_err_status_pkt_idx_adv: .tooOld
            case srtp_err_status_parse_err, srtp_err_status_bad_param, srtp_err_status_cant_check: .malformed
            case srtp_err_status_key_expired: .keyExpired
            default: .failed
            }
    }
}
