"""Faults around a running session, each with the picture back or the right state soon after."""
import os
import signal

import pytest
from livekit.protocol import models, rtc

from conftest import until
from daemon import looped
from test_livekit_sessions import joined, pictures

Action, Reason = rtc.LeaveRequest.Action, models.DisconnectReason


@pytest.fixture
def record(livekit, daemon, encode, clip):
    record = livekit.create()
    encode(*looped(clip, daemon.url(record)))
    return record


def test_websocket_cut(livekit, record):
    """The signalling connection breaks: resumed with the newest token, same tracks, the picture never stops."""
    participant = joined(livekit)
    token = participant.refreshed
    livekit.call(livekit.signalling.drop_socket(participant))
    until(lambda: participant.resumes == 1, message="no resume")
    assert participant.tokens[-1] == token, "not the newest token"
    assert livekit.signalling.dials[-1][1]["sid"] == participant.sid
    pictures(participant, 60)
    assert participant.here and record.statuses == ["BUFFERING", "PUBLISHING"]


def test_websocket_cut_and_refused(livekit, record):
    """The server answers 503 for a while: tried again, and joined anew when the resume is given up."""
    participant = joined(livekit)
    livekit.signalling.refuse += [503, 503]
    livekit.call(livekit.signalling.drop_socket(participant))
    until(lambda: not livekit.signalling.refuse, message="it was not tried again")
    until(lambda: participant.resumes == 1 or livekit.signalling.participants[-1] is not participant, message="it did not come back")
    pictures(livekit.signalling.participants[-1], 60)
    assert record.statuses == ["BUFFERING", "PUBLISHING"]


def test_server_asks_to_resume(livekit, record):
    """The path for media is dead and the server says resume: a restart of ICE finds another."""
    participant = joined(livekit)
    participant.receiver.path.blocked = participant.receiver.path.current
    livekit.call(participant.leave(Action.RESUME, Reason.UNKNOWN_REASON))
    until(lambda: participant.resumes == 1, message="no resume")
    until(lambda: participant.receiver.path.restarts == 1, message="a resume came without an ICE restart")
    pictures(participant, 60)


def test_server_asks_to_reconnect(livekit, record):
    """A full reconnect: another participant with new tracks, and no word of it to the encoder or in the states."""
    participant = joined(livekit)
    livekit.call(participant.leave(Action.RECONNECT, Reason.UNKNOWN_REASON))
    again = joined(livekit, unlike=[participant])
    assert "sid" not in again.query
    pictures(again, 30)
    until(lambda: {track.sid for track in record.state.tracks} == {track.info.sid for track in again.tracks}, message="the new tracks were not told")
    assert record.statuses == ["BUFFERING", "PUBLISHING"]


def test_server_forgot_the_participant(livekit, record):
    """A resume into nothing is answered by a full reconnect."""
    participant = joined(livekit)
    participant.left = Reason.STATE_MISMATCH
    livekit.call(livekit.signalling.drop_socket(participant))
    joined(livekit, unlike=[participant])
    assert record.statuses == ["BUFFERING", "PUBLISHING"]


@pytest.mark.parametrize("reason", ["ROOM_DELETED", "PARTICIPANT_REMOVED", "DUPLICATE_IDENTITY"])
def test_put_out_of_the_room(livekit, record, reason):
    """Final: the session ends with an error, and nobody tries to come back."""
    participant = joined(livekit)
    livekit.call(participant.leave(Action.DISCONNECT, Reason.Value(reason)))
    until(lambda: record.statuses[-1] == "ERROR", message=record.statuses)
    assert "room disconnected" in record.state.error
    assert len(livekit.signalling.participants) == 1


def test_wrong_secret(livekit, start_daemon, encode, clip):
    """The server refuses the token: ERROR, with a reason."""
    daemon = start_daemon(api_secret="another secret that is as long as it must be")
    record = livekit.create()
    encode(*looped(clip, daemon.url(record)))
    until(lambda: record.statuses[-1:] == ["ERROR"], message=record.statuses)
    assert record.state.error


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_child_dies(livekit, daemon, encode, clip, name):
    """One stream is lost, with its cause in the state, and its participant leaves the room; the other one goes on."""
    first, second = livekit.create(identity="one"), livekit.create(identity="two")
    child = daemon.spare()
    encoder = encode(*looped(clip, daemon.url(first)))
    lost = joined(livekit, "one")
    encode(*looped(clip, daemon.url(second)))
    other = joined(livekit, "two")
    os.kill(child, signal.Signals[name])
    until(lambda: first.statuses[-1] == "ERROR", message=first.statuses)
    assert name in first.state.error, first.state.error
    until(lambda: encoder.process.poll() is not None, message="the encoder was not let go")
    until(lambda: lost.left is not None, message="the participant stayed")
    pictures(other, 60)
    assert second.statuses == ["BUFFERING", "PUBLISHING"]


def test_redis_restarts(livekit, daemon, encode, clip):
    """The stream never stops, and the states that come after the restart arrive."""
    record = livekit.create()
    encoder = encode(*looped(clip, daemon.url(record)))
    participant = joined(livekit)
    livekit.redis.stop()
    pictures(participant, 30)
    livekit.redis.start()
    until(daemon.available)
    encoder.stop()
    until(lambda: record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"], message=record.statuses)


def test_session_ends_while_redis_is_down(livekit, daemon, encode, clip):
    """The last state is told as soon as somebody listens."""
    record = livekit.create()
    encoder = encode(*looped(clip, daemon.url(record)))
    joined(livekit)
    livekit.redis.stop()
    encoder.stop()
    until(lambda: not livekit.participant(), message="the participant stayed")
    livekit.redis.start()
    until(lambda: record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"], message=record.statuses)


def test_lost_state_is_told_again(livekit, daemon, encode, clip):
    """The server does not answer the last update in time: it is sent again."""
    record = livekit.create()
    encoder = encode(*looped(clip, daemon.url(record)))
    joined(livekit)
    lost = []

    async def swallow(request):
        if request.state.status == 0 and not lost:
            lost.append(request)
            raise AssertionError("swallowed on purpose")

    livekit.directory.before_update = swallow
    encoder.stop()
    until(lambda: record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"], message=record.statuses)
    assert lost
    livekit.bus.faults.clear()


def test_main_process_killed(livekit, daemon, encode, clip):
    """No child outlives the main process."""
    encode(*looped(clip, daemon.url(livekit.create())))
    joined(livekit)
    children = daemon.children()
    assert children
    daemon.signal(signal.SIGKILL)
    daemon.process.wait()
    until(lambda: not any(os.path.exists(f"/proc/{child}") for child in children), message="children were orphaned")
