import Bytes
import Ingress
import LiveKitProtocol
import SwiftProtobuf
import PSRPC
import Runtime
import Testing

@Suite("State reporter")
@MediaLoop
struct StateReporterTests {
    /// A server that fails as often as it is told, and keeps what it took.
    @MediaLoop
    final class Server {
        var failures: [PSRPCError] = []
        var taken: [Livekit_IngressState] = []
        var tries = 0
        var pauses: [Interval] = []
        var refusal: PSRPCError?
        var gate: CheckedContinuation<Void, Never>?
        var isHeld = false

        func reporter() -> StateReporter {
            StateReporter(
                send: { state throws(PSRPCError) in try await self.take(state) },
                pause: { self.pauses.append($0) }, onRefused: { self.refusal = $0 })
        }

        private func take(_ state: Livekit_IngressState) async throws(PSRPCError) {
            if isHeld { await withCheckedContinuation { gate = $0 } }
            tries += 1
            if !failures.isEmpty { throw failures.removeFirst() }
            taken.append(state)
        }
    }

    private static func state(_ status: Livekit_IngressState.Status, _ updatedAt: Int64) -> Livekit_IngressState {
        .with {
            $0.status = status
            $0.updatedAt = updatedAt
        }
    }

    @Test("states arrive in order")
    func order() async {
        let server = Server()
        let reporter = server.reporter()
        let statuses: [Livekit_IngressState.Status] = [.endpointBuffering, .endpointPublishing, .endpointInactive]
        for (index, status) in statuses.enumerated() {
            reporter.report(Self.state(status, Int64(index)))
        }
        await reporter.drained()
        #expect(server.taken.map(\.status) == statuses)
    }

    @Test("the end of a session that was in its room waits a moment, so that the room is left before it is told")
    func farewell() async {
        let ends: [Livekit_IngressState.Status] = [.endpointInactive, .endpointError, .endpointComplete]
        for end in ends {
            for (before, pauses) in [(Livekit_IngressState.Status.endpointPublishing, 1), (.endpointBuffering, 0)] {
                let server = Server()
                let reporter = server.reporter()
                reporter.report(Self.state(before, 1))
                reporter.report(Self.state(end, 2))
                await reporter.drained()
                #expect(server.taken.map(\.status) == [before, end])
                #expect(server.pauses == Array(repeating: StateReporter.Limits.farewell, count: pauses))
            }
        }
    }

    @Test("a failure that may pass is tried again, with longer and longer pauses")
    func retries() async {
        let server = Server()
        server.failures = Array(repeating: PSRPCError(.unavailable, "no response from servers"), count: 8)
        let reporter = server.reporter()
        reporter.report(Self.state(.endpointInactive, 1))
        await reporter.drained()
        #expect(server.taken.count == 1)
        #expect(server.tries == 9)
        #expect(server.pauses.first == .milliseconds(200))
        #expect(server.pauses.last == .seconds(5))
    }

    @Test("what is refused ends the reports", arguments: [PSRPCCode.notFound, .failedPrecondition])
    func refused(code: PSRPCCode) async {
        let server = Server()
        server.failures = [PSRPCError(code, "no")]
        let reporter = server.reporter()
        reporter.report(Self.state(.endpointBuffering, 1))
        reporter.report(Self.state(.endpointPublishing, 2))
        await reporter.drained()
        reporter.report(Self.state(.endpointInactive, 3))
        await reporter.drained()
        #expect(server.tries == 1)
        #expect(server.refusal?.code == code)
    }

    @Test("while one is on its way, a refresh replaces a refresh, but no status is lost")
    func coalesces() async {
        let server = Server()
        server.isHeld = true
        let reporter = server.reporter()
        reporter.report(Self.state(.endpointBuffering, 1))
        while server.gate == nil { await Task.yield() }
        reporter.report(Self.state(.endpointPublishing, 2))
        reporter.report(Self.state(.endpointPublishing, 3))
        reporter.report(Self.state(.endpointInactive, 4))
        server.isHeld = false
        server.gate?.resume()
        await reporter.drained()
        #expect(server.taken.map(\.updatedAt) == [1, 3, 4])
    }
}
