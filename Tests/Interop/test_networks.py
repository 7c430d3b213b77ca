"""WHIP publishers at the far end of networks that lose, delay, cut and translate, with the viewer beside the server; and a viewer there."""
import time

import pytest

from conftest import FFMPEG_NEW, Server, until
from netpath import open_path, reason_to_skip
from stamps import RATE, Browser, Observer, StampedPeer, Viewing, make_clip
from web import WebClient

pytestmark = pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip()))

DELAY = .015


@pytest.fixture(scope="module")
def shared_path():
    with open_path() as path:
        path.translate()
        yield path


@pytest.fixture
def path(shared_path):
    shared_path.set(delay=DELAY)
    yield shared_path
    shared_path.set()


@pytest.fixture(scope="module")
def browsers(shared_path):
    """(beside the server, at the other end)"""
    made = [Browser(shared_path.near), Browser(shared_path.far)]
    yield made
    for browser in made:
        browser.quit()


@pytest.fixture(params=["pass", "transcode"])
def server(request, path, tmp_path):
    with path.near:
        server = Server("--bind", "0.0.0.0", "--whip", request.param, "--layers", "640x360@1000", log=tmp_path / "server.log")
        yield server
        server.stop()


class Session:
    """A publisher far away, and who watches it. `live` is the server's name of its stream."""

    def __init__(self, path, server, browsers):
        self.path, self.server = path, server
        self.near, self.far = browsers
        self.publisher = self.viewer = None

    def publish(self, codec="VP8"):
        self.far.get(f"http://{self.path.NEAR}:{self.server.http}/health")
        self.publisher = WebClient(self.far, "publisher").publish(self.url, codec, (640, 360))
        self.publisher.call("restartWhenLost")
        return self.watch()

    @property
    def url(self):
        return f"http://{self.path.NEAR}:{self.server.http}/whip/key"

    def watch(self, browser=None):
        """Beside the server, or in another browser."""
        browser, url = browser or self.near, f"http://{self.path.NEAR}:{self.server.http}"
        self.live = until(self.stream, 60, "the publisher did not get through")["id"]
        browser.get(f"{url}/health")
        self.viewer = Observer(browser, f"{url}/whep/key")
        return self.goes_on(3)

    def stream(self):
        return next((one for one in self.server.report()["streams"] if one["live"] and one.get("video", {}).get("width")), None)

    def seen(self, since=0):
        return Viewing(self.viewer.pictures, self.viewer.beeps, since, time.time())

    def goes_on(self, seconds=3, within=60):
        """Waits for so many seconds' pictures that are new, and for sound."""
        newest, beeps = max(self.seen().numbers, default=0), len(self.viewer.beeps)
        done = lambda: max(self.seen().numbers, default=0) >= newest + seconds * RATE and len(self.viewer.beeps) > beeps
        until(done, within, lambda: f"it stands at {self.viewer.pictures[-3:]} {self.server.report()} {self.viewer.errors}")
        assert (stream := self.stream()) and stream["id"] == self.live, "it is another session than before"
        return self

    def is_clean(self, since=0):
        """All that was shown was right, and in order."""
        view = self.seen(since)
        assert view.pictures and not view.corrupt and not view.backward, f"{view.corrupt} corrupt, {view.backward} out of order"
        assert not self.viewer.errors, self.viewer.errors

    def pair(self):
        """The publisher's own candidate of the pair that is in use."""
        return self.publisher.call("path")

    def end(self):
        if self.viewer:
            self.viewer.end()
        self.path.set(delay=DELAY)
        if self.publisher:
            self.publisher.end()


@pytest.fixture
def session(path, server, browsers):
    session = Session(path, server, browsers)
    yield session
    session.end()


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_loss(path, session, codec):
    """Five of a hundred packets are lost, some come in another order and some twice: what a browser sends is whole at the viewer."""
    session.publish(codec)
    path.set(delay=DELAY, jitter=.01, reorder=True, loss=.05, duplicate=.02)
    session.goes_on(8)
    session.is_clean()


def test_black_out(path, session):
    session.publish()
    path.black_out(3)
    session.goes_on(4)
    session.is_clean()


def test_rebinding(path, session):
    """The NAT gives the publisher another port in the middle, then another address: the same session goes on."""
    session.publish()
    path.rebind()
    session.goes_on()
    path.rebind("10.99.1.2")
    session.goes_on()
    session.is_clean()


def test_no_udp(path, session):
    """Without UDP the publisher comes by TCP."""
    path.set(delay=DELAY, closed=("udp",))
    session.publish()
    session.goes_on()
    session.is_clean()
    assert session.pair() == "tcp"


def test_udp_ends(path, session):
    """UDP is closed in the middle, when the browser has let go of its other ways: it restarts, and the same session goes on by TCP."""
    session.publish()
    session.goes_on(10)
    assert session.pair() == "udp"
    path.set(delay=DELAY, closed=("udp",))
    session.goes_on()
    session.is_clean()
    assert session.pair() == "tcp"


def test_ffmpeg(path, session, encode, tmp_path):
    """FFmpeg repeats lost packets too."""
    clip = make_clip(tmp_path / "clip.mkv", 60)
    with path.far:
        encode("-re", "-i", clip, "-c", "copy", "-f", "whip", session.url, binary=FFMPEG_NEW)
    session.watch()
    path.set(delay=DELAY, loss=.02)
    session.goes_on(8)
    session.is_clean()


def test_aiortc(path, session, publish):
    with path.far:
        publish(StampedPeer, session.url, "VP8")
    session.watch()
    path.set(delay=DELAY, loss=.05)
    session.goes_on(8)
    session.is_clean()


def test_viewer_rebinding(path, session, publish):
    """A viewer sends little, and is found again at its new port and its new address all the same."""
    with path.near:
        publish(StampedPeer, session.url, "VP8")
    session.watch(session.far)
    path.rebind()
    session.goes_on()
    path.rebind("10.99.1.2")
    session.goes_on()
    session.is_clean()
