"""Sessions as the server and encoders see them: ended from either side, repeated, side by side, taken over, interrupted."""
import pytest

from conftest import until
from daemon import looped
from rtmp import Publisher


def pictures(participant, count=10):
    """Waits for that many more pictures of the lowest layer."""
    until(lambda: participant.stream("q"), message=f"no picture: {participant.requests}")
    stream = participant.stream("q")
    before = stream.decoded
    until(lambda: stream.decoded >= before + count, message=str(stream))


def joined(livekit, identity="ingress", room=None, unlike=()):
    participant = until(lambda: next((p for p in livekit.signalling.live(identity, room) if p not in unlike), None), message="nobody joined")
    pictures(participant)
    return participant


def rtmp(daemon, record):
    daemon.wait_for_capacity()
    publisher = Publisher(daemon.ports["rtmp_port"], record.info.stream_key)
    assert publisher.wait_for(b"NetStream.Publish.Start")
    return publisher


@pytest.mark.parametrize("method", ["delete", "update"])
def test_the_server_ends_a_session(livekit, daemon, encode, clip, method):
    """DeleteIngress and UpdateIngress are answered with a state; the session ends and the encoder is let go."""
    record = livekit.create()
    encoder = encode(*looped(clip, daemon.url(record)))
    participant = joined(livekit)
    answer = livekit.call(getattr(livekit.directory, method)(record), 4)
    assert answer.resource_id == record.state.resource_id
    until(lambda: not participant.here, message="the participant stayed")
    until(lambda: encoder.process.poll() is not None, message="the encoder was not let go")
    if method == "update":
        until(lambda: record.statuses[-1] == "INACTIVE", message=record.statuses)


def test_a_key_is_used_again(livekit, daemon, encode, clip):
    """Three sessions with one key: three joins and three times all states."""
    record = livekit.create()
    for number in range(1, 4):
        encoder = encode(*looped(clip, daemon.url(record)))
        joined(livekit)
        encoder.stop()
        until(lambda: record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"] * number, message=record.statuses)
    assert len({state.resource_id for state in record.history}) == 3 and not record.refused
    assert len(livekit.signalling.participants) == 3


def test_two_in_one_room(livekit, daemon, encode, clip):
    first, second = livekit.create(identity="one"), livekit.create(identity="two")
    encoders = [encode(*looped(clip, daemon.url(record))) for record in (first, second)]
    participants = [joined(livekit, identity, "room") for identity in ("one", "two")]
    active = [session.ingress_id for answer in livekit.call(livekit.directory.active()) for session in answer.ingress_sessions]
    assert sorted(active) == sorted(record.info.ingress_id for record in (first, second))
    encoders[0].stop()
    until(lambda: first.statuses[-1] == "INACTIVE")
    pictures(participants[1])
    assert not participants[0].here and second.statuses[-1] == "PUBLISHING"


def test_nothing_is_left_behind(livekit, daemon, clip):
    """Ten sessions one after another: no process, no subscription and no descriptor more than after the first."""
    record = livekit.create()

    def once(orderly=True):
        publisher = rtmp(daemon, record)
        publisher.play(clip, 1, stop=lambda: livekit.participant() is not None)
        joined_at = until(lambda: livekit.participant())
        publisher.play(clip, 2, offset=1_000, stop=lambda: joined_at.stream("q") is not None)
        publisher.end()
        until(lambda: record.statuses[-1] in ("INACTIVE", "ERROR"))
        until(lambda: not livekit.participant())

    before = livekit.redis.channels()
    once()
    daemon.spare()
    descriptors = daemon.descriptors()
    for _ in range(9):
        once()
    daemon.spare()
    until(lambda: livekit.redis.channels() == before, message=f"{before} became {livekit.redis.channels()}")
    until(lambda: daemon.descriptors() <= descriptors, message=f"{descriptors} descriptors became {daemon.descriptors()}")
    until(lambda: daemon.metric("livekit_ingress_requests") == 0)


def test_second_publisher_takes_over(livekit, daemon, encode, clip):
    """The newer encoder comes into the running session: same participant, same tracks; the older one is told."""
    record = livekit.create()
    first = rtmp(daemon, record)
    first.play(clip, 4, stop=lambda: bool(livekit.participant() and livekit.participant().stream("q")))
    participant = until(lambda: livekit.participant())
    tracks = [track.info.sid for track in participant.tracks]
    encode(*looped(clip, daemon.url(record)))
    assert first.wait_for(b"taken over", 15), "the older encoder was not told"
    pictures(participant, 30)
    assert participant.here and len(livekit.signalling.participants) == 1
    assert [track.info.sid for track in participant.tracks] == tracks
    assert record.statuses == ["BUFFERING", "PUBLISHING"] and len({state.resource_id for state in record.history}) == 1


def test_encoder_breaks_off_and_returns(livekit, daemon, encode, clip):
    """Within the grace the session goes on as if nothing had been."""
    record = livekit.create()
    encoder = encode(*looped(clip, daemon.url(record)))
    participant = joined(livekit)
    encoder.process.kill()
    encoder.process.wait()
    encode(*looped(clip, daemon.url(record)))
    pictures(participant, 60)
    assert participant.here and len(livekit.signalling.participants) == 1
    assert record.statuses == ["BUFFERING", "PUBLISHING"]


def test_encoder_breaks_off_for_good(livekit, start_daemon, encode, clip):
    daemon = start_daemon(publisher_grace="2s")
    record = livekit.create()
    encoder = encode(*looped(clip, daemon.url(record)))
    participant = joined(livekit)
    encoder.process.kill()
    until(lambda: record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"], message=record.statuses)
    until(lambda: not participant.here)


def test_orderly_end_waits_for_nobody(livekit, start_daemon, clip):
    """FCUnpublish and deleteStream end the session although the grace is long."""
    daemon = start_daemon(publisher_grace="10m")
    record = livekit.create()
    publisher = rtmp(daemon, record)
    publisher.play(clip, 6, stop=lambda: record.statuses[-1:] == ["PUBLISHING"])
    publisher.end()
    until(lambda: record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"], message=record.statuses)
    until(lambda: not livekit.participant())


def test_source_clock_jumps(livekit, daemon, clip):
    """The timestamps of the source jump by an hour: the picture goes on in the same session."""
    record = livekit.create()
    publisher = rtmp(daemon, record)
    last = publisher.play(clip, 6, stop=lambda: bool(livekit.participant() and livekit.participant().stream("q")))
    participant = until(lambda: livekit.participant())
    stream = participant.stream("q")
    for offset in (last + 3_600_000, 40):
        before = stream.decoded
        publisher.play(clip, 8, offset=offset, stop=lambda: stream.decoded > before + 30)
        assert stream.decoded > before + 30, f"the picture stood still: {stream}"
    publisher.end()
    until(lambda: record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"], message=record.statuses)
    assert len(livekit.signalling.participants) == 1
