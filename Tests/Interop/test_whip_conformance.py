"""The rules of RFC 9725 on our own servers, on a server of another make that keeps them badly, and on none."""
import http.server
import socket
import subprocess
import threading

import pytest
from livekit.protocol import ingress

from conftest import SERVER, free_port
from daemon import whip

# A track that cannot be taken is refused alone, where the RFC would have the whole offer refused: half a stream beats none.
DEPARTURES = {"two-videos", "all-or-nothing"}
KNOWN = [part for rule in sorted(DEPARTURES) for part in ("--known", rule)]
WHIP = {"input_type": ingress.WHIP_INPUT, "enable_transcoding": False}


def conformance(url, *options):
    """(exit status, {rule: outcome}, the whole text)"""
    run = subprocess.run([SERVER, "whip-conformance", url, *options], capture_output=True, text=True, timeout=300)
    lines = [line.split() for line in run.stdout.splitlines() if line and not line[0].isdigit()]
    return run.returncode, {line[3]: line[0] for line in lines}, run.stdout + run.stderr


def keeps_all(outcome, *untried):
    status, rules, text = outcome
    assert status == 0, text
    assert len(rules) >= 40 and set(rules.values()) == {"pass", "n/a", "known"}, text
    assert {rule for rule, how in rules.items() if how == "known"} == DEPARTURES, text
    assert {rule for rule, how in rules.items() if how == "n/a"} == {"redirect", "https", "ice-servers", "extension-links", *untried}, text


def test_test_server(server):
    """With the key in the path there is no token that could be missing."""
    keeps_all(conformance(f"{server.url}/whip/key", *KNOWN), "bearer-missing")


def test_test_server_that_passes_packets(start):
    keeps_all(conformance(f"{start('--whip', 'pass').url}/whip", "--bearer", "key", *KNOWN))


@pytest.mark.parametrize("transcoding", [False, True])
def test_daemon(livekit, start_daemon, transcoding):
    """Every session of it is one of the ingress, so the states follow each other without an error."""
    port = free_port()
    start_daemon(**whip(port))
    record = livekit.create(**WHIP | {"enable_transcoding": transcoding})
    keeps_all(conformance(f"http://127.0.0.1:{port}/live", "--bearer", record.info.stream_key, *KNOWN))
    assert "ERROR" not in record.statuses


def test_over_tls(livekit, start_daemon, tmp_path):
    """A certificate that nobody vouches for is taken with --insecure only."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    port = free_port()
    start_daemon(**whip(port), whip_tls_cert=str(certificate), whip_tls_key=str(key))
    record = livekit.create(**WHIP)
    arguments = [f"https://localhost:{port}/live", "--bearer", record.info.stream_key, *KNOWN]
    status, rules, text = conformance(*arguments)
    assert status == 1 and rules["post-created"] == "FAIL" and "certificate" in text, text
    status, rules, text = conformance(*arguments, "--insecure")
    assert status == 0 and rules["https"] == "pass" and "FAIL" not in rules.values(), text


class Careless(http.server.BaseHTTPRequestHandler):
    """Says 200 to everything, with an answer that is none."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
        self.send_response(201)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Location", self.path)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"here")

    do_PATCH = do_DELETE = do_OPTIONS = do_GET

    def log_message(self, *arguments):
        pass


@pytest.fixture
def careless():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/whip"
    server.shutdown()
    server.server_close()


def test_careless_server(careless):
    """Its faults are found, and those that are said to be known are none."""
    faults = {"endpoint-get", "session-get", "post-type", "post-location", "post-other-type", "post-malformed", "answer-sections",
              "answer-candidates", "created-tag", "delete"}
    status, rules, text = conformance(careless)
    assert status == 1, text
    assert {rule for rule in faults if rules[rule] != "FAIL"} == set(), text
    failed = [rule for rule, outcome in rules.items() if outcome == "FAIL"]
    status, rules, text = conformance(careless, *(part for rule in failed for part in ("--known", rule)))
    assert status == 0 and {rules[rule] for rule in failed} == {"known"}, text


def test_nobody_there():
    """Every rule that asks fails, with the reason."""
    status, rules, text = conformance(f"http://127.0.0.1:{free_port()}/whip")
    assert status == 1 and rules["post-created"] == "FAIL", text
    assert "refused" in text.lower(), text


def test_silent_server():
    """Every request has a deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        status, rules, text = conformance(f"http://127.0.0.1:{silent.getsockname()[1]}/whip", "--timeout", "0.1")
    assert status == 1 and rules["post-created"] == "FAIL" and "no answer within" in text, text


@pytest.mark.parametrize("arguments", [["ftp://127.0.0.1/"], ["http://u:p@127.0.0.1/"], ["http://127.0.0.1/", "--known", "no-such-rule"], []])
def test_wrong_arguments(arguments):
    run = subprocess.run([SERVER, "whip-conformance", *arguments], capture_output=True, text=True, timeout=30)
    assert run.returncode == 64 and "Error:" in run.stderr, run.stderr
