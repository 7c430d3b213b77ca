"""Starts the daemon beside the stand-in for livekit-server, and looks at it from outside."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from conftest import ROOT, free_port, until

BINARY = os.environ.get("INGRESS", str(ROOT / ".build/release/ingress"))

# So small that a busy test machine is never full.
NO_COST = {"rtmp_cpu_cost": 0, "whip_cpu_cost": 0, "whip_bypass_transcoding_cpu_cost": 0, "url_cpu_cost": 0}


def whip(port=None):
    """The configuration of a daemon that takes WHIP on this port, and its media on one of its own."""
    return {"whip_port": port or free_port(),
            "rtc_config": {"udp_port": free_port(socket.SOCK_DGRAM), "tcp_port": free_port(), "enable_loopback_candidate": True}}


class Daemon:
    """`overrides` are keys of the configuration; None leaves one out."""

    def __init__(self, folder, livekit, wait=True, **overrides):
        self.folder = folder
        self.ports = {name: free_port() for name in ("rtmp_port", "health_port", "prometheus_port", "http_relay_port")}
        self.configuration = {
            "redis": {"address": f"127.0.0.1:{livekit.redis.port}"}, "api_key": livekit.KEY, "api_secret": livekit.SECRET, "ws_url": livekit.url,
            "whip_port": -1, "cpu_cost": NO_COST, "logging": {"level": "debug"}, **self.ports}
        self.path, self.log_path = folder / "ingress.yaml", folder / "ingress.log"
        self.configure(**overrides)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([BINARY, "--config", str(self.path)], stdout=log, stderr=subprocess.STDOUT)
        if wait:
            try:
                self.wait_for_capacity()
            except AssertionError:
                self.process.kill()
                raise

    def configure(self, **overrides):
        """Writes the configuration file; JSON is YAML."""
        self.configuration = {key: value for key, value in {**self.configuration, **overrides}.items() if value is not None}
        self.path.write_text(json.dumps(self.configuration, indent=1))

    def logged(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def get(self, port, path="/"):
        """(status, text); refused connections raise OSError."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def available(self):
        assert self.running(), f"the daemon ended with {self.process.returncode}: {self.logged()}"
        return self.get("health_port", "/availability")[0] == 200

    def wait_for_capacity(self):
        """A machine that is busy otherwise has none for a while."""
        until(self.available, 120, lambda: f"no capacity: {self.logged()[-3000:]}")

    def url(self, record):
        """Where to publish, as soon as there is capacity."""
        self.wait_for_capacity()
        return f"rtmp://127.0.0.1:{self.ports['rtmp_port']}/live/{record.info.stream_key}"

    def metric(self, name, **labels):
        """The sum of a series over all label sets that have these labels."""
        total = 0
        for line in self.get("prometheus_port")[1].splitlines():
            if line.split("{")[0].split(" ")[0] == name and all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def children(self):
        """The processes that carry sessions, or wait for one."""
        found = set()
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    status = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
                    handler = b"run-handler" in pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
                    if handler and int(status[1]) == self.process.pid and status[0] != "Z":
                        found.add(int(entry))
                except OSError:
                    continue
        return found

    def spare(self):
        """The one process that waits for the next session, while nothing is published."""
        return until(lambda: len(self.children()) == 1 and next(iter(self.children())), message=lambda: f"not one spare process: {self.logged()[-3000:]}")

    def signal(self, number):
        self.process.send_signal(number)

    def ended(self, seconds=20):
        """The exit status of a process that is to end by itself."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon goes on: {self.logged()[-3000:]}") from None

    def stop(self):
        if self.running():
            self.signal(signal.SIGINT)
            try:
                self.ended()
            except AssertionError:
                self.process.kill()
                self.process.wait()
                raise
            assert self.process.returncode == 0, f"the daemon ended with {self.process.returncode}: {self.logged()[-3000:]}"


def looped(clip, url):
    """FFmpeg's arguments to publish a file again and again without coding."""
    return ["-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "flv", url]


def verdict(publisher):
    """All that an RTMP server says to a publisher until it closes."""
    publisher.wait_for(b"\xff no server says this \xff", 15)
    return publisher.received.decode(errors="replace")
