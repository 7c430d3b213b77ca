import Media
import SDP
import WebRTC

/// Offers and answers of strangers against the rules of negotiation.
package let webRTCTargets: [FuzzTarget] = [
    FuzzTarget("media-plan-answer") { bytes in
        guard let offer = try? SessionDescription(parsing: bytes) else { return }
        for codec in [VideoCodec.h264, .vp8] {
            guard let plan = try? MediaPlan.answer(to: offer, wanting: capabilities(codec), local: local) else {
                continue
            }
            let answer = plan.localDescription
            precondition(answer.media.map(\.mid) == offer.media.map(\.mid), "the answer's sections are not the offer's")
            precondition(answer.media.filter { !$0.isRejected }.count == plan.sections.count, "plan and answer differ")
            precondition((try? SessionDescription(parsing: answer.serialized())) == answer, "the answer cannot be read")
        }
    },
    FuzzTarget("media-plan-offer") { bytes in
        guard let answer = try? SessionDescription(parsing: bytes) else { return }
        for codec in [VideoCodec.h264, .vp8] {
            let offer = MediaOffer(publishing: capabilities(codec), local: local)
            guard let plan = try? offer.apply(answer: answer) else { continue }
            precondition(!plan.sections.isEmpty && plan.sections.allSatisfy { !$0.layers.isEmpty }, "an empty plan")
        }
    },
]

private func capabilities(_ codec: VideoCodec) -> SendCapabilities {
    SendCapabilities(
        cname: "c", audio: SentAudio(track: MediaStreamID(stream: "s", track: "a"), ssrc: 1, isStereo: true),
        video: SentVideo(
            track: MediaStreamID(stream: "s", track: "v"), codec: codec,
            layers: [SentLayer(rid: "q", ssrc: 2, rtxSSRC: 3), SentLayer(rid: "f", ssrc: 4, rtxSSRC: 5)]))
}

private let local = LocalTransport(
    sessionID: 1, iceUfrag: "user", icePwd: "passwordpasswordpassword", isICELite: true,
    fingerprints: [Fingerprint(algorithm: "sha-256", bytes: Array(0..<32))])
