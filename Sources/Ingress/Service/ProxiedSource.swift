package import Bytes
import LiveKitProtocol
import Logging
import PSRPC
package import Runtime
package import SDP
package import WHIP

/// A publisher whose offer the LiveKit server answers: what it asks of its session is asked there, with the
/// participant's token.
@MediaLoop
package final class ProxiedSource {
    private enum Limits {
        /// The server's last notice comes after the end.
        static let lastNotice = Interval.seconds(5)
    }

    let encoder: String
    /// Nil once either side has ended the other.
    private var session: ProxiedSession?
    private var onEnd: (@MediaLoop (SessionEnd) -> Void)?
    private var resource: SFUEndpoint.Resource?
    private var notices: (any IngressControl)?

    init(encoder: String, session: ProxiedSession, onEnd: @escaping @MediaLoop (SessionEnd) -> Void) {
        self.encoder = encoder
        self.session = session
        self.onEnd = onEnd
    }

    /// Hands the offer on; the answer is the server's.
    package func open(offer: [UInt8], userAgent: String?) async throws(WHIPError) -> WHIPAccepted {
        guard let session else { throw .unavailable }
        session.opens()
        do throws(WHIPError) {
            let answer = try await session.server.create(offer: offer, userAgent: userAgent)
            resource = answer.resource
            try await hear(of: answer.resource.participantID, session)
            guard self.session != nil, !session.isOver else { throw .unavailable }
            session.attach(self, at: MediaLoop.now)
            return WHIPAccepted(
                answer: answer.description, sessionID: session.resourceID, links: answer.links)
        } catch {
            leave(session)
            self.session = nil
            session.refused(error)
            throw error
        }
    }

    private func hear(of participantID: String, _ session: ProxiedSession) async throws(WHIPError) {
        do throws(PSRPCError) {
            notices = try await session.directory.openNotices(of: participantID) { [weak self] notice in
                guard let self else { return }
                self.session?.notified(self, notice, at: MediaLoop.now)
            }
        } catch {
            session.log.warning("the LiveKit server's notices cannot be heard: \(error.message)")
            throw .unavailable
        }
    }

    package func trickle(_ fragment: TrickleFragment) async throws(WHIPError) {
        guard let session, let resource else { throw .notFound }
        try await session.server.trickle(fragment, to: resource)
    }

    package func restart(_ fragment: TrickleFragment) async throws(WHIPError) -> TrickleFragment {
        guard let session, let resource else { throw .notFound }
        let (answer, restarted) = try await session.server.restart(fragment, of: resource)
        if self.resource != nil { self.resource = restarted }
        return answer
    }

    /// The publisher ended it.
    package func sourceEnded(_ reason: SessionEnd, at now: Monotonic) {
        onEnd = nil
        guard let session = session.take() else { return }
        leave(session)
        session.sourceEnded(self, reason, at: now)
    }

    /// The session ends the publisher.
    func end(_ reason: SessionEnd) {
        if let session = session.take() { leave(session) }
        onEnd.take()?(reason)
    }

    /// There is nothing left to end at the server.
    func closedByServer() {
        session = nil
        resource = nil
        if let notices = notices.take() { Task { @MediaLoop in await notices.close() } }
        onEnd.take()?(.finished)
    }

    /// Says goodbye to the server, and hears it for a while longer.
    private func leave(_ session: ProxiedSession) {
        if let resource = resource.take() {
            let log = session.log
            let server = session.server
            session.keep(
                Task { @MediaLoop in
                    do throws(WHIPError) {
                        try await server.delete(resource)
                    } catch {
                        log.notice("the server was not told of the end: \(error)")
                    }
                })
        }
        guard let notices = notices.take() else { return }
        Task { @MediaLoop in
            try? await Task.sleep(for: .nanoseconds(Limits.lastNotice.nanoseconds))
            await notices.close()
        }
    }
}
