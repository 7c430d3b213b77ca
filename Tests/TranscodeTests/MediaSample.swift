import Bytes
import Media
import TestSupport

/// A committed clip: a decoder's record and coded frames with their times.
struct MediaSample: Sendable {
    let codec: EncodedFrame.Codec
    let sampleRate: Int
    let channels: Int
    let record: SlabSlice?
    let frames: [EncodedFrame]

    /// `frames` holds, for each: its presentation time in milliseconds (2 bytes, signed), whether it is a key frame
    /// (1), its length (2) and its bytes; all in base64.
    init(codec: EncodedFrame.Codec, sampleRate: Int = 0, channels: Int = 0, record: String?, frames text: String) {
        self.codec = codec
        self.sampleRate = sampleRate
        self.channels = channels
        self.record = record.map { SlabSlice(copying: base64($0)) }
        let bytes = base64(text)
        var frames: [EncodedFrame] = []
        var offset = 0
        while offset + 5 <= bytes.count {
            let time = Int64(Int16(truncatingIfNeeded: Int(bytes[offset]) << 8 | Int(bytes[offset + 1])))
            let count = Int(bytes[offset + 3]) << 8 | Int(bytes[offset + 4])
            let payload = SlabSlice(copying: Array(bytes[offset + 5..<offset + 5 + count]))
            let dts = Int64(frames.count) * 40_000_000 - 80_000_000
            frames.append(
                EncodedFrame(
                    codec: codec, pts: time * 1_000_000, dts: dts, isKey: bytes[offset + 2] == 1, payload: payload))
            offset += 5 + count
        }
        self.frames = frames
    }

    var videoConfiguration: VideoConfiguration? {
        guard case .video(let codec) = codec else { return nil }
        return VideoConfiguration(codec: codec, record: record)
    }

    var audioConfiguration: AudioConfiguration? {
        guard case .audio(let codec) = codec else { return nil }
        return AudioConfiguration(codec: codec, record: record, sampleRate: sampleRate, channels: channels)
    }
}

/// Traps on anything but base64, for constants in tests.
private func base64(_ text: String) -> [UInt8] {
    guard let bytes = [UInt8](base64: text) else { preconditionFailure("bad base64 in a sample") }
    return bytes
}
