import TestSupport

/// Headers that x264, x265, libaom, libvpx and FFmpeg's AAC encoder wrote.
enum MediaVectors {
    /// 70x50, High 1.0, two B frames.
    static let avcRecord = hex(
        """
        0164000affe1001a 6764000aacd945279a23011000000300100000030320f1225960 01000668ebe3cb22c0 fdf8f800
        """)
    static let avcSequenceSet = hex("6764000aacd945279a23011000000300100000030320f1225960")
    static let avcPictureSet = hex("68ebe3cb22c0")
    /// 1920x1080, Main 4.0, 30000/1001 frames a second.
    static let fullHD = hex("674d4028eca03c0113f2e022000007d20001d4c01e30632c")
    /// 70x48, High 2.1, interlaced, samples 4:3.
    static let interlaced = hex("67640015acd9454f34b8708000000300800000190f8a14cb")
    /// 70x50, Constrained Baseline 3.0.
    static let baseline = hex("6742c01ed905279a23011000000300100000030320f162e480")
    /// 70x50, High 4:2:2 at 10 bit.
    static let high422 = hex("677a000ab6cd945279a3f011000003000100000300320f122596")
    /// 70x50, High 4:4:4 Predictive.
    static let high444 = hex("67f4000a919b28a4f171f808800000030080000019078912cb")

    /// 70x50 in 72x56, Main 10.
    static let hevcVideoSet = hex("40010c01ffff02200000030090000003000003001e959809")
    static let hevcSequenceSet = hex(
        "42010102200000030090000003000003001ea024839d48d96566b932bc05a02000000300200000030321")
    static let hevcPictureSet = hex("4401c173d189")
    /// 70x50, Main, three parameter sets; the encoder's SEI was cut off.
    static let hevcRecord = hex(
        """
        0101600000009000000000001ef000fcfdf8f800000f03
        2000010018 40010c01ffff01600000030090000003000003001e959809
        210001002a 42010101600000030090000003000003001ea024839d4996566b932bc05a02000003000200000300 3210
        2200010006 4401c173d189
        """)

    /// 64x48, High (4:4:4) at level 2.0.
    static let av1Record = hex("812000000a0d20000002aff79b5f2404340080")
    /// 70x50 key frames.
    static let vp8Key = hex("b022009d012a46003200008708858588858488020202c47a")
    static let vp9Key = hex("8249834200045003160638241c184a0001f07cb17beaff3f")
    /// 64x48, profile 1.
    static let vp9Profile1Key = hex("a2498342e003f002f60838241c184a0004207cb17adfcbf1")
    static let vpRecord = hex("01000000010a870202000000")

    static let opusHead51 = hex("4f707573486561640106380180bb00000000010402000401020305")
    static let flacStreamInfo = hex("040004000000000008150bb800f00000000000000000000000000000000000000000")
}
