import Bytes
import Media
import RTMP
import TestSupport
import Testing

/// Client and server joined by nothing but their bytes.
final class LoopbackPair {
    var client: RTMPClientSession
    var server: RTMPServerSession
    var now = Monotonic.zero
    private(set) var clientEvents: [RTMPClientEvent] = []
    private(set) var serverEvents: [String] = []
    var refusal: String?
    private let pieceBytes: Int

    init(name: String = "key?token=t", chunkBytes: UInt32 = 4096, pieceBytes: Int = 100_000, hmac: HMACSHA256? = nil) {
        var configuration = RTMPClientConfiguration(app: "live", tcURL: "rtmp://h/live", streamName: name)
        configuration.chunkBytes = chunkBytes
        configuration.connectProperties = [AMF0Property("capsEx", .number(1))]
        let random = pattern(1528)
        client = RTMPClientSession(configuration: configuration, random: random, at: .zero)
        server = RTMPServerSession(slabPool: SlabPool(), hmac: hmac, random: random, at: .zero)
        self.pieceBytes = pieceBytes
    }

    /// Carries bytes both ways until both are silent.
    func pump() throws {
        while true {
            let up = client.pollTransmit()
            let down = server.pollTransmit()
            if up == nil, down == nil { return }
            for piece in pieces(up) { try server.receive(piece.rawSpan, at: now) }
            for piece in pieces(down) { try client.receive(piece.rawSpan, at: now) }
            while let event = server.pollEvent() {
                serverEvents.append(TestConnection.name(event))
                guard case .publishRequested = event else { continue }
                if let refusal {
                    server.rejectPublish(.badName, description: refusal)
                } else {
                    server.acceptPublish(at: now)
                }
            }
            while let event = client.pollEvent() { clientEvents.append(event) }
        }
    }

    var isPublishing: Bool { client.isPublishing }
    var clientIsClosing: Bool { client.isClosing }
    var serverIsClosing: Bool { server.isClosing }

    private func pieces(_ bytes: [UInt8]?) -> [[UInt8]] {
        guard let bytes else { return [] }
        return stride(from: 0, to: bytes.count, by: pieceBytes).map {
            Array(bytes[$0..<min($0 + pieceBytes, bytes.count)])
        }
    }
}

@Suite struct ClientSessionTests {
    @Test("a client publishes to the server, sends and ends", arguments: [1, 97, 100_000])
    func publish(pieceBytes: Int) throws {
        let pair = LoopbackPair(pieceBytes: pieceBytes)
        try pair.pump()
        #expect(pair.isPublishing)
        #expect(pair.clientEvents == [.publishStarted])
        let metadata = AMF0Writer.encode([.string("@setDataFrame"), .string("onMetaData"), .ecmaArray([])])
        try pair.client.send(.data, payload: metadata.rawSpan, timestampMilliseconds: 0)
        let frame = pattern(10_000)
        for index in 0..<5 {
            try pair.client.send(.video, payload: frame.rawSpan, timestampMilliseconds: Int64(index) * 40)
            try pair.client.send(
                .audio, payload: frame.rawSpan.extracting(0..<9), timestampMilliseconds: Int64(index) * 40 + 1)
        }
        try pair.pump()
        pair.client.close()
        try pair.pump()
        let media = (0..<5).flatMap { ["video \($0 * 40) 10000", "audio \($0 * 40 + 1) 9"] }
        #expect(pair.serverEvents == ["publish live/key?token=t", "data 0 21"] + media + ["end"])
        #expect(pair.serverIsClosing)
        #expect(pair.clientIsClosing)
    }

    @Test("times beyond the extended mark and the 32-bit wrap arrive as they were sent")
    func longTimes() throws {
        let pair = LoopbackPair(chunkBytes: 128)
        try pair.pump()
        let times: [Int64] = [
            0xFF_FFF0, 0xFF_FFFF, 0x100_0010, 0x3FFF_FFF8, 0x7FFF_FFF0, 0xBFFF_0000, 0xFFFE_0000, 0x1_0000_0010,
        ]
        let body = pattern(300)
        for time in times { try pair.client.send(.video, payload: body.rawSpan, timestampMilliseconds: time) }
        try pair.pump()
        #expect(pair.serverEvents.dropFirst() == times.map { "video \($0) 300" }[...])
    }

    @Test("a refusal reaches the client with its text")
    func refused() throws {
        let pair = LoopbackPair()
        pair.refusal = "No such key."
        try pair.pump()
        #expect(pair.clientEvents == [.refused(code: "NetStream.Publish.BadName", description: "No such key.")])
        #expect(pair.clientIsClosing)
        #expect(pair.serverIsClosing)
    }

    @Test("a reconnect request reaches the client and the stream goes on")
    func reconnect() throws {
        let pair = LoopbackPair()
        try pair.pump()
        let asked = pair.server.requestReconnect(tcURL: "rtmp://b/live", description: "Moving.")
        #expect(asked)
        try pair.pump()
        #expect(pair.clientEvents == [.publishStarted, .reconnectRequested(tcURL: "rtmp://b/live")])
        #expect(pair.isPublishing)
    }

    @Test("nothing can be sent before the server agrees or after the end")
    func notPublishing() throws {
        let pair = LoopbackPair()
        #expect(throws: RTMPError.notPublishing) { try send(pair) }
        try pair.pump()
        try send(pair)
        pair.client.close()
        #expect(throws: RTMPError.notPublishing) { try send(pair) }
    }

    @Test("a server that does not answer is given up")
    func timeout() throws {
        let pair = LoopbackPair()
        let next = pair.client.nextDeadline
        let deadline = try #require(next)
        try pair.client.advance(to: deadline - .milliseconds(1))
        #expect(throws: RTMPError.publishTimeout) { try pair.client.advance(to: deadline) }
        #expect(pair.clientIsClosing)
    }

    private func send(_ pair: LoopbackPair) throws(RTMPError) {
        let bytes: [UInt8] = [1]
        try pair.client.send(.audio, payload: bytes.rawSpan, timestampMilliseconds: 0)
    }
}
