import Bytes
import FLV
import Media

/// Messages of a publisher in any order, files, and the way from muxer to demuxer.
package let flvTargets: [FuzzTarget] = [
    FuzzTarget("flv-video") { bytes in
        demux([FLVTag(kind: .video, timestampMilliseconds: 0, payload: SlabSlice(copying: bytes))])
    },
    FuzzTarget("flv-audio") { bytes in
        demux([FLVTag(kind: .audio, timestampMilliseconds: 0, payload: SlabSlice(copying: bytes))])
    },
    FuzzTarget("flv-data") { bytes in
        demux([FLVTag(kind: .script, timestampMilliseconds: 0, payload: SlabSlice(copying: bytes))])
    },
    FuzzTarget("flv-session") { bytes in demuxSession(FuzzInput(bytes)) },
    FuzzTarget("flv-file") { bytes in
        guard var reader = try? FLVFile.Reader(SlabSlice(copying: bytes)) else { return }
        var tags: [FLVTag] = []
        while true {
            do throws(FLVError) {
                guard let tag = try reader.next() else { break }
                tags.append(tag)
            } catch {
                guard case .unknownTagType = error else { break }
            }
        }
        demux(tags)
    },
    FuzzTarget("flv-mux") { bytes in muxAndDemux(FuzzInput(bytes)) },
]

/// Checks what must hold for every event, whatever came in.
private func demux(_ tags: [FLVTag]) {
    var demuxer = FLVDemuxer()
    var video: VideoCodec?
    var audio: AudioCodec?
    for tag in tags {
        do { try demuxer.demux(tag) } catch { precondition(error != .eventQueueFull, "events of one message overflow") }
        while let event = demuxer.pollEvent() {
            switch event {
            case .videoConfiguration(let configuration):
                video = configuration.codec
                precondition(!configuration.profileName.isEmpty)
                precondition(configuration.record?.endsAtPadding ?? true)
                _ = configuration.codedSize
            case .audioConfiguration(let configuration):
                audio = configuration.codec
                precondition(configuration.sampleRate >= 0 && configuration.channels >= 0)
            case .frame(let frame):
                precondition(!frame.payload.isEmpty && frame.payload.endsAtPadding, "a frame without data or padding")
                switch frame.codec {
                case .video(let codec): precondition(codec == video, "a frame before its configuration")
                case .audio(let codec): precondition(codec == audio, "a frame before its configuration")
                }
                _ = frame.codedSize
            case .metadata(let metadata):
                precondition((metadata.encoder ?? "").unicodeScalars.count <= 128)
            case .extraTrackIgnored(_, let id):
                precondition(id != 0)
            case .endOfSequence: break
            }
        }
    }
}

private func demuxSession(_ input: FuzzInput) {
    var input = input
    var tags: [FLVTag] = []
    while !input.isEmpty, tags.count < 64 {
        let kinds: [FLVTag.Kind] = [.video, .audio, .script]
        let kind = kinds[input.int(in: 0...2)]
        let time = Int64(input.int(in: 0...Int(UInt32.max)))
        tags.append(
            FLVTag(kind: kind, timestampMilliseconds: time, payload: SlabSlice(copying: input.slice(upTo: 300))))
    }
    demux(tags)
}

private func muxAndDemux(_ input: FuzzInput) {
    var input = input
    let muxer = FLVMuxer(prefersEnhanced: true, writesNanoseconds: true)
    let dts = MediaTime(input.int(in: 0...Int(UInt32.max))) * 1000
    let offset = MediaTime(input.int(in: 0...120_000) - 60_000) * 1_000_000
    let isKey = input.byte() & 1 == 1
    let isVideo = input.byte() & 1 == 1
    // Codecs that play without a sequence header, so that any payload comes through.
    let codec: EncodedFrame.Codec =
        isVideo
        ? .video([.vp8, .vp9, .av1][input.int(in: 0...2)]) : .audio([.opus, .mp3, .ac3, .eac3][input.int(in: 0...3)])
    let payload = input.remainder()
    guard !payload.isEmpty else { return }
    let frame = EncodedFrame(codec: codec, pts: dts, dts: dts, isKey: isKey, payload: SlabSlice(copying: payload))
    guard let tag = try? muxer.frame(frame) else { preconditionFailure("a frame in range was refused") }
    var demuxer = FLVDemuxer()
    guard (try? demuxer.demux(tag)) != nil, demuxer.pollEvent() != nil, case .frame(let back)? = demuxer.pollEvent()
    else {
        preconditionFailure("our own message was refused")
    }
    precondition(back.codec == codec && back.dts == dts && back.pts == dts && back.isKey == (isKey || !isVideo))
    precondition(back.payload.copied() == payload)
    var reordered = frame
    reordered.codec = .video(.h264)
    reordered.pts = dts + offset
    let message = try? muxer.frame(reordered)
    precondition(message != nil, "a composition time in range was refused")
    demux([message].compactMap { $0 })
}
