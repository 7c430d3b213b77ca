import Bytes
import ICE
import Runtime

/// One accepted ICE-TCP connection: frames of RFC 4571 in both directions.
@MediaLoop
final class ICETCPConnection: TCPStreamHandler, TimerHandler {
    let stream: TCPStream
    let path: ICEPath
    private weak var hub: PeerHub?
    private var reader = StreamFrameReader()
    private let patience = LoopTimer()
    private var isAdopted = false

    init(_ stream: TCPStream, path: ICEPath, hub: PeerHub) {
        self.stream = stream
        self.path = path
        self.hub = hub
    }

    func start(at now: Monotonic) {
        patience.schedule(at: now + PeerHub.Limits.tcpPatience, calling: self)
        do throws(RuntimeError) {
            try stream.start(handler: self)
        } catch {
            lose(at: now)
        }
    }

    func send(_ datagram: RawSpan) {
        guard !stream.isCongested else { return }
        stream.write(upTo: datagram.byteCount + StreamFraming.headerBytes) { output in
            StreamFraming.append(datagram, to: &output)
        }
    }

    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        do throws(ICEError) {
            try reader.receive(bytes)
            while let frame = reader.frame?.copied() {
                try reader.removeFrame()
                var datagram = frame
                guard receive(&datagram, at: now) else { return lose(at: now) }
                guard !isAdopted, hub?.owns(path) ?? false else { continue }
                isAdopted = true
                patience.cancel()
            }
        } catch {
            lose(at: now)
        }
    }

    private func receive(_ datagram: inout [UInt8], at now: Monotonic) -> Bool {
        var elements = datagram.mutableSpan
        var bytes = elements.mutableBytes
        return hub?.receive(&bytes, on: path, at: now) ?? false
    }

    func streamEnded(_ stream: TCPStream, at now: Monotonic) { lose(at: now) }
    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) { lose(at: now) }
    func timerFired(_ timer: LoopTimer, at now: Monotonic) { if !isAdopted { lose(at: now) } }

    private func lose(at now: Monotonic) {
        patience.cancel()
        stream.close()
        hub?.connectionLost(self, at: now)
    }
}
