/// Sessions as admission and metrics tell them apart.
package enum SessionKind: String, Sendable, CaseIterable {
    case rtmp
    case whip
    /// WHIP whose packets go on as they are.
    case whipBypass
    case url

    /// The label `type` of upstream's metrics.
    package var typeLabel: String {
        switch self {
        case .rtmp: "rtmp"
        case .whip, .whipBypass: "whip"
        case .url: "url"
        }
    }

    /// The name in LiveKit's enumeration of inputs, the label `ingress_type`.
    package var inputLabel: String {
        switch self {
        case .rtmp: "RTMP_INPUT"
        case .whip, .whipBypass: "WHIP_INPUT"
        case .url: "URL_INPUT"
        }
    }

    package var isTranscoding: Bool { self != .whipBypass }
}
