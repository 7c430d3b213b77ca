import Bytes
import DTLS
import ICE
import Runtime

/// A TCP connection that a client peer opened: frames of RFC 4571 in both directions.
@MediaLoop
final class ClientStream: TCPStreamHandler {
    /// A connection that takes longer is no path for live media.
    private static let patience = Interval.seconds(5)

    private let path: ICEPath
    private weak var endpoint: ClientEndpoint?
    private var stream: TCPStream?
    private var reader = StreamFrameReader()

    init(path: ICEPath, endpoint: ClientEndpoint) {
        self.path = path
        self.endpoint = endpoint
    }

    func connect() throws(RuntimeError) {
        stream = try TCPStream.connect(to: path.remote, timeout: Self.patience, handler: self)
    }

    /// Drops the datagram when the network takes less than is sent: what would wait in the queue is late anyway.
    func send(_ datagram: RawSpan) {
        guard let stream, !stream.isCongested else { return }
        stream.write(upTo: datagram.byteCount + StreamFraming.headerBytes) { output in
            StreamFraming.append(datagram, to: &output)
        }
    }

    func close() { stream?.close() }

    func closeAfterFlush() { stream?.closeAfterFlush() }

    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        do throws(ICEError) {
            try reader.receive(bytes)
            while let frame = reader.frame?.copied() {
                try reader.removeFrame()
                var datagram = frame
                var elements = datagram.mutableSpan
                var span = elements.mutableBytes
                endpoint?.receive(&span, on: path, at: now)
            }
        } catch {
            endpoint?.streamFailed(path, at: now)
        }
    }

    func streamEnded(_ stream: TCPStream, at now: Monotonic) { endpoint?.streamFailed(path, at: now) }

    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) {
        endpoint?.streamFailed(path, at: now)
    }
}
