package import Bytes
package import Media

/// Packets of one received source, in order of arrival, into frames that can be decoded: a jitter buffer, a depacketizer,
/// and the rule that video without its references is withheld until the next key frame.
package struct FrameAssembler: ~Copyable {
    package struct Frame: Sendable {
        package var frame: DepacketizedFrame
        /// When the last of the packets came that the frame and those before it needed.
        package var arrivedAt: Monotonic
    }

    package struct Statistics: Hashable, Sendable {
        package var framesDelivered: UInt64 = 0
        /// Whole, but without a key frame in front.
        package var framesWithheld: UInt64 = 0
        /// Packets that do not follow their payload format.
        package var malformedPackets: UInt64 = 0
    }

    private let isVideo: Bool
    /// Set here: optimised code of Swift 6.3 releases memory that was never set when `init` assigns this property.
    private var buffer = JitterBuffer(.audio)
    private var depacketizer: Depacketizer
    private var latestArrival = Monotonic.zero

    package private(set) var statistics = Statistics()
    /// Nothing can be shown before a key frame: at the start, and as soon as a loss broke a frame. The sender should be
    /// asked for one, again and again until this ends.
    package private(set) var needsKeyFrame: Bool

    /// Nil for codecs without a payload format here.
    /// - Parameters:
    ///   - parameterSets: NAL units of the session description, as for `Depacketizer`.
    ///   - limits: of the jitter buffer; those of the kind of media if nil.
    ///   - pool: where frames get their memory.
    package init?(
        codec: EncodedFrame.Codec, parameterSets: [[UInt8]] = [], limits: JitterBuffer.Limits? = nil,
        pool: SlabPool? = nil
    ) {
        guard let depacketizer = Depacketizer(codec: codec, parameterSets: parameterSets, pool: pool) else {
            return nil
        }
        self.depacketizer = depacketizer
        if case .video = codec { isVideo = true } else { isVideo = false }
        buffer = JitterBuffer(limits ?? (isVideo ? .video : .audio))
        needsKeyFrame = isVideo
    }

    package var codec: EncodedFrame.Codec { depacketizer.codec }
    package var jitter: JitterBuffer.Statistics { buffer.statistics }
    /// How long the next gap will be waited for.
    package var wait: Interval { buffer.wait }

    /// When `pollFrame` is to be called without a new packet.
    package var nextDeadline: Monotonic? { buffer.nextDeadline }

    /// Takes a packet in order of arrival; then `pollFrame` until nil.
    package mutating func receive(_ packet: JitterBuffer.Packet) { buffer.receive(packet) }

    /// The next frame that can be decoded.
    package mutating func pollFrame(at now: Monotonic) -> Frame? {
        while true {
            while let frame = depacketizer.pollFrame() {
                if let admitted = admit(frame) { return admitted }
            }
            guard let packet = buffer.pollPacket(at: now) else { return nil }
            depacketize(packet)
        }
    }

    private mutating func depacketize(_ packet: JitterBuffer.Packet) {
        latestArrival = max(latestArrival, packet.arrival)
        let place = DepacketizerInput(
            sequenceNumber: UInt16(truncatingIfNeeded: packet.sequenceNumber), timestamp: packet.timestamp,
            marker: packet.marker, followsGap: packet.followsGap)
        do { try depacketizer.receive(packet.payload.bytes, place) } catch { statistics.malformedPackets &+= 1 }
        // Known before the next frame is whole, so that a key frame is asked for without delay.
        if isVideo, depacketizer.hasLoss() { needsKeyFrame = true }
    }

    private mutating func admit(_ frame: DepacketizedFrame) -> Frame? {
        if isVideo {
            if frame.isKey {
                needsKeyFrame = depacketizer.hasLoss()
            } else if needsKeyFrame || frame.followsLoss {
                needsKeyFrame = true
                statistics.framesWithheld &+= 1
                return nil
            }
        }
        statistics.framesDelivered &+= 1
        return Frame(frame: frame, arrivedAt: latestArrival)
    }
}
