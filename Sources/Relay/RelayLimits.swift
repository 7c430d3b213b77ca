/// What one message between the two processes may cost. Both ends hold to the same numbers: a sender refuses what the
/// receiver would.
package struct RelayLimits: Sendable {
    /// Bytes of one coded frame; RTMP's largest message (`RTMPLimits.messageBytes`) fits.
    package var frameBytes = 16 * 1024 * 1024
    /// Bytes of a decoder's configuration record; `FLVLimits.maxSequenceHeaderBytes` fits.
    package var recordBytes = 64 * 1024
    /// Bytes of a session's specification.
    package var specificationBytes = 1024 * 1024
    /// Bytes of one state report or one row of statistics.
    package var reportBytes = 256 * 1024
    /// Bytes of names and sentences; senders cut longer ones.
    package var textBytes = 4 * 1024
    /// Samples a second; the 24-bit escape of ISO/IEC 14496-3 section 1.6.3.4 is the largest that a codec header says.
    package var sampleRate = 1 << 24

    /// Room made ahead for a message that was announced but has not come yet; beyond, its slab grows with the bytes.
    package static let reservedBytes = 256 * 1024

    package init() {}
}
