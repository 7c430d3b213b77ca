import Bytes
import DTLS
import struct Foundation.Data
import LiveKit
import LiveKitProtocol
import Logging
import PSRPC
import Runtime
import SwiftProtobuf
import WHIP

// What a session is made of, and what others may do to it.

extension IngressService {
    func makeSession(
        _ info: Livekit_IngressInfo, _ order: Ingress_SessionOrder, _ reporter: StateReporter
    ) throws(IngressError) -> any ServedSession {
        let now = MediaLoop.now
        if settings.proxiesWHIP, !info.isTranscoded {
            return try ProxiedSession(
                info: info, order: order,
                environment: ProxiedSession.Environment(
                    send: http, directory: directory, log: log, report: { reporter.report($0) },
                    onAnswer: { [observers] in observers.published(SessionKind(info.inputType), $0) },
                    onEnd: { [weak self] in self?.ended($0) }), at: now)
        }
        guard info.isTranscoded else {
            return try PassedSession(
                info: info, order: order,
                environment: PassedSession.Environment(
                    shared: passing, grace: settings.grace, log: log, report: { reporter.report($0) },
                    onFigures: observers.figures, onEnd: { [weak self] in self?.ended($0) }), at: now)
        }
        return IngressSession(
            info: info, order: order,
            environment: IngressSession.Environment(
                pool: pool, grace: settings.grace, log: log, report: { reporter.report($0) },
                onFigures: observers.figures, onCrash: { [weak self] in self?.removeFromRoom($0) },
                onEnd: { [weak self] in self?.ended($0) }), at: now)
    }

    private func removeFromRoom(_ session: IngressSession) {
        let removal = RoomRemoval(send: http, apiKey: settings.apiKey, apiSecret: settings.apiSecret, log: log)
        let (info, wsURL) = (session.info, session.order.wsURL)
        Task { await removal.remove(identity: info.participantIdentity, from: info.roomName, at: wsURL) }
    }

    func controls(of session: any ServedSession) -> SessionControls {
        var controls = SessionControls(ingressID: session.info.ingressID) { [weak session] in
            session?.stop(.finished)
            return session?.state ?? Livekit_IngressState()
        }
        guard session.info.inputType == .whipInput else { return controls }
        controls.whip = SessionControls.WHIP(
            resourceID: session.resourceID,
            delete: { [weak session] request throws(PSRPCError) in
                guard let session, !session.isOver else { throw .noSession }
                guard session.info.streamKey.isEqualSecret(to: request.streamKey) else { throw .wrongKey }
                session.stop(.finished)
            },
            restart: { [weak self, weak session] request async throws(PSRPCError) in
                guard let self, let session, !session.isOver else { throw .noSession }
                guard session.info.streamKey.isEqualSecret(to: request.streamKey) else { throw .wrongKey }
                return try await patch(request)
            })
        return controls
    }

    private func patch(
        _ request: Rpc_ICERestartWHIPResourceRequest
    ) async throws(PSRPCError) -> Rpc_ICERestartWHIPResourceResponse {
        guard let patchWHIP else { throw .noSession }
        do throws(WHIPError) {
            guard !request.ifMatch.isEmpty else { throw .preconditionRequired }
            let patched = try await patchWHIP(
                request.resourceID, request.streamKey, request.fragment, request.ifMatch)
            guard case .restarted(let fragment, let tag) = patched else { return Rpc_ICERestartWHIPResourceResponse() }
            return .with {
                $0.trickleIceSdpfrag = String(decoding: fragment, as: UTF8.self)
                $0.etag = tag
            }
        } catch {
            throw PSRPCError(PSRPCCode(httpStatus: error.status), error.description)
        }
    }

    func reporter(
        of id: String, onRefused: @escaping @MediaLoop (PSRPCError) -> Void
    ) -> StateReporter {
        let directory = directory
        return StateReporter(
            send: { state throws(PSRPCError) in try await directory.update(state, of: id) },
            pause: { try? await Task.sleep(for: .nanoseconds($0.nanoseconds)) }, onRefused: onRefused)
    }

    func order(_ response: Rpc_GetIngressInfoResponse, resourceID: String) -> Ingress_SessionOrder {
        .with {
            $0.info = Data(response.info.wireBytes())
            $0.wsURL = response.wsURL.isEmpty ? settings.wsURL : response.wsURL
            $0.token = response.token.isEmpty ? token(for: response.info) : response.token
            $0.resourceID = resourceID
            $0.maxThreads = UInt32(clamping: settings.maxThreads)
        }
    }

    private func token(for info: Livekit_IngressInfo) -> String {
        var token = AccessToken(
            room: info.roomName, identity: info.participantIdentity, ingressID: info.ingressID)
        token.name = info.participantName
        token.metadata = info.participantMetadata
        return token.signed(
            apiKey: settings.apiKey, secret: settings.apiSecret,
            unixSeconds: SystemClock.unixNanoseconds() / 1_000_000_000)
    }
}

extension Livekit_IngressState {
    var isLive: Bool { status == .endpointBuffering || status == .endpointPublishing }
}

extension Livekit_IngressInfo {
    /// Of the ids of its sessions.
    var resourcePrefix: String {
        switch inputType {
        case .whipInput: "WH_"
        case .urlInput: "UR_"
        default: "RT_"
        }
    }

    /// Whether a session begun with `other` is still what is asked for: all but the state and what only names the ingress.
    func isSameOrder(as other: Livekit_IngressInfo) -> Bool {
        func order(_ info: Livekit_IngressInfo) -> Livekit_IngressInfo {
            var info = info
            info.clearState()
            info.name = ""
            return info
        }
        return order(self) == order(other)
    }
}

extension Rpc_ICERestartWHIPResourceRequest {
    /// As the client sent it; of processes that pass on only what they found in it, that.
    fileprivate var fragment: [UInt8] {
        guard rawTrickleIceSdpfrag.isEmpty else { return Array(rawTrickleIceSdpfrag.utf8) }
        let lines =
            ["a=ice-ufrag:" + userFragment, "a=ice-pwd:" + password, "m=audio 9 UDP/TLS/RTP/SAVPF 0"]
            + candidates.map { $0.hasPrefix("a=") ? $0 : "a=" + $0 }
        return Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    }
}

extension PSRPCError {
    static let noSession = PSRPCError(.notFound, "ingress not found")
    fileprivate static let wrongKey = PSRPCError(.permissionDenied, "the stream key is not the session's")
}
