import Bytes
import Media
import RTP

/// Padding across a packet's borders changes none of its elements.
func joinLayers(_ bytes: [UInt8]) {
    guard let joined = AV1LayerJoint.joined(bytes.rawSpan, marker: false, descriptor: nil)?.copied() else { return }
    let opens = joined[0] & 0x80 != bytes[0] & 0x80
    let closes = joined[0] & 0x40 != bytes[0] & 0x40
    precondition(opens || closes, "nothing was joined")
    precondition(joined[0] | bytes[0] == joined[0] | bytes[0] & 0x30, "a flag was lost")
    let added = (opens ? [[0x80]] : []) + (av1Elements(bytes) ?? []) + (closes ? [[0x78]] : [])
    precondition(av1Elements(joined) == added, "an element changed")
}

private func av1Elements(_ packet: [UInt8]) -> [[UInt8]]? {
    let count = Int(packet[0] >> 4 & 3)
    var elements: [[UInt8]] = []
    var offset = 1
    while offset < packet.count {
        var length = packet.count - offset
        if count == 0 || elements.count < count - 1 {
            guard let read = try? LEB128.read(packet.rawSpan, at: &offset) else { return nil }
            length = read
        }
        guard length <= packet.count - offset else { return nil }
        elements.append(Array(packet[offset..<offset + length]))
        offset += length
    }
    return elements
}
