import Bytes
import Media
import TestSupport
import Testing

@Suite struct SequenceParameterSetTests {
    private func read(_ fields: ParameterSetFields) throws -> H264SequenceParameterSet {
        try H264SequenceParameterSet(bytes: fields.unit)
    }

    @Test("x264's 1920x1080 is cropped from 1088 lines and has its frame rate")
    func fullHD() throws {
        let set = try H264SequenceParameterSet(bytes: MediaVectors.fullHD)
        #expect(set.size == VideoSize(width: 1920, height: 1080))
        #expect(set.codedSize == VideoSize(width: 1920, height: 1088))
        #expect(abs((set.usability?.frameRate ?? 0) - 30000.0 / 1001) < 1e-9)
        #expect(set.usability?.sampleAspectRatio == .init(width: 1, height: 1))
        #expect(set.reorderDepth == 2)
        #expect(set.profileName == "Main 4.0")
    }

    @Test("an interlaced picture is cropped by two lines a unit and keeps its sample aspect ratio")
    func interlaced() throws {
        let set = try H264SequenceParameterSet(bytes: MediaVectors.interlaced)
        #expect(set.size == VideoSize(width: 70, height: 48))
        #expect(!set.isFrameOnly)
        #expect(set.usability?.sampleAspectRatio == .init(width: 4, height: 3))
        #expect(set.usability?.frameRate == 25)
        #expect(set.profileName == "High 2.1")
    }

    @Test("profiles, bit depths and chroma formats are read")
    func profiles() throws {
        let baseline = try H264SequenceParameterSet(bytes: MediaVectors.baseline)
        #expect(baseline.profileName == "Constrained Baseline 3.0")
        #expect(baseline.reorderDepth == 0)
        #expect(baseline.size == VideoSize(width: 70, height: 50))
        let high422 = try H264SequenceParameterSet(bytes: MediaVectors.high422)
        #expect(high422.bitDepthLuma == 10)
        #expect(high422.chromaFormat == 2)
        #expect(high422.size == VideoSize(width: 70, height: 50))
        let high444 = try H264SequenceParameterSet(bytes: MediaVectors.high444)
        #expect(high444.chromaFormat == 3)
        #expect(high444.size == VideoSize(width: 70, height: 50))
        #expect(high444.profileName == "High 4:4:4 Predictive 1.0")
    }

    @Test("every truncation throws or loses the usability information only")
    func truncations() throws {
        let whole = MediaVectors.fullHD
        let full = try H264SequenceParameterSet(bytes: whole)
        for count in 0..<whole.count {
            guard let set = try? H264SequenceParameterSet(bytes: Array(whole[..<count])) else { continue }
            #expect(set.size == full.size)
            #expect(set.usability == nil || set.usability == full.usability)
        }
        #expect(throws: MediaError.self) { try H264SequenceParameterSet(bytes: Array(whole[..<8])) }
    }

    @Test("crop units follow the chroma format and interlace")
    func cropUnits() throws {
        var fields = ParameterSetFields(crop: (left: 1, right: 2, top: 3, bottom: 4))
        #expect(try read(fields).size == VideoSize(width: 1280 - 6, height: 720 - 14))
        fields.isFrameOnly = false
        #expect(try read(fields).size == VideoSize(width: 1280 - 6, height: 1440 - 28))
        fields.isFrameOnly = true
        fields.chromaFormat = 2
        #expect(try read(fields).size == VideoSize(width: 1280 - 6, height: 720 - 7))
        fields.chromaFormat = 3
        #expect(try read(fields).size == VideoSize(width: 1280 - 3, height: 720 - 7))
        fields.chromaFormat = 0
        #expect(try read(fields).size == VideoSize(width: 1280 - 3, height: 720 - 7))
    }

    @Test("a crop that leaves no pixel is refused, one that leaves two is not")
    func cropBound() throws {
        var fields = ParameterSetFields(crop: (left: 0, right: 639, top: 0, bottom: 0))
        #expect(try read(fields).size.width == 2)
        fields.crop?.right = 640
        #expect(throws: MediaError.malformed(.sequenceParameterSet)) { try read(fields) }
        fields.crop = (left: 0x7FFF_FFFE, right: 0x7FFF_FFFE, top: 0, bottom: 0)
        #expect(throws: MediaError.malformed(.sequenceParameterSet)) { try read(fields) }
    }

    @Test("the largest size is taken and one macroblock more is not")
    func sizeLimit() throws {
        var fields = ParameterSetFields(widthUnits: 1023, heightUnits: 1023)
        #expect(try read(fields).size == VideoSize(width: 16384, height: 16384))
        fields.widthUnits = 1024
        #expect(throws: MediaError.overLimit(.sequenceParameterSet)) { try read(fields) }
        fields.widthUnits = 0x7FFF_FFFF
        #expect(throws: MediaError.overLimit(.sequenceParameterSet)) { try read(fields) }
        #expect(throws: MediaError.overLimit(.sequenceParameterSet)) {
            try read(ParameterSetFields(heightUnits: 512, isFrameOnly: false))
        }
    }

    @Test("picture order type 1 with its longest cycle is passed over, and a longer one refused")
    func orderCycle() throws {
        var fields = ParameterSetFields(orderType: 1, cycleLength: 255)
        #expect(try read(fields).size == VideoSize(width: 1280, height: 720))
        fields.cycleLength = 256
        #expect(throws: MediaError.malformed(.sequenceParameterSet)) { try read(fields) }
    }

    @Test("scaling lists are passed over whether whole or cut short, and bad steps refused")
    func scalingLists() throws {
        var fields = ParameterSetFields(scalingDeltas: Array(repeating: 1, count: 16))
        #expect(try read(fields).size == VideoSize(width: 1280, height: 720))
        fields.scalingDeltas = [-8]
        #expect(try read(fields).size == VideoSize(width: 1280, height: 720))
        fields.chromaFormat = 3
        #expect(try read(fields).size == VideoSize(width: 1280, height: 720))
        fields.scalingDeltas = [128]
        #expect(throws: MediaError.malformed(.sequenceParameterSet)) { try read(fields) }
    }

    @Test("fields beyond their range are refused")
    func ranges() {
        let bad = [
            ParameterSetFields(id: 32), ParameterSetFields(chromaFormat: 4), ParameterSetFields(bitDepthLuma: 15),
            ParameterSetFields(orderType: 3), ParameterSetFields(references: 17),
        ]
        for fields in bad { #expect(throws: MediaError.malformed(.sequenceParameterSet)) { try read(fields) } }
    }

    @Test("reorder depth without usability information follows profile, order type and level")
    func reorderDepth() throws {
        #expect(try read(ParameterSetFields()).reorderDepth == 5)
        #expect(try read(ParameterSetFields(level: 40)).reorderDepth == 9)
        #expect(try read(ParameterSetFields(profile: 66)).reorderDepth == 0)
        #expect(try read(ParameterSetFields(constraints: 0x10)).reorderDepth == 0)
        #expect(try read(ParameterSetFields(orderType: 2)).reorderDepth == 0)
        #expect(try read(ParameterSetFields(level: 62, widthUnits: 9, heightUnits: 9)).reorderDepth == 16)
    }

    @Test("usability information with decoder models, an explicit aspect ratio and no restriction is read")
    func usability() throws {
        let fields = ParameterSetFields(usability: { bits in
            bits.u(1, 1)
            bits.u(255, 8)
            bits.u(64, 16)
            bits.u(45, 16)
            bits.u(0b11, 2)  // overscan
            bits.u(0b1_101_1_1, 6)  // video signal, full range, colours
            bits.u(0x010101, 24)
            bits.u(1, 1)
            bits.ue(0)
            bits.ue(0)
            bits.u(1, 1)
            bits.u(1, 32)
            bits.u(120, 32)
            bits.u(1, 1)
            for _ in 0..<2 {
                bits.u(1, 1)
                bits.ue(1)
                bits.u(0, 8)
                for _ in 0..<2 {
                    bits.ue(1000)
                    bits.ue(1000)
                    bits.u(0, 1)
                }
                bits.u(0, 20)
            }
            bits.u(0b01, 2)
            bits.u(0, 1)
        })
        let usability = try read(fields).usability
        #expect(usability?.sampleAspectRatio == .init(width: 64, height: 45))
        #expect(usability?.isFullRange == true)
        #expect(usability?.frameRate == 60)
        #expect(usability?.maxReorderFrames == nil)
        #expect(usability != nil)
    }

    @Test("a frame rate of zero ticks or beyond 1000 is no hint")
    func frameRate() throws {
        for (ticks, scale) in [(0, 50), (1, 0), (1, 2002)] {
            let fields = ParameterSetFields(usability: { bits in
                bits.u(0b0000, 4)
                bits.u(1, 1)
                bits.u(ticks, 32)
                bits.u(scale, 32)
                bits.u(1, 1)
                bits.u(0b0000, 4)
            })
            let usability = try read(fields).usability
            #expect(usability != nil && usability?.frameRate == nil)
        }
    }

    @Test("units of another type and the empty unit are refused")
    func otherUnits() {
        #expect(throws: MediaError.malformed(.sequenceParameterSet)) {
            try H264SequenceParameterSet(bytes: MediaVectors.avcPictureSet)
        }
        #expect(throws: MediaError.truncated(offset: 0)) { try H264SequenceParameterSet(bytes: [UInt8]()) }
        #expect(throws: MediaError.malformed(.sequenceParameterSet)) {
            try HEVCSequenceParameterSet(bytes: MediaVectors.hevcPictureSet)
        }
    }

    @Test("level names have the special case 1b")
    func levelNames() throws {
        #expect(try read(ParameterSetFields(profile: 77, constraints: 0x10, level: 11)).profileName == "Main 1b")
        #expect(try read(ParameterSetFields(level: 11)).profileName == "High 1.1")
        #expect(try read(ParameterSetFields(constraints: 0x0C, level: 52)).profileName == "Constrained High 5.2")
    }

    @Test("x265's 70x50 is cut out of 72x56 at 10 bit")
    func hevc() throws {
        let set = try HEVCSequenceParameterSet(bytes: MediaVectors.hevcSequenceSet)
        #expect(set.size == VideoSize(width: 70, height: 50))
        #expect(set.codedSize == VideoSize(width: 72, height: 56))
        #expect(set.bitDepthLuma == 10)
        #expect(set.profile == 2)
        #expect(set.level == 30)
        #expect(set.reorderDepth == 2)
        #expect(set.isTemporalIDNested)
    }

    @Test("every truncation of an HEVC parameter set throws or gives the same size")
    func hevcTruncations() throws {
        let whole = MediaVectors.hevcSequenceSet
        let full = try HEVCSequenceParameterSet(bytes: whole)
        var refused = 0
        for count in 0..<whole.count {
            guard let set = try? HEVCSequenceParameterSet(bytes: Array(whole[..<count])) else {
                refused += 1
                continue
            }
            #expect(set == full)
        }
        #expect(refused > 20)
    }

    @Test("HEVC sub-layers are passed over, and sizes bounded")
    func hevcLayers() throws {
        func unit(maxSubLayer: Int, width: Int) -> [UInt8] {
            var bits = BitBuilder()
            bits.u(0, 4)
            bits.u(maxSubLayer, 3)
            bits.u(1, 1)
            bits.u(0b00_1_00001, 8)
            bits.u(0x6000_0000, 32)
            bits.u(0, 48)
            bits.u(123, 8)
            if maxSubLayer > 0 {
                for layer in 0..<8 { bits.u(layer < maxSubLayer ? 3 : 0, 2) }
                for _ in 0..<maxSubLayer { for _ in 0..<12 { bits.u(0xFF, 8) } }
            }
            bits.ue(0)
            bits.ue(1)
            bits.ue(width)
            bits.ue(1080)
            bits.u(0, 1)
            bits.ue(0)
            bits.ue(0)
            bits.ue(4)
            bits.u(1, 1)
            for layer in 0...min(maxSubLayer, 6) { for value in [4, layer, 0] { bits.ue(value) } }
            return [0x42, 1] + bits.escaped
        }
        let set = try HEVCSequenceParameterSet(bytes: unit(maxSubLayer: 6, width: 1920))
        #expect(set.size == VideoSize(width: 1920, height: 1080))
        #expect(set.isHighTier)
        #expect(set.reorderDepth == 6)
        #expect(throws: MediaError.malformed(.sequenceParameterSet)) {
            try HEVCSequenceParameterSet(bytes: unit(maxSubLayer: 7, width: 1920))
        }
        #expect(throws: MediaError.overLimit(.sequenceParameterSet)) {
            try HEVCSequenceParameterSet(bytes: unit(maxSubLayer: 0, width: 16385))
        }
        #expect(throws: MediaError.malformed(.sequenceParameterSet)) {
            try HEVCSequenceParameterSet(bytes: unit(maxSubLayer: 0, width: 0))
        }
    }
}
