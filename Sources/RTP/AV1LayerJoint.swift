package import Bytes
import Media

/// Makes one whole of a picture whose AV1 spatial layers come in one stream, for receivers that read no dependency
/// descriptors.
///
/// Without these, libwebrtc takes each run of packets from the beginning of a unit to the end of one for a frame, and
/// refuses a picture that has several frames without numbers. So a unit of padding, which decoders pass over (AV1 section
/// 5.8), is laid across each border between layers: it begins at the end of the one layer's last packet, and ends at the
/// beginning of the next layer's first one. Both packets tell by themselves that they stand at the border, so that loss and
/// order do not matter.
package enum AV1LayerJoint {
    /// obu_type 15, without extension and size; then the bit that ends a unit.
    private static let padding: [UInt8] = [AV1Units.UnitType.padding << 3, 0x80]
    /// Lengths, each in front of its element, and the two halves of padding.
    private static let extraBytes = 32

    /// The packet's payload as it goes to such a receiver; nil when it may go as it is.
    /// - Parameter descriptor: the packet's dependency descriptor, which tells exactly where a layer begins and ends. Without
    ///   it each packet does that begins or ends with a whole unit.
    package static func joined(_ payload: RawSpan, marker: Bool, descriptor: SlabSlice?) -> SlabSlice? {
        guard payload.byteCount > 1 else { return nil }
        var (begins, ends) = (true, true)
        // start_of_frame and end_of_frame (appendix A.8.1).
        if let descriptor, let flags = descriptor.firstByte { (begins, ends) = (flags & 0x80 != 0, flags & 0x40 != 0) }
        let header = payload[0]
        let joinsNext = ends && !marker && header & 0x40 == 0
        let joinsPrevious = begins && header & 0x80 == 0 && (spatialLayer(of: payload) ?? 0) > 0
        guard joinsNext || joinsPrevious else { return nil }
        return rewritten(payload, joinsPrevious: joinsPrevious, joinsNext: joinsNext)
    }

    /// As the first unit says that belongs to a layer.
    private static func spatialLayer(of payload: RawSpan) -> UInt8? {
        var elements = AV1Elements(payload)
        while let element = try? elements.next() {
            guard !element.continues, element.range.count > 1 else { continue }
            let unit = AV1UnitHeader(payload[element.range.lowerBound])
            if unit.hasExtension { return payload[element.range.lowerBound + 1] >> 3 & 3 }
        }
        return nil
    }

    /// With all lengths written out (W is 0).
    private static func rewritten(_ payload: RawSpan, joinsPrevious: Bool, joinsNext: Bool) -> SlabSlice? {
        var writer = SlabWriter(reservingCapacity: payload.byteCount + extraBytes)
        writer.append(payload[0] & 0xCF | (joinsPrevious ? 0x80 : 0) | (joinsNext ? 0x40 : 0))
        if joinsPrevious { writer.append([1, padding[1]]) }
        var elements = AV1Elements(payload)
        do {
            while let element = try elements.next() {
                LEB128.encode(UInt32(element.range.count)) { writer.append($0) }
                writer.append(payload.extracting(element.range))
            }
        } catch { return nil }
        if joinsNext { writer.append([1, padding[0]]) }
        return writer.seal()
    }
}

extension SlabSlice {
    fileprivate var firstByte: UInt8? { isEmpty ? nil : bytes[0] }
}

extension ForwardedPacket {
    /// For receivers without dependency descriptors; nil when it may go as it is.
    package var withJoinedLayers: ForwardedPacket? {
        guard let payload = AV1LayerJoint.joined(payload.bytes, marker: marker, descriptor: descriptor) else {
            return nil
        }
        var packet = self
        packet.payload = payload
        return packet
    }
}
