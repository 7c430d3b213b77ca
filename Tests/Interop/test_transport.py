"""What browsers rarely show: ICE over TCP, and checks that prove nothing."""
import asyncio
import re
import socket
import struct

import pytest
from aioice import stun
from aiortc import RTCPeerConnection

from conftest import until
from whep import post


async def offer():
    peer = RTCPeerConnection()
    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    text = peer.localDescription.sdp
    await peer.close()
    return text


@pytest.fixture
def viewer(server):
    """(server, remote fragment, local fragment, local password) of a viewer that was answered and has not connected."""
    text = asyncio.run(offer())
    status, _, answer = post(server.whep_url("key"), text)
    assert status == 201, answer
    take = lambda name, sdp: re.search(rf"a={name}:(\S+)", sdp).group(1)
    assert re.search(rf"a=candidate:\S+ 1 tcp \d+ 127.0.0.1 {server.udp} typ host tcptype passive", answer), answer
    return server, take("ice-ufrag", text), take("ice-ufrag", answer), take("ice-pwd", answer)


def request(remote, local, password):
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{local}:{remote}"
    message.attributes["PRIORITY"] = 1_000_000
    message.attributes["ICE-CONTROLLING"] = 42
    message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password.encode())
    return message


def frame(message):
    data = bytes(message)
    return struct.pack(">H", len(data)) + data


def read_frame(sock):
    def exactly(count):
        data = b""
        while len(data) < count:
            part = sock.recv(count - len(data))
            assert part, "closed"
            data += part
        return data
    return exactly(struct.unpack(">H", exactly(2))[0])


def test_checks_over_tcp(viewer):
    """A framed check over TCP is answered with a framed response, in one piece or byte by byte, again and again."""
    server, remote, local, password = viewer
    with socket.create_connection(("127.0.0.1", server.udp), timeout=10) as sock:
        for slowly in (False, True, False):
            message = request(remote, local, password)
            for part in [bytes([byte]) for byte in frame(message)] if slowly else [frame(message)]:
                sock.sendall(part)
            answer = stun.parse_message(read_frame(sock))
            assert answer.message_class == stun.Class.RESPONSE
            assert answer.transaction_id == message.transaction_id
            assert answer.attributes["XOR-MAPPED-ADDRESS"] == sock.getsockname()
    assert server.healthy()


def test_tcp_strangers_are_closed(viewer):
    """Garbage, a wrong fragment, and too long a frame over TCP: closed, without an answer."""
    server, remote, local, password = viewer
    for data in (b"\x00\x20" + bytes(32), frame(request(remote, "nobody", password)), b"\xff\xff" + bytes(70_000), b"GET / HTTP/1.1\r\n\r\n" * 40):
        with socket.create_connection(("127.0.0.1", server.udp), timeout=15) as sock:
            try:
                sock.sendall(data)
                assert sock.recv(100) == b""
            except ConnectionError:
                pass
    assert server.healthy()


def test_checks_over_udp_need_the_password(viewer):
    """A check with the right password is answered; one with a wrong password never is."""
    server, remote, local, password = viewer
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", server.udp))
        sock.settimeout(0.5)
        sock.send(bytes(request(remote, local, "x" * 24)))
        with pytest.raises(socket.timeout):
            sock.recv(2048)
        sock.settimeout(10)
        message = request(remote, local, password)
        sock.send(bytes(message))
        data = sock.recv(2048)
        assert len(data) <= len(bytes(message)), "the answer is longer than the question"
        assert stun.parse_message(data).transaction_id == message.transaction_id
    until(server.healthy)
