import Bytes
import RTP
import TestSupport

/// A small receiver of the video stream: puts packets in order, takes retransmissions in, names what is missing, and
/// hands out whole pictures.
struct PictureReceiver: ~Copyable {
    private struct Packet {
        var input: DepacketizerInput
        var payload: [UInt8]
    }

    private(set) var pictures: [[UInt8]] = []
    /// RTP timestamp of each picture.
    private(set) var timestamps: [UInt32] = []
    private(set) var retransmissions = 0
    private(set) var duplicates = 0
    /// Arrivals by transport-wide number, in 250 µs.
    private(set) var arrivals: [Int64: Int64] = [:]
    private var depacketizer = H264Depacketizer()
    private var numbers = SequenceCounter()
    private var transportNumbers = SequenceCounter()
    private var waiting: [Int64: Packet] = [:]
    /// What comes first is known, so that a network that reorders may lose it.
    private var next = Int64(PeerWorld.firstSequenceNumber)

    /// Takes one decrypted packet; audio is passed over.
    mutating func receive(_ bytes: [UInt8], at now: Monotonic) throws {
        let header = try RTPHeader(parsing: bytes.rawSpan)
        let values = try HeaderExtensionValues(header, of: bytes.rawSpan, map: PeerWorld.extensions)
        if let number = values.transportSequence {
            arrivals[transportNumbers.unwrap(number)] = now.nanoseconds / 250_000
        }
        var payload = header.payload(of: bytes.rawSpan).copied()
        var input = DepacketizerInput(header)
        switch header.ssrc {
        case PeerWorld.videoSSRC: break
        case PeerWorld.retransmissionSSRC:
            // Padding alone probes the path.
            if payload.isEmpty, header.paddingCount > 0 { return }
            guard payload.count >= 2 else { throw RTPError.badPayload }
            input.sequenceNumber = UInt16(payload[0]) << 8 | UInt16(payload[1])
            payload.removeFirst(2)
            retransmissions += 1
        default: return
        }
        let number = numbers.unwrap(input.sequenceNumber)
        guard number >= next, waiting[number] == nil else {
            duplicates += 1
            return
        }
        waiting[number] = Packet(input: input, payload: payload)
        try deliver()
    }

    private mutating func deliver() throws {
        while let packet = waiting.removeValue(forKey: next) {
            next += 1
            try depacketizer.receive(packet.payload.rawSpan, packet.input)
            while let frame = depacketizer.pollFrame() {
                pictures.append(frame.payload.bytes.copied())
                timestamps.append(frame.timestamp)
            }
        }
    }

    /// What is missing up to the newest packet.
    var missing: [UInt16] {
        guard let highest = numbers.highest, next <= highest else { return [] }
        return (next...highest).filter { waiting[$0] == nil }.map { UInt16(truncatingIfNeeded: $0) }
    }
}

extension PeerWorld {
    /// Lets time pass in small steps in which the receiver gets its packets and, when told to, asks for those that it
    /// misses.
    func run(for interval: Interval, _ receiver: inout PictureReceiver, nacks: Bool = true) throws {
        let end = now + interval
        while now < end {
            run(for: min(.milliseconds(5), end - now))
            for packet in client.media { try receiver.receive(packet, at: now) }
            client.media = []
            let missing = receiver.missing
            guard nacks, !missing.isEmpty else { continue }
            sendControl { output in
                _ = Feedback.writeNack(
                    sender: Self.clientSSRC, media: Self.videoSSRC, sequenceNumbers: missing, maxBytes: 1_000,
                    into: &output)
            }
        }
    }
}
