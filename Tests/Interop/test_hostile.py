"""Bad input: each kind gets a clear answer or a close, a counter and one log line, and the stream beside it never skips a frame."""
import os
import socket
import struct
import threading
import time

import pytest

from conftest import until
from rtmp import Publisher, amf, chunks
from whep import Viewer, post


@pytest.fixture
def beside(server, clip):
    """A good stream with a viewer that runs beside the test; at its end every frame of it must have arrived."""
    viewer = Viewer(server.whep_url("good"))
    publisher = Publisher(server.rtmp, "good")
    assert publisher.wait_for(b"NetStream.Publish.Start")
    stop = threading.Event()
    frames = []

    def run():
        offset = 0
        while not stop.is_set():
            offset = publisher.play(clip, offset=offset, stop=stop.is_set) + 33

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    viewer.wait(lambda v: v.frames >= 20)
    begin = server.metric("ingress_rtmp_publishes_total")
    yield server
    before = viewer.frames
    viewer.wait(lambda v: v.frames >= before + 20, message="the good stream stood still")
    stream = next(s for s in server.report()["streams"] if s["viewers"])
    assert stream["live"]
    assert stream["drops"]["undecodable"] == 0 and stream["drops"]["queue"] == 0
    times = [t for _, t in viewer.frame_times]
    steps = [b - a for a, b in zip(times, times[1:])]
    assert max(steps) < 0.5, "the good stream lost pictures"
    assert begin >= 1
    stop.set()
    thread.join()
    publisher.end()
    viewer.close()


def closes(server, cause):
    lines = server.get("/metrics")[1].splitlines()
    return sum(float(l.rsplit(" ", 1)[1]) for l in lines if l.startswith("ingress_rtmp_closes_total") and f'"{cause}"' in l)


def connect(server):
    return socket.create_connection(("127.0.0.1", server.rtmp), timeout=20)


def is_closed(sock, seconds=20):
    """Reads until the server closes; False when it does not."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    except socket.timeout:
        return False
    return True


def test_garbage_instead_of_a_handshake(beside):
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00" + os.urandom(300), os.urandom(4096).replace(b"\x03", b"\x04")):
        with connect(beside) as sock:
            sock.sendall(garbage)
            assert is_closed(sock)
    until(lambda: closes(beside, "handshake") >= 3)


def test_half_a_handshake(beside):
    with connect(beside) as sock:
        sock.sendall(b"\x03" + bytes(700))
        assert is_closed(sock), "half a handshake was waited for too long"
    until(lambda: closes(beside, "handshake_timeout") >= 1)


def test_port_probe_is_silent(beside):
    lines = beside.logged().count("\n")
    connect(beside).close()
    until(lambda: closes(beside, "probe") >= 1)
    assert beside.logged().count("\n") == lines, "a port probe made a log line"


def test_one_byte_writes(beside):
    """A handshake and a connect one byte at a time is slow, not wrong."""
    with connect(beside) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\x03" + bytes(8) + os.urandom(1528):
            sock.send(bytes([byte]))
        answer = b""
        while len(answer) < 3073:
            answer += sock.recv(4096)
        body = amf("connect", 1, {"app": "live", "tcUrl": "rtmp://127.0.0.1/live"})
        for byte in answer[1:1537] + chunks(3, 0, 20, 0, body, 128):
            sock.send(bytes([byte]))
        sock.settimeout(20)
        seen = b""
        while b"NetConnection.Connect.Success" not in seen:
            data = sock.recv(4096)
            assert data, "closed"
            seen += data


def test_huge_announced_message(beside):
    """16 MiB are announced and never sent: nothing is allocated for them, and the idle connection ends."""
    before = beside.report()["server"]["memory_mb"]
    publishers = [Publisher(beside.rtmp, f"huge{i}") for i in range(20)]
    for publisher in publishers:
        assert publisher.wait_for(b"NetStream.Publish.Start")
        head = bytes([6]) + bytes(3) + (0xFFFFFF).to_bytes(3, "big") + bytes([9]) + struct.pack("<I", 1)
        publisher.socket.sendall(head + bytes(1000))
    time.sleep(0)
    until(lambda: beside.metric("ingress_rtmp_connections") >= 21)
    assert beside.report()["server"]["memory_mb"] < before + 60
    for publisher in publishers:
        publisher.close()


def test_message_above_the_limit(beside):
    publisher = Publisher(beside.rtmp, "above", publish=False)
    publisher._send(3, 0, 20, 0, b"\x02" * 400_000)
    assert is_closed(publisher.socket)
    until(lambda: closes(beside, "limit_exceeded") + closes(beside, "protocol_violation") >= 1)


def test_nested_amf(beside):
    publisher = Publisher(beside.rtmp, "nested", publish=False)
    publisher._send(3, 0, 20, 0, amf("connect", 1) + b"\x03\x00\x01a" * 5000)
    assert is_closed(publisher.socket)
    until(lambda: closes(beside, "protocol_violation") >= 1)


def test_publish_without_connect(beside):
    with connect(beside) as sock:
        sock.sendall(b"\x03" + bytes(8) + os.urandom(1528))
        answer = b""
        while len(answer) < 3073:
            answer += sock.recv(4096)
        sock.sendall(answer[1:1537] + chunks(4, 0, 20, 1, amf("publish", 3, None, "key", "live"), 128))
        assert is_closed(sock)
    until(lambda: closes(beside, "protocol_violation") >= 1)


def test_broken_media(beside):
    """Media that is none: counted, told once, and the connection may go on."""
    publisher = Publisher(beside.rtmp, "broken")
    assert publisher.wait_for(b"NetStream.Publish.Start")
    for number in range(200):
        publisher.tag(9, number * 33, os.urandom(50))
        publisher.tag(8, number * 33, os.urandom(20))
    until(lambda: beside.metric("ingress_rtmp_unusable_messages_total") > 50)
    publisher.end()
    until(lambda: beside.logged().count("were not usable") >= 1)
    assert beside.logged().count("were not usable") <= 3


def test_whep_garbage(beside):
    url = beside.whep_url("good")
    status, _, text = post(url, "this is no offer")
    assert status == 400 and text
    status, _, text = post(url, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")
    assert status in (400, 422) and text
    status, _, text = post(url, "v=0\r\n" + "a=x\r\n" * 30_000)
    assert status == 413 and text
    assert post(url, "v=0", content_type="text/plain")[0] == 415
    assert post(url + "?layer=z", "v=0")[0] == 400
    assert post(url, b"", method="GET" if False else "PUT")[0] == 405
    assert post(f"{beside.url}/whep/resource/none", b"", method="DELETE")[0] == 404


def test_udp_garbage(beside):
    """Datagrams from strangers change nothing: no answer is ever sent to them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        for first in range(0, 256, 3):
            for size in (1, 12, 60, 1200):
                sock.sendto(bytes([first]) + os.urandom(size - 1), ("127.0.0.1", beside.udp))
        stun = bytes.fromhex("000100002112a442") + os.urandom(12)
        sock.sendto(stun, ("127.0.0.1", beside.udp))
        sock.settimeout(0.5)
        with pytest.raises(socket.timeout):
            sock.recv(2048)


def test_nothing_is_left_behind(server, clip, sound):
    """Publishers and viewers come and go, orderly or not; descriptors and threads are back at the start."""
    def once(orderly):
        viewers = [Viewer(server.whep_url("key")) for _ in range(2)]
        publisher = Publisher(server.rtmp, "key")
        publisher.play(clip, 1)
        viewers[0].wait(lambda v: v.frames > 0)
        publisher.end() if orderly else publisher.close()
        for viewer in viewers:
            viewer.close()

    def idle():
        return server.stream() is None and server.metric("ingress_rtmp_connections") == 0

    once(True)
    until(idle)
    threads = lambda: len(os.listdir(f"/proc/{server.process.pid}/task"))
    until(lambda: threads() < 40)
    descriptors, tasks = server.descriptors(), threads()
    for index in range(4):
        once(index % 2 == 0)
    until(idle)
    until(lambda: server.descriptors() <= descriptors, message="descriptors were leaked")
    until(lambda: threads() <= tasks, message="threads were leaked")
