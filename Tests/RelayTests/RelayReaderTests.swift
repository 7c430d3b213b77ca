import Bytes
import Media
import Relay
import TestSupport
import Testing

@Suite struct RelayReaderTests {
    @Test("commands cut in two at every byte are the same commands")
    func splitCommands() throws {
        let bytes = try someCommands.flatMap { try encoded($0) }
        for (head, tail) in splits(of: bytes) {
            let again = try commands([head, tail]).flatMap { try encoded($0) }
            #expect(again == bytes)
        }
        #expect(try commands(bytes.map { [$0] }).flatMap { try encoded($0) } == bytes)
    }

    @Test("reports cut in two at every byte are the same reports")
    func splitReports() throws {
        let bytes = try someReports.flatMap { try encoded($0) }
        for (head, tail) in splits(of: bytes) {
            let again = try reports([head, tail]).flatMap { try encoded($0) }
            #expect(again == bytes)
        }
        #expect(try reports(bytes.map { [$0] }).flatMap { try encoded($0) } == bytes)
    }

    @Test("a message that is cut short is no message")
    func truncation() throws {
        for command in someCommands {
            let bytes = try encoded(command)
            for count in 0..<bytes.count { #expect(try commands([Array(bytes.prefix(count))]).isEmpty) }
        }
        for report in someReports.dropFirst() {
            let bytes = try encoded(report)
            for count in 0..<bytes.count { #expect(try reports([hello, Array(bytes.prefix(count))]).count == 1) }
        }
    }

    @Test("a length below the fixed fields is refused", arguments: RelayMessageType.allCases)
    func tooShort(type: RelayMessageType) {
        let fixed: Int =
            switch type {
            case .sourceEnded, .requestStop, .setLogLevel, .report: 1
            case .videoConfiguration, .ended: 2
            case .audioConfiguration: 7
            case .frame: 26
            case .hello: 32
            default: 0
            }
        for length in 0..<fixed {
            let bytes = message(type.rawValue, [UInt8](repeating: 0, count: length))
            #expect(throws: RelayError.truncated(type)) { try read(bytes, of: type) }
        }
    }

    /// The first message after the hello, if one is needed.
    private func read(_ bytes: [UInt8], of type: RelayMessageType, _ limits: RelayLimits = RelayLimits())
        throws(RelayError)
    {
        if type.rawValue < 65 {
            _ = try commands([bytes], limits: limits)
        } else {
            _ = try reports(type == .hello ? [bytes] : [hello, bytes], limits: limits)
        }
    }

    @Test("a tail is taken at 0 and at its limit, and refused one byte above it before it comes")
    func limits() throws {
        var limits = RelayLimits()
        limits.frameBytes = 40
        limits.recordBytes = 30
        limits.specificationBytes = 20
        limits.reportBytes = 10
        limits.textBytes = 5
        let cases: [(RelayMessageType, fixed: [UInt8], limit: Int)] = [
            (.start, [], 20), (.sourceBegan, [], 5), (.videoConfiguration, [1, 1], 30),
            (.audioConfiguration, [64, 1, 0, 0, 0, 0, 0], 30), (.frame, [1] + [UInt8](repeating: 0, count: 25), 40),
            (.sourceEnded, [4], 5), (.requestStop, [0], 0), (.setLogLevel, [0], 0),
            (.hello, [UInt8](repeating: 0, count: 32), 0), (.ready, [], 0), (.started, [], 0), (.report, [0], 10),
            (.statistics, [], 10), (.keyFrameWanted, [], 0), (.sourceRefused, [], 5), (.ended, [1, 0], 5),
        ]
        #expect(Set(cases.map(\.0)) == Set(RelayMessageType.allCases))
        for (type, fixed, limit) in cases {
            try read(message(type.rawValue, fixed), of: type, limits)
            try read(message(type.rawValue, fixed + [UInt8](repeating: 0, count: limit)), of: type, limits)
            for length in [limit + 1, Int(UInt32.max) - fixed.count] {
                #expect(throws: RelayError.overLimit(type, bytes: length)) {
                    try read(message(type.rawValue, [], length: length + fixed.count), of: type, limits)
                }
            }
        }
    }

    @Test("a sender refuses what the receiver would")
    func senderLimits() throws {
        var limits = RelayLimits()
        limits.frameBytes = 3
        limits.recordBytes = 2
        limits.specificationBytes = 1
        limits.reportBytes = 0
        let four = SlabSlice(copying: [0, 0, 0, 0])
        _ = try encoded(.frame(frame([0, 0, 0]), arrivedAt: .zero), limits)
        #expect(throws: RelayError.overLimit(.frame, bytes: 4)) {
            try encoded(.frame(frame([0, 0, 0, 0]), arrivedAt: .zero), limits)
        }
        #expect(throws: RelayError.overLimit(.videoConfiguration, bytes: 4)) {
            try encoded(.videoConfiguration(VideoConfiguration(codec: .h264, record: four)), limits)
        }
        #expect(throws: RelayError.overLimit(.start, bytes: 2)) { try encoded(.start(specification: [0, 0]), limits) }
        #expect(throws: RelayError.overLimit(.report, bytes: 1)) { try encoded(.report(kind: 0, [0]), limits) }
        #expect(throws: RelayError.overLimit(.statistics, bytes: 1)) { try encoded(.statistics([0]), limits) }
    }

    @Test("values that no sender writes are refused")
    func malformed() {
        let frameRest = [UInt8](repeating: 0, count: 24)
        let cases: [(RelayMessageType, [UInt8])] = [
            (.frame, [0, 0] + frameRest), (.frame, [11, 0] + frameRest), (.frame, [63, 0] + frameRest),
            (.frame, [78, 0] + frameRest), (.frame, [1, 2] + frameRest), (.videoConfiguration, [0, 0]),
            (.videoConfiguration, [64, 0]), (.videoConfiguration, [1, 2]), (.videoConfiguration, [1, 0, 9]),
            (.audioConfiguration, [1, 0, 0, 0, 0, 0, 0]), (.audioConfiguration, [64, 0, 1, 0, 0, 1, 0]),
            (.audioConfiguration, [64, 0, 0, 0, 0, 0, 0, 9]), (.sourceEnded, [5]), (.sourceEnded, [0, 65]),
            (.sourceEnded, [4, 0xFF]), (.sourceBegan, [0xC3]), (.sourceRefused, [0x80]), (.ended, [0, 1]),
            (.ended, [0, 0, 65]), (.ended, [2, 0]), (.ended, [1, 2]), (.ended, [1, 0, 0xFF]),
        ]
        for (type, body) in cases {
            #expect(throws: RelayError.malformed(type)) { try read(message(type.rawValue, body), of: type) }
        }
    }

    @Test("another version is told as such, by its first byte pair")
    func version() {
        for version in [0, 2, 71, 255] as [UInt8] {
            #expect(throws: RelayError.unsupportedVersion(version)) {
                try commands([message(8, [0], version: version)])
            }
            #expect(throws: RelayError.unsupportedVersion(version)) {
                try reports([message(65, [], version: version, length: 32)])
            }
        }
    }

    @Test("unknown types are refused in both directions")
    func unknownTypes() {
        let known = Set(RelayMessageType.allCases.map(\.rawValue))
        for type in UInt8.min...UInt8.max where !known.contains(type) {
            #expect(throws: RelayError.unknownType(type)) { try commands([message(type, [])]) }
            #expect(throws: RelayError.unknownType(type)) { try reports([message(type, [])]) }
        }
    }

    @Test("a message of the other direction is refused", arguments: RelayMessageType.allCases)
    func direction(type: RelayMessageType) {
        let bytes = message(type.rawValue, [], length: 40)
        if type.rawValue < 65 {
            #expect(throws: RelayError.unexpectedMessage(type)) { try reports([hello, bytes]) }
            #expect(throws: RelayError.unexpectedMessage(type)) { try reports([bytes]) }
        } else {
            #expect(throws: RelayError.unexpectedMessage(type)) { try commands([bytes]) }
        }
    }

    @Test("nothing is taken before the hello, and the hello only once")
    func helloGate() throws {
        for type in RelayMessageType.allCases where type.rawValue > 65 {
            #expect(throws: RelayError.helloExpected) { try reports([message(type.rawValue, [], length: 2)]) }
        }
        #expect(throws: RelayError.unexpectedMessage(.hello)) { try reports([hello, hello]) }
    }

    @Test("a reader that threw stays so, at the header and behind it")
    func poisoned() {
        for bad in [message(9, []), message(6, [9])] {
            var reader = RelayCommandReader()
            for bytes in [bad, message(8, [0]), []] {
                var thrown: RelayError?
                var offset = 0
                do throws(RelayError) { _ = try reader.next(bytes.rawSpan, from: &offset) } catch { thrown = error }
                #expect(thrown == (bad[1] == 9 ? .unknownType(9) : .malformed(.sourceEnded)))
            }
        }
    }

    @Test("two messages of one piece come one by one, each with its own bytes")
    func backToBack() throws {
        let first = frame([1, 2, 3]), second = frame([4], .audio(.aac))
        let bytes = try encoded(.frame(first, arrivedAt: .zero)) + encoded(.frame(second, arrivedAt: .zero))
        let payloads = try commands([bytes]).map { command -> [UInt8] in
            if case .frame(let frame, _) = command { frame.payload.copied() } else { [] }
        }
        #expect(payloads == [[1, 2, 3], [4]])
    }

    @Test("a frame of 3 MB in reads of 64 KiB comes whole")
    func large() throws {
        let payload = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let bytes = try encoded(.frame(frame(payload), arrivedAt: .zero))
        let pieces = stride(from: 0, to: bytes.count, by: 65_536).map {
            Array(bytes[$0..<min($0 + 65_536, bytes.count)])
        }
        guard case .frame(let read, _)? = try commands(pieces, pool: SlabPool()).first else {
            Issue.record("no frame")
            return
        }
        let isSame = read.payload.copied() == payload
        #expect(isSame && read.payload.endsAtPadding)
    }
}
