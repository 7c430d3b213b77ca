import Bytes
import LiveKit
import Logging
import Runtime
import WHIP

/// Takes a participant out of its room by LiveKit's RoomService, when its process ended without a goodbye: the server would
/// keep it, and show its last picture, until it misses its signs of life.
struct RoomRemoval: Sendable {
    let send: HTTPSend
    let apiKey: String
    let apiSecret: String
    let log: Logger

    /// Tries once; who cannot be removed goes by itself a little later.
    func remove(identity: String, from room: String, at wsURL: String) async {
        guard let address = try? RoomAddress(wsURL), let url = HTTPURL(address.removeParticipant) else { return }
        let token = AccessToken.administration(
            of: room, apiKey: apiKey, secret: apiSecret, unixSeconds: SystemClock.unixNanoseconds() / 1_000_000_000)
        let body = JSONWriter.object {
            $0.member("room", room)
            $0.member("identity", identity)
        }
        let request = ResourceRequest(
            method: "POST", target: url.target,
            headers: [
                HeaderField("content-type", "application/json"), HeaderField("authorization", "Bearer " + token),
            ], body: Array(body.utf8))
        do throws(HTTPClientError) {
            let response = try await send(request, url)
            // 404: the server has noticed before.
            guard response.status != 200, response.status != 404 else { return }
            log.warning("the room keeps a participant whose process is gone: status \(response.status)")
        } catch {
            log.warning("the room keeps a participant whose process is gone: \(error)")
        }
    }
}
