import NIOCore
import NIOHTTP1

/// Closes a connection whose client takes too long: over the TLS handshake and the first head, over a body, or idle
/// between requests. How long an answer is being made does not count. Bytes that trickle in do not extend a deadline, so
/// slow clients hold a connection no longer than idle ones.
final class RequestDeadlineHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    struct Deadlines {
        var head = TimeAmount.seconds(10)
        var body = TimeAmount.seconds(10)
        var idle = TimeAmount.seconds(20)
    }

    private let deadlines: Deadlines
    private var pending: Scheduled<Void>?
    private var isReading = false
    private var unanswered = 0

    init(_ deadlines: Deadlines = Deadlines()) { self.deadlines = deadlines }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { arm(deadlines.head, context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { disarm() }

    func channelActive(context: ChannelHandlerContext) {
        arm(deadlines.head, context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        disarm()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            isReading = true
            unanswered += 1
            arm(deadlines.body, context)
            if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
                let goOn = HTTPResponseHead(version: head.version, status: .continue)
                context.writeAndFlush(Self.wrapOutboundOut(.head(goOn)), promise: nil)
            }
        case .body: break
        case .end:
            isReading = false
            unanswered == 0 ? arm(deadlines.idle, context) : disarm()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = Self.unwrapOutboundIn(data) {
            unanswered = max(0, unanswered - 1)
            if unanswered == 0, !isReading { arm(deadlines.idle, context) }
        }
        context.write(data, promise: promise)
    }

    private func arm(_ time: TimeAmount, _ context: ChannelHandlerContext) {
        disarm()
        pending = context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
    }

    private func disarm() {
        pending?.cancel()
        pending = nil
    }
}
