import Bytes
import Ingress
import LiveKit
import LiveKitProtocol
import Testing
import Transcode

@Suite struct RoomTracksTests {
    private static func tracks(_ id: String, codec: LadderCodec = .h264, audio: AudioSpec = AudioSpec()) -> RoomTracks {
        RoomTracks(ingressID: id, audioID: "TR_a", audio: audio, codec: codec)
    }

    private static func ladder(_ source: PictureSize) throws -> [LadderPlan.Rung] {
        let spec = try LadderSpec(layers: [
            .init(quality: .high, width: 1280, height: 720, bitrate: 1_900_000),
            .init(quality: .low, width: 320, height: 180, bitrate: 237_500),
        ])
        return LadderPlan(spec: spec, source: source).rungs
    }

    private static func wire(_ request: Livekit_AddTrackRequest) -> [UInt8] {
        var signal = Livekit_SignalRequest()
        signal.addTrack = request
        return signal.wireBytes()
    }

    @Test("sound is asked for as LiveKit's ingress does, byte for byte")
    func audio() {
        let expected: [UInt8] = [0x22, 0x0A, 0x0A, 0x04, 0x54, 0x52, 0x5F, 0x61, 0x40, 0x02, 0x60, 0x01]
        #expect(Self.wire(Self.tracks("IN_d").audioRequest) == expected)
        let mono = Self.tracks("IN_d", audio: AudioSpec(channels: 1, usesDTX: false)).audioRequest
        #expect(!mono.stereo && mono.disableDtx)
    }

    @Test("two layers are asked for as LiveKit's ingress does, byte for byte")
    func video() throws {
        let request = Self.tracks("IN_d").videoRequest(try Self.ladder(PictureSize(1280, 720)))
        let expected = [UInt8](
            hex: "225a0a04494e5f64180120800a28d00540014a0a10c00218b40120bcbf0e4a0c080210800a18d00520e0fb73522e0a0a"
                + "766964656f2f483236341204494e5f64220a10c00218b40120bcbf0e220c080210800a18d00520e0fb732801")
        #expect(Self.wire(request) == expected)
    }

    @Test("names, sources, codec and the sizes that the source really has are told")
    func details() throws {
        var tracks = Self.tracks("IN_d", codec: .vp8)
        tracks.videoName = "screen"
        tracks.videoSource = .screenShare
        tracks.audioName = "desk"
        tracks.audioSource = .screenShareAudio
        let request = tracks.videoRequest(try Self.ladder(PictureSize(320, 180)))
        #expect(request.name == "screen" && request.source == .screenShare)
        #expect(request.layers.map(\.quality) == [.low])
        #expect(request.width == 320 && request.height == 180)
        #expect(request.simulcastCodecs.first?.codec == "video/VP8")
        #expect(tracks.audioRequest.name == "desk" && tracks.audioRequest.source == .screenShareAudio)
    }

    @Test("layers that the source lacks are served by the best below, or else by the lowest")
    func needed() {
        let all: [LayerQuality] = [.low, .medium, .high]
        let medium = SubscribedQualities(low: true, medium: true, high: false)
        #expect(RoomTracks.needed(.all, published: all, present: all) == [.low, .medium, .high])
        #expect(RoomTracks.needed(medium, published: all, present: all) == [.low, .medium])
        #expect(RoomTracks.needed(.none, published: all, present: all) == [])
        #expect(RoomTracks.needed(.all, published: all, present: [.low]) == [.low])
        #expect(RoomTracks.needed(.all, published: all, present: []) == [])
        #expect(RoomTracks.needed(.all, published: [.low], present: all) == [.low])
        let high = SubscribedQualities(low: false, medium: false, high: true)
        #expect(RoomTracks.needed(high, published: all, present: [.low, .medium]) == [.medium])
        let low = SubscribedQualities(low: true, medium: false, high: false)
        #expect(RoomTracks.needed(low, published: all, present: [.medium, .high]) == [.medium])
    }
}
