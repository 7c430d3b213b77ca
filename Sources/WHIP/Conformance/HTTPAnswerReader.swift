/// Reads one HTTP/1.1 response out of a connection's bytes (RFC 9112), for clients that send one request and close.
package struct HTTPAnswerReader: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        case notHTTP
        case tooLarge
        /// The connection ended within the response.
        case cutShort
    }

    private enum Part {
        case head
        /// Bytes that are still to come.
        case body(Int)
        case chunkSize
        case chunk(Int)
        case trailers
        /// Up to the end of the connection.
        case rest
        case over
    }

    package static let headBytes = 64 * 1024
    package static let bodyBytes = 1024 * 1024

    private var part = Part.head
    private var buffer: [UInt8] = []
    private var response = ResourceResponse(status: 0)
    /// HEAD and 204 have no body whatever the headers say.
    private let isHead: Bool

    package init(method: String) { isHead = method == "HEAD" }

    /// The response, once it is whole.
    package var answer: ResourceResponse? {
        if case .over = part { return response }
        return nil
    }

    package mutating func receive(_ bytes: [UInt8]) throws(Failure) {
        buffer += bytes
        while try step() {}
        if buffer.count > Self.headBytes + Self.bodyBytes { throw .tooLarge }
    }

    /// The connection has ended.
    package mutating func finish() throws(Failure) {
        switch part {
        case .rest: part = .over
        case .over: break
        default: throw .cutShort
        }
    }

    /// False when more bytes are needed, or none.
    private mutating func step() throws(Failure) -> Bool {
        switch part {
        case .head:
            guard let head = try takeHead() else { return false }
            try readHead(head)
        case .body(let count):
            let taken = take(count)
            part = taken == count ? .over : .body(count - taken)
            return taken > 0 && taken == count
        case .chunkSize:
            guard let line = try takeLine() else { return false }
            let digits = line.prefix { $0 != UInt8(ascii: ";") }
            guard let size = Int(String(decoding: digits, as: UTF8.self).trimmed, radix: 16), size >= 0 else {
                throw .notHTTP
            }
            guard size <= Self.bodyBytes else { throw .tooLarge }
            part = size == 0 ? .trailers : .chunk(size)
        case .chunk(let count):
            guard count > 0 else {
                guard let line = try takeLine() else { return false }
                guard line.isEmpty else { throw .notHTTP }
                part = .chunkSize
                return true
            }
            let taken = take(count)
            part = .chunk(count - taken)
            return taken == count
        case .trailers:
            guard let line = try takeLine() else { return false }
            if line.isEmpty { part = .over }
        case .rest:
            _ = take(buffer.count)
            if response.body.count > Self.bodyBytes { throw .tooLarge }
            return false
        case .over: return false
        }
        return true
    }

    private mutating func take(_ count: Int) -> Int {
        let taken = min(count, buffer.count)
        response.body += buffer.prefix(taken)
        buffer.removeFirst(taken)
        return taken
    }

    private mutating func takeLine() throws(Failure) -> [UInt8]? {
        guard let end = buffer.firstIndex(of: UInt8(ascii: "\n")) else {
            if buffer.count > Self.headBytes { throw .tooLarge }
            return nil
        }
        var line = Array(buffer[..<end])
        buffer.removeFirst(end + 1)
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        if response.body.count > Self.bodyBytes { throw .tooLarge }
        return line
    }

    /// All lines up to the empty one.
    private mutating func takeHead() throws(Failure) -> [String]? {
        var lines: [String] = []
        let before = buffer
        while let line = try takeLine() {
            if line.isEmpty { return lines }
            lines.append(String(decoding: line, as: UTF8.self))
        }
        guard before.count <= Self.headBytes else { throw .tooLarge }
        buffer = before
        return nil
    }

    private mutating func readHead(_ lines: [String]) throws(Failure) {
        let words = lines.first?.split(separator: " ", maxSplits: 2) ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]),
            (100...599).contains(status)
        else { throw .notHTTP }
        // Interim responses come before the one that counts.
        guard status >= 200 else { return }
        response.status = status
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else { throw .notHTTP }
            response.headers.append(HeaderField(String(parts[0]), String(parts[1].trimmed)))
        }
        part = try bodyPart()
    }

    private func bodyPart() throws(Failure) -> Part {
        if isHead || response.status == 204 || response.status == 304 { return .over }
        if response.header("transfer-encoding")?.lowercased().hasSuffix("chunked") == true { return .chunkSize }
        guard let length = response.header("content-length") else { return .rest }
        guard let count = Int(length), count >= 0 else { throw .notHTTP }
        guard count <= Self.bodyBytes else { throw .tooLarge }
        return count == 0 ? .over : .body(count)
    }
}

extension ResourceRequest {
    /// The request as HTTP/1.1 has it on the wire, for a connection that closes after it.
    package func serialized(to url: HTTPURL) -> [UInt8] {
        var lines = ["\(method) \(url.target) HTTP/1.1", "Host: \(url.authority)", "Connection: close"]
        lines += headers.map { $0.name + ": " + $0.value }
        if !body.isEmpty || method == "POST" || method == "PATCH" { lines.append("Content-Length: \(body.count)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }
}
