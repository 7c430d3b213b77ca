import Bytes
import Ingress
import Testing
import Transcode

@Suite struct LayerPresenceTests {
    private static func ms(_ count: Int64) -> Monotonic { .zero + .milliseconds(count) }

    /// Pictures of `qualities`, one every `step` milliseconds from `start` until `end`; the times of changes.
    private func run(
        _ presence: inout LayerPresence, _ qualities: [LayerQuality], from start: Int64, to end: Int64, step: Int64 = 33
    ) -> [Int64] {
        stride(from: start, to: end, by: Int(step)).filter { at in
            // All are told, whether one has changed already or not.
            qualities.map { presence.note($0, endsPicture: true, at: Self.ms(at)) }.contains(true)
        }
    }

    @Test("a layer that stops is missing within little more than a second, and is back with its first packet")
    func stopAndReturn() {
        var presence = LayerPresence()
        let before = run(&presence, LayerQuality.allCases, from: 0, to: 3_000)
        #expect(before.isEmpty)
        let changes = run(&presence, [.low, .medium], from: 3_000, to: 6_000)
        #expect(changes.count == 1 && (3_900...4_100).contains(changes[0]))
        #expect(presence.missing == [.high])
        let isBack = presence.note(.high, endsPicture: false, at: Self.ms(6_000))
        #expect(isBack)
        #expect(presence.missing.isEmpty)
    }

    @Test("layers of a still screen, seldom as they come, are not missing")
    func still() {
        var presence = LayerPresence()
        let changes = run(&presence, LayerQuality.allCases, from: 0, to: 60_000, step: 1_400)
        #expect(changes.isEmpty)
        #expect(presence.missing.isEmpty)
    }

    @Test("a publisher that is silent as a whole misses no layer")
    func silence() {
        var presence = LayerPresence()
        _ = run(&presence, LayerQuality.allCases, from: 0, to: 500)
        let changes = run(&presence, LayerQuality.allCases, from: 10_000, to: 12_000)
        #expect(changes.isEmpty)
    }

    @Test("a layer that never came is not missed")
    func unknown() {
        var presence = LayerPresence()
        let changes = run(&presence, [.high], from: 0, to: 10_000)
        #expect(changes.isEmpty)
        #expect(presence.missing.isEmpty)
    }
}
