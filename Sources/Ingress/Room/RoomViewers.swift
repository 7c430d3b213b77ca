import Logging
import Media
package import Runtime
package import SDP
import Transcode
package import WHIP

/// Binds WHEP's resources to the viewers of a local room.
@MediaLoop
package final class RoomViewers: WHEPViewers {
    private let room: LocalRoom
    private let environment: PeerEnvironment
    private var viewers: [String: Viewer] = [:]
    /// Called with the resource of a viewer that went away by itself.
    package var onEnd: (@Sendable (String) -> Void)?

    package init(room: LocalRoom, environment: PeerEnvironment) {
        self.room = room
        self.environment = environment
    }

    package func open(_ opening: WHEPOpening) async throws(WHIPError) -> SessionDescription {
        guard room.viewerCount < room.settings.maxViewers else { throw .unavailable }
        guard let stream = room.streamToWatch(opening.key) else { throw .notFound }
        let session = room.settings.session
        let topBitrate = session.ladder.layers.map(\.bitrate).max() ?? 0
        let id = opening.resourceID
        do {
            let (viewer, answer) = try Viewer.open(
                offer: opening.offer, on: stream, wish: LayerQuality(opening.layer ?? .f),
                codec: stream.feed?.video?.codec ?? (session.ladder.codec == .vp8 ? .vp8 : .h264),
                parameters: stream.feed?.video?.parameters ?? [:], isStereo: session.audio.channels == 2,
                targetBitrate: topBitrate + session.audio.bitrate, hub: room.hub,
                environment: environment, at: MediaLoop.now, onClose: { [weak self] in self?.ended(id) })
            viewers[id] = viewer
            stream.add(viewer)
            return answer
        } catch {
            room.removeIdleStreams()
            switch error {
            case .offer(let fault): throw .unusableOffer(fault)
            case .connection: throw .internalFault
            }
        }
    }

    package func select(_ layer: WHEPLayer, resourceID: String) async throws(WHIPError) {
        guard let viewer = viewers[resourceID] else { throw .notFound }
        viewer.select(LayerQuality(layer))
    }

    package func close(resourceID: String) async {
        viewers.removeValue(forKey: resourceID)?.close(at: MediaLoop.now)
    }

    private func ended(_ id: String) {
        guard let viewer = viewers.removeValue(forKey: id) else { return }
        room.log.info("viewer gone: \(viewer.end.map { "\($0)" } ?? "closed")")
        onEnd?(id)
    }
}

extension LayerQuality {
    init(_ layer: WHEPLayer) {
        self =
            switch layer {
            case .q: .low
            case .h: .medium
            case .f: .high
            }
    }
}
