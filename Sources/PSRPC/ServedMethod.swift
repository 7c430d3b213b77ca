import LiveKitProtocol
import Runtime
import SwiftProtobuf

/// A registered method without the types of its messages.
@MediaLoop
protocol ServedMethod {
    func prepare(_ body: [UInt8]) throws(LiveKitProtocolError) -> any PreparedRequest
}

/// A decoded request that waits until it may run.
@MediaLoop
protocol PreparedRequest {
    /// How well this server suits.
    var affinity: Float { get }
    func run(until deadline: RPCDeadline) async -> Result<[UInt8], PSRPCError>
}

struct TypedMethod<Request: Message, Response: Message>: ServedMethod {
    typealias Handler = @MediaLoop (Request, RPCDeadline) async throws(PSRPCError) -> Response

    let affinity: (@MediaLoop (Request) -> Float)?
    let handler: Handler

    func prepare(_ body: [UInt8]) throws(LiveKitProtocolError) -> any PreparedRequest {
        let request = try Request(parsing: body)
        return TypedRequest(request: request, affinity: affinity?(request) ?? 1, handler: handler)
    }
}

private struct TypedRequest<Request: Message, Response: Message>: PreparedRequest {
    let request: Request
    let affinity: Float
    let handler: TypedMethod<Request, Response>.Handler

    func run(until deadline: RPCDeadline) async -> Result<[UInt8], PSRPCError> {
        do throws(PSRPCError) {
            return .success(try await handler(request, deadline).wireBytes())
        } catch {
            return .failure(error)
        }
    }
}
