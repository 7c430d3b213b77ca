package import Bytes
import Media

/// Everything that one peer sends by RTP, and all RTCP about it: tells its streams apart, takes retransmissions,
/// redundancy and error correction out, drops duplicates, asks for what is missing, and hands packets out in order of
/// arrival. Decryption, sockets, reordering and depacketizing are the caller's.
///
/// Verbs: `receive` takes a decrypted RTP packet, `receiveControl` a decrypted RTCP datagram, `advance(to:)` lets time
/// pass. After each of them the caller drains `pollEvent`, `pollPacket` and `pollControl`, then reads `nextDeadline`.
/// Packets that are not polled before the next `receive` may be dropped. Nothing is allocated for packets once the
/// streams and enough memory exist.
///
/// RFC 3550, 3611, 4585, 4588, 5104, 5109, 5506, 2198, 8843, 8852, 8285; draft-holmer-rmcat-transport-wide-cc-extensions,
/// draft-alvestrand-rmcat-remb.
package struct RTPReceiver: ~Copyable {
    package enum Event: Hashable, Sendable {
        /// A stream's first packet came, or the first one after its end.
        case streamAdded(Int)
        /// The source said goodbye.
        case streamEnded(Int)
        /// A sender report came: see `ReceivedStream.lastReport`.
        case senderReport(stream: Int)
    }

    /// Counts of what belongs to no stream.
    package struct Counters: Hashable, Sendable {
        package var packets: Int64 = 0
        /// Among them such as were refused with an error.
        package var malformed: Int64 = 0
        /// From sources that belong to no stream, or that would be one too many.
        package var unknownSource: Int64 = 0
        /// With a payload type that was not negotiated for their source.
        package var unknownPayloadType: Int64 = 0
        /// Packets that nobody polled in time.
        package var overflowed: Int64 = 0
        package var malformedControl: Int64 = 0

        package init() {}
    }

    /// A source that belongs to a stream.
    struct Binding: Sendable {
        var ssrc: UInt32
        var stream: Int
        var isRetransmission: Bool
    }

    let clock: NTPClock
    let localSSRC: UInt32
    let cname: InlineBytes
    let allowsReducedSize: Bool
    let usesTransportWide: Bool
    let usesMaximumBitrate: Bool
    let sections: [ReceiveSection]
    /// For sources that are not known yet: ids are the same in all sections of a transport (RFC 8843 section 9.1).
    let sharedExtensions: HeaderExtensionMap

    var streams: [ReceiveStream] = []
    var bindings: [Binding] = []
    /// Set here: optimised code of Swift 6.3 releases memory that was never set when `init` assigns this property.
    var arrivals = ArrivalLog()
    var received = RateWindow()
    var bitrateLimit = ReceiveBitrateLimit()
    package internal(set) var counters = Counters()
    /// By the peer's answers to reference times, or else by retransmissions; smoothed. Nil before the first.
    package internal(set) var roundTrip: Interval?
    var hasExactRoundTrip = false
    /// `NTPTime.compact` of the last reference times that were sent.
    var referenceTimes = InlineArray<4, UInt32>(repeating: 0)
    var referenceCount = 0
    var reportDueAt: Monotonic?
    private var lastHit = 0
    var videoArena = PacketArena(maxSlabs: RTPLimits.videoArenaSlabs)
    var audioArena = PacketArena(slabBytes: 16_384, maxSlabs: RTPLimits.audioArenaSlabs)
    var packets = RingDeque<ReceivedPacket>(capacity: RTPLimits.receiveQueuePackets)
    /// Packets given back by error correction are put together here.
    var recovered: [UInt8] = []
    var reportBlocks: [ReportBlock] = []
    var numbers: [UInt16] = []
    var mediaSources: [UInt32] = []

    package init(_ configuration: Configuration) {
        clock = configuration.clock
        localSSRC = configuration.localSSRC
        cname = configuration.cname
        allowsReducedSize = configuration.allowsReducedSize
        sections = configuration.sections.map(ReceiveSection.init)
        var extensions = HeaderExtensionMap()
        var feedback: FeedbackOptions = []
        for section in configuration.sections {
            feedback.formUnion(section.feedback)
            for kind in HeaderExtensionKind.all where extensions[kind] == nil {
                extensions[kind] = section.extensions[kind]
            }
        }
        sharedExtensions = extensions
        usesTransportWide = feedback.contains(.transportWide) && extensions[.transportSequence] != nil
        usesMaximumBitrate = feedback.contains(.maximumBitrate) && !usesTransportWide
        recovered.reserveCapacity(RTPLimits.maxRecoveredBytes)
        reportBlocks.reserveCapacity(RTPLimits.maxReceiveStreams)
        numbers.reserveCapacity(RTPLimits.maxMissingPackets)
        mediaSources.reserveCapacity(RTPLimits.maxReceiveStreams)
        streams.reserveCapacity(RTPLimits.maxReceiveStreams)
        bindings.reserveCapacity(2 * RTPLimits.maxReceiveStreams)
    }

    /// Streams have the indices 0..<streamCount. They are never removed.
    package var streamCount: Int { streams.count }

    /// Traps outside of `0..<streamCount`.
    package func stream(_ index: Int) -> ReceivedStream {
        ReceivedStream(
            section: sections[streams[index].section].configuration.index, kind: streams[index].kind,
            streamID: streams[index].streamID, ssrc: streams[index].ssrc,
            retransmissionSSRC: streams[index].retransmissionSSRC, clockRate: streams[index].clockRate,
            lastReport: streams[index].lastReport, isEnded: streams[index].goodbyeAt != nil,
            statistics: streams[index].currentStatistics())
    }

    /// Bits a second that arrived over the last half second, of all packets.
    package var bitrate: Int { received.rate(over: .milliseconds(500)) ?? 0 }

    /// Takes one decrypted RTP packet. An error means that it was dropped, and is counted.
    package mutating func receive(_ packet: RawSpan, at now: Monotonic) throws(RTPError) {
        counters.packets &+= 1
        do throws(RTPError) {
            let header = try RTPHeader(parsing: packet)
            try receive(packet, header, at: now)
        } catch {
            counters.malformed &+= 1
            throw error
        }
    }

    private mutating func receive(_ packet: RawSpan, _ header: RTPHeader, at now: Monotonic) throws(RTPError) {
        let known = binding(of: header.ssrc)
        let map = known.map { sections[streams[$0.stream].section].configuration.extensions } ?? sharedExtensions
        let values = try HeaderExtensionValues(header, of: packet, map: map)
        received.add(packet.byteCount, at: now)
        if usesTransportWide, let number = values.transportSequence { arrivals.record(number, at: now) }
        guard let binding = known ?? bind(header, values, at: now) else {
            counters.unknownSource &+= 1
            return
        }
        let role = sections[streams[binding.stream].section].role(of: header.payloadType)
        switch (role, binding.isRetransmission) {
        case (.retransmission(let original), true):
            try receiveRetransmission(packet, header, of: original, on: binding.stream, at: now)
        case (.media, false), (.redundancy, false), (.ulpfec, false):
            try receiveOriginal(packet, header, values, role, on: binding.stream, at: now)
        default: counters.unknownPayloadType &+= 1
        }
    }

    private mutating func binding(of ssrc: UInt32) -> Binding? {
        if lastHit < bindings.count, bindings[lastHit].ssrc == ssrc { return bindings[lastHit] }
        guard let index = bindings.firstIndex(where: { $0.ssrc == ssrc }) else { return nil }
        lastHit = index
        return bindings[index]
    }

    /// Whether the source belongs to a stream.
    package func knows(ssrc: UInt32) -> Bool { bindings.contains { $0.ssrc == ssrc } }

    /// The next packet, in order of arrival; what redundancy gave back stands before what brought it.
    package mutating func pollPacket() -> ReceivedPacket? { packets.popFirst() }

    package mutating func pollEvent() -> Event? {
        for index in streams.indices {
            if streams[index].wasAdded {
                streams[index].wasAdded = false
                return .streamAdded(index)
            }
            if streams[index].hasNewReport {
                streams[index].hasNewReport = false
                return .senderReport(stream: index)
            }
            if streams[index].wasEnded {
                streams[index].wasEnded = false
                return .streamEnded(index)
            }
        }
        return nil
    }

    /// Lets time pass: gives up what is missing for too long. Call it when `nextDeadline` has come.
    package mutating func advance(to now: Monotonic) {
        received.advance(to: now)
        for index in streams.indices { streams[index].advance(to: now) }
    }

    /// Asks the source of a video stream for a key frame, again and again until `noteKeyFrame`. Does nothing where the
    /// peer understands no such request.
    package mutating func requestKeyFrame(stream: Int) {
        guard !sections[streams[stream].section].configuration.feedback.isDisjoint(with: [.pictureLoss, .fullIntra]),
            streams[stream].kind == .video
        else { return }
        streams[stream].keyFrames.request()
    }

    /// A key frame came, so that none needs to be asked for.
    package mutating func noteKeyFrame(stream: Int) { streams[stream].keyFrames.noteKeyFrame() }
}
