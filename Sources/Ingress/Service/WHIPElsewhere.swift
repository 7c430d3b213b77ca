import LiveKitProtocol
import PSRPC
import Runtime
import SwiftProtobuf
import WHIP

/// WHIP sessions of other processes, over RPC.
extension IngressDirectory {
    func close(whip sessionID: String, key: String) async throws(WHIPError) {
        do throws(PSRPCError) {
            try await deleteElsewhere(
                .with {
                    $0.resourceID = sessionID
                    $0.streamKey = key
                })
        } catch {
            throw WHIPError(error)
        }
    }

    func patch(
        whip sessionID: String, key: String, _ fragment: [UInt8], ifMatch: String
    ) async throws(WHIPError) -> WHIPPatched {
        let response: Rpc_ICERestartWHIPResourceResponse
        do throws(PSRPCError) {
            response = try await restartElsewhere(Self.request(sessionID, key, fragment, ifMatch))
        } catch {
            throw WHIPError(error)
        }
        guard !response.trickleIceSdpfrag.isEmpty else { return .taken }
        guard response.etag.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .internalFault }
        // Services of other makes leave the quotes out.
        let tag = response.etag.hasPrefix("\"") ? response.etag : "\"" + response.etag + "\""
        return .restarted(fragment: Array(response.trickleIceSdpfrag.utf8), entityTag: tag)
    }

    private static func request(
        _ sessionID: String, _ key: String, _ fragment: [UInt8], _ ifMatch: String
    ) -> Rpc_ICERestartWHIPResourceRequest {
        .with {
            $0.resourceID = sessionID
            $0.streamKey = key
            $0.rawTrickleIceSdpfrag = String(decoding: fragment, as: UTF8.self)
            $0.ifMatch = ifMatch
        }
    }
}

extension WHIPError {
    fileprivate init(_ error: PSRPCError) {
        self = error == .noResponse ? .notFound : .refused(status: error.code.httpStatus, sentence: error.message)
    }
}
