import Bytes
package import DTLS
package import NIOCore

/// TLS by `StreamTLS` as a handler of an event loop's channel: ciphertext towards the socket, plaintext towards the other
/// handlers. Writing is possible at once; what is written before the handshake is over waits for it, up to
/// `StreamTLS.maximumEarlyBytes`.
///
/// A failure sends its alert, goes down the pipeline as a `DTLSError`, and closes the channel.
package final class TLSChannelHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private let tls: StreamTLS
    private var isOver = false

    package init(_ tls: StreamTLS) { self.tls = tls }

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { sendCiphertext(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        sendCiphertext(context)
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        let ciphertext = Self.unwrapInboundIn(data)
        var failure: DTLSError?
        ciphertext.withUnsafeReadableBytes { bytes in
            do throws(DTLSError) { try tls.receive(bytes.bytes) } catch { failure = error }
        }
        sendCiphertext(context)
        if tls.plaintextBytes > 0 {
            var plaintext = context.channel.allocator.buffer(capacity: tls.plaintextBytes)
            tls.takePlaintext { bytes in plaintext.append(bytes) }
            context.fireChannelRead(Self.wrapInboundOut(plaintext))
        }
        if let failure { fail(context, failure) } else if tls.state == .closedByPeer { finish(context) }
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let plaintext = Self.unwrapOutboundIn(data)
        var failure: DTLSError?
        plaintext.withUnsafeReadableBytes { bytes in
            do throws(DTLSError) { try tls.send(bytes.bytes) } catch { failure = error }
        }
        guard let failure else { return context.write(Self.wrapOutboundOut(takeCiphertext(context)), promise: promise) }
        promise?.fail(failure)
        if !isOver { fail(context, failure) }
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        isOver = true
        tls.close()
        sendCiphertext(context)
        context.close(mode: mode, promise: promise)
    }

    private func fail(_ context: ChannelHandlerContext, _ error: DTLSError) {
        isOver = true
        sendCiphertext(context)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    /// The peer said that no more comes.
    private func finish(_ context: ChannelHandlerContext) {
        guard !isOver else { return }
        context.pipeline.close(promise: nil)
    }

    private func sendCiphertext(_ context: ChannelHandlerContext) {
        guard tls.ciphertextBytes > 0 else { return }
        context.writeAndFlush(Self.wrapOutboundOut(takeCiphertext(context)), promise: nil)
    }

    private func takeCiphertext(_ context: ChannelHandlerContext) -> ByteBuffer {
        var ciphertext = context.channel.allocator.buffer(capacity: tls.ciphertextBytes)
        tls.takeCiphertext { bytes in ciphertext.append(bytes) }
        return ciphertext
    }
}

extension ByteBuffer {
    fileprivate mutating func append(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { source in _ = writeBytes(source) }
    }
}
