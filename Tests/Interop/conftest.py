"""Runs the real server and real clients against each other on loopback."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import imageio_ffmpeg
import pytest

from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER = os.environ.get("INGRESS_TEST_SERVER", str(ROOT / ".build/release/ingress-test-server"))
FFMPEG_OLD = shutil.which("ffmpeg") or "ffmpeg"
FFMPEG_NEW = imageio_ffmpeg.get_ffmpeg_exe()


def until(what, seconds=30, message="it never happened"):
    """Polls `what` until it gives something true, and returns that. The message may be a function, to tell how things are at the end."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = what()
        except OSError:
            value = None
        if value:
            return value
        assert time.monotonic() < deadline, message() if callable(message) else message
        time.sleep(0.05)


class Server:
    def __init__(self, *options, log):
        self.rtmp, self.http, self.udp = free_port(), free_port(), free_port(socket.SOCK_DGRAM)
        self.log_path = log
        self.started_at = time.monotonic()
        self.log = open(log, "wb")
        self.process = subprocess.Popen(
            [SERVER, "--rtmp-port", str(self.rtmp), "--http-port", str(self.http), "--udp-port", str(self.udp), *options],
            stdout=self.log, stderr=subprocess.STDOUT)
        until(self.healthy, message=f"the server did not come up: {self.logged()}")
        self.up_at = time.monotonic()

    def healthy(self):
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}: {self.logged()}"
        return self.get("/health")[0] == 200

    def get(self, path):
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as response:
            return response.status, response.read().decode()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}"

    def rtmp_url(self, key):
        return f"rtmp://127.0.0.1:{self.rtmp}/live/{key}"

    def whep_url(self, key, layer=None):
        return f"{self.url}/whep/{key}" + (f"?layer={layer}" if layer else "")

    def report(self):
        return json.loads(self.get("/streams")[1])

    def stream(self):
        """The report of the only stream, or None."""
        streams = self.report()["streams"]
        return streams[0] if streams else None

    def metric(self, name):
        """The sum of a counter over all its labels."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def logged(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("the server did not stop on SIGTERM")
        self.log.close()
        assert self.process.returncode in (0, -signal.SIGTERM), f"the server ended with {self.process.returncode}: {self.logged()}"


@pytest.fixture
def start(tmp_path):
    servers = []

    def run(*options):
        servers.append(Server(*options, log=tmp_path / f"server-{len(servers)}.log"))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture
def server(start):
    return start()


class Encoder:
    """An FFmpeg process that publishes."""

    def __init__(self, arguments, binary, log):
        self.log_path = log
        self.process = subprocess.Popen([binary, "-hide_banner", "-loglevel", "warning", "-nostdin", *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(log, "wb"))

    def logged(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()


@pytest.fixture
def encode(tmp_path):
    encoders = []

    def run(*arguments, binary=FFMPEG_OLD):
        encoders.append(Encoder([str(part) for part in arguments], binary, tmp_path / f"encoder-{len(encoders)}.log"))
        return encoders[-1]

    yield run
    for encoder in encoders:
        encoder.stop()


TEST_PICTURE = ["-re", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30"]
TEST_SOUND = ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "60", "-pix_fmt", "yuv420p", "-b:v", "3M"]
AAC = ["-c:a", "aac", "-b:a", "128k"]


@pytest.fixture
def publish():
    """Makes publishers that are ended with the test."""
    publishers = []

    def run(kind, *arguments, **options):
        publishers.append(kind(*arguments, **options))
        return publishers[-1]

    yield run
    for publisher in publishers:
        publisher.vanish()


@pytest.fixture(scope="session")
def media(tmp_path_factory):
    """Makes (and keeps) FLV files by name and FFmpeg arguments."""
    folder = tmp_path_factory.mktemp("media")
    lock = threading.Lock()

    def make(name, *arguments, binary=FFMPEG_OLD):
        path = folder / name
        with lock:
            if not path.exists():
                subprocess.run([binary, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *[str(part) for part in arguments], str(path)],
                               check=True, stdin=subprocess.DEVNULL)
        return path

    return make


@pytest.fixture(scope="session")
def clip(media):
    """Eight seconds of 640x360 with sound: cheap to play, and small enough for two cores."""
    return media("clip.flv", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=8",
                 "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=8",
                 "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30", "-pix_fmt", "yuv420p", *AAC)


@pytest.fixture(scope="session")
def sound(media):
    return media("sound.flv", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=20", "-c:a", "aac", "-b:a", "64k")


@pytest.fixture(scope="session")
def big_clip(media):
    """Eight seconds of 1280x720 with sound, for the whole ladder."""
    return media("big.flv", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=8",
                 "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=8", *H264, *AAC)


@pytest.fixture
def livekit(tmp_path):
    """A stand-in for livekit-server with its own Redis."""
    from livekit_double import LiveKitDouble
    double = LiveKitDouble(tmp_path).start()
    yield double
    double.stop()


@pytest.fixture
def start_daemon(livekit, tmp_path):
    from daemon import Daemon
    daemons = []

    def run(**configuration):
        folder = tmp_path / f"daemon-{len(daemons)}"
        folder.mkdir()
        daemons.append(Daemon(folder, livekit, **configuration))
        return daemons[-1]

    yield run
    for daemon in daemons:
        daemon.stop()


@pytest.fixture
def daemon(start_daemon):
    return start_daemon()
