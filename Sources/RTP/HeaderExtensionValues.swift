import Bytes

/// The values of one packet's header extensions, decoded. What is nil is absent.
package struct HeaderExtensionValues: Hashable, Sendable {
    /// RFC 6464.
    package struct AudioLevel: Hashable, Sendable {
        /// 0 is the loudest, 127 silence: -dBov.
        package var level: UInt8
        package var isVoice: Bool

        package init(level: UInt8, isVoice: Bool) {
            self.level = min(level, 127)
            self.isVoice = isVoice
        }
    }

    /// How long the receiver should hold a frame, in units of 10 ms; 12 bits each. 0 and 0 ask for display at once.
    package struct PlayoutDelay: Hashable, Sendable {
        package var min10ms: UInt16
        package var max10ms: UInt16

        package init(min10ms: UInt16, max10ms: UInt16) {
            self.min10ms = min(min10ms, 0xFFF)
            self.max10ms = min(max10ms, 0xFFF)
        }
    }

    /// RFC 8843 section 15: the media section.
    package var mid: InlineBytes?
    /// RFC 8852: the simulcast layer.
    package var streamID: InlineBytes?
    /// RFC 8852: the layer that a retransmission belongs to.
    package var repairedStreamID: InlineBytes?
    package var audioLevel: AudioLevel?
    package var transportSequence: UInt16?
    /// Time of sending, 6.18 bits fixed-point seconds.
    package var absoluteSendTime: UInt32?
    /// When the frame was captured, on the sender's NTP clock.
    package var absoluteCaptureTime: NTPTime?
    package var playoutDelay: PlayoutDelay?

    package init() {}

    package static func sendTime24(_ time: NTPTime) -> UInt32 {
        UInt32(truncatingIfNeeded: time.rawValue >> 14) & 0xFF_FFFF
    }
}

extension HeaderExtensionValues {
    /// Reads the negotiated extensions of a packet. Unknown ids and values of a wrong size are passed over, as RFC 8285
    /// section 4.1 asks; an element that leaves its block is an error.
    package init(_ header: RTPHeader, of packet: RawSpan, map: HeaderExtensionMap) throws(RTPError) {
        var reader = HeaderExtensionReader(header, of: packet)
        while let (id, range) = try reader.next() {
            guard let kind = map.kind(of: id) else { continue }
            set(kind, from: packet.extracting(range))
        }
    }

    private mutating func set(_ kind: HeaderExtensionKind, from data: RawSpan) {
        switch (kind, data.byteCount) {
        case (.mid, 1...16): mid = InlineBytes(data)
        case (.streamID, 1...16): streamID = InlineBytes(data)
        case (.repairedStreamID, 1...16): repairedStreamID = InlineBytes(data)
        case (.audioLevel, 1): audioLevel = AudioLevel(level: data[0] & 0x7F, isVoice: data[0] & 0x80 != 0)
        case (.transportSequence, 2): transportSequence = data.bigEndian(at: 0, as: UInt16.self)
        case (.absoluteSendTime, 3): absoluteSendTime = data.uint24(at: 0)
        // The longer form has an estimated clock offset behind the time.
        case (.absoluteCaptureTime, 8), (.absoluteCaptureTime, 16):
            absoluteCaptureTime = NTPTime(rawValue: data.bigEndian(at: 0, as: UInt64.self))
        case (.playoutDelay, 3):
            let word = data.uint24(at: 0)
            playoutDelay = PlayoutDelay(min10ms: UInt16(word >> 12), max10ms: UInt16(word & 0xFFF))
        default: break
        }
    }

    /// Bytes that `write` appends: 0 when no value has an id, else a multiple of four.
    package func encodedByteCount(map: HeaderExtensionMap, descriptorCount: Int = 0) -> Int {
        layout(map: map, descriptorCount: descriptorCount).byteCount
    }

    /// Appends the extension block with all values that have an id, padded to four bytes: in the one-byte form unless
    /// an id is above 14, or a descriptor is long. Nothing when no value has one; see `encodedByteCount`.
    /// - Parameter descriptor: a dependency descriptor of up to 255 bytes, as it was read; it is no value of ours.
    package func write(
        map: HeaderExtensionMap, descriptor: RawSpan = RawSpan(), into output: inout OutputRawSpan
    ) {
        let (total, isTwoByte) = layout(map: map, descriptorCount: descriptor.byteCount)
        guard total > 0 else { return }
        let end = output.byteCount + total
        output.append(
            bigEndian: isTwoByte ? HeaderExtensionReader.twoByteProfile : HeaderExtensionReader.oneByteProfile)
        output.append(bigEndian: UInt16(truncatingIfNeeded: total / 4 - 1))
        for kind in HeaderExtensionKind.all {
            guard let id = map[kind], let length = length(of: kind, descriptor.byteCount) else { continue }
            if isTwoByte {
                output.append(id)
                output.append(UInt8(truncatingIfNeeded: length))
            } else {
                output.append(id << 4 | UInt8(truncatingIfNeeded: length - 1))
            }
            if kind == .dependencyDescriptor {
                output.append(copying: descriptor)
            } else {
                writeValue(of: kind, into: &output)
            }
        }
        while output.byteCount < end { output.append(0 as UInt8) }
    }

    private func layout(map: HeaderExtensionMap, descriptorCount: Int) -> (byteCount: Int, isTwoByte: Bool) {
        var elements = 0
        var bytes = 0
        var isTwoByte = false
        for kind in HeaderExtensionKind.all {
            guard let id = map[kind], let length = length(of: kind, descriptorCount) else { continue }
            elements += 1
            bytes += length
            if id > 14 || length > 16 { isTwoByte = true }
        }
        guard elements > 0 else { return (0, false) }
        return (4 + (bytes + elements * (isTwoByte ? 2 : 1) + 3) / 4 * 4, isTwoByte)
    }

    /// Nil when there is no value. An empty name is none: it cannot be written in the one-byte form.
    private func length(of kind: HeaderExtensionKind, _ descriptorCount: Int) -> Int? {
        switch kind {
        case .mid: nonzero(mid?.count)
        case .streamID: nonzero(streamID?.count)
        case .repairedStreamID: nonzero(repairedStreamID?.count)
        case .audioLevel: audioLevel == nil ? nil : 1
        case .transportSequence: transportSequence == nil ? nil : 2
        case .absoluteSendTime: absoluteSendTime == nil ? nil : 3
        case .absoluteCaptureTime: absoluteCaptureTime == nil ? nil : 8
        case .playoutDelay: playoutDelay == nil ? nil : 3
        case .dependencyDescriptor: (1...255).contains(descriptorCount) ? descriptorCount : nil
        }
    }

    private func nonzero(_ count: Int?) -> Int? { count == 0 ? nil : count }

    private func writeValue(of kind: HeaderExtensionKind, into output: inout OutputRawSpan) {
        switch kind {
        case .mid: mid?.write(into: &output)
        case .streamID: streamID?.write(into: &output)
        case .repairedStreamID: repairedStreamID?.write(into: &output)
        case .audioLevel:
            if let audioLevel { output.append(audioLevel.level | (audioLevel.isVoice ? 0x80 : 0)) }
        case .transportSequence:
            if let transportSequence { output.append(bigEndian: transportSequence) }
        case .absoluteSendTime:
            if let absoluteSendTime { output.append(uint24: absoluteSendTime) }
        case .absoluteCaptureTime:
            if let absoluteCaptureTime { output.append(bigEndian: absoluteCaptureTime.rawValue) }
        case .playoutDelay:
            if let playoutDelay {
                output.append(uint24: UInt32(playoutDelay.min10ms) << 12 | UInt32(playoutDelay.max10ms))
            }
        case .dependencyDescriptor: break
        }
    }
}

extension RawSpan {
    /// Three bytes, big-endian; traps when out of bounds, so callers guard the length first.
    func uint24(at offset: Int) -> UInt32 {
        UInt32(self[offset]) << 16 | UInt32(bigEndian(at: offset + 1, as: UInt16.self))
    }
}

extension OutputRawSpan {
    /// The low 24 bits, big-endian.
    @_lifetime(self: copy self)
    mutating func append(uint24 value: UInt32) {
        append(UInt8(truncatingIfNeeded: value >> 16))
        append(bigEndian: UInt16(truncatingIfNeeded: value))
    }
}
