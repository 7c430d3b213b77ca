"""A WHEP viewer on aiortc that runs in its own thread and counts what it sees."""
import asyncio
import threading
import time
import urllib.request
from urllib.parse import urljoin

from aiortc import RTCPeerConnection, RTCSessionDescription


class Viewer:
    def __init__(self, url, keep_pictures=False):
        self.url = url
        self.keep_pictures = keep_pictures
        self.resource = None
        self.frames = 0
        self.sizes = []
        self.first_frame_at = None
        self.frame_times = []
        self.pictures = []
        self.audio_samples = 0
        self.audio = []
        self.changed = threading.Condition()
        self.loop = asyncio.new_event_loop()
        self.failure = None
        self.tasks = []
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.opened_at = time.monotonic()
        self._call(self._open())

    def _call(self, work, timeout=20):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    async def _open(self):
        self.pc = RTCPeerConnection()
        self.pc.addTransceiver("video", direction="recvonly")
        self.pc.addTransceiver("audio", direction="recvonly")

        @self.pc.on("track")
        def _(track):
            work = self._video(track) if track.kind == "video" else self._audio(track)
            self.tasks.append(asyncio.ensure_future(work))

        await self.pc.setLocalDescription(await self.pc.createOffer())
        status, headers, body = await asyncio.to_thread(post, self.url, self.pc.localDescription.sdp)
        assert status == 201, f"{status}: {body}"
        self.resource = urljoin(self.url, headers["Location"])
        await self.pc.setRemoteDescription(RTCSessionDescription(body, "answer"))

    async def _video(self, track):
        while True:
            frame = await track.recv()
            with self.changed:
                self.frames += 1
                self.frame_times.append((time.monotonic(), frame.time))
                size = (frame.width, frame.height)
                if not self.sizes or self.sizes[-1] != size:
                    self.sizes.append(size)
                if self.first_frame_at is None:
                    self.first_frame_at = time.monotonic()
                if self.keep_pictures:
                    self.pictures.append((frame.time, frame.to_ndarray(format="gray")))
                self.changed.notify_all()

    async def _audio(self, track):
        while True:
            frame = await track.recv()
            with self.changed:
                self.audio_samples += frame.samples
                if self.keep_pictures:
                    self.audio.append((frame.time, frame.to_ndarray()))
                self.changed.notify_all()

    def wait(self, what, seconds=30, message="the viewer never saw what it waited for"):
        """Waits until `what(self)` holds."""
        with self.changed:
            assert self.changed.wait_for(lambda: what(self), seconds), f"{message() if callable(message) else message}: {self}"

    def layer(self, name):
        choose_layer(self.resource, name)

    def close(self, tell_server=True):
        if tell_server and self.resource:
            urllib.request.urlopen(urllib.request.Request(self.resource, method="DELETE"), timeout=10).close()

        async def end():
            for task in self.tasks:
                task.cancel()
            await self.pc.close()

        self._call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)

    def __str__(self):
        return f"{self.frames} frames, sizes {self.sizes}, {self.audio_samples} audio samples"


def choose_layer(resource, name):
    status, _, text = post(resource, b'{"layer":"%s"}' % name.encode(), "application/json", "PATCH")
    assert status in (200, 204), f"{status}: {text}"


def post(url, body, content_type="application/sdp", method="POST", headers={}):
    """(status, headers, text), for failures too."""
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data, {"Content-Type": content_type, **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=15) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()
