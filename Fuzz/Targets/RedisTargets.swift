import Bytes
import Redis

/// What a server of Redis, or somebody in its place, can send, and what a configuration can hold.
package let redisTargets: [FuzzTarget] = [
    FuzzTarget("redis-reply") { bytes in
        var limits = RedisLimits()
        limits.replyBytes = 4_096
        limits.replyValues = 64
        let whole = replies(in: [bytes], limits)
        // Cut anywhere, the same bytes are the same replies. What waits may be refused earlier in one piece.
        let cut = bytes.count / 2
        let halves = replies(in: [Array(bytes[..<cut]), Array(bytes[cut...])], limits)
        if !whole.failed, !halves.failed { precondition(whole.replies == halves.replies, "a cut changed a reply") }
        for reply in whole.replies {
            precondition(values(in: reply) <= limits.replyValues, "more values than the limit")
        }
    },
    FuzzTarget("redis-session") { bytes in
        var input = FuzzInput(bytes)
        let purpose = input.byte() & 1 == 0 ? RedisSession.Purpose.commands : .subscriptions
        var setup = RedisSession.Setup()
        setup.requiresMaster = input.byte() & 1 == 1
        setup.database = input.int(in: 0...3)
        drive(RedisSession(purpose, setup: setup, at: .zero), purpose, &input)
    },
    FuzzTarget("redis-subscriptions") { bytes in
        var table = SubscriptionTable()
        for byte in bytes {
            let channel = String(byte >> 4)
            switch byte & 7 {
            case 0: try? table.add(channel)
            case 1: table.remove(channel)
            case 2: table.confirmed(channel)
            case 3: table.connected()
            case 4: table.disconnected()
            default: while table.pollCommand() != nil {}
            }
            precondition(!table.isComplete || table.isConnected, "complete without a connection")
        }
    },
    FuzzTarget("redis-address") { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        if let address = try? RedisAddress(text) {
            precondition((try? RedisAddress(address.description)) == address, "an address changed in print")
        }
        _ = ClusterRedirect(text, answeredBy: RedisAddress(host: "h"))
    },
]

private func replies(in pieces: [[UInt8]], _ limits: RedisLimits) -> (replies: [RedisReply], failed: Bool) {
    let reader = RedisReplyReader(limits: limits)
    var replies: [RedisReply] = []
    do throws(RedisError) {
        for piece in pieces {
            try reader.receive(piece.rawSpan)
            while let reply = try reader.nextReply() { replies.append(reply) }
        }
        return (replies, false)
    } catch {
        return (replies, true)
    }
}

private func values(in reply: RedisReply) -> Int {
    guard case .array(let members) = reply else { return 1 }
    return members.reduce(1) { $0 + values(in: $1) }
}

private func drive(_ session: consuming RedisSession, _ purpose: RedisSession.Purpose, _ input: inout FuzzInput) {
    var now = Monotonic.zero
    var sent = 0
    do throws(RedisError) {
        while !input.isEmpty {
            now += .milliseconds(Int64(input.byte()))
            switch (input.byte() & 3, purpose) {
            case (0, .commands): _ = try session.send(.ping, at: now)
            case (0, .subscriptions): session.subscribe(["a", "b"], at: now)
            case (1, .subscriptions): session.unsubscribe(["b"], at: now)
            case (2, _): try session.advance(to: now)
            default: try session.receive(input.slice(upTo: 64).rawSpan, at: now)
            }
            while let bytes = session.pollTransmit() { sent += bytes.count }
            while session.pollEvent() != nil {}
            precondition(session.nextDeadline > .zero, "a deadline in the past of the start")
        }
    } catch {
        precondition(!"\(error)".isEmpty, "an error without a sentence")
    }
}
