import Bytes
package import Media

/// What single packets tell of the video that they carry, without putting frames together and without allocating: for
/// streams that are passed through.
package enum PacketInspector {
    /// Whether a decoder that gets this packet first, and all that follow, can start: it begins a key frame, or the
    /// parameter sets in front of one.
    ///
    /// H.264, HEVC: parameter sets (not picture sets alone), or the start of the first slice of an IDR or IRAP
    /// picture. VP8, VP9: the first packet of a key frame, for VP9 of the base layer. AV1: a sequence header, unless a
    /// frame behind it is no key frame.
    package static func beginsKeyFrame(_ payload: RawSpan, _ codec: VideoCodec) -> Bool {
        guard payload.byteCount > 0 else { return false }
        switch codec {
        case .h264, .hevc:
            var isKey = false
            let syntax: NALSyntax = codec == .h264 ? .h264 : .hevc
            forEachUnitStart(payload, syntax) { header, body in
                switch syntax.role(header: header, body: payload.extracting(body)) {
                case .parameterSet(let rank): if rank < 2 { isKey = true }
                case .keySlice: if !body.isEmpty, payload[body.lowerBound] & 0x80 != 0 { isKey = true }
                default: break
                }
            }
            return isKey
        case .vp8:
            guard let descriptor = try? VP8Descriptor(parsing: payload), descriptor.startsFrame else { return false }
            let at = descriptor.byteCount
            return at < payload.byteCount && payload[at] & 1 == 0
        case .vp9:
            guard let descriptor = try? VP9Descriptor(parsing: payload), descriptor.startsKeyPicture else {
                return false
            }
            return (try? VP9FrameHeader(payload.extracting(droppingFirst: descriptor.byteCount)))?.isKey == true
        case .av1: return beginsAV1Sequence(payload)
        case .sorensonH263, .screenVideo, .vp6, .vp6Alpha, .screenVideo2: return false
        }
    }

    /// The size of the pictures, in pixels as shown, if the packet tells: from a sequence parameter set, the head of a
    /// key frame, a scalability structure or a sequence header. Of several spatial layers it is the largest one's.
    package static func pictureSize(_ payload: RawSpan, _ codec: VideoCodec) -> VideoSize? {
        guard payload.byteCount > 0 else { return nil }
        switch codec {
        case .h264, .hevc:
            var size: VideoSize?
            let syntax: NALSyntax = codec == .h264 ? .h264 : .hevc
            forEachUnitStart(payload, syntax) { header, body in
                guard size == nil, syntax.role(header: header, body: payload.extracting(body)) == .parameterSet(rank: 1)
                else { return }
                let bytes = payload.extracting(body)
                size =
                    syntax == .h264
                    ? (try? H264SequenceParameterSet(body: bytes))?.size
                    : (try? HEVCSequenceParameterSet(body: bytes))?.size
            }
            return size
        case .vp8:
            guard let descriptor = try? VP8Descriptor(parsing: payload), descriptor.startsFrame else { return nil }
            return (try? VP8FrameHeader(payload.extracting(droppingFirst: descriptor.byteCount)))?.size
        case .vp9:
            guard let descriptor = try? VP9Descriptor(parsing: payload) else { return nil }
            if let size = descriptor.size { return size }
            guard descriptor.startsFrame else { return nil }
            return (try? VP9FrameHeader(payload.extracting(droppingFirst: descriptor.byteCount)))?.size
        case .av1: return av1Sequence(payload)?.size
        case .sorensonH263, .screenVideo, .vp6, .vp6Alpha, .screenVideo2: return nil
        }
    }

    /// Spatial layers of each picture that are in this one stream, if the packet tells: by a scalability structure, or a
    /// sequence header. Codecs that have none say nothing.
    package static func spatialLayers(_ payload: RawSpan, _ codec: VideoCodec) -> Int? {
        guard payload.byteCount > 0 else { return nil }
        switch codec {
        case .vp9: return (try? VP9Descriptor(parsing: payload))?.spatialLayers
        case .av1: return av1Sequence(payload)?.spatialLayers
        default: return nil
        }
    }

    /// Whether the pictures of a stream that begins with this key frame may have more layers soon, and grow: browsers begin
    /// with the lowest of them. VP9's frames tell their layer only when there are several, and AV1's sequence header tells of
    /// all that there will be.
    package static func mayGrow(_ payload: RawSpan, _ codec: VideoCodec) -> Bool {
        switch codec {
        case .vp9: payload.byteCount > 0 && payload[0] & 0x20 != 0
        case .av1: (spatialLayers(payload, codec) ?? 1) > 1
        default: false
        }
    }

    private static func av1Sequence(_ payload: RawSpan) -> AV1SequenceHeader? {
        var header: AV1SequenceHeader?
        forEachAV1Unit(payload) { type, body in
            guard header == nil, type == AV1Units.UnitType.sequenceHeader else { return }
            header = try? AV1SequenceHeader(payload.extracting(body))
        }
        return header
    }

    /// Visits the NAL units that begin in a packet: the first byte of each header, and the place of what follows the
    /// header, which is cut short where the unit is fragmented.
    private static func forEachUnitStart(
        _ payload: RawSpan, _ syntax: NALSyntax, _ visit: (_ header: UInt8, _ body: Range<Int>) -> Void
    ) {
        var (header, at) = (UInt8(0), 0)
        let isH264 = syntax == .h264
        let hasUnit =
            isH264
            ? H264PacketType.firstUnit(of: payload, header: &header, bodyAt: &at)
            : HEVCPacketType.firstUnit(of: payload, header: &header, bodyAt: &at)
        guard hasUnit else { return }
        let lengthBytes: Int? =
            isH264 ? H264PacketType.lengthBytes(payload[0] & 0x1F) : HEVCPacketType.lengthBytes(of: payload)
        guard let lengthBytes else { return visit(header, at..<payload.byteCount) }
        // The length stands in front of what is between it and the unit: nothing, or order and time.
        var start = at - syntax.headerCount - lengthBytes
        while start >= 0, start + lengthBytes + syntax.headerCount <= payload.byteCount {
            let length = Int(payload.bigEndian(at: start, as: UInt16.self))
            let unit = start + lengthBytes
            guard length >= syntax.headerCount, length <= payload.byteCount - unit else { return }
            visit(payload[unit], unit + syntax.headerCount..<unit + length)
            start = unit + length
        }
    }

    private static func beginsAV1Sequence(_ payload: RawSpan) -> Bool {
        var hasSequenceHeader = false
        var isKey: Bool?
        forEachAV1Unit(payload) { type, body in
            if type == AV1Units.UnitType.sequenceHeader {
                hasSequenceHeader = true
            } else if type == AV1Units.UnitType.frame || type == AV1Units.UnitType.frameHeader, isKey == nil,
                !body.isEmpty
            {
                isKey = AV1UnitHeader.isKeyFrame(payload[body.lowerBound])
            }
        }
        return hasSequenceHeader && isKey != false
    }

    /// Visits the units that begin in a packet, as far as they are in it.
    private static func forEachAV1Unit(_ payload: RawSpan, _ visit: (_ type: UInt8, _ body: Range<Int>) -> Void) {
        var elements = AV1Elements(payload)
        while let element = try? elements.next() {
            guard !element.continues, !element.range.isEmpty else { continue }
            let header = AV1UnitHeader(payload[element.range.lowerBound])
            var start = element.range.lowerBound + header.byteCount
            guard !header.isForbidden, start <= element.range.upperBound else { return }
            if header.hasSize {
                let unit = payload.extracting(first: element.range.upperBound)
                guard (try? LEB128.read(unit, at: &start)) != nil else { return }
            }
            visit(header.type, start..<element.range.upperBound)
        }
    }
}

extension H264PacketType {
    /// Bytes of size, order and time in front of each unit of an aggregation packet; nil for other packets.
    static func lengthBytes(_ type: UInt8) -> Int? {
        switch type {
        case stapA, stapB: 2
        case mtap16: 5
        case mtap24: 6
        default: nil
        }
    }
}

extension HEVCPacketType {
    static func lengthBytes(of payload: RawSpan) -> Int? { type(of: payload) == aggregation ? 2 : nil }
}
