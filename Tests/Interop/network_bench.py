"""Measures how WHIP publishers come through networks with faults, as a viewer beside the server sees it, and the other way round.

Called by `script/bench network`, which says what the environment may hold. Publishers and the server are at the two ends of a `netpath`;
the viewer is a browser that decodes and reads the number in each picture. In rows of `viewer` it is the viewer who is far away, and the
publisher sits beside the server. Prints a row for each client, mode and network.
"""
import os
import pathlib
import tempfile
import time

import numpy as np

from conftest import FFMPEG_NEW, Encoder, Server, until
from netpath import open_path
from stamps import Browser, Observer, RATE, StampedPeer, Viewing, make_clip
from web import WebClient

SECONDS = float(os.environ.get("SECONDS_EACH", 20))
CLIP_SECONDS = 60
SIZE = (640, 360)
# One way without faults.
DELAY = .015


class Network:
    """A row's network: faults of both directions from the first picture on, or from the start; something that happens at a third of the time."""

    def __init__(self, event=None, start=False, seconds=0, **faults):
        self.faults, self.event, self.start, self.seconds = {"delay": DELAY, **faults}, event, start, seconds


NETWORKS = {
    "none": Network(),
    "loss 2 %": Network(loss=.02),
    "loss 5 %": Network(loss=.05),
    "loss 10 %": Network(loss=.1),
    "bursts of 8, 3 %": Network(loss=.03, burst=8),
    "jitter 30 ms": Network(jitter=.03),
    "jitter 30 ms, reordered": Network(jitter=.03, reorder=True),
    "jitter 100 ms": Network(jitter=.1),
    "jitter 100 ms, reordered": Network(jitter=.1, reorder=True),
    "twice 5 %": Network(duplicate=.05),
    "loss 5 %, jitter 30 ms": Network(loss=.05, jitter=.03, reorder=True, seconds=60),
    "black-out 3 s": Network(lambda path: path.black_out(3)),
    "rebinding": Network(lambda path: path.rebind()),
    "rebinding, new address": Network(lambda path: path.rebind("10.99.1.2")),
    "no UDP": Network(start=True, closed=("udp",)),
    "no UDP from then on": Network(lambda path: path.set(delay=DELAY, closed=("udp",)), seconds=40),
}


class Chromium:
    def __init__(self, bench):
        self.browser = Browser(bench.path.far)

    def start(self, bench, server, url, codec):
        # A new page each time: nothing of the last one runs on.
        self.browser.get(f"http://{bench.path.NEAR}:{server.http}/health")
        self.client = WebClient(self.browser, f"publisher{time.monotonic_ns()}").publish(url, codec, SIZE)
        self.client.call("restartWhenLost")

    def sent(self):
        return self.client.sent[-1]["framesSent"]

    def drawn(self):
        return {int(number): at for number, at in self.browser.execute_script("return TestClient.drawn").items()}

    def told(self):
        entry = self.client.sent[-1]
        pairs = [one for one in self.client.call("stats") if one["type"] == "candidate-pair" and one.get("nominated")]
        return {name: entry.get(name) for name in ("retransmittedPacketsSent", "nackCount", "pliCount", "targetBitrate")} | {"pairs": len(pairs)}

    def stop(self):
        self.client.end()

    def close(self):
        self.browser.quit()


class FFmpeg:
    """Sends a clip in a loop, at the clip's pace and rate whatever the network says."""

    def __init__(self, bench):
        self.clip = make_clip(bench.folder / "clip.mkv", CLIP_SECONDS, SIZE)

    def start(self, bench, server, url, codec):
        with bench.path.far:
            self.encoder = Encoder(["-re", "-stream_loop", "-1", "-i", str(self.clip), "-c", "copy", "-f", "whip", url], FFMPEG_NEW,
                                   bench.folder / "ffmpeg.log")

    def sent(self):
        return None

    def drawn(self):
        return None

    def told(self):
        return self.encoder.logged()[-300:] if self.encoder.process.poll() is not None else {}

    def stop(self):
        self.encoder.stop()

    def close(self):
        pass


class Aiortc:
    def __init__(self, bench):
        self.namespace = bench.path.far

    def start(self, bench, server, url, codec):
        with self.namespace:
            self.publisher = StampedPeer(url, codec, SIZE)

    def sent(self):
        return self.publisher.picture.count

    def drawn(self):
        return dict(self.publisher.picture.drawn)

    def told(self):
        return {}

    def stop(self):
        self.publisher.close()

    def close(self):
        pass


class FarViewer(Aiortc):
    """A browser that watches from far away what aiortc publishes beside the server."""

    def __init__(self, bench):
        self.namespace = bench.path.near


CLIENTS = {"chromium": (Chromium, "VP8"), "chromium-h264": (Chromium, "H264"), "ffmpeg": (FFmpeg, "H264"), "aiortc": (Aiortc, "VP8"),
           "viewer": (FarViewer, "VP8")}
MODES = {"pass": ["--whip", "pass"], "transcode": ["--layers", "640x360@1000"]}
COLUMNS = {"frames/s": 8, "missing": 8, "corrupt": 8, "longest gap ms": 15, "frozen s": 9, "gap at event ms": 16, "delay p50 ms": 13,
           "delay p99 ms": 13, "drift ms": 9}


class Bench:
    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        self.near, self.far = Browser(path.near), Browser(path.far)
        self.runs = 0

    def run(self, server, client, codec, network):
        self.runs += 1
        key, path = f"run{self.runs}", self.path
        path.rebind(path.PUBLIC)
        path.set(**(network.faults if network.start else {"delay": DELAY}))
        watching, url = self.far if isinstance(client, FarViewer) else self.near, f"http://{path.NEAR}:{server.http}"
        watching.get(f"{url}/health")
        begun = time.monotonic()
        client.start(self, server, f"{url}/whip/{key}", codec)
        viewer = None
        try:
            def live():
                with path.near:
                    return any(one["live"] and one.get("video", {}).get("width") for one in server.report()["streams"])
            until(live, 40, "the publisher never came")
            self.came = time.monotonic() - begun
            viewer = Observer(watching, f"{url}/whep/{key}")
            until(lambda: len(viewer.pictures) > RATE, 30, lambda: f"the viewer sees nothing: {viewer.pictures[-3:]} {viewer.errors}")
            path.set(**network.faults)
            time.sleep(3)
            length = max(network.seconds, SECONDS)
            begin, sent = time.time(), client.sent()
            time.sleep(length / 3)
            event = time.time()
            if network.event:
                network.event(path)
            time.sleep(begin + length - time.time())
            end, after = time.time(), client.sent()
            figures = self.figures(viewer, client, begin, end, event if network.event else None)
            if sent is not None:
                figures["sent/s"] = (after - sent) / (end - begin)
            told = client.told()
            with path.near:
                stream = next((one for one in server.report()["streams"] if one["live"]), {})
            return figures, told, stream
        finally:
            if viewer:
                viewer.end()
            path.set(delay=DELAY)
            client.stop()

    def figures(self, viewer, client, begin, end, event):
        length = CLIP_SECONDS * RATE if isinstance(client, FFmpeg) else 1 << 16
        view = Viewing(viewer.pictures, viewer.beeps, begin, end, client.drawn(), length)
        delays, leads = view.delays or [float("nan")], view.sound_lead or [float("nan")]
        figures = {"frames/s": len(view.pictures) / (end - begin), "missing": view.missing, "corrupt": view.corrupt, "backward": view.backward,
                   "longest gap ms": view.longest_gap * 1000, "frozen s": view.frozen,
                   "delay p50 ms": np.percentile(delays, 50) * 1000, "delay p99 ms": np.percentile(delays, 99) * 1000,
                   "sound lead ms": np.median(leads) * 1000, "drift ms": view.drift * 1000}
        if event:
            gaps = [(at, gap) for at, gap in view.gaps(.15) if at + gap > event]
            figures["gap at event ms"] = max((gap for _, gap in gaps), default=0) * 1000
        return figures


def print_table(rows):
    print(f"\n{'':44s}" + "".join(f"{name:>{width + 2}s}" for name, width in COLUMNS.items()))
    for client, mode, network, figures in rows:
        cells = [figures.get(name) for name in COLUMNS]
        print(f"{client + ', ' + mode + ', ' + network:44s}" + figures.get("failure", "".join(
            f"{'' if cell is None else f'{cell:.1f}' if isinstance(cell, float) else cell:>{width + 2}}" for cell, width in zip(cells, COLUMNS.values()))))


def main():
    clients = os.environ.get("CLIENTS", ",".join(CLIENTS)).split(",")
    modes = os.environ.get("MODES", ",".join(MODES)).split(",")
    networks = [name for name in NETWORKS if any(part in name for part in os.environ.get("NETWORKS", "").split(";"))]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="network-bench-"))
    rows = []
    with open_path() as path:
        path.translate()
        bench = Bench(path, folder)
        for mode in modes:
            with path.near:
                server = Server("--bind", "0.0.0.0", *MODES[mode], log=folder / f"{mode}.log")
            for name in clients:
                kind, codec = CLIENTS[name]
                client = kind(bench)
                for network in networks:
                    try:
                        figures, told, stream = bench.run(server, client, codec, NETWORKS[network])
                    except Exception as error:
                        figures, told, stream = {"failure": str(error).split("\n")[0][:200]}, {}, {}
                    rows.append((name, mode, network, figures))
                    print(f"{name}, {mode}, {network}: " + ", ".join(
                        f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()), told, flush=True)
                    if os.environ.get("VERBOSE"):
                        print("   ", stream, flush=True)
                client.close()
            server.stop()
        bench.near.quit()
        bench.far.quit()
    print_table(rows)


if __name__ == "__main__":
    main()
