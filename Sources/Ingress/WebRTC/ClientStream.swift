import Bytes
import DTLS
import ICE
import Runtime

/// A TCP connection that a client peer opened: to the other side, with frames of RFC 4571, or to a TURN server, with or
/// without TLS.
@MediaLoop
final class ClientStream: TCPStreamHandler {
    struct TLS: Sendable {
        var host: String
        /// Nil: the system's authorities.
        var context: TLSClientContext?
    }

    enum Failure: Error {
        case socket
        case tls
    }

    /// A connection that takes longer is no path for live media.
    private static let patience = Interval.seconds(5)
    /// Reading the system's authorities takes a while, so once for all.
    private static var systemContext: TLSClientContext?

    private let path: ICEPath
    private let framing: StreamFraming
    private weak var endpoint: ClientEndpoint?
    private var stream: TCPStream?
    private var tls: StreamTLS?
    private var reader: StreamFrameReader
    private var isOver = false

    init(path: ICEPath, framing: StreamFraming, endpoint: ClientEndpoint) {
        self.path = path
        self.framing = framing
        self.endpoint = endpoint
        reader = StreamFrameReader(framing)
    }

    func connect(tls: TLS?) throws(Failure) {
        if let tls {
            do throws(DTLSError) {
                var context = tls.context ?? Self.systemContext
                if context == nil { context = try TLSClientContext() }
                if tls.context == nil { Self.systemContext = context }
                if let context { self.tls = try StreamTLS(client: context, host: tls.host) }
            } catch {
                throw .tls
            }
        }
        do throws(RuntimeError) {
            stream = try TCPStream.connect(to: path.remote, timeout: Self.patience, handler: self)
        } catch {
            throw .socket
        }
        sendCiphertext()
    }

    /// Drops the datagram when the network takes less than is sent: what would wait in the queue is late anyway.
    func send(_ datagram: RawSpan) {
        guard !isOver, let stream, !stream.isCongested else { return }
        if let tls {
            // What fails here shows in the next bytes from the server, or in the end of its answers.
            try? tls.send(datagram)
            return sendCiphertext()
        }
        guard framing == .lengthPrefixed else {
            stream.write(datagram)
            return
        }
        stream.write(upTo: datagram.byteCount + StreamFraming.headerBytes) { output in
            StreamFraming.append(datagram, to: &output)
        }
    }

    func close() {
        isOver = true
        stream?.close()
    }

    func closeAfterFlush() {
        isOver = true
        tls?.close()
        sendCiphertext()
        stream?.closeAfterFlush()
    }

    private func sendCiphertext() {
        guard let stream else { return }
        tls?.takeCiphertext { _ = stream.write($0) }
    }

    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        guard let tls else { return receive(bytes, at: now) }
        var plaintext: [UInt8] = []
        do throws(DTLSError) {
            try tls.receive(bytes)
        } catch {
            sendCiphertext()
            return fail(at: now)
        }
        sendCiphertext()
        // Copied, because what it causes may be sent through the same TLS.
        tls.takePlaintext { plaintext = $0.copied() }
        receive(plaintext.rawSpan, at: now)
        if tls.state == .closedByPeer { fail(at: now) }
    }

    private func receive(_ bytes: RawSpan, at now: Monotonic) {
        do throws(ICEError) {
            try reader.receive(bytes)
            while !isOver, let frame = reader.frame?.copied() {
                try reader.removeFrame()
                var datagram = frame
                var elements = datagram.mutableSpan
                var span = elements.mutableBytes
                endpoint?.receive(&span, on: path, at: now)
            }
        } catch {
            fail(at: now)
        }
    }

    private func fail(at now: Monotonic) {
        guard !isOver else { return }
        isOver = true
        stream?.close()
        endpoint?.streamFailed(path, at: now)
    }

    func streamEnded(_ stream: TCPStream, at now: Monotonic) { fail(at: now) }

    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) { fail(at: now) }
}
