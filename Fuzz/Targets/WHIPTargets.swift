import Bytes
import SDP
import Synchronization
import WHIP

/// What a stranger can put into a request line, headers and a body.
package let whipTargets: [FuzzTarget] = [
    FuzzTarget("whep-layer") { bytes in
        guard let layer = try? WHEPLayer(parsing: bytes) else { return }
        precondition(bytes.contains(layer.rawValue.utf8.first ?? 0), "a layer out of nothing")
    },
    FuzzTarget("whep-target") { bytes in
        let target = String(decoding: bytes, as: UTF8.self)
        guard case .endpoint(let key, _)? = try? WHEPRoute(target, base: "/whep") else { return }
        precondition(!key.isEmpty && key.utf8.count <= WHIPLimits.keyBytes, "a key outside of its bounds")
    },
    FuzzTarget("http-answer") { bytes in
        let whole = answer(bytes[...], step: max(1, bytes.count))
        precondition(whole == answer(bytes[...], step: 1), "how it is cut decides what it says")
        if let whole {
            precondition((200..<600).contains(whole.status), "no status")
            precondition(whole.body.count <= HTTPAnswerReader.bodyBytes + HTTPAnswerReader.headBytes, "too long")
        }
    },
    FuzzTarget("whip-request") { bytes in
        let session = OpenSession()
        // Several requests, with NUL between them.
        for text in bytes.split(separator: 0, omittingEmptySubsequences: true).prefix(16) {
            let response = session.answer(session.request(text))
            precondition((200..<600).contains(response.status), "no status")
            for header in response.headers {
                let isClean = (header.name + header.value).unicodeScalars.allSatisfy {
                    $0.value >= 0x20 && $0.value != 0x7F
                }
                precondition(isClean, "a header that breaks its line")
                precondition(!header.value.contains(OpenSession.key), "the key is told")
            }
            let allowed = response.headers.contains { $0.name == "access-control-allow-origin" }
            precondition(allowed, "a page cannot read this")
        }
    },
    FuzzTarget("whip-fragment") { bytes in
        let session = OpenSession()
        let headers = [
            HeaderField("content-type", MediaTypes.trickleFragment), HeaderField("if-match", session.tag),
        ]
        let request = ResourceRequest(method: "PATCH", target: session.path, headers: headers, body: bytes)
        let response = session.answer(request)
        precondition([200, 204, 400, 413, 422].contains(response.status), "a fragment has no other outcome")
        let again = session.answer(request)
        switch response.status {
        case 200: precondition(again.status == 412 && response.header("etag") != nil, "a restart changes the tag")
        default: precondition(again.status == response.status, "what is no restart changes nothing")
        }
    },
]

/// The response in pieces of this length, up to the connection's end; nil when it is none.
private func answer(_ bytes: ArraySlice<UInt8>, step: Int) -> ResourceResponse? {
    var reader = HTTPAnswerReader(method: "POST")
    var rest = bytes
    while !rest.isEmpty {
        guard (try? reader.receive(Array(rest.prefix(step)))) != nil else { return nil }
        rest = rest.dropFirst(step)
        if let answer = reader.answer { return answer }
    }
    guard (try? reader.finish()) != nil else { return nil }
    return reader.answer
}

/// An endpoint with one session, whose requests are answered here and now.
private final class OpenSession {
    static let key = "a-key-that-is-nowhere-else"

    private struct Publishers: WHIPPublishers {
        func open(_ opening: WHIPOpening) async throws(WHIPError) -> WHIPAccepted { WHIPAccepted(answer: []) }
        func trickle(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError) {}
        func restart(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError) -> TrickleFragment {
            fragment
        }
        func close(resourceID: String) async {}
    }

    /// Count up, so that what one run does, the next does too.
    private final class Octets: Sendable {
        private let value = Mutex<UInt8>(0)

        func next(_ count: Int) -> [UInt8] {
            value.withLock { value in
                value &+= 1
                return Array(repeating: value, count: count)
            }
        }
    }

    private let endpoint: WHIPEndpoint<Publishers>
    private let executor = InlineExecutor()
    private(set) var path = ""
    private(set) var tag = ""

    init() {
        let random = Octets()
        endpoint = WHIPEndpoint(publishers: Publishers()) { random.next($0) }
        let offer = """
            v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r
            a=ice-ufrag:theirs\r\na=ice-pwd:theirstheirstheirstheirs\r\na=mid:0\r\n
            """
        let response = answer(
            ResourceRequest(
                method: "POST", target: "/live/" + Self.key, headers: [HeaderField("content-type", MediaTypes.sdp)],
                body: Array(offer.utf8)))
        precondition(response.status == 201, "the offer is good")
        path = response.header("location") ?? ""
        tag = response.header("etag") ?? ""
    }

    /// `METHOD TARGET`, headers, an empty line, a body; `$ID` and `$TAG` are those of the session.
    func request(_ bytes: ArraySlice<UInt8>) -> ResourceRequest {
        let id = String(path.split(separator: "/").last ?? "")
        let text = String(decoding: bytes, as: UTF8.self).replacing("$ID", with: id).replacing("$TAG", with: tag)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        let first = (lines.popFirst() ?? "").split(separator: " ", maxSplits: 1)
        var headers: [HeaderField] = []
        while let line = lines.popFirst(), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            headers.append(HeaderField(String(parts[0]), parts.count > 1 ? String(parts[1]) : ""))
        }
        return ResourceRequest(
            method: String(first.first ?? ""), target: first.count > 1 ? String(first[1]) : "", headers: headers,
            body: Array(lines.joined(separator: "\n").utf8), peer: .v4(0xC000_0201))
    }

    func answer(_ request: ResourceRequest) -> ResourceResponse {
        let endpoint = endpoint
        return executor.run {
            await endpoint.respond(to: request, at: ResourceMoment(monotonic: .zero, unixSeconds: 0))
        }
    }
}

/// Runs a task on the caller's thread, all of it, so that asynchronous code can be fuzzed.
private final class InlineExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    func run<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let outcome = Outcome<Value>()
        Task(executorPreference: self) {
            let value = await body()
            outcome.value.withLock { $0 = value }
        }
        while let job = jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
        guard let value = outcome.value.withLock({ $0 }) else {
            preconditionFailure("the answer waits for something that is not there")
        }
        return value
    }

    private final class Outcome<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }
}
