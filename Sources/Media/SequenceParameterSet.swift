import Bytes

/// What matters outside of a decoder in an H.264 sequence parameter set (ITU-T H.264 section 7.3.2.1.1).
package struct H264SequenceParameterSet: Equatable, Sendable {
    /// profile_idc.
    package var profileIDC: UInt8 = 0
    /// The byte of constraint_set flags, flag 0 in the highest bit.
    package var constraintFlags: UInt8 = 0
    /// level_idc, ten times the level.
    package var levelIDC: UInt8 = 0
    /// seq_parameter_set_id, 0…31.
    package var id = 0
    /// chroma_format_idc: 0 is monochrome, 1 is 4:2:0, 3 is 4:4:4.
    package var chromaFormat = 1
    /// separate_colour_plane_flag.
    package var hasSeparatePlanes = false
    /// Bits a sample, 8…14.
    package var bitDepthLuma = 8
    package var bitDepthChroma = 8
    /// pic_order_cnt_type, 0…2; 2 means that output order is decoding order.
    package var pictureOrderType = 0
    /// max_num_ref_frames, 0…16.
    package var maxReferenceFrames = 0
    /// frame_mbs_only_flag: false where fields or field macroblocks (interlace) may appear.
    package var isFrameOnly = true
    /// Pixels before and after cropping.
    package var codedSize = VideoSize(width: 0, height: 0)
    package var size = VideoSize(width: 0, height: 0)
    /// What the VUI adds (annex E); nil when absent or broken, for nothing depends on it.
    package var usability: VideoUsability?

    /// Reads a whole NAL unit, header byte included, emulation bytes in place.
    package init(_ unit: RawSpan) throws(MediaError) {
        guard unit.byteCount > 0 else { throw .truncated(offset: 0) }
        guard H264NALUnitType(header: unit[0]) == .sequenceParameterSet else { throw .malformed(.sequenceParameterSet) }
        try self.init(body: unit.extracting(droppingFirst: 1))
    }

    /// Reads what follows the header byte.
    package init(body: RawSpan) throws(MediaError) {
        guard body.byteCount < MediaLimits.maxParameterSetBytes else { throw .overLimit(.sequenceParameterSet) }
        var bits = HeaderBits(body, skippingEmulation: true)
        profileIDC = UInt8(truncatingIfNeeded: try bits.readBits(8))
        constraintFlags = UInt8(truncatingIfNeeded: try bits.readBits(8))
        levelIDC = UInt8(truncatingIfNeeded: try bits.readBits(8))
        id = try bits.readUE(upTo: 31, of: .sequenceParameterSet)
        if Self.profilesWithChroma.contains(profileIDC) { try readChroma(&bits) }
        try readOrderAndReferences(&bits)
        try readSize(&bits)
        if try bits.readFlag() { usability = try? VideoUsability(&bits) }
    }

    /// Frames that a decoder must hold back to output in order: what the VUI says, else what profile and level allow.
    package var reorderDepth: Int {
        if let declared = usability?.maxReorderFrames { return min(declared, 16) }
        let isIntraOnly = constraintFlags & 0x10 != 0 && [44, 86, 100, 110, 122, 244].contains(profileIDC)
        // Baseline has no B slices; order type 2 forbids reordering.
        if isIntraOnly || pictureOrderType == 2 || profileIDC == 66 { return 0 }
        return maxDecodedPictures
    }

    /// MaxDpbFrames (section A.3.1 item h, table A-1).
    package var maxDecodedPictures: Int {
        let macroblocks = max(1, codedSize.width / 16 * (codedSize.height / 16))
        let capacity =
            switch levelIDC {
            case 9, 10: 396
            case 11: constraintFlags & 0x10 != 0 && profileIDC < 100 ? 396 : 900
            case 12, 13, 20: 2376
            case 21: 4752
            case 22, 30: 8100
            case 31: 18000
            case 32: 20480
            case 40, 41: 32768
            case 42: 34816
            case 50: 110_400
            case 51, 52: 184_320
            default: 696_320
            }
        return min(16, capacity / macroblocks)
    }

    private static let profilesWithChroma: [UInt8] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]

    private mutating func readChroma(_ bits: inout HeaderBits) throws(MediaError) {
        chromaFormat = try bits.readUE(upTo: 3, of: .sequenceParameterSet)
        if chromaFormat == 3 { hasSeparatePlanes = try bits.readFlag() }
        bitDepthLuma = try bits.readUE(upTo: 6, of: .sequenceParameterSet) + 8
        bitDepthChroma = try bits.readUE(upTo: 6, of: .sequenceParameterSet) + 8
        try bits.skipBits(1)  // qpprime_y_zero_transform_bypass_flag
        guard try bits.readFlag() else { return }
        for list in 0..<(chromaFormat == 3 ? 12 : 8) where try bits.readFlag() {
            try Self.skipScalingList(&bits, count: list < 6 ? 16 : 64)
        }
    }

    /// Section 7.3.2.1.1.1.
    private static func skipScalingList(_ bits: inout HeaderBits, count: Int) throws(MediaError) {
        var last = 8
        for _ in 0..<count {
            let delta = try bits.readSE()
            guard (-128...127).contains(delta) else { throw .malformed(.sequenceParameterSet) }
            let next = (last + delta + 256) % 256
            if next == 0 { return }
            last = next
        }
    }

    private mutating func readOrderAndReferences(_ bits: inout HeaderBits) throws(MediaError) {
        _ = try bits.readUE(upTo: 12, of: .sequenceParameterSet)  // log2_max_frame_num_minus4
        pictureOrderType = try bits.readUE(upTo: 2, of: .sequenceParameterSet)
        if pictureOrderType == 0 {
            _ = try bits.readUE(upTo: 12, of: .sequenceParameterSet)  // log2_max_pic_order_cnt_lsb_minus4
        } else if pictureOrderType == 1 {
            try bits.skipBits(1)  // delta_pic_order_always_zero_flag
            _ = try bits.readSE()
            _ = try bits.readSE()
            for _ in 0..<(try bits.readUE(upTo: 255, of: .sequenceParameterSet)) { _ = try bits.readSE() }
        }
        maxReferenceFrames = try bits.readUE(upTo: 16, of: .sequenceParameterSet)
        try bits.skipBits(1)  // gaps_in_frame_num_value_allowed_flag
    }

    private mutating func readSize(_ bits: inout HeaderBits) throws(MediaError) {
        let widthUnits = try bits.readUE()
        let heightUnits = try bits.readUE()
        isFrameOnly = try bits.readFlag()
        if !isFrameOnly { try bits.skipBits(1) }  // mb_adaptive_frame_field_flag
        try bits.skipBits(1)  // direct_8x8_inference_flag
        let limit = MediaLimits.maxDimension / 16
        guard widthUnits < limit, heightUnits < limit else { throw .overLimit(.sequenceParameterSet) }
        codedSize = VideoSize(width: (widthUnits + 1) * 16, height: (heightUnits + 1) * (isFrameOnly ? 16 : 32))
        guard codedSize.height <= MediaLimits.maxDimension else { throw .overLimit(.sequenceParameterSet) }
        size = codedSize
        guard try bits.readFlag() else { return }
        let horizontal = try bits.readUE() + (try bits.readUE())
        let vertical = try bits.readUE() + (try bits.readUE())
        let isSubsampled = !hasSeparatePlanes
        let unitX = isSubsampled && (chromaFormat == 1 || chromaFormat == 2) ? 2 : 1
        let unitY = (isSubsampled && chromaFormat == 1 ? 2 : 1) * (isFrameOnly ? 1 : 2)
        guard horizontal < codedSize.width / unitX, vertical < codedSize.height / unitY else {
            throw .malformed(.sequenceParameterSet)
        }
        size = VideoSize(width: codedSize.width - horizontal * unitX, height: codedSize.height - vertical * unitY)
    }
}
