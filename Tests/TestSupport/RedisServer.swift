package import Foundation
import Glibc

/// A program that ends with the tests, even when they crash: a shell holds it until its input closes. The output is the
/// program's alone, so its end shows.
package actor ServerProcess {
    package struct DidNotStart: Error {
        package let output: [String]
    }

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let chunks: AsyncStream<Data>
    private let ended: AsyncStream<Void>
    private var partial = ""

    package init(_ program: String, _ arguments: [String]) throws {
        let (chunks, chunkSource) = AsyncStream<Data>.makeStream()
        let (ended, endSource) = AsyncStream<Void>.makeStream()
        self.chunks = chunks
        self.ended = ended
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        let script = #"exec 2>/dev/null; "$0" "$@" 2>&1 & p=$!; exec >/dev/null; cat; kill -9 $p; wait $p"#
        process.arguments = ["-c", script, program] + arguments
        process.standardInput = input
        process.standardOutput = output
        output.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                chunkSource.finish()
            } else {
                chunkSource.yield(data)
            }
        }
        process.terminationHandler = { _ in endSource.finish() }
        try process.run()
    }

    /// Returns when the program has written a line with this text.
    package func waitForOutput(_ text: String) async throws {
        var seen: [String] = []
        for await chunk in chunks {
            partial += String(decoding: chunk, as: UTF8.self)
            while let end = partial.firstIndex(of: "\n") {
                seen.append(String(partial[..<end]))
                partial = String(partial[partial.index(after: end)...])
                if seen.last?.contains(text) ?? false { return }
            }
        }
        throw DidNotStart(output: seen)
    }

    /// Kills the program; returns when it is gone.
    package func stop() async {
        try? input.fileHandleForWriting.close()
        for await _ in ended {}
    }
}

/// A redis-server of a test's own, on a port of its own, that keeps nothing on disk.
package actor RedisServer {
    package static let program = "/usr/bin/redis-server"

    package nonisolated let port: UInt16
    package nonisolated let directory: URL
    private let arguments: [String]
    private let readyText: String
    private var process: ServerProcess?

    /// `arguments` come behind `--port`; with `tlsPort` the port speaks TLS alone.
    package init(_ arguments: [String] = [], tlsPort: Bool = false) async throws {
        port = freePort()
        directory = try scratchDirectory()
        let ports = tlsPort ? ["--port", "0", "--tls-port", "\(port)"] : ["--port", "\(port)"]
        self.arguments =
            ports + ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory.path] + arguments
        readyText = "Ready to accept connections"
        try await start()
    }

    /// A sentinel that watches one master.
    package init(sentinelFor master: String, at masterPort: UInt16, settings: [String] = []) async throws {
        port = freePort()
        directory = try scratchDirectory()
        let file = directory.appendingPathComponent("sentinel.conf")
        let lines =
            ["port \(port)", "bind 127.0.0.1", "sentinel monitor \(master) 127.0.0.1 \(masterPort) 1"] + settings
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        arguments = [file.path, "--sentinel"]
        readyText = "+monitor master"
        try await start()
    }

    package nonisolated var address: String { "127.0.0.1:\(port)" }

    package func start() async throws {
        let process = try ServerProcess(Self.program, arguments)
        self.process = process
        try await process.waitForOutput(readyText)
    }

    package func stop() async {
        await process?.stop()
        process = nil
    }

    /// Stops the server and removes its directory.
    package func end() async {
        await stop()
        try? FileManager.default.removeItem(at: directory)
    }
}

/// A certificate for "localhost" and 127.0.0.1 that signs itself, and its key, in PEM files.
package func makeCertificate(in directory: URL) async throws -> (certificate: String, key: String) {
    let certificate = directory.appendingPathComponent("certificate.pem").path
    let key = directory.appendingPathComponent("key.pem").path
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key,
    ]
    process.standardError = FileHandle.nullDevice
    let (ended, source) = AsyncStream<Void>.makeStream()
    process.terminationHandler = { _ in source.finish() }
    try process.run()
    for await _ in ended {}
    return (certificate, key)
}

package func scratchDirectory() throws -> URL {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("ingress-test-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    return directory
}

/// A TCP port of the loopback address that nobody listens on at the moment.
package func freePort() -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, length) + getsockname(descriptor, $0, &length)
        }
    }
    precondition(result == 0, "no port is free")
    return UInt16(bigEndian: address.sin_port)
}
