import Bytes
package import DTLS
package import ICE
import Media
package import RTP
import SDP

/// Random numbers that one RTP stream starts with; made by the caller.
package struct StreamSeed: Hashable, Sendable {
    package var sequenceNumber: UInt16
    package var retransmissionNumber: UInt16
    package var timestampOffset: UInt32

    package init(sequenceNumber: UInt16, retransmissionNumber: UInt16, timestampOffset: UInt32) {
        self.sequenceNumber = sequenceNumber
        self.retransmissionNumber = retransmissionNumber
        self.timestampOffset = timestampOffset
    }

    package init(using random: inout some RandomNumberGenerator) {
        // RFC 3711 section 3.3.1: a start in the lower half keeps an early loss from upsetting the rollover count.
        self.init(
            sequenceNumber: .random(in: 0..<0x8000, using: &random),
            retransmissionNumber: .random(in: 0..<0x8000, using: &random),
            timestampOffset: .random(in: .min ... .max, using: &random))
    }
}

extension WebRTCPeer.Remote {
    /// The other side as a plan has it. Throws when its credentials are unusable.
    package init(plan: MediaPlan) throws(ICEError) { try self.init(plan.remote, dtlsRole: plan.dtlsRole) }

    /// Likewise.
    package init(plan: ReceivePlan) throws(ICEError) { try self.init(plan.remote, dtlsRole: plan.dtlsRole) }

    private init(_ remote: RemoteTransport, dtlsRole: MediaPlan.DTLSRole) throws(ICEError) {
        self.init(
            credentials: try ICECredentials(fragment: remote.iceUfrag, password: remote.icePwd),
            dtlsRole: dtlsRole == .server ? .server : .client,
            fingerprints: remote.fingerprints.compactMap { said in
                let algorithm = DTLS.Fingerprint.Algorithm.allCases.first { $0.name == said.algorithm }
                return algorithm.flatMap { DTLS.Fingerprint(algorithm: $0, bytes: said.bytes) }
            },
            candidates: remote.candidates.prefix(ICELimits.remoteCandidates).compactMap {
                try? ICECandidate(parsing: $0)
            })
    }
}

extension WebRTCPeer.Configuration {
    /// The connection that a plan describes. Throws when the peer's credentials are unusable.
    package init(
        plan: MediaPlan, ice: ICEAgent.Configuration, dtlsContext: DTLSContext, clock: NTPClock, cname: InlineBytes,
        targetBitrate: Int
    ) throws(ICEError) {
        let remote = try WebRTCPeer.Remote(plan: plan)
        self.init(
            ice: ice, remoteCredentials: remote.credentials, dtlsContext: dtlsContext, dtlsRole: remote.dtlsRole,
            remoteFingerprints: remote.fingerprints,
            clock: clock, cname: cname, targetBitrate: targetBitrate)
    }
}

extension PlannedSection {
    /// How one of the section's layers is sent.
    package func stream(_ layer: SentLayer, seed: StreamSeed) -> SendStream.Configuration {
        var stream = SendStream.Configuration(
            kind: kind, ssrc: layer.ssrc, payloadType: payloadType, clockRate: Int(clockRate),
            firstSequenceNumber: seed.sequenceNumber, timestampOffset: seed.timestampOffset)
        if let ssrc = layer.rtxSSRC, let payloadType = rtxPayloadType {
            stream.retransmission = SendStream.Retransmission(
                ssrc: ssrc, payloadType: payloadType, firstSequenceNumber: seed.retransmissionNumber)
        }
        for (uri, id) in extensionIDs {
            if let kind = HeaderExtensionKind(uri: uri) { stream.extensions[kind] = id }
        }
        stream.mid = InlineBytes(mid)
        if let rid = layer.rid { stream.streamID = InlineBytes(rid) }
        return stream
    }
}
