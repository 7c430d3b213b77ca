import Bytes
import ICE
import Ingress
import Runtime
import ServiceConfiguration
import Testing

@Suite("Publishers' network") struct PublisherNetworkTests {
    private static func ip(_ text: String) throws -> TransportAddress.IP {
        try #require(TransportAddress(host: text, port: 0)?.ip)
    }

    private static func machine() throws -> [NetworkInterface] {
        func interface(_ name: String, _ text: String, isUp: Bool = true, isLoopback: Bool = false) throws
            -> NetworkInterface
        {
            NetworkInterface(
                name: name, address: try ip(text), isUp: isUp, isLoopback: isLoopback, isPointToPoint: false)
        }
        return [
            try interface("lo", "127.0.0.1", isLoopback: true), try interface("eth0", "10.1.2.3"),
            try interface("eth0", "fe80::1"), try interface("eth0", "2001:db8::5"),
            try interface("docker0", "172.17.0.1"), try interface("eth1", "192.168.7.7", isUp: false),
        ]
    }

    private static func addresses(
        external: String? = nil, _ change: (inout RTCConfiguration) -> Void = { _ in }
    ) throws -> [String] {
        var rtc = RTCConfiguration()
        change(&rtc)
        return PublisherNetwork(
            rtc, interfaces: try machine(), external: try external.map { [try ip($0)] } ?? []
        ).addresses.map { "\($0)" }
    }

    @Test("addresses that others can reach are advertised, in the system's order")
    func plain() throws {
        #expect(try Self.addresses() == ["10.1.2.3", "2001:db8::5", "172.17.0.1"])
    }

    @Test("loopback is advertised when asked for, last, and when there is nothing else")
    func loopback() throws {
        #expect(try Self.addresses { $0.enableLoopbackCandidate = true }.last == "127.0.0.1")
        #expect(try Self.addresses { $0.interfacesIncluded = ["lo"] } == ["127.0.0.1"])
    }

    @Test("interfaces and networks are filtered")
    func filters() throws {
        #expect(try Self.addresses { $0.interfacesIncluded = ["docker0"] } == ["172.17.0.1"])
        #expect(try Self.addresses { $0.interfacesExcluded = ["docker0"] } == ["10.1.2.3", "2001:db8::5"])
        #expect(try Self.addresses { $0.ipsIncluded = ["10.0.0.0/8"] } == ["10.1.2.3"])
        #expect(try Self.addresses { $0.ipsExcluded = ["10.0.0.0/8", "2001:db8::/32"] } == ["172.17.0.1"])
    }

    @Test("the node's own word goes before everything else")
    func nodeIP() throws {
        let addresses = try Self.addresses(external: "203.0.113.1") {
            $0.nodeIP = NodeAddresses(v4: "198.51.100.4", v6: "2001:db8::9")
        }
        #expect(addresses == ["198.51.100.4", "2001:db8::9"])
    }

    @Test("the outer address comes first, or alone")
    func external() throws {
        #expect(try Self.addresses(external: "203.0.113.1").first == "203.0.113.1")
        #expect(try Self.addresses(external: "10.1.2.3").count { $0 == "10.1.2.3" } == 1)
        #expect(try Self.addresses(external: "203.0.113.1") { $0.externalIPOnly = true } == ["203.0.113.1"])
    }

    private static func network(
        cpuCount: Int = .max, _ change: (inout RTCConfiguration) -> Void = { _ in }
    ) -> PublisherNetwork {
        var rtc = RTCConfiguration()
        change(&rtc)
        return PublisherNetwork(rtc, interfaces: [], cpuCount: cpuCount)
    }

    @Test("UDP ports are one, several that are shared, or a range with one for each; a range goes first")
    func udpPorts() {
        #expect(Self.network().udp == .shared(7_885...7_885))
        #expect(Self.network { $0.udpPorts = 5_000...5_003 }.udp == .shared(5_000...5_003))
        #expect(
            Self.network {
                $0.udpPorts = 5_000...5_003
                $0.portRangeStart = 6_000
                $0.portRangeEnd = 6_100
            }.udp == .own(6_000...6_100))
        #expect(
            Self.network {
                $0.portRangeStart = 65_535
                $0.portRangeEnd = 65_535
            }.udp == .own(65_535...65_535))
    }

    @Test("shared ports are at most as many as CPUs", arguments: [(0, 1), (1, 1), (2, 2), (4, 4), (64, 4)])
    func portsPerCPU(cpuCount: Int, expected: UInt16) {
        let network = Self.network(cpuCount: cpuCount) { $0.udpPorts = 7_885...7_888 }
        #expect(network.udp == .shared(7_885...7_884 + expected))
        #expect(Self.network(cpuCount: 8) { $0.udpPorts = 65_530...65_535 }.udp == .shared(65_530...65_535))
    }

    @Test("TCP stands beside UDP, or alone, and then nothing of UDP is used")
    func tcp() {
        #expect(Self.network().tcpPort == nil)
        #expect(Self.network { $0.tcpPort = 7_881 }.tcpPort == 7_881)
        let alone = Self.network {
            $0.tcpPort = 7_881
            $0.forceTCP = true
            $0.useSTUNPortAsICE = true
            $0.portRangeStart = 6_000
        }
        #expect(alone.udp == .off && alone.tcpPort == 7_881)
        #expect(!alone.usesSTUNPort && alone.stunServers.isEmpty)
    }

    @Test("STUN's port is advertised when asked for, and checks are the publisher's alone when asked for")
    func flags() {
        #expect(!Self.network().usesSTUNPort && !Self.network().isICELite)
        #expect(Self.network { $0.useSTUNPortAsICE = true }.usesSTUNPort)
        #expect(Self.network { $0.useICELite = true }.isICELite)
    }

    @Test("STUN servers are asked only when nothing else says how the machine is seen, and someone could use it")
    func stunServers() {
        #expect(Self.network().stunServers == RTCConfiguration().stunServers)
        #expect(Self.network { $0.stunServers = ["stun.example.com"] }.stunServers == ["stun.example.com"])
        #expect(Self.network { $0.nodeIP = NodeAddresses(v4: "198.51.100.4", v6: "") }.stunServers.isEmpty)
        #expect(Self.network { $0.useExternalIP = true }.stunServers.isEmpty)
        #expect(Self.network { $0.useICELite = true }.stunServers.isEmpty)
    }

    @Test(
        "networks in CIDR notation hold what begins as they do",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.0", false), ("0.0.0.0/0", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("192.0.2.0/31", "192.0.2.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::", false),
            ("2001:db8::/127", "2001:db8::1", true), ("2001:db8::/127", "2001:db8::2", false),
            ("::/0", "10.0.0.1", false),
            ("2001:db8::/64", "2001:db8::ffff", true), ("2001:db8:0:1::/64", "2001:db8::1", false),
        ])
    func ranges(range: String, address: String, expected: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(try Self.ip(address)) == expected)
    }

    @Test(
        "what is no network is none",
        arguments: ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "host", "::/129", "/8"])
    func malformed(text: String) { #expect(AddressRange(text) == nil) }

    @Test("servers are hosts with or without a port")
    func servers() {
        #expect(ExternalAddress.split("stun.example.com:19302") == ("stun.example.com", 19_302))
        #expect(ExternalAddress.split("stun.example.com") == ("stun.example.com", 3_478))
        #expect(ExternalAddress.split("2001:db8::1") == ("2001:db8::1", 3_478))
    }

    @Test("a STUN server says how it sees us; one that is silent is given up")
    func stun() async throws {
        let server = try await STUNServerDouble(seen: try Self.ip("203.0.113.77"))
        let port = await server.port
        #expect(try await ExternalAddress.find(asking: ["127.0.0.1:\(port)"]) == Self.ip("203.0.113.77"))
        await server.close()
        #expect(try await ExternalAddress.find(asking: ["127.0.0.1:\(port)"], within: .milliseconds(20)) == nil)
    }

    @Test("outer addresses are asked for from each inner one, and each is told once")
    func stunFromEach() async throws {
        let server = try await STUNServerDouble(seen: try Self.ip("203.0.113.77"))
        let asked = await ["127.0.0.1:\(server.port)"]
        let inside = [try Self.ip("127.0.0.1"), try Self.ip("127.0.0.2"), try Self.ip("192.0.2.99")]
        #expect(await ExternalAddress.find(asking: asked, from: inside) == [try Self.ip("203.0.113.77")])
        await server.close()
        #expect(await ExternalAddress.find(asking: asked, from: inside, within: .milliseconds(20)).isEmpty)
    }
}

@MediaLoop
private final class STUNServerDouble: DatagramHandler {
    private let seen: TransportAddress.IP
    private var socket: UDPSocket?

    init(seen: TransportAddress.IP) throws {
        self.seen = seen
        socket = try UDPSocket(on: TransportAddress(ip: .v4(0x7F00_0001), port: 0), handler: self)
    }

    var port: UInt16 { socket?.address.port ?? 0 }

    func close() { socket?.close() }

    func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) {
        guard let request = try? STUNMessage(datagram.bytes) else { return }
        let (id, seen) = (request.transactionID, seen)
        socket.withNextSlot { slot in
            let writer = STUNWriter(.binding, .success, transactionID: id, into: &slot)
            writer.append(.xorMappedAddress, xor: TransportAddress(ip: seen, port: 9), to: &slot)
            writer.finish(integrityKey: nil, fingerprint: true, hmac: { _, _ in .init(repeating: 0) }, to: &slot)
            return source
        }
    }
}
