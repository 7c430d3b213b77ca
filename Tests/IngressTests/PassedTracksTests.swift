import Bytes
import Ingress
import LiveKit
import LiveKitProtocol
import Media
import Testing
import Transcode

@Suite("Tracks that are passed through") struct PassedTracksTests {
    private static func video(_ heights: [Int], codec: VideoCodec = .h264) -> PassedTracks.Video {
        .init(
            codec: codec, parameters: [:],
            layers: heights.enumerated().map { index, height in
                PassedLayer(
                    stream: index, size: VideoSize(width: height * 16 / 9, height: height), bitrate: height * 1_000,
                    frameRate: 30)
            })
    }

    @Test(
        "layers are published as the qualities that our own ladders have, with their true sizes",
        arguments: [
            ([720], [LayerQuality.high]), ([180, 720], [.low, .high]), ([180, 360, 720], [.low, .medium, .high]),
            ([], []),
        ])
    func rungs(heights: [Int], qualities: [LayerQuality]) {
        let rungs = Self.video(heights).rungs
        #expect(rungs.map(\.quality) == qualities)
        #expect(rungs.map(\.size.height) == heights)
        #expect(rungs.map(\.size.width) == heights.map { $0 * 16 / 9 })
        #expect(rungs.map(\.bitrate) == heights.map { $0 * 1_000 })
    }

    @Test("of several streams of VP9 the largest goes on alone")
    func largestOfVP9() {
        let rungs = Self.video([180, 360, 720], codec: .vp9).rungs
        #expect(rungs.map(\.quality) == [.high] && rungs.map(\.size.height) == [720])
        #expect(RoomPublisher.assign([0, 1, 2], to: rungs.map(\.quality)).map(\.stream) == [2])
    }

    @Test(
        "the largest picture serves the highest quality, whatever was published first",
        arguments: [
            ([0, 1, 2], [LayerQuality.low, .medium, .high], [0, 1, 2]), ([0, 1, 2], [.high], [2]),
            ([5], [.low, .medium, .high], [5]), ([3, 4], [.low, .medium, .high], [3, 4]),
            ([0, 1, 2], [.low, .high], [1, 2]), ([], [.high], []),
        ])
    func assign(streams: [Int], qualities: [LayerQuality], used: [Int]) {
        let layers = RoomPublisher.assign(streams, to: qualities)
        #expect(layers.map(\.stream) == used)
        #expect(layers.map(\.quality) == Array(qualities.suffix(used.count)))
    }

    @Test(
        "the track is asked for under the name of its codec, one size for each layer",
        arguments: [
            (VideoCodec.h264, "video/H264"), (.vp8, "video/VP8"), (.vp9, "video/VP9"), (.av1, "video/AV1"),
            (.hevc, "video/H265"),
        ])
    func request(codec: VideoCodec, name: String) {
        var tracks = RoomTracks(ingressID: "IN_1", audioID: "TR_a", audio: AudioSpec(), codec: .h264)
        tracks.codec = codec
        let request = tracks.videoRequest(Self.video([180, 360, 720]).rungs)
        #expect(request.simulcastCodecs.map(\.codec) == [name])
        #expect(request.simulcastCodecs[0].layers.map(\.height) == [180, 360, 720])
        #expect(request.simulcastCodecs[0].videoLayerMode == .oneSpatialLayerPerStream)
        #expect((request.width, request.height) == (1280, 720))
        #expect(request.layers.map(\.bitrate) == [180_000, 360_000, 720_000])
    }

    @Test(
        "layers of a picture in one stream are asked for as such, each half as wide as the next",
        arguments: [(3, [180, 360, 720], [0, 1, 2]), (2, [360, 720], [0, 1]), (1, [720], [2])])
    func layered(count: Int, heights: [UInt32], qualities: [Int]) {
        var video = Self.video([720], codec: .vp9)
        video.layers[0].spatialLayers = count
        #expect(video.spatialLayers == count && video.rungs.map(\.quality) == [.high])
        var tracks = RoomTracks(ingressID: "IN_1", audioID: "TR_a", audio: AudioSpec(), codec: .h264)
        tracks.codec = .vp9
        tracks.spatialLayers = video.spatialLayers
        let request = tracks.videoRequest(video.rungs)
        #expect(request.layers.map(\.height) == heights)
        #expect(request.layers.map(\.quality.rawValue) == qualities)
        #expect(
            request.simulcastCodecs[0].videoLayerMode
                == (count > 1 ? .multipleSpatialLayersPerStream : .oneSpatialLayerPerStream))
        #expect((request.width, request.height) == (1280, 720))
    }
}
