package import Bytes
import ICE
import Media
package import RTP

/// The receiver of one peer. A box, because an optional value that cannot be copied cannot be read in place.
final class ReceivingSide {
    var receiver: RTPReceiver

    init(_ configuration: RTPReceiver.Configuration) { receiver = RTPReceiver(configuration) }
}

// What the peer sends us, when a plan to receive it was given.
extension WebRTCPeer {
    /// The next packet of media, after each `receive` that returned `.media`, until nil.
    package mutating func pollPacket() -> ReceivedPacket? { media?.receiver.pollPacket() }

    /// What happened to the streams that are received.
    package mutating func pollMediaEvent() -> RTPReceiver.Event? { media?.receiver.pollEvent() }

    /// Streams have the indices 0..<receivedStreamCount.
    package var receivedStreamCount: Int { media?.receiver.streamCount ?? 0 }

    package func receivedStream(_ index: Int) -> ReceivedStream? {
        guard index < receivedStreamCount else { return nil }
        return media?.receiver.stream(index)
    }

    /// Whether a datagram looks like media of a source that is received: such are taken from wherever they come, when
    /// SRTP finds the peer's keys on them.
    package func receivesSource(of datagram: RawSpan) -> Bool {
        guard let media, STUNDemux.classify(datagram) == .rtp, datagram.byteCount >= RTPHeader.byteCount else {
            return false
        }
        return media.receiver.knows(ssrc: datagram.bigEndian(at: 8, as: UInt32.self))
    }

    /// Bits a second of all that arrived over the last half second.
    package var receivedBitrate: Int { media?.receiver.bitrate ?? 0 }

    /// The round trip to the peer, by whichever direction knows it.
    package var roundTrip: Interval? { media?.receiver.roundTrip ?? sender.roundTrip }

    /// Asks the peer for a key frame of a received stream, and again until `noteKeyFrame`.
    package mutating func askForKeyFrame(of stream: Int) {
        guard stream < receivedStreamCount else { return }
        media?.receiver.requestKeyFrame(stream: stream)
    }

    package mutating func noteKeyFrame(of stream: Int) {
        guard stream < receivedStreamCount else { return }
        media?.receiver.noteKeyFrame(stream: stream)
    }

    /// Queues another peer's packet on a stream of `sender`. False when it was dropped: no keys or no path, or a key
    /// frame has to come first.
    @discardableResult
    package mutating func forward(_ packet: ForwardedPacket, on stream: Int, at now: Monotonic) -> Bool {
        guard state == .connected else { return false }
        guard ice.selectedPath != nil else {
            if sender.configuration(of: stream).kind == .video { sender.requireKeyFrame(on: stream) }
            return false
        }
        return sender.forward(packet, on: stream, at: now)
    }
}

extension ReceivePlan {
    /// What the receiver of this plan's media has to know. `localSSRC` is random and names us in RTCP.
    package func receiver(localSSRC: UInt32, cname: InlineBytes, clock: NTPClock) -> RTPReceiver.Configuration {
        RTPReceiver.Configuration(
            localSSRC: localSSRC, cname: cname, clock: clock, sections: sections.map(\.receiver),
            allowsReducedSize: allowsReducedSizeRTCP)
    }

    /// Nothing but reports is ever sent about a section without feedback, so that it has no say. FFmpeg offers
    /// `a=rtcp-rsize` for its picture only, and passes over a NACK that does not stand alone.
    private var allowsReducedSizeRTCP: Bool {
        sections.allSatisfy { $0.allowsReducedSizeRTCP || $0.feedback.isEmpty }
    }
}

extension ReceivedSection {
    fileprivate var receiver: RTPReceiver.Section {
        var types = [RTPReceiver.Payload(type: payloadType, role: .media(clockRate: Int(clockRate)))]
        if let rtx = payloads.rtx { types.append(.init(type: rtx, role: .retransmission(of: payloadType))) }
        if let red = payloads.red { types.append(.init(type: red, role: .redundancy)) }
        if let ulpfec = payloads.ulpfec { types.append(.init(type: ulpfec, role: .ulpfec)) }
        var extensions = HeaderExtensionMap()
        for (uri, id) in extensionIDs {
            if let kind = HeaderExtensionKind(uri: uri) { extensions[kind] = id }
        }
        let options: [(NegotiatedFeedback, RTPReceiver.FeedbackOptions)] = [
            (.nack, .nack), (.pli, .pictureLoss), (.fir, .fullIntra), (.transportCC, .transportWide),
            (.remb, .maximumBitrate),
        ]
        return RTPReceiver.Section(
            index: index, kind: kind, mid: InlineBytes(mid), payloads: types, extensions: extensions,
            feedback: options.reduce(into: []) { if feedback.contains($1.0) { $0.insert($1.1) } },
            streamIDs: streamIDs.compactMap { InlineBytes($0) }, ssrcs: sources.media,
            retransmissionPairs: sources.retransmissions.map { .init(media: $0.key, retransmission: $0.value) })
    }
}
