/// Caps on what a description may hold, so that a hostile one costs no more than reading it once.
///
/// The largest offers of browsers are about 12 KiB in 250 lines, with 40 formats in one section.
package enum SDPLimits {
    /// Whole description or fragment, in bytes.
    package static let descriptionBytes = 65_536
    package static let lines = 4_096
    /// `m=` lines (RFC 8866 section 5.14).
    package static let mediaSections = 32
    /// `a=` lines at session level, and again in each media section.
    package static let attributesPerLevel = 1_024
    /// Formats of one `m=` line; RTP has 128 payload types.
    package static let formats = 128
    /// `a=candidate` lines in the whole description (RFC 8839 section 5.1).
    package static let candidates = 256
    /// Text of one candidate, in bytes.
    package static let candidateBytes = 512
    /// Parameters of one `a=fmtp` line, and alternatives in one `a=simulcast` list.
    package static let parameters = 64
    /// Mids of one `a=group` line, and sources of one `a=ssrc-group` line.
    package static let groupMembers = 64
    /// Octets of a fingerprint: SHA-512 is the longest in use (RFC 8122 section 5).
    package static let fingerprintBytes = 64
    /// Mid, rid and other identifiers, in bytes (RFC 8285 lets a long element hold 255).
    package static let identifierBytes = 255
}
