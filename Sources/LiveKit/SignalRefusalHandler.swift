import NIOCore
import NIOHTTP1

/// Keeps what a server says when it does not upgrade: the status, and of the body as much as a person wants to read.
final class SignalRefusalHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let link: SignalLink
    private var status = 0
    private var body: [UInt8] = []

    init(_ link: SignalLink) { self.link = link }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            status = Int(head.status.code)
            report(isComplete: false)
        case .body(let part):
            body += part.readableBytesView.prefix(SignalSocketLimits.refusalBytes - body.count)
            report(isComplete: body.count >= SignalSocketLimits.refusalBytes)
        case .end: report(isComplete: true)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { link.fail(error) }

    private func report(isComplete: Bool) {
        link.refused(status: status, body: Self.printable(body), isComplete: isComplete)
    }

    /// ASCII on one line: control characters become spaces, all else that is no ASCII a question mark.
    private static func printable(_ bytes: [UInt8]) -> String {
        var text = bytes.map { byte in
            switch byte {
            case 0x20..<0x7F: byte
            case 0..<0x20: UInt8(ascii: " ")
            default: UInt8(ascii: "?")
            }
        }
        while text.last == UInt8(ascii: " ") { text.removeLast() }
        return String(decoding: text, as: UTF8.self)
    }
}
