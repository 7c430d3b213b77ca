import Bytes
import CFFmpeg

/// Owns one `AVPacket`, used again for every frame.
struct AVPacketRef: ~Copyable {
    let raw: UnsafeMutablePointer<AVPacket>

    init() {
        guard let packet = av_packet_alloc() else { preconditionFailure("out of memory for a packet") }
        raw = packet
    }

    deinit {
        var packet: UnsafeMutablePointer<AVPacket>? = raw
        av_packet_free(&packet)
    }

    /// Lends the slice's memory to libavcodec, which may keep references to it; the slab lives as long as they do. Only
    /// a slice that the zero padding does not follow is copied.
    func lend(_ slice: SlabSlice, pts: Int64, dts: Int64, isKey: Bool) throws(TranscodeError) {
        av_packet_unref(raw)
        guard slice.count <= TranscodeLimits.maxFrameBytes else { throw .frameTooLarge(slice.count) }
        let padded = slice.endsAtPadding ? slice : SlabSlice(copying: slice.bytes)
        let count = padded.count
        let buffer = padded.withUnsafeStorage { storage, start in
            let owner = Unmanaged.passRetained(storage)
            let bytes = UnsafeMutableRawPointer(mutating: start).assumingMemoryBound(to: UInt8.self)
            let buffer = av_buffer_create(
                bytes, count, { owner, _ in if let owner { Unmanaged<SlabStorage>.fromOpaque(owner).release() } },
                owner.toOpaque(), AV_BUFFER_FLAG_READONLY)
            if buffer == nil { owner.release() }
            return buffer
        }
        guard let buffer else { throw .undecodable(shim_averror_enomem()) }
        raw.pointee.buf = buffer
        raw.pointee.data = buffer.pointee.data
        raw.pointee.size = Int32(count)
        raw.pointee.pts = pts
        raw.pointee.dts = dts
        raw.pointee.flags = isKey ? AV_PKT_FLAG_KEY : 0
    }

    func clear() { av_packet_unref(raw) }
}

/// A result of libavcodec, libswresample and their kin.
enum AVCode {
    static let again = shim_averror_eagain()
    static let endOfFile = shim_averror_eof()
    static let outOfMemory = shim_averror_enomem()
    static let noTime = shim_av_nopts_value()

    /// The libraries write to standard error on their own; what goes wrong is told by their result codes instead.
    static let silence: Void = av_log_set_level(AV_LOG_QUIET)
}
