import Bytes
import Media
import Relay

/// The connection between the two processes, both directions: first byte chooses, second cuts the rest into pieces.
package let relayTargets: [FuzzTarget] = [
    FuzzTarget("relay") { bytes in
        if let invitation = try? RelayInvitation(parsing: bytes.rawSpan) {
            precondition(invitation.encoded() == bytes, "an invitation changed on its way")
        }
        var input = FuzzInput(bytes)
        let isCommands = input.byte() & 1 == 0
        let step = Int(input.byte()) + 1
        let rest = input.remainder()
        if isCommands { readCommands(rest, step) } else { readReports(rest, step) }
    }
]

/// Small bounds, so that inputs reach them.
private let limits: RelayLimits = {
    var limits = RelayLimits()
    limits.frameBytes = 4_096
    limits.recordBytes = 512
    limits.specificationBytes = 1_024
    limits.reportBytes = 256
    limits.textBytes = 64
    return limits
}()

private func written(_ count: Int, _ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        body(&output)
        filled = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
}

private func pieces(_ bytes: [UInt8], _ step: Int) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: step).map { Array(bytes[$0..<min($0 + step, bytes.count)]) }
}

/// What was read writes the very bytes that it was read from.
private func readCommands(_ bytes: [UInt8], _ step: Int) {
    var reader = RelayCommandReader(limits: limits, pool: SlabPool())
    var again: [UInt8] = []
    for piece in pieces(bytes, step) {
        var offset = 0
        do throws(RelayError) {
            while let command = try reader.next(piece.rawSpan, from: &offset) {
                if case .frame(let frame, _) = command {
                    precondition(frame.payload.endsAtPadding, "a payload without zeroes behind it")
                }
                again += written(try command.encodedByteCount(limits)) { command.write(limits, into: &$0) }
            }
        } catch { break }
        precondition(offset == piece.count, "bytes were left over")
    }
    precondition(bytes.starts(with: again), "a command changed on its way")
}

private func readReports(_ bytes: [UInt8], _ step: Int) {
    var reader = RelayReportReader(limits: limits)
    var again: [UInt8] = []
    for piece in pieces(bytes, step) {
        var offset = 0
        do throws(RelayError) {
            while let report = try reader.next(piece.rawSpan, from: &offset) {
                again += written(try report.encodedByteCount(limits)) { report.write(limits, into: &$0) }
            }
        } catch { break }
        precondition(offset == piece.count, "bytes were left over")
    }
    precondition(bytes.starts(with: again), "a report changed on its way")
}
