package import Media
package import SDP

/// What we send: one audio and one video track at most.
package struct SendCapabilities: Equatable, Sendable {
    /// Names us in RTCP and in `a=ssrc` (RFC 7022); the same for both tracks.
    package var cname: String
    package var audio: SentAudio?
    package var video: SentVideo?

    package init(cname: String, audio: SentAudio? = nil, video: SentVideo? = nil) {
        self.cname = cname
        self.audio = audio
        self.video = video
    }
}

/// An Opus track.
package struct SentAudio: Equatable, Sendable {
    package var track: MediaStreamID
    package var layer: SentLayer
    package var isStereo: Bool

    package init(track: MediaStreamID, ssrc: UInt32, isStereo: Bool) {
        self.track = track
        self.layer = SentLayer(ssrc: ssrc)
        self.isStereo = isStereo
    }
}

/// A track of one of WebRTC's video codecs.
package struct SentVideo: Equatable, Sendable {
    package var track: MediaStreamID
    package var codec: VideoCodec
    /// Of the H.264 that is sent; other codecs do not look at it.
    package var profile: H264ProfileLevel
    /// `a=fmtp` of the other codecs: `profile-id` of VP9 and HEVC, `profile` of AV1 and so on. Empty for their defaults.
    package var parameters: [String: String]
    /// In an offer: the simulcast layers from low to high, or one without rid. An answer sends the first.
    package var layers: [SentLayer]
    /// In an offer: packets come with dependency descriptors of somebody else. Answers take what viewers understand.
    package var isDescribed = false

    /// `layers` must not be empty, and several need a rid each.
    package init(
        track: MediaStreamID, codec: VideoCodec, profile: H264ProfileLevel = .constrainedBaseline31,
        parameters: [String: String] = [:], layers: [SentLayer]
    ) {
        precondition(codec.sentName != nil, "WebRTC does not know the codec")
        precondition(!layers.isEmpty, "a video track needs a layer")
        precondition(layers.count == 1 || layers.allSatisfy { $0.rid != nil }, "simulcast layers need rids")
        self.track = track
        self.codec = codec
        self.profile = profile
        self.parameters = parameters
        self.layers = layers
    }

    /// A track that is what somebody else sends, by its `a=fmtp`.
    package init(
        track: MediaStreamID, codec: VideoCodec, passing parameters: [String: String], layers: [SentLayer]
    ) {
        self.init(
            track: track, codec: codec,
            profile: parameters["profile-level-id"].flatMap { H264ProfileLevel($0) } ?? .constrainedBaseline31,
            parameters: codec == .h264 ? [:] : parameters, layers: layers)
    }
}

/// One RTP stream.
package struct SentLayer: Equatable, Sendable {
    /// "q", "h" or "f" in simulcast.
    package var rid: String?
    package var ssrc: UInt32
    /// Nil: no retransmission stream is offered or accepted.
    package var rtxSSRC: UInt32?

    package init(rid: String? = nil, ssrc: UInt32, rtxSSRC: UInt32? = nil) {
        self.rid = rid
        self.ssrc = ssrc
        self.rtxSSRC = rtxSSRC
    }
}

/// What we say of ourselves.
package struct LocalTransport: Equatable, Sendable {
    /// For `o=`: random and below 2^63 (RFC 8829 section 5.2.1), the same for all descriptions of a session.
    package var sessionID: UInt64
    /// For `o=`: grows with each description of a session.
    package var sessionVersion: UInt64
    package var iceUfrag: String
    package var icePwd: String
    /// We are ICE lite; then the DTLS handshake is left to the other side as well.
    package var isICELite: Bool
    /// "trickle" when more candidates will follow.
    package var iceOptions: [String]
    package var fingerprints: [Fingerprint]
    /// From "candidate:" on; written in the first section that is accepted.
    package var candidates: [String]
    package var endOfCandidates: Bool

    package init(
        sessionID: UInt64, sessionVersion: UInt64 = 1, iceUfrag: String, icePwd: String, isICELite: Bool,
        iceOptions: [String] = [], fingerprints: [Fingerprint], candidates: [String] = [], endOfCandidates: Bool = false
    ) {
        self.sessionID = sessionID
        self.sessionVersion = sessionVersion
        self.iceUfrag = iceUfrag
        self.icePwd = icePwd
        self.isICELite = isICELite
        self.iceOptions = iceOptions
        self.fingerprints = fingerprints
        self.candidates = candidates
        self.endOfCandidates = endOfCandidates
    }

    /// A description with these session lines and no media.
    func description() -> SessionDescription {
        var description = SessionDescription(origin: Origin(sessionID: sessionID, sessionVersion: sessionVersion))
        description.msidSemantic = "WMS *"
        description.isICELite = isICELite
        return description
    }

    func attributes(setup: SetupRole) -> TransportAttributes {
        TransportAttributes(
            iceUfrag: iceUfrag, icePwd: icePwd, iceOptions: iceOptions, fingerprints: fingerprints, setup: setup)
    }
}
