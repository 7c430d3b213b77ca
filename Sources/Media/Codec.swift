/// The codecs that reach this server; names are those of the RTP payload formats where one exists.
public enum VideoCodec: String, Sendable, Hashable, CaseIterable {
    case h264, hevc, av1, vp8, vp9
    /// Legacy FLV codecs that libavcodec still decodes.
    case sorensonH263, screenVideo, vp6, vp6Alpha, screenVideo2
}

public enum AudioCodec: String, Sendable, Hashable, CaseIterable {
    case aac, opus, mp3, flac, ac3, eac3, pcmALaw, pcmMuLaw, g722
    /// Little-endian 16-bit and unsigned 8-bit PCM, ADPCM, Nellymoser and Speex of legacy FLV.
    case pcmS16LE, pcmU8, adpcm, nellymoser, speex
}

/// Which of a session's two tracks a frame belongs to.
public enum MediaKind: UInt8, Sendable, Hashable, CaseIterable {
    case audio, video
}
