"""Publishers as they are out there, each with what is its own: browsers with their codecs and layers, GStreamer, FFmpeg, aiortc."""
import subprocess

import pytest

from conftest import FFMPEG_NEW, ROOT, Server, until
from firefox import Firefox
from test_browser import open_browser
from test_whip import FOR_WEBRTC, SMALL, plays, whip_url
from web import WebClient
from whep import Viewer
from whip import PeerPublisher

PLAIN_RIDS = [{"rid": rid, "scaleResolutionDownBy": scale} for rid, scale in (("q", 4), ("h", 2), ("f", 1))]
RIDS = [{**rid, "scalabilityMode": "L1T1"} for rid in PLAIN_RIDS]
SIZES = {1: (640, 360), 3: (1024, 576)}
LAYERED = [("VP9", "L3T3_KEY"), ("VP9", "L3T3"), ("AV1", "L3T3_KEY"), ("AV1", "L2T2")]


def shared(name, *options):
    """A fixture: one server for all tests of the module, which publish with keys of their own."""
    @pytest.fixture(scope="module", name=name)
    def fixture(tmp_path_factory):
        server = Server(*options, log=tmp_path_factory.mktemp(name) / "server.log")
        yield server
        server.stop()
    return fixture


passing = shared("passing", "--whip", "pass", "--bind", "0.0.0.0")
coding = shared("coding", "--bind", "0.0.0.0")


@pytest.fixture(scope="module")
def chromium():
    driver = open_browser()
    driver.set_script_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    driver = Firefox(tmp_path_factory.mktemp("firefox"))
    yield driver
    driver.quit()


@pytest.fixture
def clients():
    """Makes clients in a browser, on a page of the server that does nothing itself."""
    made = []

    def run(browser, server):
        if not made:
            browser.get(f"{server.url}/health")
        made.append(WebClient(browser, f"client{len(made)}"))
        return made[-1]

    yield run
    for client in made:
        client.end()


def stream(server):
    """The report of the only live stream, once it has a picture of known size."""
    def look():
        return next((one for one in server.report()["streams"] if one["live"] and one.get("video", {}).get("width")), None)
    return until(look, message=lambda: str(server.report()))


def all_arrive(publisher, viewer, frames=100):
    """Of the largest layer's frames, at least 98 of 100 are whole at the viewer; two more may be under way. And sound is heard."""
    sent, seen, heard = publisher.sent[-1]["framesSent"], viewer.seen["framesReceived"], viewer.heard["totalSamplesReceived"]
    until(lambda: publisher.sent[-1]["framesSent"] >= sent + frames)
    sent = publisher.sent[-1]["framesSent"] - sent
    seen = viewer.seen["framesReceived"] - seen
    assert seen >= .98 * sent - 2, f"{seen} of {sent} frames: {viewer.seen}"
    assert viewer.heard["totalSamplesReceived"] >= heard + 800 * frames


# ---- Chromium ----


@pytest.mark.parametrize("codec", ["VP8", "H264", "VP9", "AV1"])
@pytest.mark.parametrize("layers", [1, 3])
def test_chromium_passed(passing, chromium, clients, codec, layers):
    """Every frame arrives, and of layers every one has its size."""
    size = SIZES[layers]
    publisher = clients(chromium, passing).publish(f"{passing.url}/whip/chromium", codec, size, encodings=RIDS if layers == 3 else None)
    described = lambda: len(stream(passing)["layers"]) == layers
    until(described, message=lambda: f"{passing.report()} {publisher.sent}")
    viewer = clients(chromium, passing).watch(passing.whep_url("chromium"))
    viewer.plays(size)
    all_arrive(publisher, viewer)
    sizes = {(layer["width"], layer["height"]) for layer in stream(passing)["layers"]}
    assert sizes == {(size[0] // scale, size[1] // scale) for scale in (1, 2, 4)[:layers]}


@pytest.mark.parametrize("understood", [True, False], ids=["described", "plain"])
@pytest.mark.parametrize("codec, mode", LAYERED)
def test_spatial_layers_passed(passing, chromium, clients, codec, mode, understood):
    """Layers of one picture in one stream reach viewers whole, also those that read no dependency descriptors."""
    publisher = clients(chromium, passing).publish(f"{passing.url}/whip/svc", codec, SIZES[3], encodings=[{"scalabilityMode": mode}])
    stream(passing)
    viewer = clients(chromium, passing).watch(passing.whep_url("svc"), understands_layers=understood)
    viewer.plays(SIZES[3])
    frames, asked = viewer.seen["framesDecoded"], viewer.seen["pliCount"]
    until(lambda: viewer.seen["framesDecoded"] >= frames + 90, message=lambda: f"{viewer.seen} {publisher.sent}")
    viewer.plays(SIZES[3])
    assert viewer.seen["pliCount"] <= asked + 1, viewer.seen


@pytest.mark.parametrize("codec, mode", LAYERED)
def test_spatial_layers_coded(coding, chromium, clients, codec, mode):
    """The highest of the layers is what is coded anew, also when lower ones are left out."""
    clients(chromium, coding).publish(f"{coding.url}/whip/svc", codec, SIZES[3], encodings=[{"scalabilityMode": mode}])
    viewer = Viewer(coding.whep_url("svc"))
    plays(viewer, SIZES[3])
    viewer.close()


def test_layers_are_switched(passing, chromium, clients):
    """Each layer in turn, while another viewer's picture goes on."""
    publisher = clients(chromium, passing).publish(f"{passing.url}/whip/switch", "VP8", SIZES[3], encodings=RIDS)
    until(lambda: len(stream(passing)["layers"]) == 3, message=lambda: str(publisher.sent))
    other = clients(chromium, passing).watch(passing.whep_url("switch"))
    other.plays(SIZES[3])
    viewer = Viewer(passing.whep_url("switch", "q"))
    for layer, size in (("q", (256, 144)), ("f", (1024, 576)), ("h", (512, 288)), ("f", (1024, 576))):
        viewer.layer(layer)
        viewer.wait(lambda v: v.sizes and v.sizes[-1] == size, message=f"no {layer}")
    viewer.close()
    all_arrive(publisher, other, frames=30)


def test_chromium_ramps_up(passing, chromium, clients):
    """Feedback lets the browser send all layers of 720p, at the rates that it means for them."""
    publisher = clients(chromium, passing).publish(f"{passing.url}/whip/ramp", "VP8", (1280, 720), encodings=RIDS)
    rates = lambda: [entry.get("targetBitrate", 0) for entry in publisher.sent if entry.get("active") and entry.get("framesSent")]
    until(lambda: len(rates()) == 3 and sum(rates()) > 1_500_000, message=lambda: str(publisher.sent))


@pytest.mark.parametrize("sound", ["red", "PCMU", "PCMA", "G722"])
def test_chromium_sounds(passing, chromium, clients, sound):
    """Redundant Opus goes on without its redundancy; what viewers do not know becomes Opus."""
    publisher = clients(chromium, passing).publish(f"{passing.url}/whip/sound", "VP8", sound=sound, channels=2)
    stream(passing)
    viewer = clients(chromium, passing).watch(passing.whep_url("sound"))
    viewer.plays((640, 360))
    all_arrive(publisher, viewer)
    assert viewer.heard["concealedSamples"] < .5 * viewer.heard["totalSamplesReceived"], viewer.heard


# ---- Firefox, which makes no connection over loopback ----


@pytest.mark.parametrize("codec, layers", [("VP8", 1), ("VP9", 1), ("AV1", 1), ("VP8", 3)])
def test_firefox_passed(passing, firefox, clients, codec, layers):
    size = SIZES[layers]
    publisher = clients(firefox, passing).publish(f"{passing.url}/whip/firefox", codec, size, encodings=PLAIN_RIDS if layers == 3 else None)
    until(lambda: len(stream(passing)["layers"]) == layers, message=lambda: f"{passing.report()} {publisher.sent}")
    viewer = clients(firefox, passing).watch(passing.whep_url("firefox"))
    viewer.plays(size)
    all_arrive(publisher, viewer, frames=45)


@pytest.mark.parametrize("codec", ["VP8", "AV1"])
def test_firefox_coded(coding, firefox, clients, codec):
    clients(firefox, coding).publish(f"{coding.url}/whip/firefox", codec)
    viewer = Viewer(coding.whep_url("firefox"))
    plays(viewer)
    viewer.close()


# ---- GStreamer ----


PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=30/1 ! videoconvert"
PICTURES = {
    "VP8": f"{PICTURE} ! vp8enc deadline=1 cpu-used=8 ! rtpvp8pay ! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "H264": f"{PICTURE} ! x264enc tune=zerolatency speed-preset=ultrafast ! video/x-h264,profile=constrained-baseline ! "
            "rtph264pay config-interval=-1 ! application/x-rtp,media=video,encoding-name=H264,payload=96",
}
TONE = "audiotestsrc is-live=true ! audioconvert ! audioresample"
SOUNDS = {
    "OPUS": f"{TONE} ! opusenc ! rtpopuspay ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111",
    "PCMA": f"{TONE} ! alawenc ! rtppcmapay ! application/x-rtp,media=audio,encoding-name=PCMA,payload=8",
}


class GStreamer:
    """webrtcbin of GStreamer 1.22."""

    def __init__(self, log, *arguments):
        self.log = log
        self.program = subprocess.Popen(["/usr/bin/python3", str(ROOT / "Tests/Interop/gstreamer.py"), *arguments],
                                        stdin=subprocess.PIPE, stdout=open(log, "w"), stderr=subprocess.STDOUT)
        until(lambda: "published" in self.told(), message=self.told)

    def told(self):
        return self.log.read_text()

    def stop(self):
        """It ends in order."""
        self.program.stdin.close()
        self.program.wait(20)
        assert self.program.returncode == 0, self.told()


@pytest.fixture
def gstreamer(tmp_path):
    made = []

    def run(*arguments):
        made.append(GStreamer(tmp_path / f"gstreamer{len(made)}.log", *arguments))
        return made[-1]

    yield run
    for one in made:
        if one.program.poll() is None:
            one.stop()


@pytest.mark.parametrize("mode, codec, sound", [("coding", "VP8", "PCMA"), ("coding", "H264", "OPUS"), ("passing", "H264", "OPUS")])
def test_gstreamer(request, gstreamer, mode, codec, sound):
    server = request.getfixturevalue(mode)
    publisher = gstreamer(whip_url(server, "gst"), PICTURES[codec], SOUNDS[sound])
    viewer = Viewer(server.whep_url("gst"))
    plays(viewer, message=publisher.told)
    viewer.close()
    publisher.stop()
    until(lambda: not any(stream["live"] for stream in server.report()["streams"]))


# ---- FFmpeg and aiortc, passed through ----


def test_ffmpeg_passed(passing, encode):
    encoder = encode(*SMALL, *FOR_WEBRTC, whip_url(passing, "ffmpeg"), binary=FFMPEG_NEW)
    viewer = Viewer(passing.whep_url("ffmpeg"))
    plays(viewer, message=lambda: encoder.logged())
    viewer.close()


def test_aiortc_passed(passing, publish):  # noqa: F811
    publish(PeerPublisher, whip_url(passing, "aiortc"), "H264")
    viewer = Viewer(passing.whep_url("aiortc"))
    plays(viewer)
    viewer.close()
