import NIOCore
import NIOWebSocket

/// Frames into messages, for one connection (RFC 6455 section 5).
final class SignalFrameHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    private let link: SignalLink
    /// The fragments so far; nil between messages.
    private var message: [UInt8]?
    private var isOver = false

    init(_ link: SignalLink) { self.link = link }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        let frame = Self.unwrapInboundIn(data)
        guard frame.maskKey == nil else { return violated("a frame of the server is masked") }
        guard frame.reservedBits.isEmpty else { return violated("an extension is used that was not agreed on") }
        switch frame.opcode {
        case .binary:
            guard message == nil else { return violated("a message begins inside of another") }
            take(frame, after: [])
        case .continuation:
            guard let begun = message else { return violated("a continuation of nothing") }
            message = []
            take(frame, after: begun)
        case .ping: link.receivedPing(frame.data)
        case .pong: break
        case .connectionClose: close(frame.data)
        case .text: violated("a text message", code: SignalSocketLimits.CloseCode.unsupported)
        default: violated("a frame of an unknown kind")
        }
    }

    private func take(_ frame: WebSocketFrame, after begun: consuming [UInt8]) {
        guard begun.count + frame.length <= SignalSocketLimits.messageBytes else {
            let limit = SignalSocketLimits.messageBytes
            return violated("a message is larger than \(limit) bytes", code: SignalSocketLimits.CloseCode.tooLarge)
        }
        begun += frame.data.readableBytesView
        if frame.fin {
            message = nil
            link.received(begun)
        } else {
            message = begun
        }
    }

    private func close(_ data: ByteBuffer) {
        isOver = true
        if data.readableBytes == 1 { return violated("a close frame with half a code") }
        link.receivedClose(code: data.getInteger(at: data.readerIndex, as: UInt16.self))
    }

    private func violated(_ text: String, code: UInt16 = SignalSocketLimits.CloseCode.violation) {
        isOver = true
        message = nil
        link.violated(text, code: code)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable { link.congested() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isOver = true
        link.fail(error)
    }
}
