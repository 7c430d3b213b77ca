import SDP

extension RemoteTransport {
    /// From the section whose transport the bundle uses: the first of `accepted` in the bundle's order, since a
    /// section that is refused takes its transport with it (RFC 9143 section 7.3.1). Bundle-only sections may leave all
    /// to their bundle's first section, so the rest of it is asked next.
    init(_ description: SessionDescription, accepted: [Int]) throws(MediaPlanError) {
        let bundle = description.bundle ?? []
        var places: [String: Int] = [:]
        for (place, mid) in bundle.enumerated() where places[mid] == nil { places[mid] = place }
        func place(_ index: Int) -> Int { description.media[index].mid.flatMap { places[$0] } ?? bundle.count }
        let others = description.media.indices.filter { !accepted.contains($0) && place($0) < bundle.count }
        let order = [accepted, others].flatMap { group in group.sorted { place($0) < place($1) } }

        let isComplete = { (index: Int) in description.transport(of: description.media[index]).iceUfrag != nil }
        guard let index = order.first(where: isComplete) ?? order.first else { throw .iceCredentials }
        let section = description.media[index]
        let transport = description.transport(of: section)
        guard let ufrag = transport.iceUfrag, let pwd = transport.icePwd, ufrag.utf8.count >= 4, pwd.utf8.count >= 22
        else {
            throw .iceCredentials
        }
        let fingerprints = transport.fingerprints.filter { Self.hashes.contains($0.algorithm) }
        guard !fingerprints.isEmpty else { throw .fingerprint }
        self.init(
            iceUfrag: ufrag, icePwd: pwd, isICELite: description.isICELite,
            trickles: transport.iceOptions.contains("trickle"), fingerprints: fingerprints,
            candidates: section.candidates,
            endOfCandidates: section.endOfCandidates || description.endOfCandidates, setup: transport.setup ?? .active)
    }

    /// MD5 and SHA-1 no longer say who somebody is (RFC 8122 section 5).
    private static let hashes: Set<String> = ["sha-256", "sha-384", "sha-512"]
}
