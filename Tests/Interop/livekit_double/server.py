"""A stand-in for livekit-server and its Redis, on free ports, in a thread of its own."""
import asyncio
import shutil
import ssl
import subprocess
import threading
import time

import jwt
import redis
from aiohttp import web
from ports import free_port

from .directory import Directory
from .psrpc import Bus
from .signalling import Signalling
from .whip import WHIP


class Redis:
    """A real redis-server without files."""

    def __init__(self, folder, address="127.0.0.1"):
        self.port = free_port()
        self.folder, self.address = folder, address
        self.process = None

    def start(self):
        binary = shutil.which("redis-server")
        assert binary, "redis-server is not installed"
        self.process = subprocess.Popen([binary, "--port", str(self.port), "--bind", self.address, "--protected-mode", "no", "--save", "", "--appendonly", "no",
                                         "--dir", str(self.folder)], stdout=open(self.folder / "redis.log", "ab"), stderr=subprocess.STDOUT)
        end = time.monotonic() + 10
        while True:
            try:
                return self.client().ping()
            except redis.ConnectionError:
                assert time.monotonic() < end, "redis-server did not come up"
                time.sleep(0.05)

    def client(self):
        return redis.Redis(self.address, port=self.port)

    def channels(self):
        """Every channel that somebody listens on, by name."""
        return sorted(name.decode() for name in self.client().pubsub_channels())

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


class LiveKitDouble:
    KEY, SECRET = "testkey", "a secret for tests that is long enough"

    def __init__(self, folder):
        self.redis = Redis(folder)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.port = free_port()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}"

    def start(self):
        self.redis.start()
        self.thread.start()
        self.call(self._start())
        return self

    async def _start(self):
        self.bus = Bus(self.redis.port)
        self.directory = Directory(self.bus)
        await self.directory.start()
        self.signalling = Signalling(self.KEY, self.SECRET)
        self.whip = WHIP(self.signalling, self.directory.handler)
        await self._open()

    async def _open(self):
        self.runner = web.AppRunner(self.signalling.app, shutdown_timeout=1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    def secure(self, folder):
        """Listens with TLS as well: (its URL, the file with its certificate)."""
        certificate, key = folder / "livekit.pem", folder / "livekit-key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        port = free_port()
        self.call(self._open_port(port, context))
        return f"wss://localhost:{port}", certificate

    async def _open_port(self, port, context):
        await web.TCPSite(self.runner, "127.0.0.1", port, ssl_context=context).start()

    def call(self, work, seconds=20):
        """Runs a coroutine in the double's thread and gives its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def create(self, *arguments, **fields):
        return self.directory.create(*arguments, **fields)

    def token(self, room, identity):
        """A token as the SDK would make it for a publisher that subscribes to nothing."""
        return jwt.encode({"iss": self.KEY, "sub": identity, "exp": int(time.time()) + 600,
                           "video": {"roomJoin": True, "room": room, "canPublish": True, "canSubscribe": False}}, self.SECRET, "HS256")

    def participant(self, identity="ingress", room=None):
        """The participant that is in a room now, or None."""
        return next(iter(self.signalling.live(identity, room)), None)

    def stop(self):
        async def end():
            for participant in self.signalling.live():
                await participant.gone(0)
            await self.whip.close()
            await self.runner.cleanup()
            await self.bus.close()

        self.call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.redis.stop()
        assert not self.bus.faults, self.bus.faults
        assert not self.signalling.faults(), self.signalling.faults()
