import SDP

/// Descriptions and trickle fragments: whatever is accepted is written and read back unchanged.
package let sdpTargets: [FuzzTarget] = [
    FuzzTarget("sdp") { bytes in
        guard let description = try? SessionDescription(parsing: bytes) else { return }
        let written = description.serialized()
        // Line ends grow by a byte, so what just fits may not fit again.
        guard written.count <= SDPLimits.descriptionBytes, written.count(where: { $0 == 10 }) <= SDPLimits.lines else {
            return
        }
        precondition((try? SessionDescription(parsing: written)) == description, "a description changed on its way")
    },
    FuzzTarget("sdp-fragment") { bytes in
        guard let fragment = try? TrickleFragment(parsing: bytes) else { return }
        let written = fragment.serialized()
        guard written.count <= SDPLimits.descriptionBytes, written.count(where: { $0 == 10 }) <= SDPLimits.lines else {
            return
        }
        precondition((try? TrickleFragment(parsing: written)) == fragment, "a fragment changed on its way")
    },
]
