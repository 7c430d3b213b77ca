import Bytes

/// AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1): the sequence header of AAC.
package struct AudioSpecificConfig: Equatable, Sendable {
    /// Audio object type of the core: 1 Main, 2 LC, 3 SSR, 4 LTP, 17 ER LC, 23 ER LD, 39 ER ELD, 42 USAC …
    package var objectType: Int
    /// Samples a second of the core coder.
    package var sampleRate: Int
    /// channelConfiguration, 0…15; 0 where a program config element says more.
    package var channelConfiguration: Int
    /// Samples a second after spectral band replication, where that is signalled (HE-AAC).
    package var extensionSampleRate: Int?
    /// Parametric stereo is signalled (HE-AAC v2): one coded channel becomes two.
    package var hasParametricStereo = false
    /// Samples a frame and channel of the core: 1024 or 960; 512 or 480 for low delay.
    package var frameLength = 1024
    /// Channels by the program config element, where `channelConfiguration` is 0.
    package var programChannels: Int?

    package init(objectType: Int, sampleRate: Int, channelConfiguration: Int) {
        self.objectType = objectType
        self.sampleRate = sampleRate
        self.channelConfiguration = channelConfiguration
    }

    package init(_ bytes: RawSpan) throws(MediaError) {
        var bits = HeaderBits(bytes)
        var type = try Self.readObjectType(&bits)
        sampleRate = try Self.readSampleRate(&bits)
        channelConfiguration = Int(try bits.readBits(4))
        if type == Self.spectralBandReplication || type == Self.parametricStereo {
            hasParametricStereo = type == Self.parametricStereo
            extensionSampleRate = try Self.readSampleRate(&bits)
            type = try Self.readObjectType(&bits)
            if type == 22 { try bits.skipBits(4) }  // extensionChannelConfiguration
        }
        objectType = type
        guard type != 0 else { throw .malformed(.audioSpecificConfig) }
        guard [1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23].contains(type) else {
            if type == 39 { frameLength = try bits.readFlag() ? 480 : 512 }
            return
        }
        try readGeneralAudio(&bits)
        // Encoders for old decoders put the extension behind the core's fields; bytes that merely follow are no error.
        if extensionSampleRate == nil, programChannels == nil { try? readSyncExtension(&bits) }
    }

    /// Channels that come out of the decoder; 0 when unknown.
    package var channels: Int {
        if let programChannels { return programChannels }
        let coded =
            switch channelConfiguration {
            case 1...6: channelConfiguration
            case 7, 12, 14: 8
            case 11: 7
            case 13: 24
            default: 0
            }
        return coded == 1 && hasParametricStereo ? 2 : coded
    }

    /// Samples a second that come out of the decoder, as far as signalled.
    package var outputSampleRate: Int { extensionSampleRate ?? sampleRate }

    /// The configuration's bytes, with explicit hierarchical signalling of SBR and PS. Program config elements are not
    /// written.
    package func encoded() -> [UInt8] {
        var bits = BitPacker()
        if let extensionSampleRate {
            bits.appendObjectType(hasParametricStereo ? Self.parametricStereo : Self.spectralBandReplication)
            bits.appendSampleRate(sampleRate)
            bits.append(UInt32(channelConfiguration), count: 4)
            bits.appendSampleRate(extensionSampleRate)
            bits.appendObjectType(objectType)
        } else {
            bits.appendObjectType(objectType)
            bits.appendSampleRate(sampleRate)
            bits.append(UInt32(channelConfiguration), count: 4)
        }
        bits.append(frameLength == 960 || frameLength == 480 ? 1 : 0, count: 1)
        bits.append(0, count: 2)  // dependsOnCoreCoder, extensionFlag
        return bits.bytes
    }

    static let sampleRates = [
        96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
    ]
    private static let spectralBandReplication = 5
    private static let parametricStereo = 29

    private static func readObjectType(_ bits: inout HeaderBits) throws(MediaError) -> Int {
        let type = Int(try bits.readBits(5))
        return type == 31 ? 32 + Int(try bits.readBits(6)) : type
    }

    private static func readSampleRate(_ bits: inout HeaderBits) throws(MediaError) -> Int {
        let index = Int(try bits.readBits(4))
        if index < sampleRates.count { return sampleRates[index] }
        guard index == 15 else { throw .malformed(.audioSpecificConfig) }
        let rate = Int(try bits.readBits(24))
        guard rate > 0 else { throw .malformed(.audioSpecificConfig) }
        guard rate <= MediaLimits.maxSampleRate else { throw .overLimit(.audioSpecificConfig) }
        return rate
    }

    /// GASpecificConfig (section 4.4.1).
    private mutating func readGeneralAudio(_ bits: inout HeaderBits) throws(MediaError) {
        let isShort = try bits.readFlag()
        frameLength = objectType == 23 ? (isShort ? 480 : 512) : (isShort ? 960 : 1024)
        if try bits.readFlag() { try bits.skipBits(14) }  // coreCoderDelay
        let hasExtension = try bits.readFlag()
        if channelConfiguration == 0 { programChannels = try Self.readProgramChannels(&bits) }
        if objectType == 6 || objectType == 20 { try bits.skipBits(3) }  // layerNr
        guard hasExtension else { return }
        if objectType == 22 { try bits.skipBits(16) }
        if [17, 19, 20, 23].contains(objectType) { try bits.skipBits(3) }
        try bits.skipBits(1)  // extensionFlag3
    }

    /// program_config_element (section 4.4.1.1) up to its channel counts' end.
    private static func readProgramChannels(_ bits: inout HeaderBits) throws(MediaError) -> Int {
        try bits.skipBits(10)
        let front = try bits.readBits(4)
        let side = try bits.readBits(4)
        let back = try bits.readBits(4)
        let lowFrequency = try bits.readBits(2)
        try bits.skipBits(7)
        for width in [4, 4, 3] where try bits.readFlag() { try bits.skipBits(width) }  // mixdown elements
        var channels = Int(lowFrequency)
        for _ in 0..<(front + side + back) {
            channels += try bits.readFlag() ? 2 : 1
            try bits.skipBits(4)
        }
        return channels
    }

    /// Backward compatible signalling behind the core's configuration.
    private mutating func readSyncExtension(_ bits: inout HeaderBits) throws(MediaError) {
        guard try bits.readBits(11) == 0x2B7, try Self.readObjectType(&bits) == Self.spectralBandReplication,
            try bits.readFlag()
        else { return }
        extensionSampleRate = try Self.readSampleRate(&bits)
        if try bits.readBits(11) == 0x548 { hasParametricStereo = try bits.readFlag() }
    }
}

/// Appends bits, most significant first; the last byte is filled with zeroes.
private struct BitPacker {
    private(set) var bytes: [UInt8] = []
    private var used = 0

    mutating func append(_ value: UInt32, count: Int) {
        for shift in stride(from: count - 1, through: 0, by: -1) {
            if used % 8 == 0 { bytes.append(0) }
            bytes[used / 8] |= UInt8(value >> UInt32(shift) & 1) << UInt8(7 - used % 8)
            used += 1
        }
    }

    mutating func appendObjectType(_ type: Int) {
        guard type >= 31 else { return append(UInt32(type), count: 5) }
        append(31, count: 5)
        append(UInt32(type - 32), count: 6)
    }

    mutating func appendSampleRate(_ rate: Int) {
        if let index = AudioSpecificConfig.sampleRates.firstIndex(of: rate) {
            append(UInt32(index), count: 4)
        } else {
            append(15, count: 4)
            append(UInt32(rate), count: 24)
        }
    }
}
