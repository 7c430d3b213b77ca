"""WHIP publishers of all kinds whose pictures carry their numbers, each started and stopped in the same way."""
import subprocess
import time

import web
from conftest import FFMPEG_NEW, FFMPEG_OLD, Encoder
from firefox import Firefox
from stamps import RATE, WRAP, Beeps, Browser, StampedPeer, make_clip, stamped
from test_whip_clients import PICTURE, PICTURES, PLAIN_RIDS, RIDS, SIZES, SOUNDS, GStreamer
from whip import LayeredPublisher

CLIP_SECONDS = 60


def halved(layers):
    width, height = SIZES[layers]
    return [(width // scale, height // scale) for scale in (4, 2, 1)[-layers:]]


class InBrowser:
    """`start` gives the sizes of the layers, lowest first; `sent` is (time, frames sent until then) of the highest, and `drawn` the time of
    each number."""
    LENGTH, RIDS, OPENED = WRAP, RIDS, Browser

    def __init__(self, folder):
        self.browser = self.OPENED(folder)

    def start(self, page, url, codec, layers):
        # A new page each time: nothing of the last one runs on.
        self.browser.get(page)
        self.publish(url, codec, SIZES[layers], encodings=self.RIDS if layers > 1 else None)
        return halved(layers)

    def publish(self, *arguments, **options):
        self.client = web.WebClient(self.browser, f"publisher{time.monotonic_ns()}").publish(*arguments, **options)

    def sent(self):
        entry = self.client.sent[-1]
        return entry["timestamp"] / 1000, entry["framesSent"]

    def drawn(self):
        return {int(number): at for number, at in self.browser.execute_script("return TestClient.drawn").items()}

    def stop(self):
        self.client.end()

    def close(self):
        self.browser.quit()


class InChromium(InBrowser):
    def OPENED(self, folder):
        return Browser()


class InFirefox(InBrowser):
    """Its sound is that of its test microphone: where no device plays it, it makes none of its own."""
    RIDS = PLAIN_RIDS
    MICROPHONE = web.SCRIPT + """
    const sound = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    TestClient.tone = async () => (await navigator.mediaDevices.getUserMedia({ audio: sound })).getAudioTracks()[0];
    arguments[arguments.length - 1]();
    """

    def OPENED(self, folder):
        return Browser(opened=lambda: Firefox(folder))

    def publish(self, *arguments, **options):
        self.browser.execute_async_script(self.MICROPHONE)
        super().publish(*arguments, **options)


class Unbrowsed:
    """Programs and libraries, which send every number that they make."""
    LENGTH = CLIP_SECONDS * RATE

    def __init__(self, folder):
        self.folder = folder

    def sent(self):
        return time.time(), None

    def drawn(self):
        return None

    def stop(self):
        self.publisher.stop()

    def close(self):
        pass


class FFmpeg(Unbrowsed):
    def start(self, page, url, codec, layers):
        clip = made(self.folder / "clip.mkv", lambda path: make_clip(path, CLIP_SECONDS))
        self.publisher = Encoder(["-re", "-stream_loop", "-1", "-i", str(clip), "-c", "copy", "-f", "whip", url], FFMPEG_NEW,
                                 self.folder / "ffmpeg.log")
        return halved(layers)


class WithGStreamer(Unbrowsed):
    """Reads pictures that have their numbers from a file of JPEG, and codes them itself."""

    def start(self, page, url, codec, layers):
        clip = made(self.folder / "clip.avi", self.convert)
        source = f"filesrc location={clip} ! avidemux ! jpegdec ! identity sync=true ! queue ! videoconvert"
        beeps = SOUNDS["OPUS"].replace("is-live=true", "is-live=true wave=ticks freq=440 sine-periods-per-tick=35")
        self.publisher = GStreamer(self.folder / "gstreamer.log", url, PICTURES[codec].replace(PICTURE, source), beeps)
        return halved(layers)

    def convert(self, path):
        clip = made(self.folder / "clip.mkv", lambda path: make_clip(path, CLIP_SECONDS))
        subprocess.run([FFMPEG_OLD, "-loglevel", "error", "-nostdin", "-i", str(clip), "-an", "-c:v", "mjpeg", "-q:v", "3", str(path)], check=True)


class Aiortc(Unbrowsed):
    LENGTH = WRAP

    def start(self, page, url, codec, layers):
        self.publisher = StampedPeer(url, codec, SIZES[layers])
        return halved(layers)

    def stop(self):
        self.publisher.close()


class OBS(Unbrowsed):
    """As OBS sends: its layers are linear steps."""
    LENGTH = 3 * RATE
    STEPS = [(340, 192), (682, 384), (1024, 576)]

    def start(self, page, url, codec, layers):
        self.publisher = LayeredPublisher(url, self.STEPS[::-1], frames=self.LENGTH, paint=stamped, sound=Beeps)
        return self.STEPS

    def stop(self):
        self.publisher.close()


def made(path, make):
    if not path.exists():
        make(path)
    return path


BROWSED = {codec: (1, 3) for codec in ("H264", "VP8", "VP9", "AV1")}
# Firefox has H.264 by a plug-in, if at all, and makes all layers of VP9 as small as the smallest.
CLIENTS = {"chromium": (InChromium, BROWSED), "firefox": (InFirefox, BROWSED | {"H264": (1,), "VP9": (1,)}), "ffmpeg": (FFmpeg, {"H264": (1,)}),
           "gstreamer": (WithGStreamer, {"VP8": (1,), "H264": (1,)}), "aiortc": (Aiortc, {"VP8": (1,), "H264": (1,)}), "obs": (OBS, {"H264": (3,)})}
