import Bytes
import ICE
import TestSupport
import Testing

@Suite struct STUNDemuxTests {
    private static func classify(_ bytes: [UInt8]) -> STUNDemux.Kind { STUNDemux.classify(bytes.rawSpan) }
    private static func fragment(_ bytes: [UInt8]) -> String? { STUNDemux.localFragment(of: bytes.rawSpan) }

    @Test("every first byte falls into its range of RFC 7983")
    func firstByte() {
        for byte in UInt8.min...UInt8.max {
            let expected: STUNDemux.Kind =
                switch byte {
                case 0...3: .stun
                case 20...63: .dtls
                case 64...79: .channelData
                case 128...191: .rtp
                default: .unknown
                }
            let bytes = [byte, 96]
            #expect(Self.classify(bytes) == expected)
        }
    }

    @Test("RTCP is told from RTP by its packet type, whatever the marker bit")
    func rtcp() {
        for type in UInt8.min...UInt8.max {
            let bytes: [UInt8] = [0x80, type]
            let isRTCP = (192...223).contains(type) || (64...95).contains(type)
            #expect(Self.classify(bytes) == (isRTCP ? .rtcp : .rtp))
        }
    }

    @Test("nothing and half a header of media are unknown")
    func short() {
        #expect(Self.classify([UInt8]()) == .unknown)
        let half: [UInt8] = [0x80]
        #expect(Self.classify(half) == .unknown)
    }

    @Test("the local fragment of a request is found behind other attributes")
    func fragment() { #expect(Self.fragment(RFC5769.request) == "evtj") }

    @Test("responses and other messages have no local fragment")
    func noFragment() {
        #expect(Self.fragment(RFC5769.responseV4) == nil)
        #expect(Self.fragment(makeMessage()) == nil)
        let allocate = makeMessage(.allocate) { $0.append(username: Array("evtj".utf8), [0x62], to: &$1) }
        #expect(Self.fragment(allocate) == nil)
    }

    @Test("names without a colon, or with a fragment of forbidden form, give nothing")
    func badNames() {
        for name in ["evtj", "evt:h6vY", ":", "", "ev j:h", "ev\u{0}j:h", String(repeating: "a", count: 257) + ":b"] {
            let bytes = makeMessage { $0.append(.username, Array(name.utf8).rawSpan, to: &$1) }
            #expect(Self.fragment(bytes) == nil, "\(name)")
        }
        let longest = String(repeating: "a", count: 256)
        let bytes = makeMessage { $0.append(.username, Array("\(longest):b".utf8).rawSpan, to: &$1) }
        #expect(Self.fragment(bytes) == longest)
    }

    @Test("no truncation of a request makes the look at its name read past the end")
    func truncations() {
        for count in 0..<RFC5769.request.count {
            let bytes = Array(RFC5769.request[..<count])
            let isNamed = count >= 73
            #expect((Self.fragment(bytes) != nil) == isNamed, "\(count) bytes")
        }
    }
}
