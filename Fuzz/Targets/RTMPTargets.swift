import Bytes
import Media
import RTMP

package let rtmpTargets: [FuzzTarget] = [
    FuzzTarget("rtmp-handshake", fuzzHandshake),
    FuzzTarget("rtmp-chunks", fuzzChunks),
    FuzzTarget("rtmp-chunk-roundtrip", fuzzChunkRoundTrip),
    FuzzTarget("rtmp-amf0", fuzzAMF0),
    FuzzTarget("rtmp-amf3", fuzzAMF3),
    FuzzTarget("rtmp-session", fuzzServerSession),
    FuzzTarget("rtmp-client", fuzzClientSession),
]

/// Stands in for a real HMAC: depends on all bytes and costs little.
@Sendable private func cheapHMAC(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    var state = [UInt8](repeating: UInt8(truncatingIfNeeded: key.count), count: 32)
    for (index, byte) in message.enumerated() { state[index & 31] = state[index & 31] &* 31 &+ byte }
    return state
}

private let fuzzRandom = [UInt8](repeating: 0x5A, count: 1528)

/// Any bytes in two pieces: the handshake takes no more than its own and answers at most once.
@Sendable private func fuzzHandshake(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let cut = input.int(in: 0...3100)
    let rest = input.remainder()
    var server = ServerHandshake(random: fuzzRandom, hmac: cheapHMAC)
    var answers = 0
    for piece in [Array(rest.prefix(cut)), Array(rest.dropFirst(cut))] {
        var offset = 0
        do throws(RTMPError) {
            if let answer = try server.receive(piece.rawSpan, from: &offset) {
                answers += 1
                precondition(answer.count == 1536 * 2 + 1, "S0, S1 and S2")
            }
        } catch { return }
        precondition(offset <= piece.count && answers <= 1)
    }
}

/// Any bytes as chunks, whole and in pieces of a size the input chooses: both ways must see the same messages.
@Sendable private func fuzzChunks(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let piece = input.int(in: 1...40)
    let stream = input.remainder()
    let whole = readChunks(stream, piece: max(stream.count, 1))
    let parts = readChunks(stream, piece: piece)
    precondition(whole == parts, "the pieces must not matter")
}

private struct ReadChunks: Equatable {
    var messages: [[UInt8]] = []
    var error: RTMPError?
}

private func readChunks(_ bytes: [UInt8], piece: Int) -> ReadChunks {
    var limits = RTMPLimits()
    limits.messageBytes = 4096
    limits.unfinishedBytes = 8192
    var reader = ChunkReader(limits: limits, pool: nil)
    var result = ReadChunks()
    for start in stride(from: 0, to: bytes.count, by: piece) {
        let part = Array(bytes[start..<min(start + piece, bytes.count)])
        var offset = 0
        do throws(RTMPError) {
            while let message = try reader.nextMessage(part.rawSpan, from: &offset) {
                result.messages.append([message.typeID] + message.payload.copied())
                guard let control = try RTMPControlMessage(message) else { continue }
                if case .setChunkSize(let size) = control { try reader.setChunkSize(size) }
                if case .abort(let id) = control { reader.abort(chunkStreamID: id) }
            }
        } catch {
            result.error = error
            return result
        }
    }
    return result
}

/// Differential: what the writer writes, the reader reads.
@Sendable private func fuzzChunkRoundTrip(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var writer = ChunkWriter()
    var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
    while !input.isEmpty {
        if input.byte() & 7 == 0 {
            let size = input.int(in: 1...70_000)
            writer.chunkBytes = size
            guard (try? reader.setChunkSize(UInt32(size))) != nil else { preconditionFailure("the size is legal") }
        }
        let id = [2, 3, 63, 64, 319, 320, 65_599][input.int(in: 0...6)]
        let time = UInt32(truncatingIfNeeded: input.int(in: 0...0xFFFF_FFFF)) &* (input.byte() & 1 == 0 ? 1 : 0x1_0001)
        let type = input.byte()
        let stream = UInt32(input.byte())
        let body = input.slice(upTo: 400)
        var output = ByteWriter()
        writer.write(
            type, payload: body.rawSpan, timestamp: time, messageStreamID: stream, chunkStreamID: id, to: &output)
        var offset = 0
        guard let message = try? reader.nextMessage(output.bytes.rawSpan, from: &offset) else {
            preconditionFailure("one message in, one message out")
        }
        precondition(offset == output.count && message.typeID == type && message.messageStreamID == stream)
        precondition(message.timestamp == time && message.payload.copied() == body)
    }
}

/// What was read can be written, and reads as the same bytes again.
@Sendable private func fuzzAMF0(_ bytes: [UInt8]) {
    var reader = AMF0Reader(bytes.rawSpan)
    guard let values = try? reader.readValues() else { return }
    let written = AMF0Writer.encode(values)
    var second = AMF0Reader(written.rawSpan)
    // Repaired text grows, so the second reading alone may meet the limit on strings.
    guard let again = try? second.readValues() else { return }
    precondition(AMF0Writer.encode(again) == written)
}

@Sendable private func fuzzAMF3(_ bytes: [UInt8]) {
    var limits = AMF0Limits()
    limits.nodes = 1000
    guard let values = try? RTMPCommand.readValues(bytes.rawSpan, isAMF3: true, limits: limits) else { return }
    let written = AMF0Writer.encode(values)
    precondition(written.count < 16 * 65_536 * 3 * max(values.count, 1) + 70_000, "small messages stay small")
    var reader = AMF3Reader(bytes.rawSpan, limits: limits)
    _ = try? reader.readValue()
}

/// A connection end to end: fixed handshake, then the input's bytes in pieces, with the driver deciding along the way.
@Sendable private func fuzzServerSession(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let piece = input.int(in: 1...600)
    let accepts = input.byte() & 1 == 0
    let stream = input.remainder()
    var limits = RTMPLimits()
    limits.messageBytes = 65_536
    limits.heldBytes = 100_000
    var now = Monotonic.zero
    var session = RTMPServerSession(limits: limits, hmac: nil, random: fuzzRandom, at: now)
    let opening = [3] + [UInt8](repeating: 0, count: 3072)
    guard (try? session.receive(opening.rawSpan, at: now)) != nil else { preconditionFailure("the handshake is legal") }
    var last = Int64.min
    for start in stride(from: 0, to: stream.count, by: piece) {
        let part = Array(stream[start..<min(start + piece, stream.count)])
        now += .milliseconds(1)
        let isAlive = (try? session.receive(part.rawSpan, at: now)) != nil
        while let event = session.pollEvent() {
            switch event {
            case .publishRequested:
                accepts ? session.acceptPublish(at: now) : session.rejectPublish(.badName, description: "")
            case .audio(let time, let payload), .video(let time, let payload):
                precondition(!payload.isEmpty && (last == .min || abs(time - last) <= 1 << 30))
                last = time
            case .data, .publishEnded: break
            }
        }
        _ = session.pollTransmit()
        guard isAlive else {
            precondition(session.isClosing && session.nextDeadline == nil)
            return
        }
    }
    _ = try? session.advance(to: now + .seconds(60))
}

@Sendable private func fuzzClientSession(_ bytes: [UInt8]) {
    let configuration = RTMPClientConfiguration(app: "live", tcURL: "rtmp://h/live", streamName: "key")
    var session = RTMPClientSession(configuration: configuration, random: fuzzRandom, at: .zero)
    let opening = [3] + [UInt8](repeating: 0, count: 3072)
    guard (try? session.receive(opening.rawSpan, at: .zero)) != nil else {
        preconditionFailure("the handshake is legal")
    }
    guard (try? session.receive(bytes.rawSpan, at: .zero)) != nil else { return }
    _ = session.pollTransmit()
    while session.pollEvent() != nil {}
    try? session.send(.video, payload: bytes.rawSpan, timestampMilliseconds: 7)
    session.close()
}
