import AllocationCounter
import Bytes
import DTLS
import Ingress
import Logging
import RTP
import Runtime
import SDP
import Transcode
import WHIP

/// The whole way of passed packets in this process: datagram in, SRTP, receiver, room, sender, SRTP, batch of the socket. The
/// publisher's datagrams are made ahead and the viewer reads nothing, so that the server's allocations alone are counted.
@MediaLoop
final class PassedAllocations {
    private static let recorded = 2_200
    /// At the start of what is counted, memory of all kinds may still grow.
    private static let warmup = 600
    private static let key = "allocations"

    private let hub = PeerHub()
    private let room: LocalRoom
    private let publications: WHIPPublications
    private let viewers: RoomViewers
    private let timer = LoopTimer()
    private var publisher: WHIPPublisher?
    private var datagrams: [WHIPPublisher.Recorded] = []
    private var next = 0
    private var startedAt = Monotonic.zero
    private var finished: CheckedContinuation<Int, Never>?
    private let stacks: Int32

    init(stacks: Int) throws {
        self.stacks = Int32(stacks)
        guard let ladder = LadderSpec.Preset(name: "H264_720P_30FPS_1_LAYER") else {
            throw BenchError("no such preset")
        }
        var settings = LocalRoom.Settings(
            session: .init(
                ladder: LadderSpec(preset: ladder), audio: AudioSpec(channels: 2, bitrate: 96_000, usesDTX: false),
                maxThreads: 1))
        settings.passesWHIP = true
        let log = Logger(label: "allocations") { _ in SwiftLogNoOpLogHandler() }
        room = LocalRoom(settings: settings, hub: hub, log: log)
        try hub.openUDP(on: .v4(0x7F00_0001), port: 0)
        let clock = NTPClock(NTPTime(unixNanoseconds: SystemClock.unixNanoseconds()), at: .now)
        let environment = PeerEnvironment(dtls: try viewerContext(), clock: clock, addresses: [.v4(0x7F00_0001)])
        viewers = RoomViewers(room: room, environment: environment)
        publications = WHIPPublications(
            gate: room, hub: hub, environment: environment, slabPool: room.slabPool, log: log)
    }

    func run(_ clip: PassClip) async throws -> AllocationsCommand.Report {
        let context = try viewerContext()
        let publications = publications
        let publisher = try await WHIPPublisher.open(clip, context: context) { offer in
            let opening = WHIPOpening(
                resourceID: "publisher", app: "whip", key: Self.key,
                offer: try SessionDescription(parsing: offer), offerText: Array(offer.utf8))
            return (String(decoding: try await publications.open(opening).answer, as: UTF8.self), .v4(0x7F00_0001))
        }
        self.publisher = publisher
        try await wait("the publisher does not connect") { publisher.isConnected }
        let viewers = viewers
        let viewer = try await RTPViewer.open(context: context) { offer in
            let opening = WHEPOpening(
                resourceID: "viewer", key: Self.key, layer: nil,
                offer: try SessionDescription(parsing: offer))
            return (String(decoding: try await viewers.open(opening).serialized(), as: UTF8.self), .v4(0x7F00_0001))
        }
        // Some seconds of everything there is: reports, feedback, two key frames.
        try await wait("no picture comes through") { viewer.video.frames > 120 && viewer.audio.packets > 150 }
        datagrams = publisher.record(Self.recorded)
        viewer.isDeaf = true
        let sentBefore = hub.udpStatistics.sentDatagrams
        let allocations = await withCheckedContinuation { continuation in
            finished = continuation
            startedAt = .now
            replay(at: .now)
        }
        let forwarded = hub.udpStatistics.sentDatagrams - sentBefore
        guard forwarded >= UInt64(Self.recorded) * 9 / 10 else {
            throw BenchError("only \(forwarded) datagrams were passed")
        }
        return .init(way: "whip passed", packets: Self.recorded - Self.warmup, allocations: allocations)
    }

    private func wait(_ failure: String, _ isTrue: @MediaLoop () -> Bool) async throws {
        for _ in 0..<400 {
            if isTrue() { return }
            try await Task.sleep(nanoseconds: 50_000_000)
        }
        throw BenchError(failure)
    }

    private func replay(at now: Monotonic) {
        while next < datagrams.count, startedAt + datagrams[next].after <= now {
            publisher?.send(datagrams[next])
            next += 1
            if next == Self.warmup { allocation_counter_start(stacks) }
        }
        guard next < datagrams.count else {
            // The last ones are on their way through the loop.
            if let finished = finished.take() { finished.resume(returning: allocation_counter_stop()) }
            return
        }
        timer.schedule(at: startedAt + datagrams[next].after, calling: self)
    }
}

extension PassedAllocations: TimerHandler {
    func timerFired(_ timer: LoopTimer, at now: Monotonic) { replay(at: now) }
}
