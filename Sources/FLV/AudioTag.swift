import Media

/// The legacy AudioTagHeader's first byte (FLV 10.1, annex E.4.2.1).
struct AudioTag {
    var codec: AudioCodec
    /// Samples a second; 0 where the flags cannot say it.
    var sampleRate: Int
    var channels: Int

    /// SoundFormat 9 in the upper four bits switches to enhanced mode.
    static let enhancedFormat: UInt8 = 9
    static let aacFormat: UInt8 = 10
    /// AACPacketType.
    static let sequenceHeader: UInt8 = 0
    static let raw: UInt8 = 1

    init(header: UInt8) throws(FLVError) {
        let flaggedRate = [5512, 11_025, 22_050, 44_100][Int(header >> 2 & 3)]
        let is16Bit = header & 2 != 0
        channels = header & 1 != 0 ? 2 : 1
        sampleRate = flaggedRate
        switch header >> 4 {
        case 0, 3: codec = is16Bit ? .pcmS16LE : .pcmU8  // 0 is "platform endian", which is little-endian in practice
        case 1: codec = .adpcm
        case 2, 14: (codec, sampleRate, channels) = (.mp3, header >> 4 == 14 ? 8000 : 0, 0)
        case 4: (codec, sampleRate, channels) = (.nellymoser, 16_000, 1)
        case 5: (codec, sampleRate, channels) = (.nellymoser, 8000, 1)
        case 6: codec = .nellymoser
        case 7: (codec, sampleRate) = (.pcmALaw, 8000)
        case 8: (codec, sampleRate) = (.pcmMuLaw, 8000)
        case Self.aacFormat: (codec, sampleRate, channels) = (.aac, 0, 0)
        case 11: (codec, sampleRate, channels) = (.speex, 16_000, 1)
        default: throw .unknownSoundFormat(header >> 4)
        }
    }

    /// Codecs that cannot be decoded without their record.
    static func needsRecord(_ codec: AudioCodec) -> Bool { codec == .aac || codec == .flac }
}
