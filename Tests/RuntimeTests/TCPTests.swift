import Bytes
import Glibc
import Runtime
import Testing

extension RuntimeTests { @Suite struct TCPTests {} }

extension RuntimeTests.TCPTests {
    @Test("a megabyte comes back unchanged from an echo, through partial writes")
    func echo() async throws {
        let server = try await MediaLoop.run { try ListenerProbe { Echo() } }
        let client = StreamProbe()
        let sent = pattern(1_000_000)
        let stream = try await MediaLoop.run {
            let stream = try TCPStream.connect(to: server.address, handler: client)
            #expect(stream.put(sent))
            return stream
        }
        #expect(await client.events.next() == .connected)
        await client.wait(forBytes: sent.count)
        await MediaLoop.run {
            expectSame(client.received, sent)
            #expect(stream.receivedBytes == 1_000_000)
            #expect(stream.sentBytes == 1_000_000)
            #expect(stream.queuedBytes == 0)
            #expect(stream.peerAddress == server.address)
            stream.close()
            server.close()
        }
    }

    @Test("both ends agree on the addresses")
    func addresses() async throws {
        let server = try await MediaLoop.run { try ListenerProbe { StreamProbe() } }
        let client = StreamProbe()
        let stream = try await MediaLoop.run { try TCPStream.connect(to: server.address, handler: client) }
        #expect(await client.events.next() == .connected)
        let peer = await server.accepted.next()
        await MediaLoop.run {
            #expect(stream.localAddress == peer)
            #expect(server.streams.first?.localAddress == server.address)
            stream.close()
            #expect(stream.localAddress == nil)
            server.close()
        }
    }

    @Test("a refused connection fails with the address in the sentence")
    func refused() async throws {
        let address = try await MediaLoop.run {
            let server = try ListenerProbe { nil }
            server.close()
            return server.address
        }
        let client = StreamProbe()
        let stream = try await MediaLoop.run { try TCPStream.connect(to: address, handler: client) }
        let event = await client.events.next()
        #expect(event == .failed(.connect(address, .connectionRefused)))
        if case .failed(let error) = event {
            #expect(error.description == "cannot connect to \(address): Connection refused")
        }
        #expect(await stream.isOpen == false)
        await MediaLoop.run { #expect(!stream.put(pattern(1))) }
    }

    @Test("a connection that nobody answers fails at its time-out")
    func connectTimeout() async throws {
        // A listener without room: its queue of one is taken, so the kernel drops further requests.
        let listener = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length)
                getsockname(listener, $0, &length)
            }
        }
        Glibc.listen(listener, 0)
        let target = TransportAddress(ip: loopback.ip, port: UInt16(bigEndian: address.sin_port))
        let first = StreamProbe()
        let filler = try await MediaLoop.run { try TCPStream.connect(to: target, handler: first) }
        #expect(await first.events.next() == .connected)
        let second = StreamProbe()
        _ = try await MediaLoop.run { try TCPStream.connect(to: target, timeout: .milliseconds(20), handler: second) }
        #expect(await second.events.next() == .failed(.connect(target, .timedOut)))
        await MediaLoop.run { filler.close() }
    }

    @Test("a port in use is named in the error")
    func portInUse() async throws {
        try await MediaLoop.run {
            let server = try ListenerProbe { nil }
            do {
                _ = try ListenerProbe(on: server.address) { nil }
                Issue.record("the second listener must fail")
            } catch let error as RuntimeError {
                #expect(error == .bind(server.address, .addressInUse))
                #expect(error.errno == .addressInUse)
                #expect(error.description == "port \(server.address.port) is in use (\(server.address))")
            }
            server.close()
        }
    }

    @Test("a foreign address cannot be listened on, and the error says so")
    func foreignAddress() async throws {
        await MediaLoop.run {
            let foreign = TransportAddress(ip: .v4(0xC000_0201), port: 0)
            #expect(throws: RuntimeError.bind(foreign, .addressNotAvailable)) {
                _ = try ListenerProbe(on: foreign) { nil }
            }
            #expect(
                RuntimeError.bind(foreign, .addressNotAvailable).description == "this machine has no address 192.0.2.1")
        }
    }

    @Test("a slow reader holds the writer up: the queue is bounded, and the end of congestion is told")
    func backPressure() async throws {
        let slow = StreamProbe()
        let server = try await MediaLoop.run { try ListenerProbe { slow } }
        let client = StreamProbe()
        var options = TCPStream.Options()
        options.writeQueueLimit = 8 * 1024 * 1024
        options.highWaterMark = 1024 * 1024
        let stream = try await MediaLoop.run { [options] in
            try TCPStream.connect(to: server.address, options: options, handler: client)
        }
        #expect(await client.events.next() == .connected)
        _ = await server.accepted.next()
        let block = pattern(1024 * 1024)
        let written = await MediaLoop.run {
            server.streams[0].pauseReading()
            var written = 0
            while stream.write(block.rawSpan) { written += block.count }
            #expect(written == 8 * 1024 * 1024)
            #expect(stream.isCongested)
            #expect(!stream.put(block))
            #expect(stream.put([]))
            return written
        }
        // The kernel takes its share now; the rest has to wait for the reader.
        await MediaLoop.run {}
        await MediaLoop.run {
            #expect(stream.queuedBytes > 0)
            #expect(slow.received.isEmpty)
            server.streams[0].resumeReading()
        }
        #expect(await client.events.next() == .writable)
        await slow.wait(forBytes: written)
        await MediaLoop.run {
            #expect(slow.received.count == written)
            expectSame(Array(slow.received[(7 * 1024 * 1024)...]), block)
            #expect(!stream.isCongested)
            stream.close()
            server.close()
        }
    }

    @Test("closing after the flush delivers everything and then the end, even past unread input")
    func closeAfterFlush() async throws {
        let sent = pattern(2_000_000)
        let server = try await MediaLoop.run {
            try ListenerProbe {
                let probe = StreamProbe()
                probe.onBytes = { stream, _ in
                    stream.write(sent.rawSpan)
                    stream.closeAfterFlush()
                    stream.closeAfterFlush()
                    #expect(!stream.put(sent))
                }
                return probe
            }
        }
        let client = StreamProbe()
        let stream = try await MediaLoop.run {
            let stream = try TCPStream.connect(to: server.address, handler: client)
            stream.write(pattern(200_000).rawSpan)
            return stream
        }
        #expect(await client.events.next() == .connected)
        let event = await client.events.next()
        #expect(event == .ended)
        await MediaLoop.run {
            expectSame(client.received, sent)
            stream.close()
            server.close()
        }
    }

    @Test("closing after the flush ends at its time-out when the peer takes nothing")
    func flushTimeout() async throws {
        let client = StreamProbe()
        var options = TCPListener.Options()
        options.stream.flushTimeout = .milliseconds(20)
        let server = try await MediaLoop.run { [options] in try ListenerProbe(options: options) { StreamProbe() } }
        let stream = try await MediaLoop.run { try TCPStream.connect(to: server.address, handler: client) }
        #expect(await client.events.next() == .connected)
        _ = await server.accepted.next()
        let registrations = await MediaLoop.run {
            stream.pauseReading()
            let accepted = server.streams[0]
            for _ in 0..<3 { #expect(accepted.put(pattern(1_300_000))) }
            accepted.closeAfterFlush()
            return MediaLoop.statistics.registrations
        }
        // The accepted stream's registration goes when the time-out closes it; its reset then reaches the reader.
        await MediaLoop.run {
            stream.resumeReading(); stream.pauseReading()
        }
        while await MediaLoop.statistics.registrations == registrations { await Task.yield() }
        await MediaLoop.run {
            stream.close()
            server.close()
        }
    }

    @Test("after the peer's end writing is still possible, and the end is told once")
    func halfClose() async throws {
        let answer = StreamProbe()
        let server = try await MediaLoop.run { try ListenerProbe { answer } }
        let client = StreamProbe()
        let stream = try await MediaLoop.run {
            let stream = try TCPStream.connect(to: server.address, handler: client)
            stream.write(pattern(5000).rawSpan)
            stream.endWriting()
            #expect(!stream.put(pattern(1)))
            return stream
        }
        #expect(await client.events.next() == .connected)
        #expect(await answer.events.next() == .ended)
        await MediaLoop.run {
            expectSame(answer.received, pattern(5000))
            server.streams[0].write(pattern(7000).rawSpan)
            server.streams[0].closeAfterFlush()
        }
        #expect(await client.events.next() == .ended)
        await MediaLoop.run {
            expectSame(client.received, pattern(7000))
            stream.close()
            server.close()
        }
    }

    @Test("a handler may close its stream while it is called, and is not called again")
    func closeInHandler() async throws {
        let closer = StreamProbe()
        let server = try await MediaLoop.run {
            closer.onBytes = { stream, _ in
                stream.close()
                stream.close()
            }
            return try ListenerProbe { closer }
        }
        let client = StreamProbe()
        let stream = try await MediaLoop.run {
            let stream = try TCPStream.connect(to: server.address, handler: client)
            stream.write(pattern(250_000).rawSpan)
            return stream
        }
        #expect(await client.events.next() == .connected)
        // Closed with unread bytes, so the kernel resets.
        guard case .failed(let error) = await client.events.next() else { Issue.record("no failure"); return }
        #expect([.connectionReset, .brokenPipe].contains(error.errno))
        await MediaLoop.run {
            #expect(!stream.isOpen)
            #expect(closer.received.count <= 64 * 1024)
            server.close()
        }
    }

    @Test("a written piece may be built in place, and a failure in it queues nothing")
    func writeInPlace() async throws {
        struct Refused: Error {}
        let server = try await MediaLoop.run { try ListenerProbe { Echo() } }
        let client = StreamProbe()
        let stream = try await MediaLoop.run {
            let stream = try TCPStream.connect(to: server.address, handler: client)
            #expect(throws: Refused.self) {
                try stream.write(upTo: 100) { span throws(Refused) in
                    span.append(1, as: UInt8.self)
                    throw Refused()
                }
            }
            stream.write(upTo: 100) { $0.append(bigEndian: 0x0102_0304 as UInt32) }
            return stream
        }
        await client.wait(forBytes: 4)
        await MediaLoop.run {
            #expect(client.received == [1, 2, 3, 4])
            stream.close()
            server.close()
        }
    }

    @Test("all descriptors are closed after 200 connections, whichever end closed first")
    func descriptors() async throws {
        let before = openSockets()
        for round in 0..<4 {
            let server = try await MediaLoop.run { try ListenerProbe { Echo() } }
            let clients = (0..<50).map { _ in StreamProbe() }
            let streams = try await MediaLoop.run {
                try clients.map { try TCPStream.connect(to: server.address, handler: $0) }
            }
            for client in clients { #expect(await client.events.next() == .connected) }
            _ = await server.accepted.next(50)
            await MediaLoop.run {
                if round % 2 == 0 {
                    server.close()
                    for stream in streams { stream.close() }
                } else {
                    for stream in streams { stream.close() }
                    server.close()
                }
            }
        }
        // Other suites of the process may open a few meanwhile.
        #expect(openSockets() < before + 40)
    }

    @Test("an accepted stream that nobody keeps is closed")
    func unwanted() async throws {
        let server = try await MediaLoop.run { try ListenerProbe { nil } }
        let client = StreamProbe()
        let stream = try await MediaLoop.run { try TCPStream.connect(to: server.address, handler: client) }
        #expect(await client.events.next() == .connected)
        #expect(await client.events.next() == .ended)
        await MediaLoop.run {
            stream.close()
            server.close()
        }
    }

    @Test("a listener out of descriptors tells it, rests, and then accepts what waited")
    func exhaustion() async throws {
        let server = try await MediaLoop.run { try ListenerProbe { StreamProbe() } }
        let client = StreamProbe()
        let stream = try await MediaLoop.run {
            let listener = try #require(server.listener)
            listener.pause()
            return try TCPStream.connect(to: server.address, handler: client)
        }
        #expect(await client.events.next() == .connected)
        let before = try await MediaLoop.run {
            let listener = try #require(server.listener)
            listener.resume()
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var none = rlimit(rlim_cur: 0, rlim_max: limit.rlim_max)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none)
            listener.ready(.readable, at: MediaLoop.now)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            return MediaLoop.statistics.events
        }
        #expect(await server.exhausted.next() == .tooManyOpenFiles)
        // The waiting connection does not wake the loop while the listener rests.
        for _ in 0..<10 { await MediaLoop.run {} }
        #expect(await MediaLoop.statistics.events == before)
        _ = await server.accepted.next()
        await MediaLoop.run {
            #expect(server.listener?.acceptedConnections == 1)
            stream.close()
            server.close()
        }
    }

    @Test("an IPv6 any-address takes IPv4 as well and shows it as IPv4")
    func dualStack() async throws {
        let anyAddress = TransportAddress(ip: .v6(0, 0), port: 0)
        let server = try await MediaLoop.run { try ListenerProbe(on: anyAddress) { nil } }
        let client = StreamProbe()
        let stream = try await MediaLoop.run {
            try TCPStream.connect(to: TransportAddress(ip: loopback.ip, port: server.address.port), handler: client)
        }
        #expect(await server.accepted.next().ip == loopback.ip)
        await MediaLoop.run {
            stream.close()
            server.close()
        }
    }
}

/// Sends back what comes, and ends when the peer does.
@MediaLoop
private final class Echo: TCPStreamHandler {
    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) { stream.write(bytes) }
    func streamEnded(_ stream: TCPStream, at now: Monotonic) { stream.closeAfterFlush() }
    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) {}
}

extension RuntimeTests.TCPTests {
    @Test("with small kernel buffers, a reader that stopped is noticed by what stays queued")
    func kernelBuffers() async throws {
        var small = TCPListener.Options()
        small.stream.kernelSendBytes = 64 * 1024
        var client = TCPStream.Options()
        client.kernelReceiveBytes = 64 * 1024
        let (server, reader) = try await MediaLoop.run { [small, client] in
            let server = try ListenerProbe(options: small) { StreamProbe() }
            let probe = StreamProbe()
            let reader = try TCPStream.connect(to: server.address, options: client, handler: probe)
            return (server, (reader, probe))
        }
        #expect(await reader.1.events.next() == .connected)
        _ = await server.accepted.next()
        await MediaLoop.run {
            reader.0.pauseReading()
            #expect(server.streams.first?.put(pattern(2_000_000)) == true)
        }
        await MediaLoop.run {}
        await MediaLoop.run {
            // Linux doubles what it is asked for, and counts its own overhead against it.
            #expect((server.streams.first?.queuedBytes ?? 0) > 1_500_000)
            reader.0.resumeReading()
        }
        await reader.1.wait(forBytes: 2_000_000)
        await MediaLoop.run {
            reader.0.close()
            server.close()
        }
    }
}
