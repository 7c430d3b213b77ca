import Bytes
import FLV
import Media
import TestSupport
import Testing

@Suite struct FLVFileTests {
    private func file(_ tags: [FLVTag]) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(FLVFile.header(hasAudio: true, hasVideo: true))
        for tag in tags { FLVFile.append(tag, to: &writer) }
        return writer.bytes
    }

    private func read(_ bytes: [UInt8]) throws(FLVError) -> [FLVTag] {
        var reader = try FLVFile.Reader(SlabSlice(copying: bytes))
        var tags: [FLVTag] = []
        while let tag = try reader.next() { tags.append(tag) }
        return tags
    }

    private let tags = [
        FLVTag(kind: .script, timestampMilliseconds: 0, payload: SlabSlice(copying: [1])),
        FLVTag(kind: .video, timestampMilliseconds: 0x0123_4567, payload: SlabSlice(copying: [2, 3])),
        FLVTag(kind: .audio, timestampMilliseconds: -2, payload: SlabSlice(copying: [])),
    ]

    @Test("a file has the bytes that the specification gives")
    func bytes() {
        let expected = hex(
            """
            464c56 01 05 00000009 00000000
            12 000001 000000 00 000000 01 0000000c
            09 000002 234567 01 000000 0203 0000000d
            08 000000 fffffe ff 000000 0000000b
            """)
        #expect(file(tags) == expected)
    }

    @Test("tags that are written read back the same")
    func roundTrip() throws {
        let back = try read(file(tags))
        #expect(back.map(\.kind) == tags.map(\.kind))
        #expect(back.map(\.timestampMilliseconds) == tags.map(\.timestampMilliseconds))
        #expect(back.map { $0.payload.copied() } == tags.map { $0.payload.copied() })
    }

    @Test("every truncation throws or ends after a whole tag")
    func truncations() throws {
        let whole = file(tags)
        var refused = 0
        for count in 0..<whole.count {
            do {
                #expect(try read(Array(whole[..<count])).count <= 3)
            } catch { refused += 1 }
        }
        #expect(refused > 30)
        #expect(try read(Array(whole.dropLast(4))).count == 3)
    }

    @Test("other files and header sizes are refused")
    func header() {
        #expect(throws: FLVError.unknownTagType(0x47)) { try read(hex("474c5601050000000900000000")) }
        #expect(throws: FLVError.truncated(offset: 5)) { try read(hex("464c5601050000000800000000")) }
        #expect(throws: FLVError.truncated(offset: 5)) { try read(hex("464c560105ffffffff00000000")) }
    }

    @Test("an unknown or encrypted tag is an error, and the next one is read")
    func unknownTag() throws {
        var bytes = file([tags[1], tags[0]])
        bytes[13] = 0x29
        var reader = try FLVFile.Reader(SlabSlice(copying: bytes))
        #expect(throws: FLVError.unknownTagType(0x29)) { try reader.next() }
        let next = try reader.next()
        #expect(next?.kind == .script)
    }

    @Test("a frame out of a file has padding of its own")
    func padding() throws {
        let muxer = FLVMuxer()
        let frame = EncodedFrame(
            codec: .video(.vp9), pts: 0, dts: 0, isKey: true, payload: SlabSlice(copying: hex("aabb")))
        let seen = demux(try read(file([try muxer.frame(frame), try muxer.frame(frame)])))
        #expect(seen.payloads == ["aabb", "aabb"])
        #expect(seen.frames.allSatisfy { $0.payload.endsAtPadding })
    }
}
