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
    /// A fault of ours or of OpenSSL.
    case failed

    /// Nil for what may pass.
    init?(_ verdict: ReplayWindow.Verdict) {
        switch verdict {
        case .fresh: return nil
        case .replayed: self = .replayed
        case .tooOld: self = .tooOld
        }
    }
}
