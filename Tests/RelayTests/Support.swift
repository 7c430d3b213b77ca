import Bytes
import Media
import Relay
import TestSupport
import Testing

/// The message's bytes; exactly as many as were announced.
func encoded(_ command: RelayCommand, _ limits: RelayLimits = RelayLimits()) throws(RelayError) -> [UInt8] {
    let count = try command.encodedByteCount(limits)
    let bytes = captureOutput(capacity: count) { command.write(limits, into: &$0) }.bytes
    #expect(bytes.count == count)
    return bytes
}

func encoded(_ report: RelayReport, _ limits: RelayLimits = RelayLimits()) throws(RelayError) -> [UInt8] {
    let count = try report.encodedByteCount(limits)
    let bytes = captureOutput(capacity: count) { report.write(limits, into: &$0) }.bytes
    #expect(bytes.count == count)
    return bytes
}

/// All messages of `pieces`, read one piece after another.
func commands(
    _ pieces: [[UInt8]], limits: RelayLimits = RelayLimits(), pool: SlabPool? = nil
) throws(RelayError) -> [RelayCommand] {
    var reader = RelayCommandReader(limits: limits, pool: pool)
    var found: [RelayCommand] = []
    for piece in pieces {
        var offset = 0
        while let command = try reader.next(piece.rawSpan, from: &offset) { found.append(command) }
        #expect(offset == piece.count)
    }
    return found
}

func reports(_ pieces: [[UInt8]], limits: RelayLimits = RelayLimits()) throws(RelayError) -> [RelayReport] {
    var reader = RelayReportReader(limits: limits)
    var found: [RelayReport] = []
    for piece in pieces {
        var offset = 0
        while let report = try reader.next(piece.rawSpan, from: &offset) { found.append(report) }
        #expect(offset == piece.count)
    }
    return found
}

/// A message built by hand: version, type, length, body.
func message(_ type: UInt8, _ body: [UInt8], version: UInt8 = 1, length: Int? = nil) -> [UInt8] {
    let length = UInt32(length ?? body.count)
    return [version, type] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + body
}

let token = RelayToken((0..<32).map { UInt8($0) })
let hello = message(65, (0..<32).map { UInt8($0) })

func frame(
    _ payload: [UInt8], _ codec: EncodedFrame.Codec = .video(.h264), dts: MediaTime = 1_000, pts: MediaTime = 41_000,
    isKey: Bool = true
) -> EncodedFrame {
    EncodedFrame(codec: codec, pts: pts, dts: dts, isKey: isKey, payload: SlabSlice(copying: payload))
}

let allCodecs: [EncodedFrame.Codec] =
    VideoCodec.allCases.map { .video($0) } + AudioCodec.allCases.map { .audio($0) }

/// One message of each type, the long ones with a tail.
let someCommands: [RelayCommand] = [
    .start(specification: [1, 2, 3]), .sourceBegan(encoder: "OBS 31 é"),
    .videoConfiguration(VideoConfiguration(codec: .h264, record: SlabSlice(copying: [1, 100, 0, 41]))),
    .audioConfiguration(
        AudioConfiguration(codec: .aac, record: SlabSlice(copying: [0x11, 0x90]), sampleRate: 48_000, channels: 2)),
    .frame(frame([9, 8, 7, 6]), arrivedAt: Monotonic(nanoseconds: 77)), .sourceEnded(.disconnected),
    .sourceEnded(.failed("no key frame")), .requestStop(code: 3), .setLogLevel(5),
]

let someReports: [RelayReport] = [
    .hello(token), .ready, .started, .report(kind: 4, [5, 6]), .statistics([7]), .keyFrameWanted,
    .sourceRefused("too large"), .ended(.finished), .ended(.failed("room gone", isRetryable: true)),
]
