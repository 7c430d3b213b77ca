import Bytes
import CFFmpeg
import FLV
import Media

/// A clip's packets in libavcodec's own reference-counted form, made before anything is measured.
final class FloorSource {
    struct Packet {
        let raw: UnsafeMutablePointer<AVPacket>
        let isVideo: Bool
        /// Nanoseconds from the clip's begin.
        let dts: Int64
        let pts: Int64
    }

    private(set) var packets: [Packet] = []
    private(set) var videoRecord: [UInt8]?
    private(set) var audioRecord: [UInt8]?
    /// Nanoseconds after which the clip may begin anew.
    let duration: Int64

    init(path: String) throws {
        duration = try Clip(path: path).milliseconds * 1_000_000
        var demuxer = FLVDemuxer()
        for tag in try Clip.tags(path) {
            try demuxer.demux(tag)
            while let event = demuxer.pollEvent() { try take(event) }
        }
        guard let first = packets.map(\.dts).min() else { throw BenchError("\(path) has no media") }
        packets = packets.map { Packet(raw: $0.raw, isVideo: $0.isVideo, dts: $0.dts - first, pts: $0.pts - first) }
    }

    deinit {
        for packet in packets {
            var raw: UnsafeMutablePointer<AVPacket>? = packet.raw
            av_packet_free(&raw)
        }
    }

    private func take(_ event: FLVEvent) throws {
        switch event {
        case .videoConfiguration(let configuration):
            guard configuration.codec == .h264 else { throw BenchError("the floor takes H.264 and AAC only") }
            videoRecord = configuration.record?.copied()
        case .audioConfiguration(let configuration):
            guard configuration.codec == .aac else { throw BenchError("the floor takes H.264 and AAC only") }
            audioRecord = configuration.record?.copied()
        case .frame(let frame): packets.append(try Self.packet(frame))
        case .metadata, .extraTrackIgnored, .endOfSequence: break
        }
    }

    private static func packet(_ frame: EncodedFrame) throws -> Packet {
        let bytes = frame.payload.copied()
        guard let raw = av_packet_alloc(), av_new_packet(raw, Int32(bytes.count)) == 0 else {
            throw BenchError("out of memory")
        }
        bytes.withUnsafeBytes {
            raw.pointee.data.update(from: $0.assumingMemoryBound(to: UInt8.self).baseAddress!, count: $0.count)
        }
        if frame.isKey { raw.pointee.flags |= AV_PKT_FLAG_KEY }
        return Packet(raw: raw, isVideo: frame.kind == .video, dts: frame.dts, pts: frame.pts)
    }
}

extension UnsafeMutablePointer<AVCodecContext> {
    /// Copies a codec's record with the padding that libavcodec wants.
    func setRecord(_ record: [UInt8]) {
        let memory = av_mallocz(record.count + Int(AV_INPUT_BUFFER_PADDING_SIZE))!
        record.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        pointee.extradata = memory.assumingMemoryBound(to: UInt8.self)
        pointee.extradata_size = Int32(record.count)
    }
}
