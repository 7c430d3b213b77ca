/// The parts of H.264's video usability information (ITU-T H.264 annex E.1.1) that tell something before decoding.
package struct VideoUsability: Equatable, Sendable {
    /// Width to height of one sample; nil when unspecified.
    package var sampleAspectRatio: AspectRatio?
    /// video_full_range_flag.
    package var isFullRange = false
    /// Frames a second by time_scale and num_units_in_tick, two ticks a frame; a hint that encoders often get wrong.
    package var frameRate: Double?
    /// max_num_reorder_frames; nil when there is no bitstream restriction.
    package var maxReorderFrames: Int?
    /// max_dec_frame_buffering.
    package var maxDecodedFrames: Int?

    package struct AspectRatio: Hashable, Sendable {
        package var width: Int
        package var height: Int

        package init(width: Int, height: Int) {
            self.width = width
            self.height = height
        }
    }

    init(_ bits: inout HeaderBits) throws(MediaError) {
        if try bits.readFlag() { try readAspectRatio(&bits) }
        if try bits.readFlag() { try bits.skipBits(1) }  // overscan
        if try bits.readFlag() {
            try bits.skipBits(3)  // video_format
            isFullRange = try bits.readFlag()
            if try bits.readFlag() { try bits.skipBits(24) }  // colour description
        }
        if try bits.readFlag() {  // chroma sample location
            _ = try bits.readUE()
            _ = try bits.readUE()
        }
        if try bits.readFlag() { try readTiming(&bits) }
        let hasNALParameters = try bits.readFlag()
        if hasNALParameters { try Self.skipReferenceDecoder(&bits) }
        let hasVCLParameters = try bits.readFlag()
        if hasVCLParameters { try Self.skipReferenceDecoder(&bits) }
        if hasNALParameters || hasVCLParameters { try bits.skipBits(1) }  // low_delay_hrd_flag
        try bits.skipBits(1)  // pic_struct_present_flag
        guard try bits.readFlag() else { return }
        try bits.skipBits(1)  // motion_vectors_over_pic_boundaries_flag
        for _ in 0..<4 { _ = try bits.readUE() }  // byte and bit bounds, vector lengths
        let reorder = try bits.readUE(upTo: 16, of: .sequenceParameterSet)
        maxDecodedFrames = try bits.readUE(upTo: 16, of: .sequenceParameterSet)
        maxReorderFrames = reorder
    }

    private mutating func readAspectRatio(_ bits: inout HeaderBits) throws(MediaError) {
        let idc = Int(try bits.readBits(8))
        if idc == 255 {
            let width = Int(try bits.readBits(16))
            let height = Int(try bits.readBits(16))
            if width > 0, height > 0 { sampleAspectRatio = AspectRatio(width: width, height: height) }
        } else if idc > 0, idc <= Self.aspectRatios.count {
            let (width, height) = Self.aspectRatios[idc - 1]
            sampleAspectRatio = AspectRatio(width: width, height: height)
        }
    }

    private mutating func readTiming(_ bits: inout HeaderBits) throws(MediaError) {
        let unitsInTick = try bits.readBits(32)
        let timeScale = try bits.readBits(32)
        try bits.skipBits(1)  // fixed_frame_rate_flag
        guard unitsInTick > 0 else { return }
        let rate = Double(timeScale) / Double(unitsInTick) / 2
        if rate > 0, rate <= 1000 { frameRate = rate }
    }

    /// hrd_parameters (section E.1.2).
    private static func skipReferenceDecoder(_ bits: inout HeaderBits) throws(MediaError) {
        let count = try bits.readUE(upTo: 31, of: .sequenceParameterSet) + 1
        try bits.skipBits(8)
        for _ in 0..<count {
            _ = try bits.readUE()
            _ = try bits.readUE()
            try bits.skipBits(1)
        }
        try bits.skipBits(20)
    }

    /// Table E-1, from aspect_ratio_idc 1 on.
    private static let aspectRatios: [(Int, Int)] = [
        (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33), (18, 11), (15, 11),
        (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
    ]
}
