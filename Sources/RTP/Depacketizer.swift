package import Bytes
package import Media

/// A frame put together from packets.
package struct DepacketizedFrame: Sendable {
    /// H.264 and HEVC: Annex B with four-byte start codes, key frames with their parameter sets. VP9: the layers of one
    /// picture, as a superframe where there are several. AV1: a temporal unit whose units have their sizes. Others: as
    /// coded.
    package var payload: SlabSlice
    /// Of the frame's packets, in ticks of the stream's clock.
    package var timestamp: UInt32
    /// A decoder can start here.
    package var isKey: Bool
    /// Packets were lost between the previous frame and this one, so that what refers to earlier frames may not decode.
    package var followsLoss: Bool
}

/// The parts of a packet that depacketizers need, in sequence order; late packets are passed over.
package struct DepacketizerInput: Sendable {
    package var sequenceNumber: UInt16
    package var timestamp: UInt32
    package var marker: Bool
    /// Whatever the numbers say: packets are missing in front of this one, or the source has begun to number anew.
    package var followsGap: Bool

    package init(sequenceNumber: UInt16, timestamp: UInt32, marker: Bool, followsGap: Bool = false) {
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.marker = marker
        self.followsGap = followsGap
    }

    package init(_ header: RTPHeader) {
        self.init(sequenceNumber: header.sequenceNumber, timestamp: header.timestamp, marker: header.marker)
    }
}

/// Packets of any known payload format into frames, so that callers need not know the codec.
///
/// Packets come in sequence order, as a jitter buffer hands them out. A frame that misses a packet is dropped whole and
/// the next one says so. A payload without bytes is padding: its number counts, nothing else.
package struct Depacketizer: ~Copyable {
    package let codec: EncodedFrame.Codec
    // Exactly one of these is there.
    private var h264: H264Depacketizer?
    private var hevc: HEVCDepacketizer?
    private var vp8: VP8Depacketizer?
    private var vp9: VP9Depacketizer?
    private var av1: AV1Depacketizer?
    private var audio: AudioDepacketizer?

    /// Nil for codecs without a payload format here.
    /// - Parameters:
    ///   - parameterSets: NAL units that the session description brought (`sprop-parameter-sets`, `sprop-vps` …), for
    ///     H.264 and HEVC.
    ///   - pool: where frames get their memory.
    package init?(
        codec: EncodedFrame.Codec, parameterSets: [[UInt8]] = [], maxFrameBytes: Int = RTPLimits.maxFrameBytes,
        pool: SlabPool? = nil
    ) {
        self.codec = codec
        switch codec {
        case .video(.h264):
            h264 = H264Depacketizer(parameterSets: parameterSets, maxFrameBytes: maxFrameBytes, pool: pool)
        case .video(.hevc):
            hevc = HEVCDepacketizer(parameterSets: parameterSets, maxFrameBytes: maxFrameBytes, pool: pool)
        case .video(.vp8): vp8 = VP8Depacketizer(maxFrameBytes: maxFrameBytes, pool: pool)
        case .video(.vp9): vp9 = VP9Depacketizer(maxFrameBytes: maxFrameBytes, pool: pool)
        case .video(.av1): av1 = AV1Depacketizer(maxFrameBytes: maxFrameBytes, pool: pool)
        case .audio(.opus), .audio(.pcmALaw), .audio(.pcmMuLaw), .audio(.g722): audio = AudioDepacketizer(pool: pool)
        case .video, .audio: return nil
        }
    }

    /// Takes one packet's payload. Then `pollFrame` until nil: a packet can end several frames. After an error the next
    /// packet may be given; the frame is lost.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        switch codec {
        case .video(.h264): try h264?.receive(payload, packet)
        case .video(.hevc): try hevc?.receive(payload, packet)
        case .video(.vp8): try vp8?.receive(payload, packet)
        case .video(.vp9): try vp9?.receive(payload, packet)
        case .video(.av1): try av1?.receive(payload, packet)
        case .audio, .video: try audio?.receive(payload, packet)
        }
    }

    /// The next frame that is whole.
    package mutating func pollFrame() -> DepacketizedFrame? {
        switch codec {
        case .video(.h264): h264?.pollFrame()
        case .video(.hevc): hevc?.pollFrame()
        case .video(.vp8): vp8?.pollFrame()
        case .video(.vp9): vp9?.pollFrame()
        case .video(.av1): av1?.pollFrame()
        case .audio, .video: audio?.pollFrame()
        }
    }

    /// Something was lost since the last frame that was whole.
    package mutating func hasLoss() -> Bool {
        switch codec {
        case .video(.h264): h264?.hasLoss ?? false
        case .video(.hevc): hevc?.hasLoss ?? false
        case .video(.vp8): vp8?.hasLoss ?? false
        case .video(.vp9): vp9?.hasLoss ?? false
        case .video(.av1): av1?.hasLoss ?? false
        case .audio, .video: audio?.hasLoss ?? false
        }
    }

    /// Ticks a second of the RTP clock; nil for codecs without a payload format here. G.722 samples at 16 kHz, yet its
    /// clock is written down as 8,000 (RFC 3551 section 4.5.2).
    package static func clockRate(of codec: EncodedFrame.Codec) -> Int? {
        switch codec {
        case .video(.h264), .video(.hevc), .video(.vp8), .video(.vp9), .video(.av1): 90_000
        case .audio(.opus): 48_000
        case .audio(.pcmALaw), .audio(.pcmMuLaw), .audio(.g722): 8_000
        case .video, .audio: nil
        }
    }

    /// The NAL units of `sprop-parameter-sets` (RFC 6184 section 8.1), `sprop-vps`, `sprop-sps` or `sprop-pps` (RFC 7798
    /// section 7.1): base64 with commas in between. What cannot be read is left out.
    package static func parameterSets(sprop text: some StringProtocol) -> [[UInt8]] {
        guard text.utf8.count <= RTPLimits.maxParameterSetText else { return [] }
        return text.split(separator: ",").prefix(RTPLimits.maxParameterSets).compactMap { part in
            guard let unit = [UInt8](base64: part), !unit.isEmpty else { return nil }
            return unit
        }
    }
}
