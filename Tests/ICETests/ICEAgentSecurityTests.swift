import Bytes
import ICE
import TestSupport
import Testing

/// What a stranger, or a peer with bad manners, can and cannot do to either kind of agent.
@Suite struct ICEAgentSecurityTests {
    private let path = ICEPath(socket: ICESocket(id: 1), remote: address("198.51.100.1", 40_000))

    private func makeHost(_ mode: ICEAgent.Mode) throws -> Host {
        let host = Host(Host.configuration(mode, .controlled, seed: 3))
        try host.bind(1, address("192.0.2.1", 5_000))
        return host
    }

    /// Nothing is answered, validated or selected.
    private func expectSilence(_ host: Host, _ bytes: [UInt8], _ error: ICEError) {
        #expect(host.inject(bytes, on: path, at: .zero) == .ignored(error))
        #expect(host.drain().isEmpty)
        #expect(host.events.isEmpty)
        #expect(!host.isValidated(path))
        #expect(host.selectedPath == nil)
        #expect(host.ignoredCount > 0)
    }

    @Test("a request with another password is dropped in silence", arguments: [ICEAgent.Mode.lite, .full])
    func badIntegrity(mode: ICEAgent.Mode) throws {
        let host = try makeHost(mode)
        var request = Request(to: host.credentials)
        request.password[0] ^= 1
        expectSilence(host, request.bytes, .badIntegrity)
    }

    @Test("a request to another fragment is dropped in silence", arguments: ["nope", "", "nopenope2"])
    func wrongFragment(fragment: String) throws {
        let host = try makeHost(.lite)
        var request = Request(to: host.credentials)
        request.fragment = fragment
        expectSilence(host, request.bytes, .unknownUsername)
        request.fragment = String(host.credentials.fragment.dropLast())
        expectSilence(host, request.bytes, .unknownUsername)
        request.fragment = host.credentials.fragment + "x"
        expectSilence(host, request.bytes, .unknownUsername)
    }

    @Test("requests without name, integrity or fingerprint are dropped in silence")
    func missingParts() throws {
        let host = try makeHost(.lite)
        var request = Request(to: host.credentials)
        request.hasFingerprint = false
        expectSilence(host, request.bytes, .missingFingerprint)
        request.hasFingerprint = true
        request.hasIntegrity = false
        expectSilence(host, request.bytes, .missingIntegrity)
        expectSilence(host, makeMessage(key: request.password, fingerprint: true), .missingAttribute(.username))
    }

    @Test("a request whose fingerprint is wrong is dropped before its integrity is computed")
    func badFingerprint() throws {
        let host = try makeHost(.lite)
        var bytes = Request(to: host.credentials).bytes
        bytes[bytes.count - 1] ^= 1
        expectSilence(host, bytes, .badFingerprint)
    }

    @Test("every truncation and every single changed byte of a request is dropped in silence")
    func sweep() throws {
        let host = try makeHost(.lite)
        let bytes = Request(to: host.credentials).bytes
        for count in 0..<bytes.count {
            host.inject(Array(bytes[..<count]), on: path, at: .zero)
        }
        for offset in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[offset] ^= 1 << UInt8(bit)
                host.inject(changed, on: path, at: .zero)
            }
        }
        #expect(host.ignored.count + 1 >= bytes.count * 9)
        #expect(host.drain().isEmpty)
        #expect(host.selectedPath == nil)
    }

    @Test("all short packets of one repeated byte are dropped by both kinds of agent")
    func shortPackets() throws {
        for mode in [ICEAgent.Mode.lite, .full] {
            let host = try makeHost(mode)
            for count in 0...64 {
                for byte: UInt8 in [0, 1, 0x21, 0x7F, 0x80, 0xFF] {
                    host.inject([UInt8](repeating: byte, count: count), on: path, at: .zero)
                }
            }
            #expect(host.ignored.count == 65 * 6)
            #expect(host.drain().isEmpty)
        }
    }

    @Test("an attribute that must be understood and is not gets 420 with its number, and no path")
    func unknownAttribute() throws {
        let host = try makeHost(.lite)
        var request = Request(to: host.credentials)
        request.extra = STUNAttribute(rawValue: 0x7ABC)
        #expect(host.inject(request.bytes, on: path, at: .zero) == .ignored(.unknownRequiredAttribute))
        let answer = try #require(host.drain().first)
        #expect(try read(answer.bytes) { m throws(ICEError) in try m.errorCode() } == 420)
        #expect(try read(answer.bytes) { $0.copiedBytes(.unknownAttributes) } == [0x7A, 0xBC])
        #expect(!host.isValidated(path))
    }

    @Test("attributes that need not be understood are passed over")
    func optionalAttribute() throws {
        let host = try makeHost(.lite)
        var request = Request(to: host.credentials)
        request.extra = .networkCost
        #expect(host.inject(request.bytes, on: path, at: .zero) == .accepted)
    }

    @Test("a malformed PRIORITY in a signed request makes no path and gets no answer")
    func malformedPriority() throws {
        let host = try makeHost(.lite)
        let credentials = host.credentials
        let bytes = makeMessage(key: Array(credentials.password.utf8), fingerprint: true) { writer, output in
            writer.append(username: Array(credentials.fragment.utf8), [0x62], to: &output)
            writer.append(flag: .priority, to: &output)
        }
        expectSilence(host, bytes, .malformedAttribute(.priority))
    }

    @Test("a signed request without PRIORITY is still answered, as consent checks may lack it")
    func missingPriority() throws {
        let host = try makeHost(.lite)
        var request = Request(to: host.credentials)
        request.priority = nil
        #expect(host.inject(request.bytes, on: path, at: .zero) == .accepted)
        #expect(host.drain().count == 1)
    }

    @Test("methods other than Binding, and indications, do nothing")
    func otherMessages() throws {
        let host = try makeHost(.lite)
        expectSilence(host, makeMessage(.allocate), .unexpectedMessage)
        #expect(host.inject(makeMessage(.binding, .indication), on: path, at: .zero) == .accepted)
        #expect(host.drain().isEmpty)
        #expect(!host.isValidated(path))
    }

    @Test("a response to nothing is dropped", arguments: [ICEAgent.Mode.lite, .full])
    func unsolicited(mode: ICEAgent.Mode) throws {
        let host = try makeHost(mode)
        let key = Array(host.credentials.password.utf8)
        let bytes = makeMessage(.binding, .success, key: key, fingerprint: true) {
            $0.append(.xorMappedAddress, xor: path.remote, to: &$1)
        }
        expectSilence(host, bytes, .unknownTransaction)
    }

    @Test("a full agent takes data from a path with an authenticated request, but sends on none before its own check")
    func returnRoutability() throws {
        let host = try makeHost(.full)
        host.agent.setRemoteCredentials(ICECredentials(random: [UInt8](0..<24)), at: .zero)
        let request = Request(to: host.credentials, usesCandidate: true)
        #expect(host.inject(request.bytes, on: path, at: .zero) == .accepted)
        _ = host.drain()
        #expect(host.events == [.pathValidated(path)])
        #expect(host.isValidated(path))
        #expect(host.selectedPath == nil)
    }
}
