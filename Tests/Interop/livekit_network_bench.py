"""Measures the daemon and a real livekit-server at the two ends of a network with faults, as a viewer beside the server sees it.

Called by `script/bench network` where LIVEKIT_SERVER names one; the daemon's program is the argument. The daemon is at the far end, behind a
NAT, and its encoder beside it; what is lost on the way is packets of the daemon's publication, of its signalling, and of its RPC.
"""
import asyncio
import os
import pathlib
import sys
import tempfile
import time

import numpy as np
from livekit.protocol import ingress as messages

import daemon
from conftest import FFMPEG_OLD, Encoder
from livekit_bench import Server
from netpath import open_path
from room import Viewer, new_ingress
from stamps import RATE, Viewing, make_clip

SECONDS = float(os.environ.get("SECONDS_EACH", 20))
CLIP_SECONDS = 60
DELAY = .015
UP = {"delay": DELAY}


class Network:
    """As in network_bench: `up` is towards the server, `event` happens at a third of the time."""

    def __init__(self, event=None, start=False, seconds=0, up=UP, down=UP):
        self.event, self.start, self.seconds, self.up, self.down = event, start, seconds, up, down

    def apply(self, path):
        path.up.set(**self.up)
        path.down.set(**self.down)


async def reset(bench):
    bench.path.order(resetting=[bench.server.port])
    await asyncio.sleep(1)
    bench.path.order(resetting=[])


async def no_tcp(bench):
    bench.path.set(delay=DELAY, closed=("tcp",))
    await asyncio.sleep(3)
    bench.path.set(delay=DELAY)


async def no_udp(bench):
    bench.path.set(delay=DELAY, closed=("udp",))


async def black_out(bench):
    bench.path.black_out(3)


async def rebind(bench):
    bench.path.rebind()


CLOSED = {"delay": DELAY, "closed": ("udp",)}
NETWORKS = {
    "none": Network(),
    "loss 5 %, jitter 50 ms": Network(up={"delay": DELAY, "loss": .05, "jitter": .05}, seconds=30),
    "loss 5 %, jitter 50 ms, reordered": Network(up={"delay": DELAY, "loss": .05, "jitter": .05, "reorder": True}, seconds=30),
    "no UDP": Network(start=True, up=CLOSED, down=CLOSED),
    "no UDP from then on": Network(no_udp, seconds=40),
    "black-out 3 s": Network(black_out, seconds=30),
    "rebinding": Network(rebind, seconds=40),
    "websocket reset": Network(reset, seconds=30),
    "no TCP for 3 s": Network(no_tcp, seconds=30),
}


class Bench:
    def __init__(self, path, folder, server):
        self.path, self.folder, self.server = path, folder, server
        self.clip = make_clip(folder / "clip.flv", CLIP_SECONDS, sound="aac")

    async def run(self, network):
        self.path.set(delay=DELAY)
        room = f"network-{time.monotonic_ns()}"
        async with new_ingress(self.server, messages.RTMP_INPUT, room) as info:
            return await self.measure(network, room, info)

    async def measure(self, network, room, info):
        path, server = self.path, self.server
        viewer, folder = Viewer(), self.folder / room
        folder.mkdir()
        if network.start:
            network.apply(path)
        with path.far:
            service = daemon.Daemon(folder, server, wait=False, redis={"address": f"{server.address}:{server.redis.port}"})
            service.wait_for_capacity()
        encoder = None
        try:
            await viewer.join(server.url, room)
            begun = time.time()
            with path.far:
                encoder = Encoder(daemon.looped(self.clip, f"rtmp://127.0.0.1:{service.ports['rtmp_port']}/live/{info.stream_key}"), FFMPEG_OLD,
                                  folder / "encoder.log")
            await self.sees(viewer, 3 * RATE)
            first = viewer.pictures[0][0] - begun
            if not network.start:
                network.apply(path)
            await asyncio.sleep(3)
            length, begin = max(network.seconds, SECONDS), time.time()
            tracks = list(viewer.tracks)
            await asyncio.sleep(length / 3)
            event = time.time()
            if network.event:
                await network.event(self)
            await asyncio.sleep(begin + length - time.time())
            view = Viewing(viewer.pictures, viewer.beeps, begin, time.time(), length=CLIP_SECONDS * RATE)
            delays = view.delays or [float("nan")]
            figures = {"first picture s": first, "frames/s": len(view.pictures) / length, "missing": view.missing, "corrupt": view.corrupt,
                       "longest gap ms": view.longest_gap * 1000, "frozen s": view.frozen, "delay spread p99 ms": np.percentile(delays, 99) * 1000,
                       "drift ms": view.drift * 1000, "sound lead ms": np.median(view.sound_lead or [float("nan")]) * 1000,
                       "new tracks": len(viewer.tracks) - len(tracks)}
            if network.event:
                figures["gap at event ms"] = max((gap for at, gap in view.gaps(.15) if at + gap > event), default=0) * 1000
                figures["gaps after"] = str([(round(at - event, 1), round(gap, 2)) for at, gap in view.gaps(.25) if at + gap > event][:8])
            return figures
        finally:
            path.set(delay=DELAY)
            if encoder:
                encoder.stop()
            await viewer.leave()
            with path.far:
                service.stop()

    async def sees(self, viewer, count):
        end = time.monotonic() + 60
        while len(viewer.pictures) < count:
            assert time.monotonic() < end, f"the viewer saw {len(viewer.pictures)} pictures"
            await asyncio.sleep(.05)


def main():
    binary = os.environ.get("LIVEKIT_SERVER")
    assert binary, "LIVEKIT_SERVER names no livekit-server"
    daemon.BINARY = os.path.abspath(sys.argv[1])
    chosen = os.environ.get("NETWORKS", "").split(";")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="livekit-network-"))
    with open_path() as path, path.near:
        path.translate()
        server = Server(folder, binary, path.NEAR)
        try:
            bench = Bench(path, folder, server)
            for name, network in NETWORKS.items():
                if not any(part in name for part in chosen):
                    continue
                try:
                    figures = asyncio.run(bench.run(network))
                except Exception as error:
                    figures = {"failure": f"{type(error).__name__}: {error}"[:400]}
                print(f"{name}: " + ", ".join(f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}"
                                              for key, value in figures.items()), flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
