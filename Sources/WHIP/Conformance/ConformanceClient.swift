import Bytes
import SDP

/// What the checks ask with.
package struct ConformanceClient: Sendable {
    /// Sends one request and gives its response; the request's target is the URL's.
    package typealias Exchange =
        @Sendable (HTTPURL, ResourceRequest) async throws(ConformanceFinding) -> ResourceResponse

    let endpoint: HTTPURL
    let token: String?
    private let exchange: Exchange
    private let randomBytes: @Sendable (Int) -> [UInt8]

    package init(
        endpoint: HTTPURL, token: String?, randomBytes: @escaping @Sendable (Int) -> [UInt8],
        exchange: @escaping Exchange
    ) {
        self.endpoint = endpoint
        self.token = token
        self.exchange = exchange
        self.randomBytes = randomBytes
    }

    /// A session that a server has made.
    struct Session: Sendable {
        let url: HTTPURL
        let tag: String?
        let created: ResourceResponse
        let offer: String
        let ufrag: String
        let password: String

        /// What the server answered.
        func answer() throws(Finding) -> SessionDescription {
            do {
                return try SessionDescription(parsing: created.body)
            } catch {
                throw .failed("the answer cannot be read: \(error)")
            }
        }
    }

    /// The token goes with every request, unless it is another one or none.
    func send(
        _ method: String, _ url: HTTPURL, _ headers: [HeaderField] = [], body: String = "", isAuthorized: Bool = true
    ) async throws(Finding) -> ResourceResponse {
        var headers = headers
        if isAuthorized, let token { headers.append(HeaderField("authorization", "Bearer " + token)) }
        let request = ResourceRequest(
            method: method, target: url.target, headers: headers, body: Array(body.utf8))
        return try await exchange(url, request)
    }

    func newOffer(_ offer: ConformanceOffer) -> (text: String, ufrag: String, password: String) {
        offer.text(random: randomBytes)
    }

    /// Random letters and digits.
    func word() -> String { String(hex: randomBytes(12)) }

    /// Posts to the endpoint, and on to where it sends us (section 4.5).
    func post(
        _ body: String, type: String? = MediaTypes.sdp, isAuthorized: Bool = true
    ) async throws(Finding) -> (response: ResourceResponse, url: HTTPURL, hops: [Int]) {
        var url = endpoint
        var hops: [Int] = []
        while true {
            let headers = type.map { [HeaderField("content-type", $0)] } ?? []
            let response = try await send("POST", url, headers, body: body, isAuthorized: isAuthorized)
            guard (300..<400).contains(response.status), response.status != 304, hops.count < 5 else {
                return (response, url, hops)
            }
            hops.append(response.status)
            guard let next = response.header("location").flatMap({ url.resolving($0) }) else {
                throw .failed("\(response.status) without a Location to go to")
            }
            url = next
        }
    }

    /// A new session; throws when the server does not make one.
    func open(_ offer: ConformanceOffer = ConformanceOffer()) async throws(Finding) -> Session {
        let (text, ufrag, password) = newOffer(offer)
        let (response, url, _) = try await post(text)
        guard response.status == 201 else { throw .failed("POST gave \(response.shown)") }
        guard let location = response.header("location").flatMap({ url.resolving($0) }) else {
            throw .failed("201 without a Location that can be used")
        }
        return Session(
            url: location, tag: response.header("etag"), created: response, offer: text, ufrag: ufrag,
            password: password)
    }

    /// Opens a session for `body` and ends it, whatever comes.
    func withSession<Value>(
        _ offer: ConformanceOffer = ConformanceOffer(),
        _ body: (Session) async throws(Finding) -> Value
    ) async throws(Finding) -> Value {
        let session = try await open(offer)
        do {
            let value = try await body(session)
            await end(session)
            return value
        } catch {
            await end(session)
            throw error
        }
    }

    /// Ends what a request may have made that should have made nothing.
    func end(_ response: ResourceResponse, from url: HTTPURL) async {
        guard response.status == 201, let location = response.header("location").flatMap({ url.resolving($0) }) else {
            return
        }
        _ = try? await send("DELETE", location)
    }

    private func end(_ session: Session) async { _ = try? await send("DELETE", session.url) }

    func patch(
        _ session: Session, _ body: String, ifMatch: String?, type: String = MediaTypes.trickleFragment
    ) async throws(Finding) -> ResourceResponse {
        let headers = [HeaderField("content-type", type)] + (ifMatch.map { [HeaderField("if-match", $0)] } ?? [])
        return try await send("PATCH", session.url, headers, body: body)
    }

    /// A fragment for the first section.
    func fragment(
        _ ufrag: String, _ password: String, candidate: String = "1 1 udp 2122260223 192.0.2.1 61764 typ host"
    ) -> String {
        [
            "a=ice-options:trickle ice2", "a=group:BUNDLE 0 1", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0",
            "a=ice-ufrag:" + ufrag, "a=ice-pwd:" + password, "a=candidate:" + candidate, "a=end-of-candidates", "",
        ].joined(separator: "\r\n")
    }

    /// New credentials, of ours.
    func newCredentials() -> (ufrag: String, password: String) {
        (String(hex: randomBytes(4)), String(hex: randomBytes(16)))
    }
}

extension ResourceResponse {
    var isSuccess: Bool { (200..<300).contains(status) }
    var isClientError: Bool { (400..<500).contains(status) }

    /// For a person: the status, and the beginning of a refusal.
    var shown: String {
        let text = String(decoding: body.prefix(100), as: UTF8.self).split(whereSeparator: \.isNewline).first ?? ""
        return isSuccess || text.isEmpty ? "\(status)" : "\(status) (\(text))"
    }

    var mediaType: String? {
        header("content-type").map { value in value.prefix { $0 != ";" }.trimmed.lowercased() }
    }

    func all(_ name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }
}
