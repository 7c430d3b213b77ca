package import Bytes
import LiveKit
package import LiveKitProtocol
import PSRPC
package import Runtime
import SwiftProtobuf
import Transcode

// What a session's room is given, and what it tells: the same in a child and without one.

extension RoomPublisher.Settings {
    package init(
        _ order: Ingress_SessionOrder, _ info: Livekit_IngressInfo, _ specification: SessionSpecification
    ) throws(IngressError) {
        let address: RoomAddress
        do {
            address = try RoomAddress(order.wsURL)
        } catch {
            throw IngressError(.invalidArgument, "ws_url is no address of a LiveKit server (\(error))")
        }
        var tracks = RoomTracks(
            ingressID: info.ingressID, audioID: ResourceID.make("TR_"), audio: specification.audio,
            codec: specification.ladder.codec)
        tracks.audioName = specification.sound.name
        tracks.audioSource = specification.sound.source
        tracks.videoName = specification.video.name
        tracks.videoSource = specification.video.source
        self.init(
            address: address, token: order.token, tracks: tracks, ladder: specification.ladder,
            attributes: ["ingress.resourceID": order.resourceID])
    }
}

extension Ingress_SessionFigures {
    /// A room's figures now. Latencies are those since the last call.
    @MediaLoop
    package init(_ publisher: RoomPublisher, at now: Monotonic) {
        self.init()
        let room = publisher.statistics(at: now)
        layers = room.layers.map { layer in
            .with {
                $0.quality = UInt32(layer.quality.rawValue)
                $0.width = UInt32(clamping: layer.size.width)
                $0.height = UInt32(clamping: layer.size.height)
                $0.bitrate = UInt64(clamping: Int(layer.bitsPerSecond))
                $0.frameRate = layer.framesPerSecond
                $0.isActive = layer.isEncoded
            }
        }
        audioBitrate = UInt64(clamping: Int(room.audioBitsPerSecond))
        framesDropped = room.framesDropped
        estimate = UInt64(clamping: room.estimate ?? 0)
        packetsSent = room.packetsSent
        packetsNacked = room.packetsNacked
        keyFrameRequests = room.keyFrameRequests
        reconnects = UInt64(clamping: room.reconnects)
        delaySeconds = room.delay.seconds
        delayTailSeconds = room.delayTail.seconds
        latencies = publisher.drainLatencies().map { latency in
            .with {
                $0.track = latency.track
                $0.counts = latency.histogram.counts
                $0.sum = latency.histogram.sum
            }
        }
    }
}
