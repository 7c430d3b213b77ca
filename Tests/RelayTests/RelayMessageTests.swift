import Bytes
import Media
import Relay
import TestSupport
import Testing

@Suite struct RelayMessageTests {
    @Test("a frame of each codec crosses with its times, its key flag and its payload", arguments: allCodecs)
    func frames(codec: EncodedFrame.Codec) throws {
        for isKey in [false, true] {
            let sent = frame([1, 2, 3], codec, dts: -40_000_000, pts: 9_000_000_000_000, isKey: isKey)
            let bytes = try encoded(.frame(sent, arrivedAt: Monotonic(nanoseconds: 1 << 60)))
            guard case .frame(let read, let arrivedAt)? = try commands([bytes]).first else {
                Issue.record("no frame")
                return
            }
            #expect(read.codec == codec)
            #expect(read.kind == sent.kind)
            #expect(read.dts == -40_000_000)
            #expect(read.pts == 9_000_000_000_000)
            #expect(read.isKey == isKey)
            #expect(read.payload.copied() == [1, 2, 3])
            #expect(arrivedAt == Monotonic(nanoseconds: 1 << 60))
        }
    }

    @Test("the extremes of all times cross")
    func extremeTimes() throws {
        for (dts, pts) in [(MediaTime.min, MediaTime.max), (0, -1)] {
            let arrivedAt = Monotonic(nanoseconds: dts)
            let bytes = try encoded(.frame(frame([0], dts: dts, pts: pts), arrivedAt: arrivedAt))
            guard case .frame(let read, let arrived)? = try commands([bytes]).first else {
                Issue.record("no frame")
                return
            }
            #expect(read.dts == dts && read.pts == pts && arrived == arrivedAt)
        }
    }

    @Test("a frame's layout is as documented")
    func frameLayout() throws {
        let bytes = try encoded(
            .frame(frame([0xAB], .audio(.opus), dts: 2, pts: 3, isKey: true), arrivedAt: Monotonic(nanoseconds: 4)))
        #expect(
            bytes
                == hex(
                    "01 05 0000001B 41 01 0000000000000002 0000000000000003 0000000000000004 AB"))
    }

    @Test("a payload is followed by zeroes for decoders that read ahead, whatever its length and the pool's past")
    func padding() throws {
        let pool = SlabPool()
        for count in [0, 1, 959, 960, 961, 1024, 5000, 70_000] {
            let payload = [UInt8](repeating: 0xFF, count: count)
            let bytes = try encoded(.frame(frame(payload), arrivedAt: .zero))
            let found = try commands([Array(bytes.prefix(500)), Array(bytes.dropFirst(500))], pool: pool)
            guard case .frame(let read, _)? = found.first else {
                Issue.record("no frame")
                return
            }
            #expect(read.payload.count == count)
            #expect(read.payload.endsAtPadding)
            let isSame = read.payload.copied() == payload
            #expect(isSame)
        }
    }

    @Test(
        "a video configuration of each codec crosses with its record, an empty one and none",
        arguments: VideoCodec.allCases)
    func video(codec: VideoCodec) throws {
        for record in [nil, [], [1, 2, 3]] as [[UInt8]?] {
            let sent = VideoConfiguration(codec: codec, record: record.map { SlabSlice(copying: $0) })
            guard case .videoConfiguration(let read)? = try commands([encoded(.videoConfiguration(sent))]).first else {
                Issue.record("no configuration")
                return
            }
            #expect(read.codec == codec)
            #expect(read.record?.copied() == record)
            #expect(read.record?.endsAtPadding ?? true)
        }
    }

    @Test("a sound configuration of each codec crosses whole", arguments: AudioCodec.allCases)
    func audio(codec: AudioCodec) throws {
        for (record, rate, channels) in [(nil, 0, 0), ([], 48_000, 2), ([1, 2], 1 << 24, 255)] as [([UInt8]?, Int, Int)]
        {
            let sent = AudioConfiguration(
                codec: codec, record: record.map { SlabSlice(copying: $0) }, sampleRate: rate, channels: channels)
            guard case .audioConfiguration(let read)? = try commands([encoded(.audioConfiguration(sent))]).first else {
                Issue.record("no configuration")
                return
            }
            #expect(read.codec == codec)
            #expect(read.record?.copied() == record)
            #expect(read.sampleRate == rate && read.channels == channels)
        }
    }

    @Test(
        "a rate or a number of channels that no codec knows is sent as unknown",
        arguments: [(-1, -1), (1 << 24 + 1, 256)])
    func unknownFormat(rate: Int, channels: Int) throws {
        let sent = AudioConfiguration(codec: .aac, record: nil, sampleRate: rate, channels: channels)
        guard case .audioConfiguration(let read)? = try commands([encoded(.audioConfiguration(sent))]).first else {
            Issue.record("no configuration")
            return
        }
        #expect(read.sampleRate == 0 && read.channels == 0)
    }

    @Test(
        "each end of a source crosses",
        arguments: [.finished, .disconnected, .replaced, .serverStopping, .failed(""), .failed("why ünï")]
            as [RelaySourceEnd])
    func sourceEnds(end: RelaySourceEnd) throws {
        guard case .sourceEnded(let read)? = try commands([encoded(.sourceEnded(end))]).first else {
            Issue.record("no end")
            return
        }
        #expect(read == end)
    }

    @Test(
        "each end of a session crosses",
        arguments: [.finished, .failed("", isRetryable: false), .failed("room ünï", isRetryable: true)]
            as [RelaySessionEnd])
    func sessionEnds(end: RelaySessionEnd) throws {
        guard case .ended(let read)? = try reports([hello, encoded(.ended(end))]).last else {
            Issue.record("no end")
            return
        }
        #expect(read == end)
    }

    @Test("the small commands cross")
    func smallCommands() throws {
        let bytes =
            try encoded(.start(specification: [9, 9])) + encoded(.sourceBegan(encoder: "FMLE/3.0 é"))
            + encoded(.requestStop(code: 200)) + encoded(.setLogLevel(7))
        let found = try commands([bytes])
        #expect(found.map(\.type) == [.start, .sourceBegan, .requestStop, .setLogLevel])
        if case .start(let specification)? = found.first { #expect(specification == [9, 9]) }
        if case .sourceBegan(let encoder) = found[1] { #expect(encoder == "FMLE/3.0 é") }
        if case .requestStop(let code) = found[2] { #expect(code == 200) }
        if case .setLogLevel(let level) = found[3] { #expect(level == 7) }
    }

    @Test("the small reports cross")
    func smallReports() throws {
        var bytes = try encoded(.hello(token)) + encoded(.ready) + encoded(.started)
        bytes += try encoded(.report(kind: 9, [1])) + encoded(.statistics([])) + encoded(.keyFrameWanted)
        bytes += try encoded(.sourceRefused("nö"))
        let found = try reports([bytes])
        #expect(
            found.map(\.type) == [.hello, .ready, .started, .report, .statistics, .keyFrameWanted, .sourceRefused])
        if case .hello(let read)? = found.first { #expect(read.matches(token)) }
        if case .report(let kind, let bytes) = found[3] { #expect(kind == 9 && bytes == [1]) }
        if case .statistics(let bytes) = found[4] { #expect(bytes.isEmpty) }
        if case .sourceRefused(let text) = found[6] { #expect(text == "nö") }
    }

    @Test("each message reads back to the same bytes")
    func again() throws {
        for command in someCommands {
            let bytes = try encoded(command)
            for read in try commands([bytes]) { #expect(try encoded(read) == bytes) }
        }
        for report in someReports.dropFirst() {
            let bytes = try encoded(report)
            for read in try reports([hello, bytes]).dropFirst() { #expect(try encoded(read) == bytes) }
        }
    }

    @Test("a sentence that is too long is cut between characters", arguments: 0...9)
    func longText(limit: Int) throws {
        var limits = RelayLimits()
        limits.textBytes = limit
        let text = "aé€😀"  // 1 + 2 + 3 + 4 bytes
        let expected = ["", "a", "a", "aé", "aé", "aé", "aé€", "aé€", "aé€", "aé€"][limit]
        guard
            case .sourceBegan(let read)? = try commands([encoded(.sourceBegan(encoder: text), limits)], limits: limits)
                .first
        else {
            Issue.record("no message")
            return
        }
        #expect(read == expected)
    }
}

@Suite struct RelayTokenTests {
    private func read(_ bytes: [UInt8]) throws(RelayError) -> RelayInvitation {
        try RelayInvitation(parsing: bytes.rawSpan)
    }

    @Test("a token matches itself and nothing that differs in one bit")
    func matching() {
        #expect(token.matches(RelayToken((0..<32).map { UInt8($0) })))
        for bit in 0..<256 {
            var bytes = (0..<32).map { UInt8($0) }
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!token.matches(RelayToken(bytes)))
        }
    }

    @Test("a token tells nothing of itself")
    func description() {
        #expect("\(token)" == "(token)" && "\(RelayToken([UInt8](repeating: 7, count: 32)))" == "(token)")
    }

    @Test("an invitation reads back")
    func invitation() throws {
        let sent = RelayInvitation(parent: 4_194_304, port: 7_999, token: token)
        let bytes = sent.encoded()
        #expect(bytes.count == RelayInvitation.byteCount)
        let again = try read(bytes)
        #expect(again.parent == 4_194_304 && again.port == 7_999 && again.token.matches(token))
    }

    @Test("a cut invitation, a longer one and one without parent or port are refused")
    func badInvitations() {
        let bytes = RelayInvitation(parent: 1, port: 1, token: token).encoded()
        for count in 0..<bytes.count {
            #expect(throws: RelayError.malformedInvitation) {
                try read(Array(bytes.prefix(count)))
            }
        }
        #expect(throws: RelayError.malformedInvitation) { try read(bytes + [0]) }
        for (parent, port) in [(0, 1), (-5, 1), (1, 0)] as [(Int32, UInt16)] {
            let bytes = RelayInvitation(parent: parent, port: port, token: token).encoded()
            #expect(throws: RelayError.malformedInvitation) { try read(bytes) }
        }
        #expect(throws: RelayError.unsupportedVersion(2)) {
            try read([2] + bytes.dropFirst())
        }
    }
}
