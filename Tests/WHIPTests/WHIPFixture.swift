import Bytes
import SDP
import Synchronization
import WHIP

/// Publishers that exist on paper: what was asked of them, and what they answer.
final class PaperPublishers: WHIPPublishers {
    private struct Record {
        var openings: [WHIPOpening] = []
        /// "trickle <id>", "restart <id>", "close <id>".
        var calls: [String] = []
        /// Thrown by everything but `close`.
        var refusal: WHIPError?
        /// What other servers call every session that is made.
        var sessionID: String?
        var links: [String] = []
        /// Of sessions elsewhere: their keys, by id.
        var elsewhere: [String: String] = [:]
        /// Called while a session is being opened, or a fragment taken.
        var meanwhile: (@Sendable (String) async -> Void)?
    }

    private let record = Mutex(Record())

    var openings: [WHIPOpening] { record.withLock { $0.openings } }
    var calls: [String] { record.withLock { $0.calls } }

    func call(sessions id: String?) { record.withLock { $0.sessionID = id } }

    func tell(links: [String]) { record.withLock { $0.links = links } }

    /// Another server has this session.
    func place(elsewhere id: String, key: String) { record.withLock { $0.elsewhere[id] = key } }

    func refuse(with error: WHIPError?) { record.withLock { $0.refusal = error } }

    /// Runs `action` with the resource's id within each call.
    func meanwhile(_ action: (@Sendable (String) async -> Void)?) { record.withLock { $0.meanwhile = action } }

    static let answer = Array("v=0\r\no=- 5 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".utf8)

    static var fragment: TrickleFragment {
        TrickleFragment(transport: TransportAttributes(iceUfrag: "ours", icePwd: "oursoursoursoursoursours"))
    }

    func open(_ opening: WHIPOpening) async throws(WHIPError) -> WHIPAccepted {
        record.withLock { $0.openings.append(opening) }
        try await note("open", opening.resourceID)
        return record.withLock { WHIPAccepted(answer: Self.answer, sessionID: $0.sessionID, links: $0.links) }
    }

    func trickle(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError) {
        try await note("trickle", resourceID)
    }

    func restart(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError) -> TrickleFragment {
        try await note("restart", resourceID)
        return Self.fragment
    }

    func close(resourceID: String) async { record.withLock { $0.calls.append("close " + resourceID) } }

    func closeElsewhere(sessionID: String, key: String) async throws(WHIPError) {
        try find(sessionID, key)
        record.withLock { $0.calls.append("close elsewhere " + sessionID) }
    }

    func patchElsewhere(
        _ fragment: [UInt8], ifMatch: String, sessionID: String, key: String
    ) async throws(WHIPError) -> WHIPPatched {
        try find(sessionID, key)
        record.withLock { $0.calls.append("patch elsewhere " + sessionID + " " + ifMatch) }
        return ifMatch == "*" ? .restarted(fragment: Self.fragment.serialized(), entityTag: "\"new\"") : .taken
    }

    private func find(_ sessionID: String, _ key: String) throws(WHIPError) {
        guard let known = record.withLock({ $0.elsewhere[sessionID] }) else { throw .notFound }
        guard known == key else { throw .forbidden }
    }

    private func note(_ call: String, _ id: String) async throws(WHIPError) {
        let (refusal, action) = record.withLock { record in
            if call != "open" { record.calls.append(call + " " + id) }
            return (record.refusal, record.meanwhile)
        }
        await action?(id)
        if let refusal { throw refusal }
    }
}

/// An endpoint over paper publishers, with octets that count up instead of random ones, and a clock that tests set.
final class WHIPFixture: Sendable {
    let publishers = PaperPublishers()
    let endpoint: WHIPEndpoint<PaperPublishers>
    private let clock = Mutex(ResourceMoment(monotonic: .zero, unixSeconds: 1_000))

    init(options: WHIPOptions = WHIPOptions()) {
        let source = WHEPFixture.Counter()
        endpoint = WHIPEndpoint(publishers: publishers, options: options) { source.bytes($0) }
    }

    static let firstID = "AgICAgICAgICAgICAgICAgIC"
    static let ufrag = "theirs"
    static let password = "theirstheirstheirstheirs"

    static let offer = Array(
        """
        v=0\r
        o=- 1 1 IN IP4 0.0.0.0\r
        s=-\r
        t=0 0\r
        a=group:BUNDLE 0 1\r
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r
        a=ice-ufrag:\(ufrag)\r
        a=ice-pwd:\(password)\r
        a=mid:0\r
        m=video 9 UDP/TLS/RTP/SAVPF 96\r
        a=ice-ufrag:\(ufrag)\r
        a=ice-pwd:\(password)\r
        a=mid:1\r

        """.utf8)

    static func fragment(ufrag: String? = ufrag, password: String? = password, mid: String? = "0") -> String {
        var lines = ["m=audio 9 UDP/TLS/RTP/SAVPF 111"]
        if let mid { lines.append("a=mid:" + mid) }
        if let ufrag { lines.append("a=ice-ufrag:" + ufrag) }
        if let password { lines.append("a=ice-pwd:" + password) }
        lines.append("a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host")
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    func pass(_ interval: Interval) { clock.withLock { $0.monotonic += interval } }

    func send(
        _ method: String, _ target: String, _ headers: [HeaderField] = [], body: [UInt8] = [], from peer: String? = nil,
        isSecure: Bool = false
    ) async -> ResourceResponse {
        await endpoint.respond(
            to: ResourceRequest(
                method: method, target: target, headers: headers, body: body,
                peer: peer.flatMap { TransportAddress.IP($0) }, isSecure: isSecure),
            at: clock.withLock { $0 })
    }

    func post(
        _ target: String = "/live/key", _ headers: [HeaderField] = [], type: String? = "application/sdp",
        body: [UInt8] = offer, from peer: String? = nil, isSecure: Bool = false
    ) async -> ResourceResponse {
        let type = type.map { [HeaderField("content-type", $0)] } ?? []
        return await send("POST", target, type + headers, body: body, from: peer, isSecure: isSecure)
    }

    func patch(
        _ target: String, _ fragment: String = fragment(), ifMatch: String?,
        type: String = "application/trickle-ice-sdpfrag"
    ) async -> ResourceResponse {
        let headers = [HeaderField("content-type", type)] + (ifMatch.map { [HeaderField("if-match", $0)] } ?? [])
        return await send("PATCH", target, headers, body: Array(fragment.utf8))
    }

    /// Path and entity tag of a new session.
    func opened(_ target: String = "/live/key", _ headers: [HeaderField] = []) async -> (path: String, tag: String) {
        let response = await post(target, headers)
        return (response.header("location") ?? "", response.header("etag") ?? "")
    }
}

extension ResourceResponse {
    /// All that a stranger who sees the response could read in it.
    var everything: String {
        (headers.map { $0.name + ": " + $0.value } + [String(decoding: body, as: UTF8.self)]).joined(separator: "\n")
    }
}
