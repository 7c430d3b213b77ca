import ArgumentParser
import Bytes
import DTLS
import Runtime

/// Protection alone: packets of one stream, as fast as one core makes them.
struct SRTPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srtp", abstract: "Packets that SRTP protects and unprotects in a second of processor time.")

    @Option(help: "Bytes of a plain packet.") var size = 1_200
    @Option(help: "Packets of each measurement.") var packets = 500_000

    private static let blockPackets = 64

    struct Report: Encodable {
        let profile: String
        let protectPerS: Int
        let unprotectPerS: Int
    }

    func validate() throws {
        guard (12...60_000).contains(size), packets >= Self.blockPackets else {
            throw ValidationError("--size is 12 to 60000, --packets 64 at least.")
        }
    }

    func run() throws {
        for profile in SRTPProfile.allCases { try printJSON(try measure(profile)) }
    }

    private func measure(_ profile: SRTPProfile) throws -> Report {
        let key = [UInt8](repeating: 7, count: profile.keyBytes + profile.saltBytes)
        let sender = try SRTPSession(.sending, profile: profile, key: key)
        let receiver = try SRTPSession(.receiving, profile: profile, key: key)
        let slotBytes = size + SRTPSession.protectionTailBytes
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.blockPackets * slotBytes, alignment: 16)
        defer { memory.deallocate() }
        var packet = [0x80, 96] + [UInt8](repeating: 1, count: size - 2)
        var (protecting, unprotecting) = (Interval.zero, Interval.zero)
        var sequence: UInt16 = 0
        // In blocks, so that asking the clock costs nothing.
        for _ in 0..<packets / Self.blockPackets {
            let start = SystemClock.processTime()
            for index in 0..<Self.blockPackets {
                sequence &+= 1
                (packet[2], packet[3]) = (UInt8(sequence >> 8), UInt8(truncatingIfNeeded: sequence))
                let slot = UnsafeMutableRawBufferPointer(rebasing: memory[(index * slotBytes)...].prefix(slotBytes))
                var output = OutputRawSpan(buffer: slot, initializedCount: 0)
                output.append(copying: packet)
                let status = sender.protectRTP(&output)
                _ = output.finalize(for: slot)
                guard status == .ok else { throw BenchError("a packet was not protected: \(status)") }
            }
            let middle = SystemClock.processTime()
            for index in 0..<Self.blockPackets {
                let sealed = memory[(index * slotBytes)...].prefix(size + profile.tagBytes)
                var span = MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: sealed))
                let status = receiver.unprotectRTP(&span).status
                guard status == .ok else { throw BenchError("a packet was not taken: \(status)") }
            }
            protecting += middle - start
            unprotecting += SystemClock.processTime() - middle
        }
        let count = Double(packets / Self.blockPackets * Self.blockPackets)
        return Report(
            profile: "\(profile)", protectPerS: Int(count / protecting.seconds),
            unprotectPerS: Int(count / unprotecting.seconds))
    }
}
