"""WHIP beside livekit-server: what other nodes may ask of a session over RPC, URLs as LiveKit's own ingress has them, and offers that the
server answers itself."""
import re

import pytest
from livekit.protocol import ingress, models

from conftest import until
from daemon import whip
from livekit_double.psrpc import Error
from whep import post
from whip import LayeredPublisher, PeerPublisher

FRAGMENT = "application/trickle-ice-sdpfrag"
WHIP = {"input_type": ingress.WHIP_INPUT, "enable_transcoding": False}
NEW = "a=ice-ufrag:anew\r\na=ice-pwd:anewanewanewanewanewanew\r\n"
RESTART = NEW + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"


@pytest.fixture
def node(start_daemon):
    """Starts a daemon and gives its URL for WHIP."""
    def run(**configuration):
        started = start_daemon(**whip(), **configuration)
        return f"http://127.0.0.1:{started.configuration['whip_port']}/live"
    return run


@pytest.fixture(params=[False, True], ids=["passed", "transcoded"])
def session(request, livekit, node):
    """A session of an encoder that never connects: (its node, its record, its URL)."""
    url = node()
    record = livekit.create(**WHIP | {"enable_transcoding": request.param})
    return url, record, opened(livekit, url, record)


def opened(livekit, url, record):
    status, headers, text = post(f"{url}/{record.info.stream_key}", LayeredPublisher.offer_alone(((640, 360),)))
    assert status == 201, text
    until(lambda: record.statuses[-1:] == ["BUFFERING"])
    assert re.fullmatch(r"WH_\w{12}", record.state.resource_id)
    return headers["Location"]


def patch(url, body, if_match):
    """(status, headers, text)"""
    return post(url, body, FRAGMENT, "PATCH", {"If-Match": if_match})


def refused(livekit, work):
    with pytest.raises(Error) as error:
        livekit.call(work)
    return error.value.code


# ---- RPC ----


def test_delete_over_rpc(livekit, session):
    """Only who knows the stream's key ends the session, with its resource and its topic."""
    _, record, resource = session
    identifier = record.state.resource_id
    assert refused(livekit, livekit.directory.delete_whip(identifier, "wrong")) == "permission_denied"
    assert refused(livekit, livekit.directory.delete_whip(identifier, "")) == "permission_denied"
    assert post(resource, None, method="GET")[0] == 204
    livekit.call(livekit.directory.delete_whip(identifier, record.info.stream_key))
    until(lambda: record.statuses == ["BUFFERING", "INACTIVE"], message=lambda: str(record.statuses))
    until(lambda: post(resource, None, method="GET")[0] == 404)
    until(lambda: not any(identifier in name for name in livekit.redis.channels()), message="the topic is still served")


def test_restart_over_rpc(livekit, session):
    """A whole fragment, with the condition that came with it: new credentials and a new tag, which the next one needs."""
    _, record, resource = session
    identifier, key = record.state.resource_id, record.info.stream_key
    ask = lambda **fields: livekit.directory.restart_whip(identifier, fields.pop("key", key), **fields)
    assert refused(livekit, ask(key="wrong", raw_trickle_ice_sdpfrag=RESTART, if_match="*")) == "permission_denied"
    answer = livekit.call(ask(raw_trickle_ice_sdpfrag=RESTART, if_match="*"))
    assert "a=ice-ufrag:" in answer.trickle_ice_sdpfrag and "a=candidate:" in answer.trickle_ice_sdpfrag
    again = livekit.call(ask(raw_trickle_ice_sdpfrag=RESTART.replace("anew", "once"), if_match=answer.etag))
    assert again.etag != answer.etag and again.trickle_ice_sdpfrag != answer.trickle_ice_sdpfrag
    assert refused(livekit, ask(raw_trickle_ice_sdpfrag=RESTART, if_match=answer.etag)) == "failed_precondition"
    assert refused(livekit, ask(raw_trickle_ice_sdpfrag=RESTART)) == "invalid_argument"
    assert refused(livekit, ask(raw_trickle_ice_sdpfrag="v=0\r\n", if_match="*")) == "invalid_argument"
    trickled = livekit.call(ask(raw_trickle_ice_sdpfrag="m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=end-of-candidates\r\n", if_match=again.etag))
    assert (trickled.trickle_ice_sdpfrag, trickled.etag) == ("", "")
    assert post(resource, None, method="GET")[0] == 204


def test_restart_in_parts(livekit, session):
    """Older nodes send what they read in the fragment, and not the fragment."""
    _, record, _ = session
    answer = livekit.call(livekit.directory.restart_whip(
        record.state.resource_id, record.info.stream_key, user_fragment="anew", password="anewanewanewanewanewanew",
        candidates=["candidate:1 1 udp 2122260223 127.0.0.1 9 typ host"], if_match="*"))
    assert "a=ice-pwd:" in answer.trickle_ice_sdpfrag and "a=candidate:" in answer.trickle_ice_sdpfrag


# ---- Layers ----


def test_larger_layers_are_waited_for(livekit, node, publish):  # noqa: F811
    """A room keeps the sizes that it is told first, and browsers begin with their smallest layer."""
    record = livekit.create(**WHIP | {"enable_transcoding": True})
    publish(LayeredPublisher, f"{node()}/{record.info.stream_key}", late=.5)
    track = until(lambda: livekit.participant() and livekit.participant().track())
    assert [(layer.quality, layer.width, layer.height) for layer in track.request.layers] == [(models.LOW, 320, 180), (models.MEDIUM, 640, 360)]


# ---- URLs as LiveKit's own ingress has them ----


@pytest.mark.parametrize("at", ["owner", "other"])
def test_url_with_key_and_id(livekit, session, node, at):
    """PATCH and DELETE reach the session from any node."""
    url, record, resource = session
    if at == "other":
        url = node()
    upstream = f"{url}/{record.info.stream_key}/{record.state.resource_id}"
    assert patch(upstream.replace(record.info.stream_key, "wrong"), RESTART, "*")[0] == 403
    status, headers, text = patch(upstream, RESTART, "*")
    assert status == 200 and headers["Content-Type"] == FRAGMENT and "a=ice-ufrag:" in text, text
    assert patch(upstream, RESTART, '"stale"')[0] == 412
    assert patch(upstream, "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=end-of-candidates\r\n", headers["ETag"])[0] == 204
    assert post(upstream, RESTART, FRAGMENT, "PATCH")[0] == 428
    assert post(upstream.replace(record.info.stream_key, "wrong"), None, method="DELETE")[0] == 403
    assert post(resource, None, method="GET")[0] == 204
    assert post(upstream, None, method="DELETE")[0] == 200
    until(lambda: record.statuses == ["BUFFERING", "INACTIVE"], message=lambda: str(record.statuses))
    assert post(upstream, None, method="DELETE")[0] == 200


def test_nobody_has_the_session(livekit, node):
    url = f"{node()}/key/WH_abcdefghijkm"
    assert post(url, None, method="DELETE")[0] == 404
    assert patch(url, RESTART, "*")[0] == 404


# ---- Offers that the server answers ----


@pytest.fixture
def proxy(node):
    return node(whip_proxy_enabled=True)


def statuses(record, *expected):
    until(lambda: record.statuses == list(expected), message=lambda: str(record.statuses))


def test_server_answers(livekit, proxy, publish):  # noqa: F811
    """The encoder's media goes to the server, which tells of it; a DELETE here ends it there."""
    record = livekit.create(**WHIP)
    livekit.whip.tells = False
    publisher = publish(PeerPublisher, f"{proxy}/{record.info.stream_key}", "VP8")
    publication = until(lambda: livekit.whip.publications[0])
    assert publication.sid not in publisher.resource and "/whip/v1" not in publisher.resource
    assert publication.tag not in publisher.headers["ETag"]
    assert publication.headers["X-Livekit-Ingress"] == "true" and "Python" in publication.headers["User-Agent"]
    assert publication.identity == "ingress"
    statuses(record, "BUFFERING")
    until(lambda: set(publication.tracks) == {"audio", "video"}, message="no media came")
    livekit.whip.tells = True
    statuses(record, "BUFFERING", "PUBLISHING")
    until(lambda: record.state.video.width == 640 and record.state.audio.mime_type == "audio/opus")
    until(lambda: record.state.video.average_bitrate == 500_000)
    assert publisher.delete() == 200
    statuses(record, "BUFFERING", "PUBLISHING", "INACTIVE")
    assert publication.deletes == 1 and not publication.here
    # The last word is still heard, though nothing follows from it.
    assert livekit.call(livekit.whip.tell(publication, closed=True))
    until(lambda: not any(publication.sid in name for name in livekit.redis.channels()), message="the topic is still served")


def test_ice_servers(livekit, proxy):
    """The server's own, as it writes them; the encoder's media goes there."""
    livekit.whip.links = [
        '<turn:127.0.0.1:3478%3Ftransport=udp>; rel="ice-server"; username="user"; credential="pass"', '<stun:127.0.0.1:3478>; rel="ice-server"',
        '</whip/events>; rel="events"', f'<stun:{"a" * 3000}>; rel="ice-server"', '<stun:h\u00e4>; rel="ice-server"']
    _, headers, _ = post(f"{proxy}/{livekit.create(**WHIP).info.stream_key}", LayeredPublisher.offer_alone(((640, 360),)))
    assert headers.get_all("Link") == livekit.whip.links[:2]
    assert "link" in headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("transcoded", [False, True])
def test_server_with_tls(livekit, node, publish, tmp_path, monkeypatch, transcoded):  # noqa: F811
    """A `wss` address is that of an `https` endpoint too; authorities are the system's, or those of SSL_CERT_FILE."""
    url, certificate = livekit.secure(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    record = livekit.create(**WHIP | {"enable_transcoding": transcoded})
    publisher = publish(PeerPublisher, f"{node(whip_proxy_enabled=True, ws_url=url)}/{record.info.stream_key}", "VP8")
    statuses(record, "BUFFERING", "PUBLISHING")
    assert bool(livekit.whip.publications) != transcoded
    assert publisher.delete() == 200
    statuses(record, "BUFFERING", "PUBLISHING", "INACTIVE")


def test_server_without_trust(livekit, node, tmp_path):
    """Nobody vouches for its certificate: neither the offer nor the token goes there."""
    url, _ = livekit.secure(tmp_path)
    record = livekit.create(**WHIP)
    status, _, text = post(f"{node(whip_proxy_enabled=True, ws_url=url)}/{record.info.stream_key}", LayeredPublisher.offer_alone(((640, 360),)))
    assert status == 503 and "localhost" not in text, text
    statuses(record, "BUFFERING", "ERROR")
    assert not livekit.whip.publications


def test_no_media_no_publishing(livekit, proxy):
    """What the server tells of a publisher that never connects is that it has nothing."""
    record = livekit.create(**WHIP)
    opened(livekit, proxy, record)
    publication = livekit.whip.publications[0]
    until(lambda: len(publication.notices) >= 3)
    assert record.statuses == ["BUFFERING"]


def test_server_closes(livekit, proxy, publish):  # noqa: F811
    record = livekit.create(**WHIP)
    publisher = publish(PeerPublisher, f"{proxy}/{record.info.stream_key}", None)
    statuses(record, "BUFFERING", "PUBLISHING")
    publication = livekit.whip.publications[0]
    livekit.call(livekit.whip.end(publication))
    statuses(record, "BUFFERING", "PUBLISHING", "INACTIVE")
    assert post(publisher.resource, None, method="GET")[0] == 404
    assert publication.deletes == 0


def test_requests_are_relayed(livekit, proxy):
    """Candidates with the server's tag, restarts with an asterisk; the client sees tags of ours."""
    record = livekit.create(**WHIP)
    url = f"{proxy}/{record.info.stream_key}"
    status, headers, _ = post(url, LayeredPublisher.offer_alone(((640, 360),)))
    assert status == 201
    resource, tag = headers["Location"], headers["ETag"]
    publication = livekit.whip.publications[0]
    candidates = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=candidate:1 1 udp 2122260223 127.0.0.1 9 typ host\r\n"
    first = publication.tag
    assert patch(resource, candidates, tag)[0] == 204
    status, headers, text = patch(resource, RESTART, "*")
    assert status == 200 and f"a=ice-ufrag:{publication.tag}" in text and headers["ETag"] not in (tag, publication.tag)
    assert patch(resource, candidates, headers["ETag"])[0] == 204
    assert [condition for condition, _ in publication.patches] == [first, "*", publication.tag]
    assert "a=candidate:1 1 udp" in publication.patches[0][1] and "a=ice-ufrag:anew" in publication.patches[1][1]
    # And over RPC, for a node that does not own it.
    answer = livekit.call(livekit.directory.restart_whip(
        record.state.resource_id, record.info.stream_key, raw_trickle_ice_sdpfrag=RESTART.replace("anew", "once"), if_match="*"))
    assert f"a=ice-ufrag:{publication.tag}" in answer.trickle_ice_sdpfrag
    livekit.call(livekit.directory.delete_whip(record.state.resource_id, record.info.stream_key))
    until(lambda: publication.deletes == 1)
    statuses(record, "BUFFERING", "INACTIVE")


@pytest.mark.parametrize("status, seen", [(400, 400), (401, 401), (403, 403), (404, 404), (500, 500), (503, 503), (301, 502)])
def test_server_refuses(livekit, proxy, status, seen):
    record = livekit.create(**WHIP)
    livekit.whip.refuse = [status]
    answer = post(f"{proxy}/{record.info.stream_key}", LayeredPublisher.offer_alone(((640, 360),)))
    assert answer[0] == seen and "refused on request" in answer[2], answer
    statuses(record, "BUFFERING", "ERROR")
    assert record.state.error == f"HTTP error {status}: refused on request"


def test_location_elsewhere(livekit, proxy):
    """The token goes to the server of `ws_url`, whatever host an answer names."""
    record = livekit.create(**WHIP)
    livekit.whip.location = "http://192.0.2.1/whip/v1/{sid}"
    opened(livekit, proxy, record)
    livekit.call(livekit.directory.delete_whip(record.state.resource_id, record.info.stream_key))
    until(lambda: livekit.whip.publications[0].deletes == 1)


def test_second_publisher(livekit, proxy, publish):  # noqa: F811
    """Comes into the same session; the first one is told by its resource being gone."""
    record = livekit.create(**WHIP)
    url = f"{proxy}/{record.info.stream_key}"
    first = publish(PeerPublisher, url, "VP8")
    statuses(record, "BUFFERING", "PUBLISHING")
    publish(PeerPublisher, url, "VP8", size=(320, 240))
    until(lambda: record.state.video.width == 320, message=lambda: str(record.state))
    assert post(first.resource, None, method="GET")[0] == 404
    assert record.statuses == ["BUFFERING", "PUBLISHING"]


def test_transcoded_sessions_stay_here(livekit, proxy, publish):  # noqa: F811
    record = livekit.create(**WHIP | {"enable_transcoding": True})
    publish(PeerPublisher, f"{proxy}/{record.info.stream_key}", "VP8")
    statuses(record, "BUFFERING", "PUBLISHING")
    assert not livekit.whip.publications and livekit.participant()


def test_update_ends_it(livekit, proxy):
    record = livekit.create(**WHIP)
    opened(livekit, proxy, record)
    livekit.call(livekit.directory.update(record, name="other"))
    until(lambda: livekit.whip.publications[0].deletes == 1)
    statuses(record, "BUFFERING", "INACTIVE")
