import CHiredis

/// Cuts a server's bytes into replies, by hiredis's reader. Replies are built here, so that every value and byte is
/// counted before it is kept, and memory grows with what came, never with what was announced.
///
/// After an error nothing more is read.
package final class RedisReplyReader {
    private let raw: UnsafeMutablePointer<redisReader>
    private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>
    private let builder: ReplyBuilder
    private let limits: RedisLimits
    private var failure: RedisError?

    package init(limits: RedisLimits = RedisLimits()) {
        self.limits = limits
        builder = ReplyBuilder(limits: limits)
        functions = .allocate(capacity: 1)
        functions.initialize(to: ReplyBuilder.functions)
        guard let raw = redisReaderCreateWithFunctions(functions) else {
            preconditionFailure("no memory is left for a reader")
        }
        self.raw = raw
        raw.pointee.privdata = Unmanaged.passUnretained(builder).toOpaque()
    }

    deinit {
        redisReaderFree(raw)
        functions.deallocate()
    }

    /// Takes bytes from the server, all of them; then call `nextReply()` until nil.
    package func receive(_ bytes: RawSpan) throws(RedisError) {
        if let failure { throw failure }
        let status = bytes.withUnsafeBytes {
            redisReaderFeed(raw, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard status == REDIS_OK else { throw fail(.protocolViolated) }
    }

    /// The next complete reply; nil when more bytes are needed.
    package func nextReply() throws(RedisError) -> RedisReply? {
        if let failure { throw failure }
        var object: UnsafeMutableRawPointer?
        guard redisReaderGetReply(raw, &object) == REDIS_OK else {
            throw fail(builder.exceeded.map { .limitExceeded($0) } ?? .protocolViolated)
        }
        guard let object else {
            guard waitingBytes <= limits.replyBytes else { throw fail(.limitExceeded(.replyBytes)) }
            return nil
        }
        return builder.take(object)
    }

    /// Bytes that are kept because their reply is not complete.
    package var waitingBytes: Int { raw.pointee.len - raw.pointee.pos }

    private func fail(_ error: RedisError) -> RedisError {
        failure = error
        return error
    }
}

/// Values of the reply that is being read. hiredis sees them as opaque addresses: the index in the table plus one.
private final class ReplyBuilder {
    private struct Node {
        var value: RedisReply
        var children: [Int] = []
    }

    private let limits: RedisLimits
    private var nodes: [Node] = []
    private var bytes = 0
    private(set) var exceeded: RedisLimit?

    init(limits: RedisLimits) { self.limits = limits }

    /// The finished reply; forgets its parts.
    func take(_ object: UnsafeMutableRawPointer) -> RedisReply {
        defer {
            nodes.removeAll(keepingCapacity: nodes.count < 64)
            bytes = 0
        }
        return value(at: Int(bitPattern: object) - 1)
    }

    /// As deep as the reader's stack, which holds 9.
    private func value(at index: Int) -> RedisReply {
        guard case .array = nodes[index].value else { return nodes[index].value }
        return .array(nodes[index].children.map(value(at:)))
    }

    /// Nil makes the reader fail.
    private func add(_ value: RedisReply, bytes count: Int, _ task: redisReadTask) -> UnsafeMutableRawPointer? {
        guard nodes.count < limits.replyValues else { return refuse(.replyValues) }
        guard count <= limits.replyBytes - bytes else { return refuse(.replyBytes) }
        bytes += count
        let index = nodes.count
        nodes.append(Node(value: value))
        if let parent = task.parent?.pointee.obj { nodes[Int(bitPattern: parent) - 1].children.append(index) }
        return UnsafeMutableRawPointer(bitPattern: index + 1)
    }

    private func refuse(_ limit: RedisLimit) -> UnsafeMutableRawPointer? {
        exceeded = limit
        return nil
    }

    private func addText(_ text: UnsafeRawBufferPointer, _ task: redisReadTask) -> UnsafeMutableRawPointer? {
        guard text.count <= limits.replyBytes - bytes else { return refuse(.replyBytes) }
        let value: RedisReply =
            switch task.type {
            case REDIS_REPLY_STATUS: .status(String(decoding: text, as: UTF8.self))
            case REDIS_REPLY_ERROR: .error(String(decoding: text, as: UTF8.self))
            default: .string([UInt8](text))
            }
        return add(value, bytes: text.count, task)
    }

    private func addArray(_ count: Int, _ task: redisReadTask) -> UnsafeMutableRawPointer? {
        guard count <= limits.replyValues - nodes.count else { return refuse(.replyValues) }
        var depth = 1
        var parent = task.parent
        while let current = parent {
            depth += 1
            parent = current.pointee.parent
        }
        guard depth <= limits.replyDepth else { return refuse(.replyDepth) }
        return add(.array([]), bytes: 0, task)
    }

    private static func of(_ task: UnsafePointer<redisReadTask>?) -> (ReplyBuilder, redisReadTask)? {
        guard let task, let data = task.pointee.privdata else { return nil }
        return (Unmanaged<ReplyBuilder>.fromOpaque(data).takeUnretainedValue(), task.pointee)
    }

    /// Called by the reader on the thread that called it.
    static var functions: redisReplyObjectFunctions {
        redisReplyObjectFunctions(
            createString: { task, start, count in
                guard let (builder, task) = ReplyBuilder.of(task) else { return nil }
                return builder.addText(UnsafeRawBufferPointer(start: start, count: count), task)
            },
            createArray: { task, count in
                guard let (builder, task) = ReplyBuilder.of(task) else { return nil }
                return builder.addArray(Int(count), task)
            },
            createInteger: { task, number in
                guard let (builder, task) = ReplyBuilder.of(task) else { return nil }
                return builder.add(.integer(number), bytes: 0, task)
            },
            createNil: { task in
                guard let (builder, task) = ReplyBuilder.of(task) else { return nil }
                return builder.add(.null, bytes: 0, task)
            },
            freeObject: { _ in })
    }
}
