import Bytes
import Runtime
import Testing

extension RuntimeTests { @Suite struct UDPTests {} }

extension RuntimeTests.UDPTests {
    @Test("a thousand datagrams go one way in batches and come back changed in place", arguments: [true, false])
    func thousand(segmenting: Bool) async throws {
        var options = UDPSocket.Options()
        options.usesSegmentation = segmenting
        let (server, client) = try await MediaLoop.run { [options] in
            let server = DatagramProbe(), client = DatagramProbe()
            try server.open(options)
            try client.open(options)
            server.answers = true
            return (server, client)
        }
        // In portions that the smallest receive buffer holds.
        for portion in 0..<10 {
            await MediaLoop.run {
                for index in 0..<100 {
                    let number = portion * 100 + index
                    client.socket?.withNextSlot { slot in
                        slot.append(bigEndian: UInt32(number))
                        slot.append(copying: pattern(1196, salt: number))
                        return server.address
                    }
                }
            }
            #expect(await client.totals(reaching: (portion + 1) * 100))
        }
        await MediaLoop.run {
            #expect(server.sources == [client.address])
            #expect(client.sources == [server.address])
            for (number, datagram) in client.datagrams.enumerated() {
                var expected = pattern(1196, salt: number)
                expected[0] ^= 0xFF
                let header = (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
                if datagram != header + expected { Issue.record("datagram \(number) differs"); break }
            }
            for probe in [server, client] {
                let statistics = probe.socket?.statistics ?? UDPStatistics()
                #expect(statistics.sentDatagrams == 1000)
                #expect(statistics.receivedDatagrams == 1000)
                #expect(statistics.sentBytes == 1_200_000)
                #expect(statistics.sendDrops == 0)
                if !segmenting { #expect(statistics.segmentedMessages == 0) }
                if probe.socket?.isSegmenting == true { #expect(statistics.segmentedMessages >= 20) }
                probe.socket?.close()
            }
        }
    }

    @Test("sizes and addresses may alternate within a segmented batch", arguments: [true, false])
    func mixed(segmenting: Bool) async throws {
        var options = UDPSocket.Options()
        options.usesSegmentation = segmenting
        let sizes = [100, 100, 100, 60, 60, 200, 0, 0, 200, 1400, 1400, 1399, 1, 1, 1, 1500, 1728, 1728]
        let (first, second, client) = try await MediaLoop.run { [options] in
            let probes = (DatagramProbe(), DatagramProbe(), DatagramProbe())
            try probes.0.open(options)
            try probes.1.open(options)
            try probes.2.open(options)
            for size in sizes {
                #expect(probes.2.socket?.put(pattern(size), to: probes.0.address) == true)
            }
            for size in sizes {
                for probe in [probes.0, probes.1] {
                    #expect(probes.2.socket?.put(pattern(size), to: probe.address) == true)
                }
            }
            return probes
        }
        #expect(await first.totals(reaching: 2 * sizes.count))
        #expect(await second.totals(reaching: sizes.count))
        await MediaLoop.run {
            #expect(first.datagrams.map(\.count) == sizes + sizes)
            #expect(second.datagrams.map(\.count) == sizes)
            #expect(second.datagrams == sizes.map { pattern($0) })
            for probe in [first, second, client] { probe.socket?.close() }
        }
    }

    @Test("segmentation that the path does not carry falls back to single datagrams")
    func tooLargeForSegments() async throws {
        let (server, client) = try await MediaLoop.run {
            let server = DatagramProbe(), client = DatagramProbe()
            try server.open()
            try client.open()
            // An address that this machine refuses: every message of the batch fails alone, the good ones around it
            // arrive.
            let refused = TransportAddress(ip: .v4(0), port: 0)
            client.socket?.send(pattern(10).rawSpan, to: server.address)
            for _ in 0..<3 { client.socket?.send(pattern(20).rawSpan, to: refused) }
            client.socket?.send(pattern(30).rawSpan, to: server.address)
            return (server, client)
        }
        #expect(await server.totals(reaching: 2))
        await MediaLoop.run {
            #expect(server.datagrams.map(\.count) == [10, 30])
            #expect(client.socket?.statistics.sendDrops == 3)
            #expect(client.socket?.statistics.sentDatagrams == 2)
            #expect(client.socket?.statistics.lastSendError != nil)
            for probe in [server, client] { probe.socket?.close() }
        }
    }

    @Test("a body that gives no address sends nothing, and a full batch goes out within the turn")
    func slots() async throws {
        let (server, client) = try await MediaLoop.run {
            let server = DatagramProbe(), client = DatagramProbe()
            try server.open()
            try client.open()
            let socket = try #require(client.socket)
            let sent = socket.withNextSlot { slot in
                slot.append(1, as: UInt8.self)
                return nil
            }
            #expect(!sent)
            for _ in 0..<UDPSocket.batchSlots { socket.send([1].rawSpan, to: server.address) }
            #expect(socket.statistics.sentDatagrams == 0)
            socket.send([2].rawSpan, to: server.address)
            #expect(socket.statistics.sentDatagrams == UInt64(UDPSocket.batchSlots))
            socket.withNextSlot { slot in
                let room = slot.freeCapacity
                #expect(room == UDPSocket.slotBytes)
                return nil
            }
            #expect(!socket.put(pattern(UDPSocket.slotBytes + 1), to: server.address))
            return (server, client)
        }
        #expect(await server.totals(reaching: UDPSocket.batchSlots + 1))
        await MediaLoop.run { for probe in [server, client] { probe.socket?.close() } }
    }

    @Test("a datagram longer than a receive slot is dropped and counted")
    func truncated() async throws {
        let (server, client) = try await MediaLoop.run {
            let server = DatagramProbe(), client = DatagramProbe()
            try server.open()
            try client.open()
            return (server, client)
        }
        // Through the system's own socket, since ours cannot send so much.
        sendPlainDatagram(pattern(3000), to: await server.address)
        sendPlainDatagram(pattern(2048), to: await server.address)
        #expect(await server.totals(reaching: 1))
        await MediaLoop.run {
            #expect(server.datagrams.map(\.count) == [2048])
            #expect(server.socket?.statistics.truncated == 1)
            for probe in [server, client] { probe.socket?.close() }
        }
    }

    @Test("an IPv6 any-address talks to IPv4 under plain IPv4 addresses; an IPv4 socket drops what goes to IPv6")
    func families() async throws {
        let (dual, v4) = try await MediaLoop.run {
            let dual = DatagramProbe(), v4 = DatagramProbe()
            try dual.open(on: TransportAddress(ip: .v6(0, 0), port: 0))
            try v4.open()
            dual.answers = true
            v4.socket?.send([1, 2].rawSpan, to: TransportAddress(ip: loopback.ip, port: dual.address.port))
            v4.socket?.send([3].rawSpan, to: TransportAddress(ip: .v6(0, 1), port: dual.address.port))
            return (dual, v4)
        }
        #expect(await v4.totals(reaching: 1))
        await MediaLoop.run {
            #expect(dual.sources == [v4.address])
            #expect(v4.sources == [TransportAddress(ip: loopback.ip, port: dual.address.port)])
            #expect(v4.socket?.statistics.sendDrops == 1)
            for probe in [dual, v4] { probe.socket?.close() }
        }
    }

    @Test("a socket closed by its handler in the middle of a batch gives nothing more")
    func closeInHandler() async throws {
        let (server, client) = try await MediaLoop.run {
            let server = DatagramProbe(), client = DatagramProbe()
            try server.open()
            try client.open()
            server.closesAfter = 3
            for _ in 0..<10 { client.socket?.send([1].rawSpan, to: server.address) }
            return (server, client)
        }
        #expect(await server.totals(reaching: 3))
        await MediaLoop.run {}
        await MediaLoop.run {
            #expect(server.datagrams.count == 3)
            #expect(server.socket?.isOpen == false)
            #expect(server.socket?.put([1], to: client.address) == false)
            client.socket?.close()
        }
    }

    @Test("the end of a wake-up is told once, after its datagrams")
    func drained() async throws {
        let (server, client) = try await MediaLoop.run {
            let server = DatagramProbe(), client = DatagramProbe()
            try server.open()
            try client.open()
            for _ in 0..<50 { client.socket?.send([1].rawSpan, to: server.address) }
            return (server, client)
        }
        #expect(await server.drains.next() == 50)
        await MediaLoop.run { for probe in [server, client] { probe.socket?.close() } }
    }

    @Test("turns with a datagram in and one out leave the heap as it was")
    func heap() async throws {
        let (server, client) = try await MediaLoop.run {
            let server = Bouncer(), client = Bouncer()
            try server.open()
            try client.open()
            return (server, client)
        }
        var growth: [Int] = []
        for _ in 0..<6 {
            let before = ProcessStatistics.heapBytesInUse()
            await client.bounce(2000, to: server.address)
            growth.append(ProcessStatistics.heapBytesInUse() - before)
        }
        // Even one small block a turn would show in every round; other suites may disturb some of them.
        #expect((growth.dropFirst().min() ?? .max) < 16 * 2000)
        await MediaLoop.run { for bouncer in [server, client] { bouncer.socket?.close() } }
    }

    @Test("an address that is taken cannot be bound again")
    func addressInUse() async throws {
        try await MediaLoop.run {
            let probe = DatagramProbe(), second = DatagramProbe()
            try probe.open()
            #expect(throws: RuntimeError.bind(probe.address, .addressInUse)) { try second.open(on: probe.address) }
            #expect((probe.socket?.receiveBufferBytes ?? 0) > 100_000)
            #expect(probe.socket?.kernelDrops == 0)
            probe.socket?.close()
        }
    }

    @Test("datagrams that the process did not read in time are counted by the kernel")
    func kernelDrops() async throws {
        let (server, client) = try await MediaLoop.run {
            let server = DatagramProbe(), client = DatagramProbe()
            var options = UDPSocket.Options()
            options.receiveBufferBytes = 4096
            try server.open(options)
            try client.open()
            for _ in 0..<200 { client.socket?.send(pattern(1000).rawSpan, to: server.address) }
            return (server, client)
        }
        _ = await server.drains.next()
        await MediaLoop.run {
            #expect((server.socket?.kernelDrops ?? 0) > 0)
            for probe in [server, client] { probe.socket?.close() }
        }
    }
}

@MediaLoop
private final class DatagramProbe: DatagramHandler {
    nonisolated let counts = Reports<Int>()
    /// Datagrams so far, at the end of each wake-up.
    nonisolated let drains = Reports<Int>()
    private(set) var socket: UDPSocket?
    var datagrams: [[UInt8]] = []
    var sources: Set<TransportAddress> = []
    /// Sends every datagram back with the fifth byte flipped in place.
    var answers = false
    var closesAfter = Int.max

    nonisolated init() {}

    func open(_ options: UDPSocket.Options = UDPSocket.Options(), on address: TransportAddress = loopback) throws {
        socket = try UDPSocket(on: address, options: options, handler: self)
    }

    var address: TransportAddress { socket?.address ?? loopback }

    func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) {
        sources.insert(source)
        if answers, datagram.byteCount > 4 {
            let byte = datagram.bytes[4]
            datagram.storeBytes(of: byte ^ 0xFF, toByteOffset: 4, as: UInt8.self)
        }
        datagrams.append(datagram.bytes.copied())
        if answers { socket.send(datagram.bytes, to: source) }
        if datagrams.count == closesAfter { socket.close() }
        counts.send(datagrams.count)
    }

    func socketDrained(_ socket: UDPSocket, at now: Monotonic) { drains.send(datagrams.count) }

    /// True when `count` datagrams have come.
    nonisolated func totals(reaching count: Int) async -> Bool {
        while await counts.next() < count {}
        return true
    }
}

/// Sends every datagram back until its turns are used up.
@MediaLoop
private final class Bouncer: DatagramHandler {
    private(set) var socket: UDPSocket?
    nonisolated private let done = Reports<Void>()
    private var left = Int.max

    nonisolated init() {}

    func open() throws { socket = try UDPSocket(on: loopback, handler: self) }

    var address: TransportAddress { socket?.address ?? loopback }

    func bounce(_ turns: Int, to target: TransportAddress) async {
        left = turns
        _ = socket?.put(pattern(1200), to: target)
        await done.next()
    }

    func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) {
        left -= 1
        if left == 0 { done.send(()) } else { socket.send(datagram.bytes, to: source) }
    }
}
