import SDP
import TestSupport
import Testing

/// The shortest description, followed by `lines`.
private func parse(_ lines: String...) throws -> SessionDescription {
    try SessionDescription(
        parsing: (["v=0", "o=- 1 2 IN IP4 0.0.0.0", "s=-", "t=0 0"] + lines).joined(separator: "\n"))
}

@Suite struct DescriptionTests {
    @Test("session lines of RFC 8866's example come out typed")
    func rfc8866Example() throws {
        let text = """
            v=0
            o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
            s=Call to John Smith
            i=SDP Offer #1
            u=http://www.jdoe.example.com/home.html
            e=Jane Doe <jane@jdoe.example.com>
            p=+1 617 555-6011
            c=IN IP4 198.51.100.1
            b=AS:1024
            t=3034423619 3042462419
            r=7d 1h 0 25h
            k=prompt
            m=audio 49170 RTP/AVP 0
            m=audio 49180/2 RTP/AVP 0
            m=video 51372 RTP/AVP 99
            c=IN IP6 2001:db8::2
            b=X-YZ:128
            a=rtpmap:99 h263-1998/90000
            """
        let description = try SessionDescription(parsing: text)
        #expect(
            description.origin
                == Origin(
                    username: "jdoe", sessionID: 3_724_394_400, sessionVersion: 3_724_394_405,
                    address: "IN IP4 198.51.100.1"))
        #expect(description.name == "Call to John Smith")
        #expect(description.connection == "IN IP4 198.51.100.1")
        #expect(description.bandwidths == [Bandwidth(type: "AS", value: 1024)])
        #expect(description.timing == Timing(start: 3_034_423_619, stop: 3_042_462_419))
        #expect(description.media.map(\.port) == [49170, 49180, 51372])
        #expect(description.media.map(\.portCount) == [1, 2, 1])
        #expect(description.media[2].connection == "IN IP6 2001:db8::2")
        #expect(description.media[2].bandwidths == [Bandwidth(type: "X-YZ", value: 128)])
        #expect(description.media[2].rtpmap(for: 99) == RTPMap(payloadType: 99, name: "h263-1998", clockRate: 90000))
    }

    @Test("LF and CR LF, blank lines and blanks at a line's end give the same description")
    func lineEnds() throws {
        let lf = try SessionDescription(parsing: SDPFixture.chromeViewer)
        let lines = SDPFixture.chromeViewer.split(separator: "\n")
        #expect(try SessionDescription(parsing: lines.joined(separator: "\r\n") + "\r\n") == lf)
        #expect(try SessionDescription(parsing: lines.joined(separator: " \t\r\n\r\n\n")) == lf)
    }

    @Test("unknown attributes keep their text, order and place")
    func unknownAttributes() throws {
        let description = try parse("a=x-flag", "a=x:1:2 3", "a=x:", "m=audio 9 P 0", "a=y: z", "a=x-flag")
        #expect(
            description.otherAttributes == [
                SDPAttribute(name: "x-flag"), SDPAttribute(name: "x", value: "1:2 3"),
                SDPAttribute(name: "x", value: ""),
            ])
        #expect(
            description.media[0].otherAttributes
                == [SDPAttribute(name: "y", value: " z"), SDPAttribute(name: "x-flag")])
        #expect(try SessionDescription(parsing: description.serialized()) == description)
    }

    @Test("session attributes come out typed")
    func sessionAttributes() throws {
        let description = try parse(
            "a=group:BUNDLE 0 1", "a=group:LS 0 1", "a=msid-semantic: WMS *", "a=ice-lite", "a=extmap-allow-mixed",
            "a=recvonly", "a=end-of-candidates", "a=extmap:5 urn:x")
        #expect(description.bundle == ["0", "1"])
        #expect(description.groups.count == 2)
        #expect(description.msidSemantic == "WMS *")
        #expect(description.isICELite)
        #expect(description.allowsMixedExtensions)
        #expect(description.direction == .recvonly)
        #expect(description.endOfCandidates)
        #expect(description.extensions == [ExtensionMapping(id: 5, uri: "urn:x")])
    }

    @Test("a section's transport attributes stand before the session's, ufrag and password as a pair")
    func transportInheritance() throws {
        let description = try parse(
            "a=ice-ufrag:sess", "a=ice-pwd:session", "a=setup:actpass", "a=ice-options:ice2,trickle renomination",
            "m=audio 9 P 0", "m=video 9 P 0", "a=ice-ufrag:own", "a=setup:active")
        let first = description.transport(of: description.media[0])
        #expect(first.iceUfrag == "sess")
        #expect(first.setup == .actpass)
        #expect(first.iceOptions == ["ice2", "trickle", "renomination"])
        let second = description.transport(of: description.media[1])
        #expect(second.iceUfrag == "own")
        #expect(second.icePwd == nil)
        #expect(second.setup == .active)
    }

    @Test("a section without direction takes the session's, and sendrecv without that")
    func directionInheritance() throws {
        let stated = try parse("a=sendonly", "m=audio 9 P 0", "m=audio 9 P 0", "a=inactive")
        #expect(stated.media.map { stated.direction(of: $0) } == [.sendonly, .inactive])
        let silent = try parse("m=audio 9 P 0")
        #expect(silent.direction(of: silent.media[0]) == .sendrecv)
    }

    @Test("reversing a direction twice gives the same, and swaps sending and receiving", arguments: Direction.allCases)
    func reversed(direction: Direction) {
        #expect(direction.reversed.reversed == direction)
        #expect(direction.reversed.sends == direction.receives)
    }

    @Test("port zero means rejected unless the section is bundle-only")
    func bundleOnly() throws {
        let description = try parse("m=audio 0 P 0", "m=video 0 P 0", "a=bundle-only")
        #expect(description.media.map(\.isRejected) == [true, false])
    }

    @Test("a missing s= or t= line is forgiven")
    func lenientHead() throws {
        let description = try SessionDescription(parsing: "v=0\no=- 1 1 IN IP4 0.0.0.0\n")
        #expect(description.name == "-")
        #expect(description.timing == Timing())
    }

    @Test("a value cannot break out of its line when written")
    func noInjection() throws {
        var description = SessionDescription(origin: Origin(sessionID: 1, sessionVersion: 1))
        description.name = "x\r\na=ice-lite\0"
        let again = try SessionDescription(parsing: description.serialized())
        #expect(again.name == "xa=ice-lite")
        #expect(!again.isICELite)
    }

    @Test("text is UTF-8, cut at bytes and not at characters")
    func unicode() throws {
        let description = try parse("a=x:\u{301}é", "a=é:1")
        #expect(description.otherAttributes[0] == SDPAttribute(name: "x", value: "\u{301}é"))
        #expect(description.otherAttributes[1].name == "é")
    }
}

@Suite struct RefusalTests {
    @Test(
        "a fault is reported with its line",
        arguments: [
            ("v=1", SDPError.malformed(.version, line: 1)),
            ("o=- 1 1 IN IP4 0.0.0.0", .missing(.version)),
            ("", .missing(.version)),
            ("v=0", .missing(.origin)),
            ("v=0\nv=0", .misplaced(.version, line: 2)),
            ("v=0\no=- 1 1 IN IP4", .malformed(.origin, line: 2)),
            ("v=0\no=- x 1 IN IP4 a", .malformed(.origin, line: 2)),
            ("v=0\no=- 18446744073709551616 1 IN IP4 a", .malformed(.origin, line: 2)),
            ("v=0\no=- 1 1 IN IP4 a\no=- 1 1 IN IP4 a", .misplaced(.origin, line: 3)),
            ("v=0\n\nt=0", .malformed(.timing, line: 3)),
            ("v=0\nb=AS", .malformed(.bandwidth, line: 2)),
            ("v=0\nb=:1", .malformed(.bandwidth, line: 2)),
            ("v=0\nb=AS:-1", .malformed(.bandwidth, line: 2)),
            ("v=0\nm=audio 9 P", .malformed(.media, line: 2)),
            ("v=0\nm=audio 65536 P 0", .malformed(.media, line: 2)),
            ("v=0\nm=audio 9/0 P 0", .malformed(.media, line: 2)),
            ("v=0\nm=audio 9/x P 0", .malformed(.media, line: 2)),
            ("v=0\nx=1", .malformedLine(line: 2)),
            ("v=0\nA=1", .malformedLine(line: 2)),
            ("v=0\na", .malformedLine(line: 2)),
            ("v=0\nhello", .malformedLine(line: 2)),
            ("v=0\r\r\n", .malformedLine(line: 1)),
            ("v=0\ns=\0", .malformedLine(line: 2)),
            ("v=0\na=", .malformed(.attribute, line: 2)),
            ("v=0\na=:x", .malformed(.attribute, line: 2)),
            ("v=0\na=b c:x", .malformed(.attribute, line: 2)),
        ])
    func faults(text: String, error: SDPError) {
        #expect(throws: error) { try SessionDescription(parsing: text) }
    }

    @Test("bytes that are not UTF-8 are refused")
    func notText() {
        #expect(throws: SDPError.notText) { try SessionDescription(parsing: Array("v=0\ns=".utf8) + [0xC3, 0x28]) }
    }

    @Test("each error has a sentence, and its line where it has one")
    func sentences() {
        #expect(SDPError.malformed(.rtpmap, line: 7).description == "Line 7: the value of a=rtpmap is malformed.")
        #expect(SDPError.malformed(.rtpmap, line: 7).line == 7)
        #expect(SDPError.notText.line == nil)
        #expect(SDPError.missing(.origin).description == "The description has no o= line.")
    }
}

@Suite struct LimitTests {
    private static let head = "v=0\no=- 1 1 IN IP4 a\ns=-\nt=0 0\n"

    /// Parses `unit` repeated behind a head and `prefix`.
    private func parse(_ prefix: String = "", repeating unit: String, _ count: Int) throws -> SessionDescription {
        try SessionDescription(parsing: Self.head + prefix + String(repeating: unit, count: count))
    }

    @Test("64 KiB are read and one byte more is not")
    func bytes() throws {
        let room = SDPLimits.descriptionBytes - Self.head.utf8.count - 4
        #expect(try parse("a=x:", repeating: "y", room).otherAttributes[0].value?.count == room)
        #expect(throws: SDPError.tooLarge(limitBytes: SDPLimits.descriptionBytes)) {
            try parse("a=x:", repeating: "y", room + 1)
        }
    }

    @Test("lines have a cap, blank ones too")
    func lines() throws {
        _ = try parse(repeating: "\n", SDPLimits.lines - 4)
        #expect(throws: SDPError.tooMany(.line, line: SDPLimits.lines + 1, limit: SDPLimits.lines)) {
            try parse(repeating: "\n", SDPLimits.lines - 3)
        }
    }

    @Test("media sections have a cap")
    func sections() throws {
        #expect(try parse(repeating: "m=audio 9 P 0\n", SDPLimits.mediaSections).media.count == SDPLimits.mediaSections)
        #expect(throws: SDPError.tooMany(.media, line: 5 + SDPLimits.mediaSections, limit: SDPLimits.mediaSections)) {
            try parse(repeating: "m=audio 9 P 0\n", SDPLimits.mediaSections + 1)
        }
    }

    @Test("attributes have a cap per section, candidates one for all sections")
    func attributes() throws {
        _ = try parse(repeating: "a=x\n", SDPLimits.attributesPerLevel)
        #expect(throws: SDPError.self) { try parse(repeating: "a=x\n", SDPLimits.attributesPerLevel + 1) }
        let half = "m=audio 9 P 0\n" + String(repeating: "a=candidate:1\n", count: SDPLimits.candidates / 2)
        #expect(try parse(repeating: half, 2).media.map(\.candidates.count) == [128, 128])
        #expect(throws: SDPError.self) { try parse(half + half, repeating: "a=candidate:1\n", 1) }
    }

    @Test(
        "members of one line have a cap",
        arguments: [
            ("m=audio 9 P", " 0", SDPLimits.formats), ("a=group:BUNDLE", " 0", SDPLimits.groupMembers),
            ("m=audio 9 P 0\na=ssrc-group:FID", " 1", SDPLimits.groupMembers),
            ("m=audio 9 P 0\na=fmtp:0 ", "a;", SDPLimits.parameters),
            ("m=audio 9 P 0\na=simulcast:send a", ",a", SDPLimits.parameters - 1),
            ("m=audio 9 P 0\na=candidate:", "c", SDPLimits.candidateBytes),
            ("m=audio 9 P 0\na=mid:", "m", SDPLimits.identifierBytes),
            ("a=ice-pwd:", "p", 256),
            ("a=fingerprint:x aa", ":aa", SDPLimits.fingerprintBytes - 1),
        ])
    func members(prefix: String, unit: String, limit: Int) throws {
        _ = try parse(prefix, repeating: unit, limit)
        #expect(throws: SDPError.self) { try parse(prefix, repeating: unit, limit + 1) }
    }
}
