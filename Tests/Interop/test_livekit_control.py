"""What the server asks of a publisher while it publishes: layers on and off, key frames, lost packets."""
import time

import pytest

from conftest import until
from daemon import looped


def quiet(stream, seconds=1.0):
    return time.monotonic() - stream.frames[-1].at > seconds


@pytest.fixture
def participant(livekit, daemon, encode, big_clip):
    encode(*looped(big_clip, daemon.url(livekit.create())))
    participant = until(lambda: livekit.participant())
    until(lambda: all(participant.stream(rid) and participant.stream(rid).decoded >= 10 for rid in "qhf"))
    return participant


def test_unwatched_layers_stop(livekit, participant):
    """A layer that nobody wants is not sent; when it is wanted again it begins with a key frame, and the others never pause."""
    top, low = participant.stream("f"), participant.stream("q")
    livekit.call(livekit.signalling.want(participant, f=False))
    until(lambda: quiet(top) and not quiet(low, 0.5), message="the layer goes on")
    before, low_before = len(top.frames), len(low.frames)
    livekit.call(livekit.signalling.want(participant, f=True))
    until(lambda: len(top.frames) > before + 10, message="the layer did not come back")
    assert top.frames[before].key, "the layer came back without a key frame"
    assert len(low.frames) > low_before and not top.errors


def test_all_layers_stop(livekit, participant):
    """Without any viewer nothing but sound is sent, and the session stays."""
    streams = [participant.stream(rid) for rid in "qhf"]
    livekit.call(livekit.signalling.want(participant, q=False, h=False, f=False))
    until(lambda: all(quiet(stream) for stream in streams))
    before = len(participant.audio.frames)
    until(lambda: len(participant.audio.frames) > before + 50, message="the sound stopped too")
    livekit.call(livekit.signalling.want(participant, q=True, h=True, f=True))
    until(lambda: not any(quiet(stream, 0.5) for stream in streams))
    assert participant.here


@pytest.mark.parametrize("rid", ["q", "f"])
def test_picture_loss(livekit, participant, rid):
    """A PLI brings a key frame in its layer and in no other."""
    stream, others = participant.stream(rid), [participant.stream(other) for other in "qhf" if other != rid]

    def alone():
        before, others_before = len(stream.keys), [len(other.keys) for other in others]
        livekit.loop.call_soon_threadsafe(participant.receiver.ask_for_key, stream)
        until(lambda: len(stream.keys) > before, message="no key frame came")
        mark = [len(other.frames) for other in others]
        until(lambda: all(len(other.frames) > count + 5 for other, count in zip(others, mark)))
        return [len(other.keys) for other in others] == others_before

    # A key frame that was due anyway may fall together with the one that was asked for.
    assert any(alone() for _ in range(4)), "all layers get key frames together"


def test_lost_packets_are_sent_again(livekit, participant):
    """Every fiftieth packet is lost on its way, and none is missing in the end."""
    counter = iter(range(1 << 60))
    participant.receiver.lose = lambda packet: next(counter) % 50 == 7
    streams = [participant.stream(rid) for rid in "qhf"]
    before = [stream.decoded for stream in streams]
    until(lambda: all(stream.decoded > count + 90 for stream, count in zip(streams, before)), message=str([str(stream) for stream in streams]))
    assert [(stream.lost, stream.errors) for stream in streams] == [(0, [])] * 3
