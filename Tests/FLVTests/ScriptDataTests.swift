import Bytes
import FLV
import Media
import TestSupport
import Testing

@Suite struct ScriptDataTests {
    private func metadata(_ members: [AMF0Property]) -> StreamMetadata { StreamMetadata(.ecmaArray(members)) }

    private func message(_ values: [AMF0Value]) -> FLVTag {
        FLVTag(kind: .script, timestampMilliseconds: 0, payload: SlabSlice(copying: AMF0Writer.encode(values)))
    }

    @Test("FFmpeg's onMetaData is read")
    func ffmpeg() {
        let bytes = """
            02000a6f6e4d65746144617461080000000d00086475726174696f6e003fdeb851eb851eb800057769647468004051800000000000
            0006686569676874004049000000000000000d766964656f646174617261746500000000000000000000096672616d657261746500
            4039000000000000000c766964656f636f646563696400401c000000000000000d617564696f646174617261746500403f40000000
            0000000f617564696f73616d706c65726174650040e7700000000000000f617564696f73616d706c6573697a650040300000000000
            00000673746572656f0100000c617564696f636f64656369640040240000000000000007656e636f64657202000d4c61766635392e
            32372e313030000866696c6573697a650040b5440000000000000009
            """
        let seen = demux(.script, [bytes])
        var expected = StreamMetadata()
        expected.width = 70
        expected.height = 50
        expected.frameRate = 25
        expected.audioBitrate = 31_250
        expected.sampleRate = 48_000
        expected.channels = 1
        expected.encoder = "Lavf59.27.100"
        #expect(seen.metadata == [expected])
        #expect(seen.errors == [])
    }

    @Test("@setDataFrame in front and plain objects are taken too")
    func forms() {
        let members: [AMF0Property] = [AMF0Property("width", .number(640))]
        let seen = demux([
            message([.string("@setDataFrame"), .string("onMetaData"), .object(members)]),
            message([.string("onMetaData"), .ecmaArray(members)]),
            message([.string("onMetaData"), .typedObject(className: "X", members)]),
            message([.string("onMetaData"), .null]),
        ])
        #expect(seen.metadata.map(\.width) == [640, 640, 640, nil])
    }

    @Test("other messages are passed over")
    func others() {
        let seen = demux([
            message([.string("onTextData"), .object([])]), message([.string("@setDataFrame")]),
            message([.string("onMetaData")]), message([.number(1)]), message([]),
            message([.string("@setDataFrame"), .number(3), .object([])]),
        ])
        #expect(seen.order == "" && seen.errors == [])
    }

    @Test("values out of range, of the wrong type or not finite are left out")
    func clamps() {
        let bad: [AMF0Value] = [
            .number(.nan), .number(.infinity), .number(-1), .number(0), .number(1e300), .string("640"), .null,
        ]
        for value in bad {
            let keys = [
                "width", "height", "framerate", "videodatarate", "audiodatarate", "audiosamplerate", "audiochannels",
            ]
            #expect(metadata(keys.map { AMF0Property($0, value) }) == StreamMetadata())
        }
        #expect(metadata([AMF0Property("encoder", .number(1))]).encoder == nil)
    }

    @Test(
        "numbers at their limits are taken and beyond not",
        arguments: [
            ("width", 16_384.0), ("framerate", 1000), ("videodatarate", 1e7), ("audiosamplerate", 768_000),
            ("audiochannels", 255),
        ])
    func limits(_ key: String, _ limit: Double) {
        #expect(metadata([AMF0Property(key, .number(limit))]) != StreamMetadata())
        #expect(metadata([AMF0Property(key, .number(limit + 1))]) == StreamMetadata())
    }

    @Test("stereo tells the channels where no count does")
    func stereo() {
        #expect(metadata([AMF0Property("stereo", .boolean(true))]).channels == 2)
        #expect(metadata([AMF0Property("stereo", .boolean(false))]).channels == 1)
        #expect(
            metadata([AMF0Property("stereo", .boolean(true)), AMF0Property("audiochannels", .number(6))]).channels == 6)
    }

    @Test("an encoder's name loses control characters and what exceeds 128 characters")
    func encoder() {
        let name = "obs\n\u{7}" + String(repeating: "é", count: 200)
        let taken = metadata([AMF0Property("encoder", .longString(name))]).encoder
        #expect(taken == "obs" + String(repeating: "é", count: 125))
        #expect(metadata([AMF0Property("encoder", .string("\n"))]).encoder == nil)
    }

    @Test("script data beyond the limit or broken is dropped")
    func broken() {
        let large = [UInt8](repeating: 2, count: FLVLimits.maxScriptDataBytes + 1)
        let tag = FLVTag(kind: .script, timestampMilliseconds: 0, payload: SlabSlice(copying: large))
        #expect(demux([tag]).errors == [.scriptDataTooLong])
        #expect(demux(.script, ["02000a6f6e4d6574"]).errors == [.invalidScriptData(.truncated(offset: 3))])
        let nested = "02000a6f6e4d65746144617461" + String(repeating: "03000161", count: 20)
        #expect(demux(.script, [nested]).errors.count == 1)
    }

    @Test("metadata that is written reads back the same")
    func roundTrip() {
        var wanted = StreamMetadata()
        wanted.width = 1920
        wanted.height = 1080
        wanted.frameRate = 59.94
        wanted.videoBitrate = 6_000_000
        wanted.audioBitrate = 160_000
        wanted.sampleRate = 48_000
        wanted.channels = 2
        wanted.encoder = "test"
        let muxer = FLVMuxer()
        #expect(demux([muxer.metadata(wanted), muxer.metadata(wanted, forFile: true)]).metadata == [wanted, wanted])
        #expect(demux([muxer.metadata(StreamMetadata())]).metadata == [StreamMetadata()])
    }
}
