"""WHIP publishers of all kinds in, viewers out."""
import signal

import pytest

from conftest import FFMPEG_NEW, until
from test_browser import browser  # noqa: F401 (a fixture)
from whep import Viewer, post
from whip import LayeredPublisher, PeerPublisher

SMALL = ["-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
FOR_WEBRTC = ["-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30", "-pix_fmt", "yuv420p",
              "-c:a", "libopus", "-ar", "48000", "-ac", "2", "-f", "whip"]
SIZE = (640, 360)


@pytest.fixture
def viewer(server):
    viewer = Viewer(server.whep_url("key"))
    yield viewer
    viewer.close()


def whip_url(server, key="key"):
    return f"{server.url}/whip/{key}"


def plays(viewer, size=SIZE, frames=45, message=""):
    """Waits for new pictures of this size, and for sound."""
    viewer.wait(lambda v: v.sizes and v.sizes[-1] == size, 40, message)
    before, heard = viewer.frames, viewer.audio_samples
    viewer.wait(lambda v: v.frames >= before + frames and v.audio_samples >= heard + 48_000, 40, message)
    assert viewer.sizes[-1] == size


# ---- Publishers ----


def test_ffmpeg(server, encode, viewer):
    """FFmpeg's own muxer, ended by itself."""
    encoder = encode(*SMALL, *FOR_WEBRTC, whip_url(server), binary=FFMPEG_NEW)
    plays(viewer, message=lambda: encoder.logged())
    encoder.process.send_signal(signal.SIGINT)
    until(lambda: not server.stream()["live"], message="the stream went on without its encoder")


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_aiortc(server, publish, viewer, codec):
    publish(PeerPublisher, whip_url(server), codec)
    plays(viewer)
    assert server.stream()["video"]["codec"].startswith({"VP8": "VP8", "H264": "H.264"}[codec])


def test_sound_alone(server, publish, viewer):
    publish(PeerPublisher, whip_url(server), None)
    viewer.wait(lambda v: v.audio_samples >= 96_000)


def test_picture_alone(server, publish, viewer):
    publish(PeerPublisher, whip_url(server), "VP8", sound=False)
    viewer.wait(lambda v: v.frames >= 60 and v.sizes[-1] == SIZE)


def test_key_as_bearer_token(server, publish, viewer):
    """As OBS Studio has it: the key is no part of the URL, and none of the resource."""
    publisher = publish(PeerPublisher, f"{server.url}/whip", "VP8", key="key")
    assert "key" not in publisher.resource
    plays(viewer)


def test_layers_as_obs_sends_them(server, publish):
    """No candidates, no answer to requests for key frames, layers by rid: the largest is what viewers see."""
    viewer = Viewer(server.whep_url("key"))
    publish(LayeredPublisher, whip_url(server))
    viewer.wait(lambda v: v.sizes and v.sizes[-1] == SIZE, message="never saw the largest layer")
    before = viewer.frames
    viewer.wait(lambda v: v.frames >= before + 60)
    viewer.close()


# ---- The page ----


class Page:
    """The part of the page that publishes."""

    def __init__(self, browser, server):
        self.browser = browser
        browser.get(server.url)
        until(lambda: self.codecs, message="the page did not load")

    @property
    def codecs(self):
        return self.browser.execute_script("return [...document.querySelectorAll('#publish-codec option')].map((option) => option.value)")

    @property
    def state(self):
        return self.browser.execute_script("return document.getElementById('publish-state').textContent")

    def press(self):
        self.browser.execute_script("document.getElementById('publish-button').click()")

    def start(self, codec, simulcast=False, size="640x360", key="key"):
        self.browser.execute_script("""
            const set = (id, value) => document.getElementById(id).value = value;
            set('publish-codec', arguments[0]); set('publish-size', arguments[2]); set('publish-key', arguments[3]);
            document.getElementById('publish-simulcast').checked = arguments[1];""", codec, simulcast, size, key)
        self.press()


# Without layers, and with three of them by rid. VP9 with layers is left out: the browser makes spatial layers of it.
@pytest.mark.parametrize("codec, simulcast", [("VP8", False), ("H264", False), ("VP9", False), ("AV1", False), ("VP8", True), ("H264", True)])
def test_browser_publishes(server, browser, codec, simulcast):  # noqa: F811
    """A codec of the browser reaches a viewer in full size, and Stop ends it at once."""
    page = Page(browser, server)
    if codec not in page.codecs:
        pytest.skip("this browser does not encode it")
    size = (960, 540) if simulcast else SIZE
    viewer = Viewer(server.whep_url("key"))
    page.start(codec, simulcast, size=f"{size[0]}x{size[1]}")
    plays(viewer, size, message=lambda: f"{page.state} {server.logged()}")
    until(lambda: "On air" in page.state)
    page.press()
    until(lambda: "Stopped" in page.state)
    until(lambda: not server.stream()["live"], message="the stream went on after Stop")
    viewer.close()


def test_page_shows_refusals(start, browser):  # noqa: F811
    """What the server says is what the person reads."""
    server = start("--stream-key", "other")
    page = Page(browser, server)
    page.start("VP8", key="wrong")
    until(lambda: "key" in page.state and "Connecting" not in page.state, message=lambda: page.state)


# ---- Beginnings and ends ----


def test_newer_publisher_takes_over(server, publish, viewer):
    """The viewer goes over to the second publisher, and the first one's resource is gone."""
    first = publish(PeerPublisher, whip_url(server), "VP8")
    plays(viewer)
    publish(PeerPublisher, whip_url(server), "VP8", size=(320, 240))
    plays(viewer, (320, 240))
    until(lambda: post(first.resource, None, method="GET")[0] == 404, message="the first publication is still there")


def test_newer_publisher_refused(start, publish):
    server = start("--on-duplicate", "reject")
    publish(PeerPublisher, whip_url(server), "VP8")
    until(lambda: server.stream() and server.stream()["live"])
    with pytest.raises(AssertionError, match="^409: Another encoder"):
        publish(PeerPublisher, whip_url(server), "VP8")


def test_delete_ends_at_once_and_the_viewer_stays(server, publish, viewer):
    """After DELETE the stream is not live, the same DELETE says so again, and the next publisher is seen by the same viewer."""
    publisher = publish(PeerPublisher, whip_url(server), "VP8")
    plays(viewer)
    assert publisher.delete() == 200
    assert not server.stream()["live"]
    assert publisher.delete() == 200
    assert post(publisher.resource, None, method="GET")[0] == 404
    publish(PeerPublisher, whip_url(server), "H264", size=(320, 240))
    plays(viewer, (320, 240))


def test_vanished_publisher(server, publish, viewer):
    """A publisher that is killed loses its key after a while without consent; the next one gets it."""
    publisher = publish(PeerPublisher, whip_url(server), "VP8")
    plays(viewer)
    publisher.vanish()
    until(lambda: not server.stream()["live"], 60, message="the stream outlived its publisher")
    assert post(publisher.resource, None, method="GET")[0] == 404
    publish(PeerPublisher, whip_url(server), "VP8")
    plays(viewer)


def test_publisher_that_never_connects(server):
    """Offers whose senders are never heard of: each is given up, with all that was opened for it."""
    def offer():
        return LayeredPublisher.offer_alone(((640, 360),))
    warm = post(whip_url(server, "warm"), offer())
    assert warm[0] == 201, warm
    assert post(warm[1]["Location"], None, method="DELETE")[0] == 200
    before = server.descriptors()
    resources = []
    for index in range(10):
        status, headers, text = post(whip_url(server, f"never-{index}"), offer())
        assert status == 201, text
        resources.append(headers["Location"])
    until(lambda: all(post(resource, None, method="GET")[0] == 404 for resource in resources), 90, "they were never given up")
    until(lambda: not any(stream["live"] for stream in server.report()["streams"]))
    until(lambda: server.descriptors() <= before, message=lambda: f"{server.descriptors()} descriptors, {before} before")


def test_ice_restart(server, viewer):
    """A publisher that goes over to other addresses keeps its session, and its viewer sees no gap."""
    publisher = LayeredPublisher(whip_url(server), ((640, 360),))
    viewer.wait(lambda v: v.frames >= 30, 40)
    before = viewer.frames
    publisher.restart()
    # The server takes nothing from the old address any more three seconds after.
    viewer.wait(lambda v: v.frames >= before + 180, 40, "the pictures stood still")
    times = [at for at, _ in viewer.frame_times[before - 10:]]
    assert max(b - a for a, b in zip(times, times[1:])) < 1
    assert server.stream()["drops"]["undecodable"] == 0
    publisher.close()


# ---- Refusals ----


OFFER = LayeredPublisher.offer_alone(((640, 360),))
REFUSALS = {
    "path": (404, "/whip/key/more/parts", OFFER, "application/sdp"),
    "no key": (401, "/whip", OFFER, "application/sdp"),
    "type": (415, "/whip/key", OFFER, "application/json"),
    "empty": (400, "/whip/key", "", "application/sdp"),
    "garbage": (400, "/whip/key", "\x00\x01\x02", "application/sdp"),
    "prose": (400, "/whip/key", "Let me in.\r\n", "application/sdp"),
    "half": (400, "/whip/key", OFFER[:len(OFFER) // 3], "application/sdp"),
    "codec": (422, "/whip/key", OFFER.replace("H264/90000", "theora/90000").replace("opus/48000/2", "speex/16000"), "application/sdp"),
    "direction": (400, "/whip/key", OFFER.replace("sendonly", "recvonly"), "application/sdp"),
    "fingerprint": (400, "/whip/key", "".join(line for line in OFFER.splitlines(True) if "fingerprint" not in line), "application/sdp"),
    "huge": (413, "/whip/key", OFFER + "a=x\r\n" * 200_000, "application/sdp"),
}


@pytest.fixture(scope="module")
def one_server(tmp_path_factory):
    from conftest import Server
    server = Server(log=tmp_path_factory.mktemp("refusals") / "server.log")
    yield server
    server.stop()


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(one_server, name):
    """Each bad offer has its status and a sentence, and leaves no stream behind."""
    expected, path, body, content_type = REFUSALS[name]
    try:
        status, _, text = post(one_server.url + path, body, content_type)
    except OSError as error:
        # The server need not read all of what is too long.
        assert name == "huge", error
        return
    assert status == expected, text
    assert text.strip(), "no sentence"
    assert not any(stream["live"] for stream in one_server.report()["streams"])


def test_unknown_resource(one_server):
    for method in ("GET", "PATCH", "DELETE"):
        assert post(f"{one_server.url}/whip/resource/{'A' * 32}", None, "application/trickle-ice-sdpfrag", method)[0] == 404, method
    status, headers, _ = post(f"{one_server.url}/whip/key", None, method="PUT")
    assert status == 405 and "POST" in headers["Allow"]


def test_addresses_of_the_report(one_server):
    assert one_server.report()["server"]["whip_url"] == f"{one_server.url}/whip/KEY"
