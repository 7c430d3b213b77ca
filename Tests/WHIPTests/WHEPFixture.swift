import Bytes
import SDP
import Synchronization
import WHIP

/// Viewers that exist on paper: what was asked of them, and what they answer.
final class PaperViewers: WHEPViewers {
    private struct Record {
        var openings: [WHEPOpening] = []
        var selections: [String] = []
        var closed: [String] = []
        /// Thrown by `open` and `select`.
        var refusal: WHIPError?
        /// Called while a viewer is being opened.
        var whileOpening: (@Sendable (String) async -> Void)?
    }

    private let record = Mutex(Record())

    var openings: [WHEPOpening] { record.withLock { $0.openings } }
    var selections: [String] { record.withLock { $0.selections } }
    var closed: [String] { record.withLock { $0.closed } }

    func refuse(with error: WHIPError?) { record.withLock { $0.refusal = error } }

    /// Runs `action` with the resource's id whenever a viewer is being opened.
    func onOpening(_ action: @escaping @Sendable (String) async -> Void) {
        record.withLock { $0.whileOpening = action }
    }

    static let answer = SessionDescription(origin: Origin(sessionID: 5, sessionVersion: 1))

    func open(_ opening: WHEPOpening) async throws(WHIPError) -> SessionDescription {
        let (refusal, action) = record.withLock { record in
            record.openings.append(opening)
            return (record.refusal, record.whileOpening)
        }
        await action?(opening.resourceID)
        if let refusal { throw refusal }
        return Self.answer
    }

    func select(_ layer: WHEPLayer, resourceID: String) async throws(WHIPError) {
        if let refusal = record.withLock({ $0.refusal }) { throw refusal }
        record.withLock { $0.selections.append(resourceID + " " + layer.rawValue) }
    }

    func close(resourceID: String) async { record.withLock { $0.closed.append(resourceID) } }
}

/// An endpoint over paper viewers, with octets that count up instead of random ones.
struct WHEPFixture {
    let viewers = PaperViewers()
    let endpoint: WHEPEndpoint<PaperViewers>

    init(options: WHEPOptions = WHEPOptions()) {
        let source = Counter()
        endpoint = WHEPEndpoint(viewers: viewers, options: options) { source.bytes($0) }
    }

    final class Counter: Sendable {
        private let next = Mutex<UInt8>(0)

        func bytes(_ count: Int) -> [UInt8] {
            next.withLock { next in
                next &+= 1
                return Array(repeating: next, count: count)
            }
        }
    }

    static let offer = Array("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".utf8)

    func send(
        _ method: String, _ target: String, _ headers: [HeaderField] = [], body: [UInt8] = []
    ) async -> ResourceResponse {
        await endpoint.respond(
            to: ResourceRequest(method: method, target: target, headers: headers, body: body),
            at: ResourceMoment(monotonic: .zero, unixSeconds: 0))
    }

    func post(_ target: String = "/whep/key", type: String? = "application/sdp", body: [UInt8] = offer) async
        -> ResourceResponse
    {
        await send("POST", target, type.map { [HeaderField("Content-Type", $0)] } ?? [], body: body)
    }

    func patch(_ target: String, _ json: String, type: String = "application/json", ifMatch: String? = nil) async
        -> ResourceResponse
    {
        let headers = [HeaderField("content-type", type)] + (ifMatch.map { [HeaderField("If-Match", $0)] } ?? [])
        return await send("PATCH", target, headers, body: Array(json.utf8))
    }

    /// The location of a new session.
    func opened() async -> String { await post().header("location") ?? "" }
}
