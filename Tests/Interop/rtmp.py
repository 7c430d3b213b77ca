"""A small RTMP publisher for tests: sends the tags of FLV files at their own pace, or any bytes a test wants to see refused."""
import os
import socket
import struct
import time


def amf(*values):
    out = b""
    for value in values:
        if value is None:
            out += b"\x05"
        elif isinstance(value, bool):
            out += b"\x01" + bytes([value])
        elif isinstance(value, str):
            text = value.encode()
            out += b"\x02" + struct.pack(">H", len(text)) + text
        elif isinstance(value, (int, float)):
            out += b"\x00" + struct.pack(">d", value)
        elif isinstance(value, dict):
            out += b"\x03"
            for key, inner in value.items():
                name = key.encode()
                out += struct.pack(">H", len(name)) + name + amf(inner)
            out += b"\x00\x00\x09"
    return out


def chunks(csid, timestamp, kind, stream, body, size):
    extended = timestamp >= 0xFFFFFF
    short = 0xFFFFFF if extended else timestamp
    tail = struct.pack(">I", timestamp) if extended else b""
    head = bytes([csid]) + short.to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([kind]) + struct.pack("<I", stream)
    out = [head + tail + body[:size]]
    for at in range(size, len(body), size):
        out.append(bytes([0xC0 | csid]) + tail + body[at:at + size])
    return b"".join(out)


def flv_tags(path):
    """(type, timestamp in ms, body) of every tag in an FLV file."""
    with open(path, "rb") as file:
        file.read(13)
        while len(head := file.read(11)) == 11:
            size = int.from_bytes(head[1:4], "big")
            timestamp = int.from_bytes(head[4:7], "big") | head[7] << 24
            body = file.read(size)
            file.read(4)
            yield head[0], timestamp, body


class Publisher:
    """One RTMP connection. `status` holds the codes of the onStatus messages that came back, as soon as they were read."""

    CHUNK = 65536

    def __init__(self, port, key, app="live", host="127.0.0.1", wrap=None, publish=True):
        self.socket = socket.create_connection((host, port), timeout=10)
        if wrap:
            self.socket = wrap(self.socket)
        self.received = b""
        self.socket.sendall(b"\x03" + b"\x00" * 8 + os.urandom(1528))
        answer = self._exactly(1 + 1536 + 1536)
        self.socket.sendall(answer[1:1537])
        self._send(2, 0, 1, 0, struct.pack(">I", self.CHUNK), 128)
        self._send(3, 0, 20, 0, amf("connect", 1, {"app": app, "type": "nonprivate", "flashVer": "FMLE/3.0 (test)",
                                                   "tcUrl": f"rtmp://{host}/{app}"}))
        self.wait_for(b"NetConnection.Connect.Success")
        self._send(3, 0, 20, 0, amf("createStream", 2, None))
        if publish:
            self.publish(key)

    def publish(self, key):
        self._send(4, 0, 20, 1, amf("publish", 3, None, key, "live"))

    def _exactly(self, count):
        while len(self.received) < count:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self.received += data
        out, self.received = self.received[:count], self.received[count:]
        return out

    def _send(self, csid, timestamp, kind, stream, body, size=None):
        self.socket.sendall(chunks(csid, timestamp, kind, stream, body, size or self.CHUNK))

    def wait_for(self, text, seconds=10):
        """Reads until `text` came; False when the server closed first."""
        self.socket.settimeout(seconds)
        seen = self.received
        while text not in seen:
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, socket.timeout):
                data = b""
            if not data:
                self.received = seen
                return False
            seen += data
        self.received = b""
        return True

    def tag(self, kind, timestamp, body):
        self._send({8: 4, 9: 6, 18: 5}[kind], timestamp, kind, 1, body)

    def play(self, path, seconds=None, offset=0, stop=lambda: False, fast=False):
        """Sends the file's tags, timestamps moved by `offset` ms, at their own pace; returns the last timestamp sent."""
        started = time.monotonic()
        first = None
        last = offset
        for kind, timestamp, body in flv_tags(path):
            first = timestamp if first is None else first
            due = (timestamp - first) / 1000
            if stop() or (seconds is not None and due > seconds):
                break
            wait = started + due - time.monotonic()
            if wait > 0 and not fast:
                time.sleep(wait)
            last = timestamp + offset
            self.tag(kind, last, body)
        return last

    def end(self):
        """The orderly end an encoder makes."""
        self._send(3, 0, 20, 0, amf("FCUnpublish", 4, None, "key"))
        self._send(3, 0, 20, 0, amf("deleteStream", 5, None, 1))
        self.close()

    def close(self):
        self.socket.close()
