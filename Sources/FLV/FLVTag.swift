package import Bytes

/// One message of a stream: what an RTMP audio, video or data message and an FLV tag have in common.
package struct FLVTag: Sendable {
    /// TagType, which is also the RTMP message type.
    package enum Kind: UInt8, Sendable {
        case audio = 8
        case video = 9
        case script = 18
    }

    package var kind: Kind
    /// Decoding time.
    package var timestampMilliseconds: Int64
    package var payload: SlabSlice

    package init(kind: Kind, timestampMilliseconds: Int64, payload: SlabSlice) {
        self.kind = kind
        self.timestampMilliseconds = timestampMilliseconds
        self.payload = payload
    }
}

extension FLVDemuxer {
    /// Demuxes a message by its kind.
    package mutating func demux(_ tag: FLVTag) throws(FLVError) {
        switch tag.kind {
        case .audio: try demuxAudio(tag.payload, timestampMilliseconds: tag.timestampMilliseconds)
        case .video: try demuxVideo(tag.payload, timestampMilliseconds: tag.timestampMilliseconds)
        case .script: try demuxData(tag.payload, timestampMilliseconds: tag.timestampMilliseconds)
        }
    }
}
