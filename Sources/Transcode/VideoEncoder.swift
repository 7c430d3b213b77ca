import Bytes

/// One coded picture, lent: the bytes are valid until the encoder's next call.
package struct EncodedPicture: ~Escapable {
    package let bytes: RawSpan
    package let isKey: Bool

    @_lifetime(copy bytes)
    init(bytes: RawSpan, isKey: Bool) {
        self.bytes = bytes
        self.isKey = isKey
    }
}

/// A layer's encoder. Confined to one thread at a time; its own threads work only during `encode`.
package protocol VideoEncoder: AnyObject {
    /// Encodes one yuv420p picture of the encoder's size and lends the result, without delay.
    /// - Parameter pts: nanoseconds, growing from call to call.
    func encode(
        _ picture: borrowing AVFrameRef, pts: Int64, forceKey: Bool, output: (EncodedPicture) -> Void
    ) throws(TranscodeError)

    /// Changes the target, in bits per second, from the next picture on.
    func setBitrate(_ bitrate: Int) throws(TranscodeError)
    /// Tells rate control how many pictures per second really come.
    func setFrameRate(_ frameRate: Double) throws(TranscodeError)
    /// Changes how much work is put into each picture; the same again is free.
    func setEffort(_ effort: EncodingEffort) throws(TranscodeError)
}
