import Bytes
import Ingress
import Media
import Testing

private func key(_ stream: Int, _ width: Int, grows: Bool = false) -> LayerChoice.Packet {
    .init(stream: stream, isKey: true, size: VideoSize(width: width, height: width / 2), mayGrow: grows)
}

private func delta(_ stream: Int) -> LayerChoice.Packet { .init(stream: stream, isKey: false) }

private func at(_ milliseconds: Int64) -> Monotonic { .zero + .milliseconds(milliseconds) }

@Suite("The layer that is decoded") struct LayerChoiceTests {
    @Test("a publisher's only stream is taken at once, whatever it begins with", arguments: [true, false])
    func alone(isKey: Bool) {
        var choice = LayerChoice(expected: 1)
        #expect(choice.note(isKey ? key(0, 640) : delta(0), at: at(0)) == .taken)
        #expect(choice.note(delta(0), at: at(1)) == .current)
        #expect(choice.current == 0)
    }

    @Test("of several none is taken before all were seen, and then the largest")
    func all() {
        var choice = LayerChoice(expected: 3)
        #expect(choice.note(key(0, 160), at: at(0)) == .passedOver(wantsKeyFrame: false))
        #expect(choice.note(delta(0), at: at(10)) == .passedOver(wantsKeyFrame: false))
        #expect(choice.note(delta(2), at: at(20)) == .passedOver(wantsKeyFrame: true))
        #expect(choice.note(key(2, 640), at: at(100)) == .passedOver(wantsKeyFrame: false))
        #expect(choice.note(key(1, 320), at: at(120)) == .passedOver(wantsKeyFrame: false))
        #expect(choice.note(delta(1), at: at(130)) == .passedOver(wantsKeyFrame: false))
        // Its key frame was let go, so that another one has to be asked for: whoever takes it begins without one.
        #expect(choice.note(delta(2), at: at(140)) == .taken)
    }

    @Test("the largest one is begun with when it shows itself last")
    func inOrder() {
        var choice = LayerChoice(expected: 2)
        _ = choice.note(key(0, 160), at: at(0))
        #expect(choice.note(key(1, 320), at: at(1)) == .taken)
    }

    @Test("what does not come is waited for only so long, and what has gone is not taken")
    func patience() {
        var choice = LayerChoice(expected: 3)
        _ = choice.note(key(1, 640), at: at(0))
        _ = choice.note(key(0, 160), at: at(10))
        #expect(choice.note(delta(0), at: at(1_499)) == .passedOver(wantsKeyFrame: false))
        #expect(choice.note(delta(0), at: at(1_500)) == .taken)
    }

    @Test("a stream whose layers may grow in number gets the same time")
    func growing() {
        var choice = LayerChoice(expected: 1)
        #expect(choice.note(key(0, 160, grows: true), at: at(0)) == .passedOver(wantsKeyFrame: false))
        #expect(choice.note(delta(0), at: at(100)) == .passedOver(wantsKeyFrame: false))
        #expect(choice.note(key(0, 640, grows: true), at: at(1_500)) == .taken)
    }

    @Test("a larger one takes over with a key frame, and any one when the current one is silent")
    func later() {
        var choice = LayerChoice(expected: 2)
        _ = choice.note(key(0, 160), at: at(0))
        #expect(choice.note(delta(0), at: at(1_500)) == .taken)
        #expect(choice.note(delta(1), at: at(1_600)) == .passedOver(wantsKeyFrame: true))
        #expect(choice.note(key(1, 320), at: at(1_700)) == .taken)
        #expect(choice.note(key(0, 160), at: at(2_000)) == .passedOver(wantsKeyFrame: false))
        #expect(choice.note(delta(0), at: at(2_701)) == .passedOver(wantsKeyFrame: true))
        #expect(choice.note(key(0, 160), at: at(2_702)) == .taken)
    }
}
