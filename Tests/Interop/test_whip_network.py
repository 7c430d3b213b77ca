"""The daemon's rtc_config: which ports and addresses WHIP publishers are told of, and that media comes by them."""
import os
import pathlib
import re
import socket
import ssl
import subprocess
import time

import pytest
from livekit.protocol import ingress

from conftest import free_port, until
from whep import post
from whip import LayeredPublisher, PeerPublisher

LOOPBACK = {"enable_loopback_candidate": True, "interfaces": {"includes": ["lo"]}, "ips": {"includes": ["127.0.0.0/8"]}}


@pytest.fixture
def start_whip(start_daemon, livekit):
    """Starts a daemon with this rtc_config; gives it with a function that makes URLs to publish to."""
    def run(transcodes=True, daemon={}, **rtc):
        port = free_port()
        started = start_daemon(whip_port=port, rtc_config={**LOOPBACK, "stun_servers": [], **rtc}, **daemon)
        scheme = "https" if "whip_tls_cert" in daemon else "http"

        def url():
            record = livekit.create(identity=f"whip-{len(livekit.directory.records)}", input_type=ingress.WHIP_INPUT, enable_transcoding=transcodes)
            started.wait_for_capacity()
            return f"{scheme}://127.0.0.1:{port}/w/{record.info.stream_key}"

        return started, url

    return run


def udp_ports(start, end):
    """Ports of one or two neighbours that are free now."""
    found = []
    for port in range(start, end):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("::", port))
                found.append(port)
            except OSError:
                continue
    return found


def candidates(answer):
    """(transport, address, port, type) of each."""
    return [(t, a, int(p), k) for t, a, p, k in re.findall(r"a=candidate:\S+ 1 (\S+) \d+ (\S+) (\d+) typ (\S+)", answer)]


def offer():
    return LayeredPublisher.offer_alone(((320, 180),))


def open_udp(daemon):
    """UDP ports that the daemon has open."""
    inodes = set()
    for entry in os.listdir(f"/proc/{daemon.process.pid}/fd"):
        try:
            target = os.readlink(f"/proc/{daemon.process.pid}/fd/{entry}")
        except OSError:
            continue
        inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    ports = set()
    for name in ("udp", "udp6"):
        for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports


def arrives(livekit):
    """Waits for the pictures of a publisher in its room."""
    def pictures():
        participants = [livekit.participant(record.info.participant_identity) for record in livekit.directory.records.values()]
        return any(stream.kind == "video" and stream.decoded > 15 for one in participants if one and one.receiver for stream in one.receiver.streams)

    until(pictures, 60, "no pictures")


def test_own_ports(start_whip, publish, livekit):
    """Each session has a port of the range for itself, and it is closed with the session."""
    first = 31_000
    daemon, url = start_whip(port_range_start=first, port_range_end=first + 99)
    answers = [post(url(), offer()) for _ in range(3)]
    assert [status for status, _, _ in answers] == [201] * 3, answers
    ports = [{port for transport, _, port, _ in candidates(answer) if transport == "udp"} for _, _, answer in answers]
    assert all(len(own) == 1 and first <= min(own) < first + 100 for own in ports) and len(set.union(*ports)) == 3, ports
    assert set.union(*ports) <= open_udp(daemon)
    assert all("ice-lite" not in answer for _, _, answer in answers)
    for _, headers, _ in answers:
        assert post(headers["Location"], None, method="DELETE")[0] == 200
    until(lambda: not set.union(*ports) & open_udp(daemon), message="the ports are still open")
    publish(PeerPublisher, url(), "H264", size=(320, 240))
    arrives(livekit)


def test_shared_ports(start_whip):
    """Sessions are spread over the ports of a list, and all of them are told of STUN's when that is asked for."""
    run = next(p for p in range(32_000, 33_000, 2) if len(udp_ports(p, p + 2)) == 2)
    options = {"use_stun_port_as_ice": True} if udp_ports(3_478, 3_479) else {}
    daemon, url = start_whip(udp_port=f"{run}-{run + 1}", **options)
    answers = [post(url(), offer()) for _ in range(4)]
    assert [status for status, _, _ in answers] == [201] * 4, answers
    ports = [[port for transport, _, port, _ in candidates(answer) if transport == "udp"] for _, _, answer in answers]
    shared = [own[0] for own in ports]
    assert set(shared) <= {run, run + 1} and (os.cpu_count() == 1 or len(set(shared)) == 2), ports
    if options:
        assert all(own[1:] == [3_478] for own in ports), ports


def test_tcp_alone(start_whip):
    """force_tcp tells of TCP and of nothing else."""
    port = free_port()
    _, url = start_whip(tcp_port=port, force_tcp=True)
    status, _, answer = post(url(), offer())
    assert status == 201, answer
    assert candidates(answer) == [("tcp", "127.0.0.1", port, "host")], answer


@pytest.mark.parametrize("lite", [False, True])
def test_lite(start_whip, publish, livekit, lite):
    """use_ice_lite stands in the answer, and publishers connect either way."""
    port = next(iter(udp_ports(33_000, 33_100)))
    _, url = start_whip(udp_port=port, use_ice_lite=lite, node_ip="127.0.0.1")
    status, _, answer = post(url(), offer())
    assert status == 201 and ("a=ice-lite" in answer) == lite, answer
    publish(PeerPublisher, url(), "H264", size=(320, 240))
    arrives(livekit)


def test_slow_clients_of_https(start_whip, tmp_path):
    """A TLS handshake that stands still, and requests that trickle in, are given up like those without TLS."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
                    "-subj", "/CN=localhost", "-days", "2"], check=True, capture_output=True)
    daemon, url = start_whip(daemon={"whip_tls_cert": str(certificate), "whip_tls_key": str(key)}, udp_port=next(iter(udp_ports(34_000, 34_100))))
    port = int(url().split(":")[2].split("/")[0])
    context = ssl._create_unverified_context()
    socks = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(40)]
    for index, sock in enumerate(socks[20:]):
        socks[20 + index] = sock = context.wrap_socket(sock)
        sock.sendall(b"POST /w/key HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n" + (b"Content-Length: 900\r\n\r\n" if index % 2 else b""))
    for sock in socks:
        sock.settimeout(0.02)
    begin, open_ = time.monotonic(), list(socks)
    while open_ and time.monotonic() < begin + 30:
        for sock in list(open_):
            try:
                if isinstance(sock, ssl.SSLSocket):
                    sock.sendall(b"a")
                if sock.recv(4096) == b"":
                    open_.remove(sock)
            except (socket.timeout, ssl.SSLWantReadError):
                pass
            except OSError:
                open_.remove(sock)
        time.sleep(0.2)
    for sock in socks:
        sock.close()
    assert not open_, f"{len(open_)} slow clients are still connected after 30 s"
    assert daemon.get("health_port")[0] == 200
