import Bytes

/// Finds which sent picture each received one is, though the server moves all times by an unknown distance.
///
/// RTP time is source time at 90 kHz plus an offset. The offset is the one under which most of the next pictures
/// fall on times
/// that were sent; it is looked for anew when pictures stop matching, since the server moves it after a stall or a
/// jump.
struct DelayMatcher {
    struct Match: Sendable {
        /// Index among those sent.
        let sent: Int
        let sentAt: Monotonic
        let arrivedAt: Monotonic
        var delay: Interval { arrivedAt - sentAt }
    }

    /// Pictures that decide about an offset.
    private static let probe = 45
    /// Sent pictures before an arrival that may be its source: ten seconds.
    private static let reach = 300
    /// RTP ticks that rounding may cost.
    private static let tolerance: Int64 = 4
    /// Misses in a row that make the offset doubtful.
    private static let patience = 5

    private(set) var matches: [Match] = []
    private(set) var unmatched = 0
    private(set) var offsets = 0

    private let sent: [ClipPublisher.SentPicture]
    private let received: [(timestamp: UInt32, at: Monotonic)]
    private let byTime: [Int64: Int]

    init(sent: [ClipPublisher.SentPicture], received: [(timestamp: UInt32, at: Monotonic)]) {
        self.sent = sent
        self.received = received
        byTime = Dictionary(sent.enumerated().map { ($1.milliseconds, $0) }, uniquingKeysWith: { first, _ in first })
        run()
    }

    private mutating func run() {
        var offset = findOffset(from: 0)
        offsets = offset == nil ? 0 : 1
        var misses = 0
        var index = 0
        while index < received.count {
            if let current = offset, let match = source(of: received[index], under: current) {
                matches.append(match)
                misses = 0
            } else {
                misses += 1
                if misses == Self.patience, let next = findOffset(from: index + 1 - misses), next != offset {
                    offset = next
                    offsets += 1
                    index -= misses
                    unmatched -= misses - 1
                    misses = 0
                } else {
                    unmatched += 1
                }
            }
            index += 1
        }
    }

    private func source(of picture: (timestamp: UInt32, at: Monotonic), under offset: UInt32) -> Match? {
        let ticks = Int64(Int32(bitPattern: picture.timestamp &- offset))
        let milliseconds = (ticks + 45 - (ticks < -45 ? 89 : 0)) / 90
        guard (ticks - milliseconds * 90).magnitude <= Self.tolerance, let index = byTime[milliseconds],
            sent[index].at <= picture.at
        else { return nil }
        return Match(sent: index, sentAt: sent[index].at, arrivedAt: picture.at)
    }

    /// The offset under which most of the pictures from `start` on have a source; of equals the one with the
    /// shorter delay.
    private func findOffset(from start: Int) -> UInt32? {
        guard start < received.count else { return nil }
        let probes = received[start..<min(start + Self.probe, received.count)]
        guard let first = probes.first else { return nil }
        var best: (score: Int, offset: UInt32)?
        for picture in sent.reversed().drop(while: { $0.at > first.at }).prefix(Self.reach) {
            let offset = first.timestamp &- UInt32(truncatingIfNeeded: picture.milliseconds * 90)
            let score = probes.count { source(of: $0, under: offset) != nil }
            if score > best?.score ?? probes.count / 2 { best = (score, offset) }
        }
        return best?.offset
    }
}
