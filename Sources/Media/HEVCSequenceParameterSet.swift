import Bytes

/// What matters outside of a decoder in an HEVC sequence parameter set (ITU-T H.265 section 7.3.2.2.1).
package struct HEVCSequenceParameterSet: Equatable, Sendable {
    /// General part of profile_tier_level (section 7.3.3), as in `HEVCConfiguration`.
    package var profileSpace: UInt8 = 0
    package var isHighTier = false
    package var profile: UInt8 = 0
    package var compatibility: UInt32 = 0
    package var constraints: UInt64 = 0
    package var level: UInt8 = 0
    /// sps_max_sub_layers, 1…7.
    package var temporalLayers: UInt8 = 1
    package var isTemporalIDNested = false
    /// sps_seq_parameter_set_id, 0…15.
    package var id = 0
    /// chroma_format_idc: 0 is monochrome, 1 is 4:2:0, 3 is 4:4:4.
    package var chromaFormat = 1
    /// Pixels before and after the conformance window is cut out.
    package var codedSize = VideoSize(width: 0, height: 0)
    package var size = VideoSize(width: 0, height: 0)
    /// Bits a sample, 8…16.
    package var bitDepthLuma = 8
    package var bitDepthChroma = 8
    /// sps_max_num_reorder_pics of the highest sub-layer.
    package var reorderDepth = 0

    /// Reads a whole NAL unit, both header bytes included, emulation bytes in place.
    package init(_ unit: RawSpan) throws(MediaError) {
        guard unit.byteCount >= 2 else { throw .truncated(offset: 0) }
        guard HEVCNALUnitType(header: unit[0]) == .sequenceParameterSet else { throw .malformed(.sequenceParameterSet) }
        try self.init(body: unit.extracting(droppingFirst: 2))
    }

    /// Reads what follows the two header bytes.
    package init(body: RawSpan) throws(MediaError) {
        guard body.byteCount <= MediaLimits.maxParameterSetBytes - 2 else { throw .overLimit(.sequenceParameterSet) }
        var bits = HeaderBits(body, skippingEmulation: true)
        try bits.skipBits(4)  // sps_video_parameter_set_id
        let maxSubLayer = Int(try bits.readBits(3))
        guard maxSubLayer <= 6 else { throw .malformed(.sequenceParameterSet) }
        temporalLayers = UInt8(maxSubLayer + 1)
        isTemporalIDNested = try bits.readFlag()
        try readProfileTierLevel(&bits, maxSubLayer: maxSubLayer)
        id = try bits.readUE(upTo: 15, of: .sequenceParameterSet)
        try readSize(&bits)
        bitDepthLuma = try bits.readUE(upTo: 8, of: .sequenceParameterSet) + 8
        bitDepthChroma = try bits.readUE(upTo: 8, of: .sequenceParameterSet) + 8
        _ = try bits.readUE(upTo: 12, of: .sequenceParameterSet)  // log2_max_pic_order_cnt_lsb_minus4
        let isOrderedPerLayer = try bits.readFlag()
        for _ in (isOrderedPerLayer ? 0 : maxSubLayer)...maxSubLayer {
            _ = try bits.readUE(upTo: 15, of: .sequenceParameterSet)  // sps_max_dec_pic_buffering_minus1
            reorderDepth = try bits.readUE(upTo: 15, of: .sequenceParameterSet)
            _ = try bits.readUE()  // sps_max_latency_increase_plus1
        }
    }

    private mutating func readProfileTierLevel(_ bits: inout HeaderBits, maxSubLayer: Int) throws(MediaError) {
        profileSpace = UInt8(try bits.readBits(2))
        isHighTier = try bits.readFlag()
        profile = UInt8(try bits.readBits(5))
        compatibility = try bits.readBits(32)
        let constraintsHigh = UInt64(try bits.readBits(16))
        constraints = constraintsHigh << 32 | UInt64(try bits.readBits(32))
        level = UInt8(try bits.readBits(8))
        guard maxSubLayer > 0 else { return }
        var presentBits = 0
        for layer in 0..<8 {
            let hasProfile = try bits.readFlag()
            let hasLevel = try bits.readFlag()
            // Entries from maxSubLayer on are reserved zero bits that align the list.
            if layer < maxSubLayer { presentBits += (hasProfile ? 88 : 0) + (hasLevel ? 8 : 0) }
        }
        try bits.skipBits(presentBits)
    }

    private mutating func readSize(_ bits: inout HeaderBits) throws(MediaError) {
        chromaFormat = try bits.readUE(upTo: 3, of: .sequenceParameterSet)
        let hasSeparatePlanes = chromaFormat == 3 ? try bits.readFlag() : false
        let width = try bits.readUE()
        let height = try bits.readUE()
        guard width > 0, height > 0 else { throw .malformed(.sequenceParameterSet) }
        guard width <= MediaLimits.maxDimension, height <= MediaLimits.maxDimension else {
            throw .overLimit(.sequenceParameterSet)
        }
        codedSize = VideoSize(width: width, height: height)
        size = codedSize
        guard try bits.readFlag() else { return }
        let horizontal = try bits.readUE() + (try bits.readUE())
        let vertical = try bits.readUE() + (try bits.readUE())
        let unitX = !hasSeparatePlanes && (chromaFormat == 1 || chromaFormat == 2) ? 2 : 1
        let unitY = !hasSeparatePlanes && chromaFormat == 1 ? 2 : 1
        guard horizontal < (width + unitX - 1) / unitX, vertical < (height + unitY - 1) / unitY else {
            throw .malformed(.sequenceParameterSet)
        }
        size = VideoSize(width: width - horizontal * unitX, height: height - vertical * unitY)
    }
}
