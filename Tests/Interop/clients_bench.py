"""Measures which WHIP publishers come through to a viewer, how whole, and how soon layers are switched.

Called by `script/bench clients`, which says what the environment may hold; the daemon's program is the argument. Every row is a client, a
codec, the number of layers it sends, a mode of the server, and where viewers are: at the test server or in a room of a real livekit-server.
All pictures carry their numbers, so that a viewer knows which it missed. Prints a row for each and all of them at the end.
"""
import asyncio
import contextlib
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

from livekit.protocol import ingress as messages

import daemon
import livekit_bench
import room
from clients import CLIENTS
from conftest import Server, until
from stamps import Browser, Observer, Viewing
from test_whip_clients import SIZES

SECONDS = float(os.environ.get("SECONDS_EACH", 8))
# What of the frames must be seen, and in how many milliseconds a layer be switched or the next picture come.
SHARE, LONGEST = .98, 1000
# By the number of layers, lowest first: those that a viewer asks for in turn, who has the highest.
TURNS = {1: (), 2: (0, 1) * 3, 3: (0, 2, 1, 2, 0, 1)}
# The sizes of the ladder that is made of a picture of this size.
LADDERS = {SIZES[1]: [(320, 180), (640, 360)], SIZES[3]: [(320, 180), (640, 360), (1024, 576)]}
COLUMNS = {"frames %": 9, "frames/s": 9, "corrupt": 8, "longest gap ms": 15, "sound %": 8, "switch p50 ms": 14, "switch max ms": 14}


MODES = {"passed": "pass", "transcoded": "transcode"}


# ---- Where viewers are ----


class AtTestServer:
    """The viewer watches over WHEP in a browser."""

    def __init__(self, folder):
        # Firefox makes no connection over loopback.
        self.servers = {mode: Server("--bind", "0.0.0.0", "--whip", how, log=folder / f"{mode}.log") for mode, how in MODES.items()}
        self.browser = Browser()

    def open(self, mode):
        """(a page that does nothing, where to publish)"""
        self.server, self.key = self.servers[mode], f"row{time.monotonic_ns()}"
        self.page = f"{self.server.url}/health"
        return self.page, f"{self.server.url}/whip/{self.key}"

    def watch(self):
        live = lambda: any(one["live"] and one.get("video", {}).get("width") for one in self.server.report()["streams"])
        until(live, 40, lambda: f"the publisher never came: {self.server.report()}")
        self.browser.get(self.page)
        self.viewer = Observer(self.browser, self.server.whep_url(self.key))
        return self.viewer

    def leave(self):
        self.viewer.end()

    def shut(self):
        pass

    def close(self):
        self.browser.quit()
        for server in self.servers.values():
            server.stop()


class InRoom:
    """The viewer is in a room of a real livekit-server."""

    def __init__(self, folder):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.server = livekit_bench.Server(folder, os.environ["LIVEKIT_SERVER"])
        try:
            self.daemon = daemon.Daemon(folder, self.server, logging={"level": "warning"}, **daemon.whip())
        except Exception:
            self.server.stop()
            raise

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def open(self, mode):
        self.daemon.wait_for_capacity()
        self.name = f"row{time.monotonic_ns()}"
        self.ingress = room.new_ingress(self.server, messages.WHIP_INPUT, self.name, enable_transcoding=mode == "transcoded")
        info = self.call(self.ingress.__aenter__())
        return (f"http://127.0.0.1:{self.daemon.ports['health_port']}/",
                f"http://127.0.0.1:{self.daemon.configuration['whip_port']}/w/{info.stream_key}")

    def watch(self):
        async def join():
            self.viewer = room.Viewer()
            await self.viewer.join(self.server.url, self.name)
        self.call(join())
        return self.viewer

    def leave(self):
        self.call(self.viewer.leave())

    def shut(self):
        self.call(self.ingress.__aexit__(None, None, None))

    def close(self):
        self.daemon.stop()
        self.server.stop()


DESTINATIONS = {"test server": AtTestServer, "room": InRoom}


# ---- A row ----


def measure(publisher, place, mode, codec, layers):
    with contextlib.ExitStack() as ends:
        page, url = place.open(mode)
        ends.callback(place.shut)
        sizes = publisher.start(page, url, codec, layers)
        ends.callback(publisher.stop)
        viewer = place.watch()
        ends.callback(place.leave)
        expected = LADDERS[sizes[-1]] if mode == "transcoded" else sizes
        until(lambda: viewer.sizes, 40, "the viewer sees nothing")
        with contextlib.suppress(AssertionError):
            until(lambda: size(viewer) == expected[-1], 20)
        time.sleep(2)
        begin = publisher.sent()
        time.sleep(SECONDS)
        end = publisher.sent()
        time.sleep(1)
        figures = frames(publisher, viewer, begin, end)
        seen = {expected.index(size(viewer)) if size(viewer) in expected else None: size(viewer)}
        turns = TURNS[len(expected)] if viewer.has_layers else ()
        times = [switch(viewer, index, expected[index], seen, "qhf"[index]) for index in turns]
        figures |= {"switch p50 ms": statistics.median(times), "switch max ms": max(times)} if times else {}
        figures["sizes"] = " ".join(f"{width}x{height}" for width, height in seen.values())
        faults = [] if turns or len(expected) == 1 else ["the highest layer alone"]
        if [seen.get(index) for index in range(len(expected))] != expected and not faults:
            faults.append("wrong sizes")
        return figures, verdict(figures, faults)


def size(viewer):
    return tuple(viewer.sizes[-1][1:])


def frames(publisher, viewer, begin, end):
    """Of what was sent from the one time to the other."""
    pictures, drawn = viewer.pictures, publisher.drawn()
    view = Viewing(pictures, [], begin[0], end[0], length=publisher.LENGTH)
    length = end[0] - begin[0]
    # Whole seconds: some sources only beep, once in each.
    loud = {int(at - begin[0]) for at in viewer.heard if 0 <= at - begin[0] < int(length)}
    if drawn:
        seen, sent = sum(right and begin[0] < drawn.get(number, 0) <= end[0] for _, number, right in pictures), end[1] - begin[1]
    else:
        seen, sent = len(view.numbers), len(view.numbers) + view.missing
    return {"frames %": 100 * seen / max(sent, 1), "frames/s": len(view.pictures) / length, "corrupt": view.corrupt,
            "longest gap ms": view.longest_gap * 1000, "sound %": 100 * len(loud) / max(int(length), 1)}


def switch(viewer, index, expected, seen, name):
    """Milliseconds until the first picture of a layer that is asked for."""
    asked = time.time()
    viewer.layer(name)
    first = lambda: next((at for at, *other in viewer.sizes if at > asked and tuple(other) == expected), None)
    try:
        took = until(first, 4) - asked
    except AssertionError:
        took = float("inf")
    time.sleep(.7)
    seen[index] = size(viewer)
    return took * 1000


def verdict(figures, faults):
    faults = faults + [name for name, is_so in {
        "frames missing": figures["frames %"] < 100 * SHARE, "frozen": figures["longest gap ms"] > LONGEST, "no sound": figures["sound %"] < 50,
        "slow switch": figures.get("switch max ms", 0) > LONGEST}.items() if is_so]
    return ", ".join(faults) or "ok"


def shown(figures):
    return "".join(f"{cell:>{width + 1}.{0 if 'ms' in name else 1}f}" if isinstance(cell := figures.get(name, ""), float) else f"{cell:>{width + 1}}"
                   for name, width in COLUMNS.items()) + f"  {figures.get('sizes', ''):26s}"


def chosen(variable, of):
    return [str(one) for one in of if os.environ.get(variable) is None or str(one) in os.environ[variable].split(",")]


def rows(names, to):
    for name in names:
        for codec in chosen("CODECS", CLIENTS[name][1]):
            for layers in chosen("LAYERS", CLIENTS[name][1][codec]):
                for mode in chosen("MODES", MODES):
                    for place in to:
                        yield name, codec, int(layers), mode, place


class Kept:
    """Things made when first asked for."""

    def __init__(self, folder, ends):
        self.folder, self.ends, self.made = folder, ends, {}

    def get(self, kind):
        if kind not in self.made:
            self.made[kind] = kind(self.folder)
            self.ends.callback(self.made[kind].close)
        return self.made[kind]


def run(kept, row):
    """(figures, what to say of them, whether there are any)"""
    name, codec, layers, mode, place = row
    try:
        return *measure(kept.get(CLIENTS[name][0]), kept.get(DESTINATIONS[place]), mode, codec, layers), True
    except Exception as error:
        told = str(error).split("\n")[0][:200] or type(error).__name__
        # What a browser lacks is no fault of this.
        return {}, f"not measured: {told}", f"no {codec} here" in told


def print_row(what, figures, told):
    print(f"{what:50s}{shown(figures)}  {told}", flush=True)


def main():
    daemon.BINARY = os.path.abspath(sys.argv[1])
    to = [name for name in chosen("TO", DESTINATIONS) if name != "room" or os.environ.get("LIVEKIT_SERVER")]
    folder, table, all_ran = pathlib.Path(tempfile.mkdtemp(prefix="clients-bench-")), [], True
    head = f"{'':50s}" + "".join(f"{name:>{width + 1}s}" for name, width in COLUMNS.items()) + f"  {'sizes':26s}  verdict"
    print(head)
    with contextlib.ExitStack() as ends:
        kept = Kept(folder, ends)
        for row in rows(chosen("CLIENTS", CLIENTS), to):
            name, codec, layers, mode, place = row
            figures, told, ran = run(kept, row)
            all_ran &= ran
            table.append((f"{name}, {codec}, {layers} layer{'s' * (layers > 1)}, {mode}, {place}", figures, told))
            print_row(*table[-1])
    print("\n" + head)
    for entry in table:
        print_row(*entry)
    print(f"\n{len(table)} rows, {sum(told != 'ok' for *_, told in table)} not ok")
    sys.exit(not all_ran)


if __name__ == "__main__":
    main()
