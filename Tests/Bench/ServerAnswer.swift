import Bytes
import DTLS
import ICE
import RTP
import Runtime
import WebRTC

/// What a viewer or a publisher needs of the server's answer.
struct ServerAnswer {
    let credentials: ICECredentials
    let fingerprint: DTLS.Fingerprint
    let isPassive: Bool
    let candidates: [ICECandidate]

    init(_ text: String) throws {
        let lines = text.split(whereSeparator: \.isNewline)
        func value(_ name: String) -> Substring? {
            lines.first { $0.hasPrefix("a=\(name):") }?.dropFirst(name.count + 3)
        }
        guard let fragment = value("ice-ufrag"), let password = value("ice-pwd"),
            let fingerprint = value("fingerprint").flatMap({ DTLS.Fingerprint(sdp: $0) })
        else { throw BenchError("the answer lacks a transport") }
        credentials = try ICECredentials(fragment: String(fragment), password: String(password))
        self.fingerprint = fingerprint
        isPassive = value("setup") == "passive"
        candidates = lines.filter { $0.hasPrefix("a=candidate:") }
            .compactMap { try? ICECandidate(parsing: $0.dropFirst(2)) }
            .filter { $0.transport == .udp }
        guard !candidates.isEmpty else { throw BenchError("the answer has no UDP candidate") }
    }

    /// A full agent that controls, with the local side's credentials.
    @MediaLoop
    func configuration(
        _ local: ICECredentials, _ context: DTLSContext, targetBitrate: Int, at now: Monotonic
    ) -> WebRTCPeer.Configuration {
        WebRTCPeer.Configuration(
            ice: ICEAgent.Configuration(
                mode: .full, role: .controlling, credentials: local, seed: Randomness.bytes(32),
                hmac: { HMAC.sha1Tag(key: $0, $1) }),
            remoteCredentials: credentials, dtlsContext: context, dtlsRole: isPassive ? .client : .server,
            remoteFingerprints: [fingerprint],
            clock: NTPClock(NTPTime(unixNanoseconds: SystemClock.unixNanoseconds()), at: now), cname: InlineBytes(),
            targetBitrate: targetBitrate)
    }
}
