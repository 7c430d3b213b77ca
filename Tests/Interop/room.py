"""Rooms of a real livekit-server: an ingress that leads into one, and a viewer there who reads the number in each picture."""
import asyncio
import contextlib
import time

import numpy as np
from livekit import api, rtc
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc._proto import ffi_pb2 as ffi
from livekit.rtc._proto import video_frame_pb2 as frames

from livekit_bench import KEY, SECRET, number_in
from stamps import BITS


@contextlib.asynccontextmanager
async def new_ingress(server, input_type, room, **fields):
    """Deleted at the end."""
    lk = api.LiveKitAPI(server.url.replace("ws", "http", 1), KEY, SECRET)
    info = await lk.ingress.create_ingress(api.CreateIngressRequest(
        input_type=input_type, name="bench", room_name=room, participant_identity="encoder", participant_name="Encoder", **fields))
    try:
        yield info
    finally:
        await lk.ingress.delete_ingress(api.DeleteIngressRequest(ingress_id=info.ingress_id))
        await lk.aclose()


class WholeVideoStream(rtc.VideoStream):
    """Keeps pictures that come close together; otherwise all but the last are dropped."""

    def _create_owned_stream(self):
        request = ffi.FfiRequest()
        stream = request.new_video_stream
        stream.track_handle = self._track._ffi_handle.handle
        stream.type = frames.VideoStreamType.VIDEO_STREAM_NATIVE
        stream.format = self._format
        stream.normalize_stride = True
        stream.queue_size_frames = 120
        return FfiClient.instance.request(request).new_video_stream.stream


class Viewer:
    """Watches the best layer, until told otherwise, and listens."""

    def __init__(self):
        self.room, self.tasks, self.publication = rtc.Room(), [], None
        self.pictures, self.sizes, self.heard, self.beeps, self.tracks, self.loud = [], [], [], [], [], 0

    async def join(self, url, name):
        token = api.AccessToken(KEY, SECRET).with_identity("viewer").with_grants(api.VideoGrants(room_join=True, room=name)).to_jwt()

        @self.room.on("track_subscribed")
        def _(track, publication, participant):
            self.tracks.append(track.sid)
            if is_video := track.kind == rtc.TrackKind.KIND_VIDEO:
                self.publication = publication
            watch = self._watch if is_video else self._listen
            self.tasks.append(asyncio.ensure_future(watch(track)))

        await self.room.connect(url, token)

    @property
    def has_layers(self):
        return self.publication.simulcasted

    def layer(self, name):
        self.publication.set_video_quality("qhf".index(name))

    async def _watch(self, track):
        async for event in WholeVideoStream(track, format=rtc.VideoBufferType.I420):
            frame, at = event.frame, time.time()
            if frame.width < 200:
                continue
            number, other = number_in(frame), number_below(frame)
            self.pictures.append((at, number, number == (1 << BITS) - 1 - other))
            self.sizes.append((at, frame.width, frame.height))

    async def _listen(self, track):
        async for event in rtc.AudioStream(track):
            samples = np.frombuffer(event.frame.data, np.int16).astype(np.float32) / 32_768
            now = time.time()
            if np.sqrt(np.mean(samples ** 2)) > .05:
                self.heard.append(now)
                if now - self.loud > .3:
                    self.beeps.append(now)
                self.loud = now

    async def leave(self):
        for task in self.tasks:
            task.cancel()
        await self.room.disconnect()


def number_below(frame):
    luma = np.frombuffer(frame.data, np.uint8)[:frame.width * frame.height].reshape(frame.height, frame.width)
    square = 48 * frame.width / 1280
    row = luma[frame.height - 1 - int(square / 2)]
    return sum(int(row[int((bit + .5) * square)] > 125) << (BITS - 1 - bit) for bit in range(BITS))
