import Bytes
import DTLS
import LiveKit
import Testing

struct AccessTokenTests {
    static let now: Int64 = 1_760_000_000

    @Test("a token has the claims that servers expect, and the signature that they compute")
    func plain() {
        let token = AccessToken(room: "r", identity: "p", ingressID: "IN_dddddddddddd")
        let expected = joined(
            """
            eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJBUElrZXkxMjMiLCJzdWIiOiJwIiwiaWRlbnRpdHkiOiJwIiwibmJ
            mIjoxNzYwMDAwMDAwLCJpYXQiOjE3NjAwMDAwMDAsImV4cCI6MTc2MDA4NjQwMCwia2luZCI6ImluZ3Jlc3MiLCJhdHRyaWJ1dGV
            zIjp7ImluZ3Jlc3MuaW5ncmVzc0lEIjoiSU5fZGRkZGRkZGRkZGRkIn0sInZpZGVvIjp7InJvb21Kb2luIjp0cnVlLCJyb29tIjo
            iciIsImNhblB1Ymxpc2giOnRydWUsImNhblN1YnNjcmliZSI6ZmFsc2UsImNhblVwZGF0ZU93bk1ldGFkYXRhIjp0cnVlfX0._Mq
            Ay_1Xh8D0RMG_x-FtEkuDGGj6qry1ek4WlOFC2F4
            """)
        #expect(
            token.signed(apiKey: "APIkey123", secret: "secret-of-32-characters-or-more!", unixSeconds: Self.now)
                == expected)
    }

    @Test("names and metadata of any text arrive as they are")
    func texts() {
        var token = AccessToken(room: "r/\\oom", identity: "ingress-ü \"1\"", ingressID: "IN_x")
        token.name = "Näme 🎥"
        token.metadata = "{\"a\":1}\n\u{1}"
        let expected = joined(
            """
            eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJBUElrZXkxMjMiLCJzdWIiOiJpbmdyZXNzLcO8IFwiMVwiIiwiaWR
            lbnRpdHkiOiJpbmdyZXNzLcO8IFwiMVwiIiwibmJmIjoxNzYwMDAwMDAwLCJpYXQiOjE3NjAwMDAwMDAsImV4cCI6MTc2MDA4NjQ
            wMCwibmFtZSI6Ik7DpG1lIPCfjqUiLCJraW5kIjoiaW5ncmVzcyIsIm1ldGFkYXRhIjoie1wiYVwiOjF9XG5cdTAwMDEiLCJhdHR
            yaWJ1dGVzIjp7ImluZ3Jlc3MuaW5ncmVzc0lEIjoiSU5feCJ9LCJ2aWRlbyI6eyJyb29tSm9pbiI6dHJ1ZSwicm9vbSI6InIvXFx
            vb20iLCJjYW5QdWJsaXNoIjp0cnVlLCJjYW5TdWJzY3JpYmUiOmZhbHNlLCJjYW5VcGRhdGVPd25NZXRhZGF0YSI6dHJ1ZX19.4u
            fj8DpNwQj9OmqxpjfUFAX7ChVw9GAbiN4h3IyFfns
            """)
        let secret = String(repeating: "s", count: 64)
        #expect(token.signed(apiKey: "APIkey123", secret: secret, unixSeconds: Self.now) == expected)
    }

    @Test("a token for a change from outside names the room and is good for a minute, for nobody in it")
    func administration() throws {
        let token = AccessToken.administration(of: "r", apiKey: "k", secret: "s", unixSeconds: Self.now)
        let claims = try #require([UInt8](base64: token.split(separator: ".")[1]))
        #expect(
            String(decoding: claims, as: UTF8.self)
                == #"{"iss":"k","nbf":1760000000,"exp":1760000060,"video":{"roomAdmin":true,"room":"r"}}"#)
    }

    @Test("another secret, another second: another signature")
    func signature() {
        let token = AccessToken(room: "r", identity: "p", ingressID: "i")
        let one = token.signed(apiKey: "k", secret: "s", unixSeconds: 1)
        let otherSecret = token.signed(apiKey: "k", secret: "t", unixSeconds: 1)
        let otherTime = token.signed(apiKey: "k", secret: "s", unixSeconds: 2)
        #expect(one.split(separator: ".").dropLast() == otherSecret.split(separator: ".").dropLast())
        #expect(Set([one, otherSecret, otherTime].map { $0.split(separator: ".").last }).count == 3)
    }

    @Test("an empty name and empty metadata are left out")
    func omitted() throws {
        let token = AccessToken(room: "r", identity: "p", ingressID: "i").signed(
            apiKey: "k", secret: "s", unixSeconds: 0)
        let claims = try #require([UInt8](base64: token.split(separator: ".")[1]))
        let text = String(decoding: claims, as: UTF8.self)
        #expect(!text.contains("\"name\"") && !text.contains("\"metadata\""))
        #expect(text.contains("\"exp\":86400,"))
    }

    private func joined(_ text: String) -> String { text.filter { !$0.isWhitespace } }
}
