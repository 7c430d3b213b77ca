"""psrpc over Redis: both sides of the few methods between livekit-server and an ingress."""
import asyncio
import base64
import hashlib
import random
import string
import time

import redis.asyncio
import redis.exceptions
from google.protobuf.any_pb2 import Any

from .messages import ClaimRequest, ClaimResponse, Request, Response

LOCK_SECONDS = 5
SELECTION_SECONDS = 1
SHORT_CIRCUIT_SECONDS = 0.2


class Error(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


def identifier(prefix, length=12, alphabet=string.ascii_letters + string.digits):
    return prefix + "".join(random.choices(alphabet, k=length))


def channel(*parts):
    """The name of a Redis channel; empty parts leave no trace."""
    def clean(character):
        if character.isascii() and (character.isalnum() or character == "_"):
            return character
        return f"u+{ord(character):04x}" if ord(character) < 0x10000 else f"U+{ord(character):08x}"
    return "|".join("".join(map(clean, part)) for part in parts if part)


def pack(message):
    return Any(type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}", value=message.SerializeToString()).SerializeToString()


def unpack(payload, kind):
    """The message inside an envelope. Every other type on a channel is a fault that would bring down a peer written in Go, so it is one here."""
    envelope = Any.FromString(payload)
    expected = f"type.googleapis.com/{kind.DESCRIPTOR.full_name}"
    if envelope.type_url != expected:
        raise AssertionError(f"{envelope.type_url} where {expected} belongs")
    return kind.FromString(envelope.value)


class Bus:
    """A connection that publishes and one that listens. Listens on by itself after Redis came back."""

    def __init__(self, port, host="127.0.0.1"):
        self.redis = redis.asyncio.Redis(host=host, port=port)
        self.handlers = {}
        self.confirmed = {}
        self.faults = []
        self.tasks = set()
        self.listening = self.pubsub = None

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, redis.exceptions.ConnectionError):
            self.faults.append(repr(error))

    async def subscribe(self, name, handler):
        """`handler(payload)` gets every message of the channel, from when this returns."""
        self.handlers[name] = handler
        confirmed = self.confirmed[name] = asyncio.Event()
        if self.listening is None:
            self.pubsub = self.redis.pubsub()
            await self.pubsub.subscribe(name)
            self.listening = asyncio.ensure_future(self._listen())
        else:
            try:
                await self.pubsub.subscribe(name)
            except (redis.exceptions.RedisError, OSError, RuntimeError):
                # Redis went away: the listener may be connecting anew on the very same connection.
                self.listening.cancel()
                await self._resubscribe()
                self.listening = asyncio.ensure_future(self._listen())
        await asyncio.wait_for(confirmed.wait(), 10)

    async def unsubscribe(self, name):
        self.handlers.pop(name, None)
        await self.pubsub.unsubscribe(name)

    async def publish(self, name, message):
        await self.redis.publish(name, pack(message))

    async def lock(self, payload):
        """Whether this message of a queue is ours."""
        key = base64.b64encode(hashlib.sha256(payload).digest()).decode()
        try:
            return bool(await self.redis.set(key, random.randrange(1 << 31), ex=LOCK_SECONDS, nx=True))
        except redis.exceptions.RedisError:
            return False

    async def _listen(self):
        while True:
            try:
                async for message in self.pubsub.listen():
                    name = message["channel"].decode()
                    if message["type"] == "subscribe" and name in self.confirmed:
                        self.confirmed[name].set()
                    elif message["type"] == "message" and name in self.handlers:
                        self.spawn(self.handlers[name](message["data"]))
            except (redis.exceptions.RedisError, OSError):
                await self._resubscribe()

    async def _resubscribe(self):
        while True:
            await asyncio.sleep(0.1)
            try:
                self.pubsub = self.redis.pubsub()
                await self.pubsub.subscribe(*self.handlers)
                return
            except (redis.exceptions.RedisError, OSError):
                continue

    async def close(self):
        tasks = [task for task in (self.listening, *self.tasks) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.redis.aclose()


class Server:
    def __init__(self, bus):
        self.bus = bus
        self.id = identifier("SRV_")
        self.granted = {}
        self.served = []

    async def serve(self, service, method, request_type, handler, queue=True):
        """Answers a method that wants a claim. `handler(request)` gives the answer or raises `Error`."""
        async def granted(payload):
            grant = unpack(payload, ClaimResponse)
            waiting = self.granted.get(grant.request_id)
            if waiting and not waiting.done():
                waiting.set_result(grant.server_id)

        async def requested(payload):
            request = unpack(payload, Request)
            if time.time_ns() >= request.expiry or (queue and not await self.bus.lock(payload)):
                return
            await self._answer(service, method, request, request_type, handler)

        await self.bus.subscribe(channel(service, method, "RCLAIM"), granted)
        await self.bus.subscribe(channel(service, method, "REQ"), requested)

    async def _answer(self, service, method, request, request_type, handler):
        waiting = self.granted[request.request_id] = asyncio.get_running_loop().create_future()
        await self.bus.publish(channel(service, request.client_id, "CLAIM"),
                               ClaimRequest(request_id=request.request_id, server_id=self.id, affinity=1))
        try:
            chosen = await asyncio.wait_for(waiting, (request.expiry - time.time_ns()) / 1e9)
        except asyncio.TimeoutError:
            return
        finally:
            del self.granted[request.request_id]
        if chosen != self.id:
            return
        answer = Response(request_id=request.request_id, server_id=self.id)
        try:
            answer.raw_response = (await handler(request_type.FromString(request.raw_request))).SerializeToString()
        except Error as error:
            answer.error, answer.code = error.text, error.code
        answer.sent_at = time.time_ns()
        self.served.append((method, answer.code))
        await self.bus.publish(channel(service, request.client_id, "RES"), answer)


class Client:
    def __init__(self, bus, service):
        self.bus, self.service = bus, service
        self.id = identifier("CLI_")
        self.claims, self.answers = {}, {}

    async def start(self):
        async def claimed(payload):
            claim = unpack(payload, ClaimRequest)
            if claim.request_id in self.claims:
                self.claims[claim.request_id].put_nowait(claim)

        async def answered(payload):
            answer = unpack(payload, Response)
            if answer.request_id in self.answers:
                self.answers[answer.request_id].put_nowait(answer)

        await self.bus.subscribe(channel(self.service, self.id, "CLAIM"), claimed)
        await self.bus.subscribe(channel(self.service, self.id, "RES"), answered)
        return self

    async def request(self, method, message, answer_type, topic="", affinity=False, claim=True, timeout=3):
        """Asks one server, by claim and grant, or without them whoever listens."""
        request = self._request(message, timeout)
        claims, answers = self._expect(request)
        try:
            await self.bus.publish(channel(self.service, method, topic, "REQ"), request)
            if claim:
                chosen = await self._select(claims, affinity)
                await self.bus.publish(channel(self.service, method, topic, "RCLAIM"),
                                       ClaimResponse(request_id=request.request_id, server_id=chosen.server_id))
            answer = await asyncio.wait_for(answers.get(), max(0, request.expiry - time.time_ns()) / 1e9)
        except asyncio.TimeoutError:
            raise Error("deadline_exceeded", "request timed out") from None
        finally:
            self._forget(request)
        if answer.error:
            raise Error(answer.code, answer.error)
        return answer_type.FromString(answer.raw_response)

    async def gather(self, method, message, answer_type, topic="", timeout=1):
        """Asks all servers; every answer within the time."""
        request = self._request(message, timeout, multi=True)
        _, answers = self._expect(request)
        await self.bus.publish(channel(self.service, method, topic, "REQ"), request)
        await asyncio.sleep(timeout)
        self._forget(request)
        return [answer_type.FromString(answers.get_nowait().raw_response) for _ in range(answers.qsize())]

    async def _select(self, claims, affinity):
        """The first claim, or with affinity the best above 0 of those that come soon after the first."""
        best, usable = None, 0
        end = time.monotonic() + SELECTION_SECONDS
        while True:
            try:
                claim = await asyncio.wait_for(claims.get(), max(0, end - time.monotonic()))
            except asyncio.TimeoutError:
                break
            usable += 1
            if not affinity:
                return claim
            if claim.affinity > (best.affinity if best else 0):
                best = claim
            end = min(end, time.monotonic() + SHORT_CIRCUIT_SECONDS)
        if best is None:
            raise Error("unavailable", f"no servers available (received {usable} responses)" if usable else "no response from servers")
        return best

    def _request(self, message, timeout, multi=False):
        now = time.time_ns()
        return Request(request_id=identifier("REQ_"), client_id=self.id, sent_at=now, expiry=now + int(timeout * 1e9), multi=multi,
                       raw_request=message.SerializeToString())

    def _expect(self, request):
        claims, answers = self.claims[request.request_id], self.answers[request.request_id] = asyncio.Queue(), asyncio.Queue()
        return claims, answers

    def _forget(self, request):
        del self.claims[request.request_id], self.answers[request.request_id]
