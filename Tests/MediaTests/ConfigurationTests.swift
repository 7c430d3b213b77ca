import Bytes
import Media
import TestSupport
import Testing

@Suite struct ConfigurationTests {
    private static let startCode: [UInt8] = [0, 0, 0, 1]

    @Test("x264's AVC record is read field by field")
    func avcRecord() throws {
        let config = try AVCConfiguration(bytes: MediaVectors.avcRecord)
        #expect(config.profile == 100)
        #expect(config.compatibility == 0)
        #expect(config.level == 10)
        #expect(config.lengthSize == 4)
        #expect(config.sequenceParameterSets == [MediaVectors.avcSequenceSet])
        #expect(config.pictureParameterSets == [MediaVectors.avcPictureSet])
        #expect(config.highProfile?.chromaFormat == 1)
        #expect(config.highProfile?.bitDepthLuma == 8)
    }

    @Test("an AVC record is written as it was read")
    func avcRoundTrip() throws {
        #expect(try AVCConfiguration(bytes: MediaVectors.avcRecord).encoded() == MediaVectors.avcRecord)
    }

    @Test("an AVC record made of a byte stream equals the one that FFmpeg makes")
    func avcFromStream() throws {
        let stream =
            Self.startCode + MediaVectors.avcSequenceSet + Self.startCode + MediaVectors.avcPictureSet + [
                0, 0, 1, 0x65, 0x88,
            ]
        let config = try AVCConfiguration(annexB: stream)
        #expect(config.encoded() == MediaVectors.avcRecord)
    }

    @Test("a parameter set that repeats in a byte stream is taken once")
    func repeated() throws {
        let set = Self.startCode + MediaVectors.avcSequenceSet
        let config = try AVCConfiguration(annexB: (set + set + set))
        #expect(config.sequenceParameterSets.count == 1)
    }

    @Test("a byte stream without a sequence parameter set makes no record")
    func noParameterSet() {
        let stream = Self.startCode + MediaVectors.avcPictureSet
        #expect(throws: MediaError.malformed(.avcConfiguration)) { try AVCConfiguration(annexB: stream) }
        #expect(throws: MediaError.malformed(.hevcConfiguration)) { try HEVCConfiguration(annexB: stream) }
    }

    @Test("every truncation of an AVC record throws, but for the High profile fields")
    func avcTruncations() {
        let whole = MediaVectors.avcRecord
        for count in 0..<whole.count - 4 {
            #expect(throws: MediaError.self) { try AVCConfiguration(bytes: Array(whole[..<count])) }
        }
        for count in whole.count - 4..<whole.count {
            #expect((try? AVCConfiguration(bytes: Array(whole[..<count]))) != nil)
        }
    }

    @Test("an AVC record of another version or with 3-byte lengths is refused")
    func avcRefused() {
        var record = MediaVectors.avcRecord
        record[0] = 2
        #expect(throws: MediaError.malformed(.avcConfiguration)) { try AVCConfiguration(bytes: record) }
        record = MediaVectors.avcRecord
        record[4] = 0xFE
        #expect(throws: MediaError.malformed(.avcConfiguration)) { try AVCConfiguration(bytes: record) }
    }

    @Test("an AVC record without parameter sets is legal: they may come in the stream")
    func avcEmpty() throws {
        let config = try AVCConfiguration(bytes: hex("014d401effe000"))
        #expect(config.sequenceParameterSets.isEmpty)
        #expect(config.encoded() == hex("014d401effe000"))
    }

    @Test("a parameter set above the limit is refused before it is copied")
    func longParameterSet() {
        let record = hex("014d401effe1 4001") + [UInt8](repeating: 0x67, count: 0x4001) + [0]
        #expect(throws: MediaError.overLimit(.avcConfiguration)) { try AVCConfiguration(bytes: record) }
        let largest = hex("014d401effe1 4000") + [UInt8](repeating: 0x67, count: 0x4000) + [0]
        #expect((try? AVCConfiguration(bytes: largest)) != nil)
    }

    @Test("AVC parameter sets are given as a byte stream")
    func avcByteStream() throws {
        var writer = SlabWriter()
        try AVCConfiguration(bytes: MediaVectors.avcRecord).appendAnnexBParameterSets(to: &writer)
        #expect(
            writer.seal().copied() == Self.startCode + MediaVectors.avcSequenceSet + Self.startCode
                + MediaVectors.avcPictureSet)
    }

    @Test("x265's HEVC record is read field by field")
    func hevcRecord() throws {
        let config = try HEVCConfiguration(bytes: MediaVectors.hevcRecord)
        #expect(config.profile == 1)
        #expect(!config.isHighTier)
        #expect(config.compatibility == 0x6000_0000)
        #expect(config.constraints == 0x9000_0000_0000)
        #expect(config.level == 30)
        #expect(config.chromaFormat == 1)
        #expect(config.bitDepthLuma == 8)
        #expect(config.temporalLayers == 1)
        #expect(config.isTemporalIDNested)
        #expect(config.lengthSize == 4)
        #expect(config.arrays.map(\.type) == [.videoParameterSet, .sequenceParameterSet, .pictureParameterSet])
        #expect(config.units(of: .pictureParameterSet) == [MediaVectors.hevcPictureSet])
    }

    @Test("an HEVC record is written as it was read")
    func hevcRoundTrip() throws {
        #expect(try HEVCConfiguration(bytes: MediaVectors.hevcRecord).encoded() == MediaVectors.hevcRecord)
    }

    @Test("an HEVC record made of a byte stream reads back the same")
    func hevcFromStream() throws {
        let stream = [MediaVectors.hevcVideoSet, MediaVectors.hevcSequenceSet, MediaVectors.hevcPictureSet].flatMap {
            Self.startCode + $0
        }
        let config = try HEVCConfiguration(annexB: stream)
        #expect(config.profile == 2)
        #expect(config.bitDepthLuma == 10)
        #expect(config.level == 30)
        #expect(try HEVCConfiguration(bytes: config.encoded()) == config)
    }

    @Test("every truncation of an HEVC record throws")
    func hevcTruncations() {
        let whole = MediaVectors.hevcRecord
        for count in 0..<whole.count {
            #expect(throws: MediaError.self) { try HEVCConfiguration(bytes: Array(whole[..<count])) }
        }
    }

    @Test("an HEVC record of a draft's version 0 is taken, of version 2 not")
    func hevcVersion() {
        var record = MediaVectors.hevcRecord
        record[0] = 0
        #expect((try? HEVCConfiguration(bytes: record)) != nil)
        record[0] = 2
        #expect(throws: MediaError.malformed(.hevcConfiguration)) { try HEVCConfiguration(bytes: record) }
    }

    @Test("more HEVC arrays or units than the limits allow are refused")
    func hevcLimits() {
        var record = Array(MediaVectors.hevcRecord[..<22]) + [17]
        for _ in 0..<17 { record += [0x20, 0, 0] }
        #expect(throws: MediaError.overLimit(.hevcConfiguration)) { try HEVCConfiguration(bytes: record) }
        record[22] = 16
        #expect((try? HEVCConfiguration(bytes: record)) != nil)
        let units = Array(MediaVectors.hevcRecord[..<22]) + [1, 0x20, 0xFF, 0xFF]
        #expect(throws: MediaError.overLimit(.hevcConfiguration)) { try HEVCConfiguration(bytes: units) }
    }
}
