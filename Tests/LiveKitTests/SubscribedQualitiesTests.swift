import LiveKit
import LiveKitProtocol
import Testing

@Suite struct SubscribedQualitiesTests {
    private static func update(_ codecs: [(String, [Livekit_VideoQuality])]) -> Livekit_SubscribedQualityUpdate {
        var update = Livekit_SubscribedQualityUpdate()
        update.subscribedCodecs = codecs.map { name, enabled in
            var codec = Livekit_SubscribedCodec()
            codec.codec = name
            codec.qualities = [Livekit_VideoQuality.low, .medium, .high].map { quality in
                var entry = Livekit_SubscribedQuality()
                entry.quality = quality
                entry.enabled = enabled.contains(quality)
                return entry
            }
            return codec
        }
        return update
    }

    @Test("the entry of the track's codec counts, whatever its case and with or without its kind")
    func codec() {
        let update = Self.update([("vp8", [.low, .medium, .high]), ("H264", [.low])])
        let expected = SubscribedQualities(low: true, medium: false, high: false)
        #expect(SubscribedQualities(update, codec: "video/h264") == expected)
    }

    @Test("entries for other codecs only are taken together; without any the old list counts")
    func fallbacks() {
        let update = Self.update([("vp9", [.low]), ("av1", [.high])])
        #expect(SubscribedQualities(update, codec: "video/H264") == .init(low: true, medium: false, high: true))
        var old = Livekit_SubscribedQualityUpdate()
        var entry = Livekit_SubscribedQuality()
        entry.quality = .medium
        entry.enabled = true
        old.subscribedQualities = [entry]
        #expect(SubscribedQualities(old, codec: "video/H264") == .init(low: false, medium: true, high: false))
        #expect(SubscribedQualities(Livekit_SubscribedQualityUpdate(), codec: "video/H264") == .none)
    }

    @Test("layers that exist follow their own entries; a wish for one that does not exist is met by the next above")
    func layers() {
        let low = SubscribedQualities(low: true, medium: false, high: false)
        let medium = SubscribedQualities(low: true, medium: true, high: false)
        #expect(SubscribedQualities.all.needed(of: [0, 1, 2]) == [0, 1, 2])
        #expect(medium.needed(of: [0, 1, 2]) == [0, 1])
        #expect(SubscribedQualities.none.needed(of: [0, 1, 2]) == [])
        #expect(medium.needed(of: [0, 2]) == [0])
        #expect(low.needed(of: [1, 2]) == [1])
        #expect(low.needed(of: [2]) == [2])
        #expect(SubscribedQualities.all.needed(of: [0]) == [0])
        #expect(SubscribedQualities(low: false, medium: false, high: true).needed(of: [0]) == [0])
        #expect(SubscribedQualities.none.needed(of: [2]) == [])
        #expect(SubscribedQualities.all.needed(of: []) == [])
    }
}
