import WHIP

/// What a stranger can put into a request line and a body.
package let whipTargets: [FuzzTarget] = [
    FuzzTarget("whep-layer") { bytes in
        guard let layer = try? WHEPLayer(parsing: bytes) else { return }
        precondition(bytes.contains(layer.rawValue.utf8.first ?? 0), "a layer out of nothing")
    },
    FuzzTarget("whep-target") { bytes in
        let target = String(decoding: bytes, as: UTF8.self)
        guard case .endpoint(let key, _)? = try? WHEPRoute(target, base: "/whep") else { return }
        precondition(!key.isEmpty && key.utf8.count <= WHIPLimits.keyBytes, "a key outside of its bounds")
    },
]
