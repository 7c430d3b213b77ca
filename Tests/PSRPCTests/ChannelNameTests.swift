import PSRPC
import Testing

@Suite struct ChannelNameTests {
    @Test(
        "channels have the names that livekit-server uses",
        arguments: [
            (ChannelName.request("IOInfo", "GetIngressInfo", []), "IOInfo|GetIngressInfo|REQ"),
            (ChannelName.grant("IOInfo", "GetIngressInfo", []), "IOInfo|GetIngressInfo|RCLAIM"),
            (ChannelName.response("IOInfo", client: "CLI_aB3dE5gH7jK9"), "IOInfo|CLI_aB3dE5gH7jK9|RES"),
            (ChannelName.claim("IOInfo", client: "CLI_aB3dE5gH7jK9"), "IOInfo|CLI_aB3dE5gH7jK9|CLAIM"),
            (
                ChannelName.request("IngressInternal", "ListActiveIngress", [""]),
                "IngressInternal|ListActiveIngress|REQ"
            ),
            (ChannelName.request("IngressHandler", "UpdateIngress", ["IN_x"]), "IngressHandler|UpdateIngress|IN_x|REQ"),
            (
                ChannelName.grant("IngressHandler", "DeleteIngress", ["IN_x"]),
                "IngressHandler|DeleteIngress|IN_x|RCLAIM"
            ),
        ])
    func names(name: String, expected: String) { #expect(name == expected) }

    @Test(
        "code points that are no letter, digit or underscore are written as their number",
        arguments: [
            ("aZ09_", "aZ09_"), ("a-b.c|d", "au+002dbu+002ecu+007cd"), (" ", "u+0020"), ("é", "u+00e9"),
            ("\u{FFFF}", "u+ffff"), ("\u{10000}", "U+00010000"), ("😀", "U+0001f600"), ("e\u{301}", "eu+0301"), ("", ""),
        ])
    func sanitising(part: String, expected: String) { #expect(ChannelName.sanitised(part) == expected) }

    @Test("identifiers are a prefix and 12 letters or digits, all of them possible")
    func identifiers() {
        var seen: Set<Character> = []
        for byte in UInt8.min...UInt8.max {
            let identifier = RPCIdentifier.make("REQ_", random: [UInt8](repeating: byte, count: 24))
            #expect(identifier.count == 16 && identifier.hasPrefix("REQ_"))
            seen.formUnion(identifier.dropFirst(4))
        }
        #expect(seen.count == 62)
        #expect(seen.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
    }

    @Test("methods have the flags of the generated services")
    func flags() {
        let queued = [
            IOInfo.getIngressInfo.traits, IOInfo.createIngress.traits, IOInfo.updateIngressState.traits,
            IngressHandler.updateIngress.traits, IngressHandler.deleteIngress.traits,
            IngressHandler.deleteWHIPResource.traits, IngressHandler.iceRestartWHIPResource.traits,
        ]
        for traits in queued {
            #expect(traits.requiresClaim && traits.isQueued && !traits.hasAffinity && !traits.isMulti)
        }
        let start = IngressInternal.startIngress.traits
        #expect(start.requiresClaim && !start.isQueued && start.hasAffinity && !start.isMulti)
        let list = IngressInternal.listActiveIngress.traits
        #expect(!list.requiresClaim && !list.isQueued && !list.hasAffinity && list.isMulti)
        let notify = IngressHandler.whipRTCConnectionNotify.traits
        #expect(!notify.requiresClaim && notify.isQueued && !notify.hasAffinity && !notify.isMulti)
    }

    @Test("codes are those of the wire, and unknown ones count as unknown")
    func codes() {
        #expect(PSRPCCode.allCases.count == 22)
        for code in PSRPCCode.allCases {
            #expect(PSRPCCode(wire: code.rawValue) == code)
            #expect(code.rawValue.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x5F })
            #expect((400...503).contains(code.httpStatus))
        }
        #expect(PSRPCCode(wire: "") == .unknown && PSRPCCode(wire: "malformed_response") == .unknown)
        #expect(PSRPCCode.malformedResult.rawValue == "malformed_result")
        #expect(PSRPCCode.notFound.httpStatus == 404 && PSRPCCode.unavailable.httpStatus == 503)
        #expect(PSRPCError(.unavailable, "x").isRetryable && !PSRPCError(.resourceExhausted, "x").isRetryable)
    }
}
