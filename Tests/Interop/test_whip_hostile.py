"""Attacks on WHIP publishers and on the server by them: each gets its refusal, and a good publisher beside it goes on."""
import hashlib
import hmac
import os
import random
import re
import socket
import struct
import threading
import time
import zlib

import pylibsrtp
import pytest
from aiortc import RTCDtlsFingerprint

from conftest import Server, until
from test_whip import whip_url
from whep import Viewer, post
from whip import LayeredPublisher, rtp

SMALL = ((320, 180),)
HOST = "127.0.0.1"


class TappedPublisher(LayeredPublisher):
    """Keeps what it sends, and can send what it should not."""

    def __init__(self, url, sizes=SMALL, key=None, candidates=(), fingerprint=None):
        self.candidates, self.wrong_fingerprint = candidates, fingerprint
        self.sent = []
        super().__init__(url, sizes, key=key)

    def offer(self, sizes, ice, fingerprint):
        if self.wrong_fingerprint:
            fingerprint = RTCDtlsFingerprint("sha-256", self.wrong_fingerprint)
        lines = "".join(f"a=candidate:{line}\r\n" for line in self.candidates)
        return super().offer(sizes, ice, fingerprint).replace("m=video", lines + "m=video", 1)

    async def _run(self, take):
        self.remote_fragment, self.remote_password = take("ice-ufrag"), take("ice-pwd")
        send = self.ice._send

        async def tapped(data):
            self.sent.append(data)
            await send(data)

        self.ice._send = tapped
        await super()._run(take)

    def send_raw(self, datagram):
        self._call(self.ice._connection.send(datagram))

    def send_protected(self, packet):
        """As SRTP with the right keys, unless our own end finds that it is none."""
        try:
            self._call(self.dtls._send_rtp(packet))
            return True
        except pylibsrtp.Error:
            return False


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server for those tests that leave nothing behind."""
    server = Server(log=tmp_path_factory.mktemp("hostile") / "server.log")
    yield server
    server.stop()


@pytest.fixture
def good(server):
    """A publisher with a viewer; at the end pictures still come."""
    publisher = TappedPublisher(whip_url(server))
    viewer = Viewer(server.whep_url("key"))
    viewer.wait(lambda v: v.frames >= 15, 40)
    yield publisher
    before = viewer.frames
    viewer.wait(lambda v: v.frames >= before + 30, 40, "the pictures stood still")
    viewer.close()
    publisher.close()


def connection(server, timeout=30):
    return socket.create_connection((HOST, server.http), timeout=timeout)


def answer(sock):
    """All that comes until the server closes; None when it does not within the socket's time."""
    received = b""
    try:
        while part := sock.recv(65536):
            received += part
    except ConnectionError:
        pass
    except socket.timeout:
        return None
    return received


def status(received):
    match = re.match(rb"HTTP/1\.1 (\d+)", received or b"")
    return int(match.group(1)) if match else None


def offer():
    return LayeredPublisher.offer_alone(SMALL)


def posts(server, text=None, **options):
    return post(whip_url(server, f"k{random.getrandbits(40):x}"), text if text is not None else offer(), **options)


def memory(server):
    with open(f"/proc/{server.process.pid}/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


# ---- Media ----


def test_wrong_fingerprint(server):
    """A publisher whose certificate is not the one of its offer has no session, and the log says why."""
    publisher = TappedPublisher(whip_url(server), fingerprint=":".join(["CD"] * 32))
    until(lambda: "fingerprint" in server.logged().lower() and "a WHIP publisher left" in server.logged(), 30, server.logged)
    assert not (server.stream() or {}).get("live")
    publisher.vanish()


def test_hello_from_elsewhere(server):
    """ClientHellos from other ports while a publisher connects change nothing and are not answered."""
    hello = bytes.fromhex("16feff000000000000000000") + struct.pack(">H", 40) + bytes.fromhex("0100001c000000000000001cfefd") + bytes(26)
    sprayers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
    stop = threading.Event()

    def spray():
        while not stop.wait(0.002):
            for sprayer in sprayers:
                sprayer.sendto(hello, (HOST, server.udp))

    thread = threading.Thread(target=spray, daemon=True)
    thread.start()
    publisher = TappedPublisher(whip_url(server))
    try:
        until(lambda: (server.stream() or {}).get("live"), 30, server.logged)
    finally:
        stop.set()
        thread.join()
    for sprayer in sprayers:
        sprayer.settimeout(0.2)
        with pytest.raises(socket.timeout):
            sprayer.recv(2048)
        sprayer.close()
    publisher.close()


def stun(fragment, password=None, fingerprint=True):
    """A Binding request to a fragment, signed when there is a password."""
    name = f"{fragment}:evil".encode()
    attributes = struct.pack(">HH", 6, len(name)) + name + bytes(-len(name) % 4) + struct.pack(">HHI", 0x24, 4, 1 << 30)
    attributes += struct.pack(">HHQ", 0x802A, 8, 1)
    head = lambda more: struct.pack(">HHI", 1, len(attributes) + more, 0x2112A442) + identity
    identity = os.urandom(12)
    if password is not None:
        digest = hmac.new(password.encode(), head(24) + attributes, hashlib.sha1).digest()
        attributes += struct.pack(">HH", 8, 20) + digest
    if fingerprint:
        attributes += struct.pack(">HHI", 0x8028, 4, zlib.crc32(head(8) + attributes) ^ 0x5354554E)
    return head(0) + attributes


def test_strangers_get_no_answer(server, good):
    """Requests to a fragment that is known, without its password, get not one byte."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for request in (stun(good.remote_fragment), stun(good.remote_fragment, "x" * 24), stun(good.remote_fragment, fingerprint=False),
                        stun("nobody", "x" * 24), stun(good.remote_fragment, good.remote_password, fingerprint=False)):
            for _ in range(20):
                stranger.sendto(request, (HOST, server.udp))
        for packet in good.sent[-50:]:
            stranger.sendto(packet, (HOST, server.udp))
        stranger.settimeout(0.5)
        with pytest.raises(socket.timeout):
            stranger.recv(2048)


def test_replays_and_forgeries(server, good):
    """Packets a second time, changed, or of nobody's keys end nothing, from the publisher's own address too."""
    packets = good.sent[-200:]
    for packet in packets:
        good.send_raw(packet)
        forged = bytearray(packet)
        forged[random.randrange(len(forged))] ^= 1 << random.randrange(8)
        good.send_raw(bytes(forged))
        good.send_raw(packet[:2] + os.urandom(len(packet) - 2))
        good.send_raw(bytes([0x80, 200]) + os.urandom(60))
        good.send_raw(packet[:random.randrange(1, len(packet))])


def test_lies_of_rtp_headers(server, good):
    """Padding, extensions and sources that are longer than their packet, under the right keys."""
    head = lambda first, kind=LayeredPublisher.VIDEO: bytes([first, kind]) + struct.pack(">HI", random.getrandbits(15), 0) + b"SSRC"
    lies = [head(0xA0) + bytes([255]), head(0xA0) + bytes([0]), head(0xA0), head(0xA0) + b"\x41" * 40 + bytes([200]), head(0x8F), head(0x8F) + bytes(20),
            head(0x90), head(0x90) + b"\xBE\xDE\xFF\xFF" + bytes(8), head(0x90) + b"\xBE\xDE", head(0x90) + b"\x10\x00\x00\x01\x01\xFF\x00\x00",
            head(0x90) + b"\xBE\xDE\x00\x01\x1F\x00\x00\x00", head(0xBF) + bytes(80), head(0x80, 127) + bytes(20),
            head(0x80) + b"\x7C", head(0x80) + b"\x7C\x85", head(0x80) + b"\x78\xFF\xFF", head(0x80) + b"\x78\x00\x00", head(0x80) + b"\x78\x00\x00" * 300]
    sent = sum(good.send_protected(lie.replace(b"SSRC", os.urandom(4), 1)) for lie in lies * 20)
    assert sent > 200, "this end refuses to send them"
    ssrc = random.getrandbits(31)
    for kind in (200, 201, 202, 203, 204, 205, 206, 207):
        for length in (0, 1, 2, 0xFFFF):
            good.send_protected(bytes([0x81, kind]) + struct.pack(">H", length) + struct.pack(">I", ssrc) + bytes(24))
            good.send_protected(bytes([0x9F, kind]) + struct.pack(">H", length) + struct.pack(">I", ssrc) + os.urandom(24))
    # Sources without end.
    for number in range(2_000):
        good.send_protected(rtp(LayeredPublisher.VIDEO, number, 0, random.getrandbits(32)) + bytes([0x41]) + bytes(20))


def test_named_addresses(server):
    """Whoever is named in an offer gets few packets, and none once the offer's session has ended."""
    named = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(40)]
    counts = [0, 0]
    for sock in named:
        sock.bind((HOST, 0))
        sock.setblocking(False)
    lines = [f"{index} 1 udp {2130706431 - index} {HOST} {sock.getsockname()[1]} typ host" for index, sock in enumerate(named)]
    text = offer().replace("m=video", "".join(f"a=candidate:{line}\r\n" for line in lines) + "m=video", 1)
    status_, headers, answer_ = posts(server, text)
    assert status_ == 201, answer_
    end = time.monotonic() + 5
    while time.monotonic() < end:
        for sock in named:
            try:
                while True:
                    counts[1] += len(sock.recv(2048))
                    counts[0] += 1
            except BlockingIOError:
                pass
        time.sleep(0.01)
    assert 0 < counts[0] <= 50 + 4 * 6, counts
    location = server.url + headers["Location"] if headers["Location"].startswith("/") else headers["Location"]
    assert post(location, None, method="DELETE")[0] == 200
    for sock in named:
        sock.close()


# ---- Requests ----


@pytest.mark.parametrize("name", ["lines", "long line", "sections", "candidates", "formats", "attributes", "nested bundle", "binary"])
def test_floods_of_sdp(shared, name):
    text = {
        "lines": offer() + "a=x\r\n" * 12_000, "long line": offer() + "a=" + "x" * 60_000 + "\r\n",
        "sections": offer() + "".join(f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:{n}\r\n" for n in range(1_000)),
        "candidates": offer() + "".join(f"a=candidate:{n} 1 udp {n + 1} 203.0.113.1 {n + 1} typ host\r\n" for n in range(1_200)),
        "formats": offer().replace("SAVPF 96", "SAVPF " + " ".join(map(str, range(20_000))), 1)[:64_000],
        "attributes": offer() + "a=ssrc:1 cname:x\r\n" * 3_000,
        "nested bundle": offer().replace("BUNDLE 0 1", "BUNDLE " + "0 1 " * 10_000, 1), "binary": offer() + "a=\x01\x02\x03" * 1_000,
    }[name]
    begin = time.monotonic()
    code, headers, body = posts(shared, text)
    assert code in (201, 400, 406, 413, 422), body
    assert time.monotonic() - begin < 5
    if code == 201:
        assert post(shared.url + headers["Location"] if headers["Location"].startswith("/") else headers["Location"], None, method="DELETE")[0] == 200
    else:
        assert body
    assert shared.get("/health")[0] == 200


HEAD = b"POST /whip/key HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n"


def test_body_without_end(shared):
    """Chunks without end are read up to the limit, then refused."""
    before = memory(shared)
    with connection(shared) as sock:
        sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        received = None
        try:
            for _ in range(2_000):
                sock.sendall(b"10000\r\n" + b"a" * 65_536 + b"\r\n")
        except OSError:
            pass
        received = answer(sock)
    assert received is not None, "the server neither answered nor closed"
    assert status(received) in (413, None)
    assert memory(shared) - before < 64 * 1024
    assert shared.get("/health")[0] == 200


def test_body_of_announced_size(shared):
    with connection(shared) as sock:
        sock.sendall(HEAD + b"Content-Length: 99999999999\r\n\r\n")
        try:
            for _ in range(64):
                sock.sendall(b"a" * 65_536)
        except OSError:
            pass
        assert status(answer(sock)) in (413, 400, None)
    code, _, body = posts(shared, "v=0\r\n" + "a=x\r\n" * 30_000)
    assert code == 413 and body


def test_broken_chunk(shared):
    with connection(shared) as sock:
        sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nv=0\r\n\r\nno length\r\n")
        assert status(answer(sock)) == 400
    assert shared.get("/health")[0] == 200


def test_no_length(shared):
    """No body is an empty one."""
    with connection(shared) as sock:
        sock.sendall(HEAD + b"Connection: close\r\n\r\n")
        assert status(answer(sock)) in (400, 411)


@pytest.mark.parametrize("bad", [b"Content-Length: -1", b"Content-Length: x", b"Content-Length: 5\r\nContent-Length: 6",
                                 b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked, chunked",
                                 b"Transfer-Encoding: gzip", b"Content-Length: 18446744073709551617"])
def test_lengths_that_lie(shared, bad):
    with connection(shared, 25) as sock:
        sock.sendall(HEAD + bad + b"\r\nConnection: close\r\n\r\n0\r\n\r\n")
        received = answer(sock)
    assert received is not None, "the server neither answered nor closed"
    assert status(received) in (400, 411, 413, 501, None)
    assert received.count(b"HTTP/1.1 ") <= 2
    assert shared.get("/health")[0] == 200


@pytest.mark.parametrize("headers", [b"X: " + b"a" * 1_000_000 + b"\r\n", b"".join(b"X-%d: a\r\n" % n for n in range(50_000)), b"a" * 200_000])
def test_floods_of_headers(shared, headers):
    before = memory(shared)
    with connection(shared) as sock:
        try:
            sock.sendall(HEAD + headers + b"\r\n")
        except OSError:
            pass
        received = answer(sock)
    assert received is not None, "the server neither answered nor closed"
    assert status(received) in (400, 413, 431, None)
    assert memory(shared) - before < 32 * 1024
    assert shared.get("/health")[0] == 200


@pytest.mark.parametrize("part", ["head", "body", "nothing"])
def test_slow_clients(shared, part):
    """Bytes that trickle in hold no connection for longer than the server's patience, and nobody else up."""
    socks = [connection(shared, 0.01) for _ in range(100)]
    for sock in socks:
        if part != "nothing":
            sock.sendall(HEAD + (b"Content-Length: 5000\r\n\r\n" if part == "body" else b""))
    begin, open_ = time.monotonic(), list(socks)
    while open_ and time.monotonic() < begin + 30:
        for sock in list(open_):
            try:
                if part != "nothing":
                    sock.sendall(b"a")
                if sock.recv(4096) == b"":
                    open_.remove(sock)
            except socket.timeout:
                pass
            except OSError:
                open_.remove(sock)
        assert posts(shared, "v=0")[0] == 400
        time.sleep(0.2)
    for sock in socks:
        sock.close()
    assert not open_, f"{len(open_)} slow clients are still connected after 30 s"


def test_stolen_resource(server):
    """Who knows a session's address, but comes with another key, changes nothing."""
    publisher = TappedPublisher(f"{server.url}/whip", key="secret-of-mine")
    until(lambda: (server.stream() or {}).get("live"), 30, server.logged)
    fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijklmn\r\n"
    for method, body in (("DELETE", None), ("PATCH", fragment)):
        for key in ("another", "secret-of-minE", "x" * 5_000):
            code, _, text = post(publisher.resource, body, method=method, content_type="application/trickle-ice-sdpfrag",
                                 headers={"Authorization": f"Bearer {key}", "If-Match": "*"})
            assert code in (401, 403), (method, key, code, text)
    assert server.stream()["live"]
    guess = publisher.resource[:-1] + ("A" if publisher.resource[-1] != "A" else "B")
    assert post(guess, None, method="DELETE")[0] == 404
    assert server.stream()["live"]
    code = post(publisher.resource, None, method="DELETE", headers={"Authorization": "Bearer secret-of-mine"})[0]
    assert code == 200
    until(lambda: not (server.stream() or {}).get("live"))
    publisher.vanish()


def test_keys_stay_secret(server):
    """A key is neither in what is answered nor in what is logged, whether it was right or refused."""
    secret = "very-secret-key-4711"
    publisher = TappedPublisher(f"{server.url}/whip", key=secret)
    until(lambda: (server.stream() or {}).get("live"), 30, server.logged)
    assert secret not in str(publisher.headers) and secret not in publisher.resource
    for url in (whip_url(server, secret), f"{server.url}/whip/{secret}/x/y", f"{server.url}/whip/resource/{secret}"):
        for method in ("POST", "PATCH", "DELETE", "GET"):
            _, headers, text = post(url, "v=0", method=method, headers={"Authorization": f"Bearer {secret}"})
            assert secret not in str(headers) and secret not in (text or "")
    publisher.close()
    assert secret not in server.logged()
