package import Bytes

/// One coded picture or one audio packet: the unit that sources, transcoders and publishers exchange.
package struct EncodedFrame: Sendable {
    package enum Codec: Sendable, Hashable {
        case video(VideoCodec)
        case audio(AudioCodec)
    }

    package var codec: Codec
    /// Presentation time, nanoseconds on the timeline of whoever hands the frame over.
    package var pts: MediaTime
    /// Decoding time; equals `pts` where nothing is reordered.
    package var dts: MediaTime
    /// A decoder can start here.
    package var isKey: Bool
    /// H.264 and HEVC from FLV: length-prefixed NAL units; from encoders and from RTP: Annex B. Other codecs: as in their
    /// container; AV1 from RTP: units with their sizes; VP9 from RTP: a superframe where there are several layers.
    package var payload: SlabSlice

    package init(codec: Codec, pts: MediaTime, dts: MediaTime, isKey: Bool, payload: SlabSlice) {
        self.codec = codec
        self.pts = pts
        self.dts = dts
        self.isKey = isKey
        self.payload = payload
    }

    package var kind: MediaKind {
        switch codec {
        case .video: .video
        case .audio: .audio
        }
    }
}

/// What a video decoder needs before the first frame.
package struct VideoConfiguration: Sendable {
    package var codec: VideoCodec
    /// AVCDecoderConfigurationRecord, HEVCDecoderConfigurationRecord, AV1CodecConfigurationRecord or VPCodecConfigurationRecord
    /// as carried by the container; nil where the codec has none, and where key frames bring what it would tell: H.264 and
    /// HEVC are byte streams then.
    package var record: SlabSlice?

    package init(codec: VideoCodec, record: SlabSlice?) {
        self.codec = codec
        self.record = record
    }
}

/// What an audio decoder needs before the first packet. Zero means unknown: the decoder finds out.
package struct AudioConfiguration: Sendable {
    package var codec: AudioCodec
    /// AudioSpecificConfig, OpusHead, FLAC's STREAMINFO …; nil where the codec has none.
    package var record: SlabSlice?
    package var sampleRate: Int
    package var channels: Int

    package init(codec: AudioCodec, record: SlabSlice?, sampleRate: Int, channels: Int) {
        self.codec = codec
        self.record = record
        self.sampleRate = sampleRate
        self.channels = channels
    }
}
