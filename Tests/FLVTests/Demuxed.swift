import Bytes
import FLV
import Media
import TestSupport

/// All that a demuxer said about a run of messages.
struct Demuxed {
    var video: [VideoConfiguration] = []
    var audio: [AudioConfiguration] = []
    var frames: [EncodedFrame] = []
    var metadata: [StreamMetadata] = []
    var extraTracks: [String] = []
    var ends: [MediaKind] = []
    var errors: [FLVError] = []
    /// The kinds of events in their order: v and a configurations, V and A frames, m, x, e.
    var order = ""

    mutating func take(_ demuxer: inout FLVDemuxer) {
        while let event = demuxer.pollEvent() {
            switch event {
            case .videoConfiguration(let configuration):
                video.append(configuration)
                order += "v"
            case .audioConfiguration(let configuration):
                audio.append(configuration)
                order += "a"
            case .frame(let frame):
                frames.append(frame)
                order += frame.kind == .video ? "V" : "A"
            case .metadata(let value):
                metadata.append(value)
                order += "m"
            case .extraTrackIgnored(let kind, let id):
                extraTracks.append("\(kind) \(id)")
                order += "x"
            case .endOfSequence(let kind):
                ends.append(kind)
                order += "e"
            }
        }
    }

    /// The payloads of all frames in hexadecimal.
    var payloads: [String] { frames.map { String(hex: $0.payload.copied()) } }
    var videoRecords: [String?] { video.map { $0.record.map { String(hex: $0.copied()) } } }
    var audioRecords: [String?] { audio.map { $0.record.map { String(hex: $0.copied()) } } }
}

/// Demuxes messages one after another at 0, 40, 80 … ms.
func demux(_ kind: FLVTag.Kind, _ messages: [String]) -> Demuxed {
    demux(
        messages.enumerated().map { index, text in
            FLVTag(kind: kind, timestampMilliseconds: Int64(index) * 40, payload: SlabSlice(copying: hex(text)))
        })
}

func demux(_ tags: [FLVTag]) -> Demuxed {
    var demuxer = FLVDemuxer()
    var seen = Demuxed()
    for tag in tags {
        do { try demuxer.demux(tag) } catch { seen.errors.append(error) }
        seen.take(&demuxer)
    }
    return seen
}

/// Sequence headers and frames that x264, x265, libaom, libvpx and FFmpeg's encoders wrote.
enum Samples {
    static let avcRecord =
        "0164000affe1001a6764000aacd945279a23011000000300100000030320f122596001000668ebe3cb22c0fdf8f800"
    static let otherAVCRecord =
        "01f4000affe1001867f4000a919b288f6022000003000200000300641e244b2c01000668ebe3c44844fff8f800"
    static let hevcRecord =
        "0101600000009000000000001ef000fcfdf8f800000f03"
        + "200001001840010c01ffff01600000030090000003000003001e959809"
        + "210001002a42010101600000030090000003000003001ea024839d4996566b932bc05a0200000300020000030032102200010006"
        + "4401c173d189"
    static let av1Record = "812000000a0d20000002aff79b5f2404340080"
    static let vp9Record = "01000000010a870202000000"
    static let opusHead = "4f707573486561640101380180bb0000000000"
    static let opusHead51 = "4f707573486561640106380180bb00000000010402000401020305"
    static let streamInfo = "040004000000000008150bb800f0" + String(repeating: "00", count: 20)

    static let avc1 = "61766331"
    static let hvc1 = "68766331"
    static let av01 = "61763031"
    static let vp09 = "76703039"
    static let vp08 = "76703038"
    static let mp4a = "6d703461"
    static let opus = "4f707573"
    static let mp3 = "2e6d7033"
    static let flac = "664c6143"
    static let ac3 = "61632d33"
    static let eac3 = "65632d33"
    /// VVC, which the demuxer does not know.
    static let vvc1 = "76766331"
}
