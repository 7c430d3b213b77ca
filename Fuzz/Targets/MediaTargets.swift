import Bytes
import Media

/// Codec headers: whatever is read must write and read back the same.
package let mediaTargets: [FuzzTarget] = [
    FuzzTarget("nal-units") { bytes in walkUnits(bytes) },
    FuzzTarget("avc-configuration") { bytes in
        if let config = try? AVCConfiguration(bytes.rawSpan) { checkAVC(config) }
        if let config = try? AVCConfiguration(fromAnnexB: bytes.rawSpan) { checkAVC(config) }
    },
    FuzzTarget("hevc-configuration") { bytes in
        if let config = try? HEVCConfiguration(bytes.rawSpan) { checkHEVC(config) }
        if let config = try? HEVCConfiguration(fromAnnexB: bytes.rawSpan) { checkHEVC(config) }
    },
    FuzzTarget("parameter-set") { bytes in readParameterSets(bytes) },
    FuzzTarget("audio-specific-config") { bytes in
        guard let config = try? AudioSpecificConfig(bytes.rawSpan) else { return }
        precondition(config.channels >= 0 && config.outputSampleRate > 0 && !config.profileName.isEmpty)
        guard config.programChannels == nil, [1, 2, 3, 4, 17, 23].contains(config.objectType) else { return }
        let again = try? AudioSpecificConfig(config.encoded().rawSpan)
        precondition(again == config)
    },
    FuzzTarget("opus") { bytes in
        if let packet = try? OpusPacket(bytes.rawSpan) {
            precondition((120...OpusPacket.maxDuration48k).contains(packet.duration48k))
        }
        guard let head = try? OpusHead(bytes.rawSpan) else { return }
        let again = try? OpusHead(head.encoded().rawSpan)
        precondition(again == head)
    },
    FuzzTarget("av1") { bytes in
        var units = AV1Units(bytes.rawSpan)
        while let unit = try? units.next() {
            precondition(unit.payload.upperBound <= bytes.count)
            checkSize((try? AV1SequenceHeader(bytes.rawSpan.extracting(unit.payload)))?.size)
        }
        guard let config = try? AV1Configuration(bytes.rawSpan) else { return }
        let again = try? AV1Configuration(config.encoded().rawSpan)
        precondition(again == config && !config.profileName.isEmpty)
        checkSize((try? AV1SequenceHeader.find(in: config.units.rawSpan))?.size)
    },
    FuzzTarget("vpx") { bytes in
        checkSize((try? VP8FrameHeader(bytes.rawSpan))?.size)
        checkSize((try? VP9FrameHeader(bytes.rawSpan))?.size)
        if let config = try? VPConfiguration(bytes.rawSpan) {
            let again = try? VPConfiguration(config.encoded().rawSpan)
            precondition(again == config)
        }
        if let range = try? FLACStreamInfo.range(in: bytes.rawSpan) {
            let info = try? FLACStreamInfo(bytes.rawSpan.extracting(range))
            precondition(info == nil || (1...8).contains(info?.channels ?? 0))
        }
    },
]

private func checkSize(_ size: VideoSize?) {
    guard let size else { return }
    let range = 1...MediaLimits.maxDimension
    precondition(range.contains(size.width) && range.contains(size.height), "size out of its limits")
}

private func walkUnits(_ bytes: [UInt8]) {
    var last = 0
    var stream = AnnexBUnits(bytes.rawSpan)
    while let range = stream.next() {
        precondition(range.lowerBound >= last + 3 && !range.isEmpty && range.upperBound <= bytes.count)
        last = range.upperBound
    }
    for lengthSize in [1, 2, 4] {
        var units = LengthPrefixedUnits(bytes.rawSpan, lengthSize: lengthSize)
        while let range = try? units.next() { precondition(!range.isEmpty && range.upperBound <= bytes.count) }
        var writer = SlabWriter()
        guard
            (try? NALUnitFraming.appendAnnexB(lengthPrefixed: bytes.rawSpan, lengthSize: lengthSize, to: &writer))
                != nil
        else { continue }
        precondition(writer.count <= bytes.count * 4)
    }
    // What a byte stream holds must survive the way through length prefixes and back.
    var prefixed = SlabWriter()
    NALUnitFraming.appendLengthPrefixed(annexB: bytes.rawSpan, to: &prefixed)
    let first = prefixed.seal()
    var back = SlabWriter()
    let isWhole = (try? NALUnitFraming.appendAnnexB(lengthPrefixed: first.bytes, lengthSize: 4, to: &back)) != nil
    precondition(isWhole)
    var again = SlabWriter()
    NALUnitFraming.appendLengthPrefixed(annexB: back.bytes, to: &again)
    let result = again.seal().copied()
    precondition(result == first.copied())
}

private func checkAVC(_ config: AVCConfiguration) {
    let again = try? AVCConfiguration(config.encoded().rawSpan)
    precondition(again == config)
}

private func checkHEVC(_ config: HEVCConfiguration) {
    let again = try? HEVCConfiguration(config.encoded().rawSpan)
    precondition(again == config && !config.profileName.isEmpty)
}

private func readParameterSets(_ bytes: [UInt8]) {
    // The type would cost a fuzzer its first find, so both are forced.
    let h264 = [0x67] + bytes
    if let set = try? H264SequenceParameterSet(h264.rawSpan) {
        checkSize(set.size)
        precondition((0...16).contains(set.reorderDepth) && !set.profileName.isEmpty)
    }
    let hevc = [0x42, 0x01] + bytes
    if let set = try? HEVCSequenceParameterSet(hevc.rawSpan) {
        checkSize(set.size)
        precondition((0...15).contains(set.reorderDepth))
    }
}
