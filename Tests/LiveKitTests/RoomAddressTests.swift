import LiveKit
import LiveKitProtocol
import Testing

@Suite struct RoomAddressTests {
    @Test(
        "the websocket's address is made of any form of ws_url",
        arguments: [
            ("ws://host:7880", "ws://host:7880"), ("http://host", "ws://host"), ("wss://host/", "wss://host"),
            ("HTTPS://host/prefix//", "wss://host/prefix"), ("ws://[::1]:7880/", "ws://[::1]:7880"),
        ])
    func bases(text: String, base: String) throws {
        let address = try RoomAddress(text)
        #expect(address.base == base)
        #expect(address.isSecure == base.hasPrefix("wss"))
        #expect(
            address.join == base
                + "/rtc?protocol=17&sdk=go&version=2.18.2&os=linux&auto_subscribe=0&adaptive_stream=0")
        #expect(address.whip == "http" + base.dropFirst(2) + "/whip/v1")
        #expect(
            address.removeParticipant
                == "http" + base.dropFirst(2) + "/twirp/livekit.RoomService/RemoveParticipant")
    }

    @Test("the host is told without port and brackets")
    func hosts() throws {
        #expect(try RoomAddress("ws://host:7880/a:b@c").host == "host")
        #expect(try RoomAddress("wss://[::1]:7880").host == "::1")
        #expect(try RoomAddress("wss://u:p@host").host == "host")
    }

    @Test("what is no such address is refused with the reason")
    func refusals() {
        let cases: [(String, RoomAddressError)] = [
            ("", .scheme), ("host:7880", .scheme), ("ftp://host", .scheme), ("ws:/host", .scheme), ("ws://", .host),
            ("ws:///rtc", .host), ("ws://:80", .host), ("ws://a b", .character), ("ws://a?b", .character),
            ("ws://a#b", .character), ("ws://a\r\nX: y", .character),
            ("ws://" + String(repeating: "a", count: 2_044), .tooLong),
        ]
        for (text, error) in cases { #expect(throws: error) { try RoomAddress(text) } }
    }

    @Test("a resume names the participant and the reason, and nothing in the sid can change the query")
    func resume() throws {
        let address = try RoomAddress("ws://h")
        #expect(
            address.resume(sid: "PA_x", reason: .rrPublisherFailed)
                == address.join + "&reconnect=1&sid=PA_x&reconnect_reason=2")
        #expect(
            address.resume(sid: "a&b=é\n", reason: .rrUnknown).hasSuffix("&sid=a%26b%3D%C3%A9%0A&reconnect_reason=0"))
    }
}
