import Bytes
import DTLS
import FoundationEssentials
import LiveKitProtocol
import PSRPC
import SwiftProtobuf
import TestSupport
import Testing

/// The bytes of whole exchanges, as seen between livekit-server and an ingress.
enum WireExample {
    static let sent: Int64 = 1_760_000_000_000_000_000
    static let getRequest = hex(
        """
        0a24747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e52657175657374
        1248 0a105245515f616161616161616161616161 1210434c495f626262626262626262626262
        188080c0a5cdd5b1b618 2080bc81bcd8d5b1b618 420e120c386b4a326d4e705172537455
        """)
    static let getClaim = hex(
        """
        0a29747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e436c61696d52657175657374
        1229 0a105245515f616161616161616161616161 12105352565f636363636363636363636363 1d0000803f
        """)
    static let getGrant = hex(
        """
        0a2a747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e436c61696d526573706f6e7365
        1224 0a105245515f616161616161616161616161 12105352565f636363636363636363636363
        """)
    static let getInfo = hex(
        """
        0a3c 0a0f494e5f646464646464646464646464 120363616d 1a0c386b4a326d4e705172537455 220a72746d703a2f2f682f78
        420172 4a0170 5801 6200 7801
        """)
    static let getResponse =
        hex(
            """
            0a25747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e526573706f6e7365
            126e 0a105245515f616161616161616161616161 12105352565f636363636363636363636363 18c096f1a7cdd5b1b618 3a3e
            """) + getInfo
    static let getFailure = hex(
        """
        0a25747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e526573706f6e73651251
        0a105245515f616161616161616161616161 12105352565f636363636363636363636363 18c096f1a7cdd5b1b618
        2a16696e677265737320646f6573206e6f7420657869737432096e6f745f666f756e64
        """)
    static let startInfo = hex(
        "0a0f494e5f646464646464646464646464220a7372743a2f2f683a392f28024201724a017062007801")
    static let startRequest =
        hex(
            """
            0a24747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e52657175657374
            1265 0a105245515f656565656565656565656565 1210434c495f666666666666666666666666
            188080c0a5cdd5b1b618 2080bc81bcd8d5b1b618 422b0a29
            """) + startInfo
    static let startClaim = hex(
        """
        0a29747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e436c61696d526571756573741229
        0a105245515f65656565656565656565656512105352565f6767676767676767676767671d0000803f
        """)
    static let startGrant = hex(
        """
        0a2a747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e436c61696d526573706f6e73651224
        0a105245515f65656565656565656565656512105352565f676767676767676767676767
        """)
    static let startAnswer = hex(
        """
        0a0f494e5f646464646464646464646464220a7372743a2f2f683a392f280232003a004201724a0170
        621d08013880 9baea8cdd5b1b6184a0f55525f686868686868686868686868 7801
        """)
    static let startResponse =
        hex(
            """
            0a25747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e526573706f6e7365127a
            0a105245515f656565656565656565656565 12105352565f676767676767676767676767 18c0a8e5a9cdd5b1b618 3a4a
            """) + startAnswer
}

@Suite struct EnvelopeTests {
    @Test(
        "messages seen on the wire are read and written back to the same bytes",
        arguments: [
            WireExample.getRequest, WireExample.getClaim, WireExample.getGrant, WireExample.getResponse,
            WireExample.getFailure, WireExample.startRequest, WireExample.startClaim, WireExample.startGrant,
            WireExample.startResponse,
        ])
    func roundTrip(payload: [UInt8]) throws {
        #expect(try #require(Envelope(parsing: payload)).wireBytes() == payload)
    }

    @Test("the fields of a request are where they belong")
    func request() throws {
        #expect(WireExample.getRequest.count == 112)
        guard case .request(let request)? = Envelope(parsing: WireExample.getRequest) else {
            Issue.record("not a request")
            return
        }
        #expect(request.requestID == "REQ_aaaaaaaaaaaa" && request.clientID == "CLI_bbbbbbbbbbbb")
        #expect(request.sentAt == WireExample.sent && request.expiry == WireExample.sent + 3_000_000_000)
        #expect(!request.multi && request.metadata.isEmpty)
        #expect(try Rpc_GetIngressInfoRequest(parsing: [UInt8](request.rawRequest)).streamKey == "8kJ2mNpQrStU")
    }

    @Test("the fields of an answer and of a failure are where they belong")
    func responses() throws {
        guard case .response(let answer)? = Envelope(parsing: WireExample.getResponse),
            case .response(let failure)? = Envelope(parsing: WireExample.getFailure),
            case .claimRequest(let claim)? = Envelope(parsing: WireExample.getClaim)
        else { Issue.record("not the right types"); return }
        let info = try Rpc_GetIngressInfoResponse(parsing: [UInt8](answer.rawResponse)).info
        #expect(info.ingressID == "IN_dddddddddddd" && info.enableTranscoding)
        #expect(failure.error == "ingress does not exist" && failure.code == "not_found")
        #expect(claim.serverID == "SRV_cccccccccccc" && claim.affinity == 1)
    }

    @Test("the lock's name is the hash of the bytes as they came")
    func lockName() {
        #expect(
            String(base64: Digest.sha256(WireExample.getRequest)) == "1NHJanOeaWRd8A54WbBQJLOsNE++GL148oDwNF10nXI=")
    }

    @Test("every truncation is dropped or another message, and never a trap")
    func truncations() {
        for payload in [WireExample.getRequest, WireExample.getClaim, WireExample.getFailure] {
            for count in 0..<payload.count { #expect(Envelope(parsing: Array(payload.prefix(count))) == nil) }
        }
    }

    @Test(
        "types that are not ours, or not named, are dropped",
        arguments: ["type.googleapis.com/internal.Stream", "type.googleapis.com/", "internal.Request", "", "/x"])
    func types(url: String) {
        var outer = Internal_Msg()
        outer.typeURL = url
        outer.value = Data(WireExample.getRequest.dropFirst(40))
        #expect(Envelope(parsing: outer.wireBytes()) == nil)
    }

    @Test("identifiers that are missing or endless are dropped")
    func identifiers() {
        func parsed(_ request: String, _ client: String) -> Envelope? {
            var message = Internal_Request()
            message.requestID = request
            message.clientID = client
            return Envelope(parsing: Envelope.request(message).wireBytes())
        }
        let longest = String(repeating: "x", count: 256)
        #expect(parsed("r", "c") != nil && parsed(longest, longest) != nil)
        for (request, client) in [("", "c"), ("r", ""), (longest + "x", "c"), ("r", longest + "x")] {
            #expect(parsed(request, client) == nil)
        }
    }

    @Test("a payload of the longest length is read, and one byte more is not")
    func length() {
        var limits = PSRPCLimits()
        limits.messageBytes = WireExample.getRequest.count
        #expect(Envelope(parsing: WireExample.getRequest, limits: limits) != nil)
        limits.messageBytes -= 1
        #expect(Envelope(parsing: WireExample.getRequest, limits: limits) == nil)
    }

    @Test("fields that are not known yet do no harm")
    func unknownFields() throws {
        var outer = try Internal_Msg(parsing: WireExample.getRequest)
        // Field 9, a boolean: as newer clients send it.
        outer.value.append(contentsOf: [0x48, 0x01])
        guard case .request(let request)? = Envelope(parsing: outer.wireBytes()) else {
            Issue.record("dropped")
            return
        }
        #expect(request.requestID == "REQ_aaaaaaaaaaaa")
    }
}
