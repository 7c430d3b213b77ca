import Bytes
import FLV
import Foundation
import RTMP

/// A whole FLV file as the messages that a publisher sends.
struct Clip: Sendable {
    struct Message: Sendable {
        let kind: RTMPMediaKind
        let payload: SlabSlice
        /// Decoding time, from the clip's first message.
        let milliseconds: Int64
        /// Presentation time less decoding time.
        let compositionMilliseconds: Int64
        /// Sequence headers and metadata, which are sent once however often the clip is repeated.
        let isSetup: Bool

        /// A coded picture.
        var isPicture: Bool { kind == .video && !isSetup }
    }

    let messages: [Message]
    /// Where a repetition begins.
    let milliseconds: Int64

    init(path: String, hasVideo: Bool = true) throws {
        var messages: [Message] = []
        for tag in try Self.tags(path) where hasVideo || tag.kind != .video {
            if let message = Self.message(tag) { messages.append(message) }
        }
        guard let first = messages.first(where: { !$0.isSetup })?.milliseconds else {
            throw BenchError("\(path) has no media")
        }
        let timed = messages.map {
            Message(
                kind: $0.kind, payload: $0.payload, milliseconds: max(0, $0.milliseconds - first),
                compositionMilliseconds: $0.compositionMilliseconds, isSetup: $0.isSetup)
        }
        self.messages = timed
        milliseconds = [RTMPMediaKind.audio, .video].map { Self.end(of: timed, $0) }.max() ?? 0
    }

    static func tags(_ path: String) throws -> [FLVTag] {
        guard let data = FileManager.default.contents(atPath: path) else { throw BenchError("\(path) cannot be read") }
        var reader = try FLVFile.Reader(SlabSlice(copying: Array(data)))
        var tags: [FLVTag] = []
        while let tag = try reader.next() { tags.append(tag) }
        return tags
    }

    /// Nil for what a live publisher does not send: the end of a sequence.
    private static func message(_ tag: FLVTag) -> Message? {
        let bytes = tag.payload.copied()
        var isSetup = tag.kind == .script
        var composition: Int64 = 0
        switch tag.kind {
        case .video where bytes.count >= 5 && bytes[0] & 0x8F == 0x07:
            if bytes[1] == 2 { return nil }
            isSetup = bytes[1] == 0
            let raw = Int64(bytes[2]) << 16 | Int64(bytes[3]) << 8 | Int64(bytes[4])
            composition = raw >= 1 << 23 ? raw - 1 << 24 : raw
        case .audio where bytes.count >= 2 && bytes[0] >> 4 == 10: isSetup = bytes[1] == 0
        default: break
        }
        let kind: RTMPMediaKind = tag.kind == .audio ? .audio : tag.kind == .video ? .video : .data
        return Message(
            kind: kind, payload: tag.payload, milliseconds: tag.timestampMilliseconds,
            compositionMilliseconds: composition,
            isSetup: isSetup)
    }

    /// Where the track's next frame would be.
    private static func end(of messages: [Message], _ kind: RTMPMediaKind) -> Int64 {
        let times = messages.filter { $0.kind == kind && !$0.isSetup }.map(\.milliseconds)
        guard let first = times.first, let last = times.last, times.count > 1 else { return 0 }
        return last + ((last - first) + Int64(times.count - 1) / 2) / Int64(times.count - 1)
    }
}
