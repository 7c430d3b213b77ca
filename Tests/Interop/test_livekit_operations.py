"""What an operator and a refused encoder see: refusals, signals, health, metrics, the configuration."""
import signal
import subprocess

import pytest

from conftest import free_port, until
from daemon import BINARY, NO_COST, Daemon, looped, verdict
from rtmp import Publisher
from test_livekit_sessions import joined, pictures

STATUS = "livekit_ingress_publish_status"


def refused(daemon, key):
    return verdict(Publisher(daemon.ports["rtmp_port"], key))


def test_unknown_key(daemon):
    text = refused(daemon, "nobody")
    assert "NetStream.Publish.BadName" in text and "not known" in text
    until(lambda: daemon.metric(STATUS, type="rtmp", status="4xx") == 1)


def test_disabled_ingress(livekit, daemon):
    record = livekit.create(enabled=False)
    text = refused(daemon, record.info.stream_key)
    assert "NetStream.Publish.Denied" in text and "disabled" in text
    until(lambda: daemon.metric(STATUS, type="rtmp", status="4xx") == 1)
    until(lambda: record.statuses[-1:] == ["ERROR"], message=lambda: record.statuses)
    assert record.state.error == "session is disabled"


def test_no_capacity(livekit, start_daemon):
    """A session costs more than the machine has: refused, and said so everywhere."""
    daemon = start_daemon(wait=False, cpu_cost={**NO_COST, "rtmp_cpu_cost": 900})
    until(lambda: daemon.get("health_port", "/health")[0] == 200)
    text = refused(daemon, livekit.create().info.stream_key)
    assert "NetStream.Publish.Failed" in text and "capacity" in text
    until(lambda: daemon.metric(STATUS, type="rtmp", status="4xx") == 1)
    assert daemon.get("health_port", "/availability")[0] == 503
    assert daemon.metric("livekit_ingress_available") == 0


def test_redis_down(livekit, daemon):
    record = livekit.create()
    livekit.redis.stop()
    text = refused(daemon, record.info.stream_key)
    assert "NetStream.Publish.Failed" in text and "Redis" in text
    until(lambda: daemon.metric(STATUS, type="rtmp", status="internal") == 1)
    until(lambda: daemon.get("health_port", "/availability")[0] == 503)
    livekit.redis.start()
    until(daemon.available)


def test_refusal_leaves_a_running_session_alone(livekit, daemon, encode, clip):
    """The ingress is disabled while it runs: a second publisher is refused, and the state of the first one stays."""
    record = livekit.create()
    encode(*looped(clip, daemon.url(record)))
    participant = joined(livekit)
    record.info.enabled = False
    assert "NetStream.Publish.Denied" in refused(daemon, record.info.stream_key)
    pictures(participant, 30)
    assert record.statuses == ["BUFFERING", "PUBLISHING"]


def test_metrics_of_a_session(livekit, daemon, encode, clip):
    record = livekit.create()
    encoder = encode(*looped(clip, daemon.url(record)))
    joined(livekit)
    assert daemon.metric(STATUS, type="rtmp", status="success") == 1
    assert daemon.metric("livekit_ingress_requests", type="rtmp", transcoding="true") == 1
    until(lambda: daemon.metric("livekit_ingress_packet_latency_seconds_count", ingress_type="RTMP_INPUT") > 0, message=lambda: daemon.get("prometheus_port")[1])
    assert 0 <= daemon.metric("livekit_node_cpu_load", node_type="INGRESS") <= 1
    encoder.stop()
    until(lambda: daemon.metric("livekit_ingress_requests") == 0)


def test_nothing_secret_is_shown(livekit, daemon, encode, clip):
    """Neither log nor process list has the key, the secret or a token."""
    record = livekit.create()
    encode(*looped(clip, daemon.url(record)))
    participant = joined(livekit)
    shown = daemon.logged()
    for child in daemon.children():
        shown += "".join(open(f"/proc/{child}/{name}", errors="replace").read() for name in ("cmdline", "environ"))
    for secret in (record.info.stream_key, livekit.SECRET, participant.tokens[0], participant.refreshed):
        assert secret not in shown


def test_drain(livekit, daemon, encode, clip):
    """SIGTERM: the session goes on, newcomers are refused, and the process ends with the last session."""
    record, late = livekit.create(), livekit.create(identity="late")
    encoder = encode(*looped(clip, daemon.url(record)))
    participant = joined(livekit)
    daemon.signal(signal.SIGTERM)
    until(lambda: daemon.get("health_port", "/availability")[0] == 503)
    assert "shutting down" in refused(daemon, late.info.stream_key)
    pictures(participant, 30)
    encoder.stop()
    assert daemon.ended() == 0
    assert record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"]


def test_drain_has_an_end(livekit, start_daemon, encode, clip):
    daemon = start_daemon(drain_timeout="2s")
    record = livekit.create()
    encode(*looped(clip, daemon.url(record)))
    joined(livekit)
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
    assert record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"]


def test_stop(livekit, daemon, encode, clip):
    """SIGINT: everything ends in order, and the server knows."""
    record = livekit.create()
    encoder = encode(*looped(clip, daemon.url(record)))
    participant = joined(livekit)
    daemon.signal(signal.SIGINT)
    assert daemon.ended() == 0
    assert record.statuses == ["BUFFERING", "PUBLISHING", "INACTIVE"]
    until(lambda: not participant.here)
    until(lambda: encoder.process.poll() is not None)


def test_reload(livekit, daemon, encode, clip):
    """SIGHUP: new costs hold at once, and running sessions do not notice."""
    encode(*looped(clip, daemon.url(livekit.create())))
    participant = joined(livekit)
    daemon.configure(cpu_cost={**NO_COST, "rtmp_cpu_cost": 900})
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.get("health_port", "/availability")[0] == 503, message="the new costs do not hold")
    pictures(participant, 30)
    daemon.configure(cpu_cost=NO_COST)
    daemon.signal(signal.SIGHUP)
    until(daemon.available)


def test_reload_of_a_broken_file(daemon):
    """The configuration in effect stays, and the log says what is wrong."""
    daemon.path.write_text("cpu_cost: [")
    daemon.signal(signal.SIGHUP)
    until(lambda: "ingress.yaml" in daemon.logged() or "configuration" in daemon.logged())
    assert daemon.available()


def check(folder, text, *arguments):
    path = folder / "checked.yaml"
    path.write_text(text)
    return subprocess.run([BINARY, "check", "--config", str(path), *arguments], capture_output=True, text=True, timeout=30)


GOOD = "redis:\n  address: 127.0.0.1:6379\napi_key: key\napi_secret: hush-hush\nws_url: ws://127.0.0.1:7880\n"


def test_check(tmp_path):
    """The effective configuration, without its secrets."""
    result = check(tmp_path, GOOD)
    assert result.returncode == 0, result.stderr
    assert "hush-hush" not in result.stdout and "rtmp_port: 1935" in result.stdout


def test_check_warns_of_unknown_keys(tmp_path):
    result = check(tmp_path, GOOD + "rtmp_prot: 1936\n")
    assert result.returncode == 0
    assert "6" in result.stderr and "rtmp_prot" in result.stderr and "rtmp_port" in result.stderr, result.stderr


def test_check_refuses_wrong_types(tmp_path):
    result = check(tmp_path, GOOD + "rtmp_port: many\n")
    assert result.returncode != 0
    assert ":6:" in result.stderr and "rtmp_port" in result.stderr, result.stderr


@pytest.mark.parametrize("fault", ["redis", "rtmp_port", "health_port"])
def test_start_fails_with_a_sentence(livekit, tmp_path, fault):
    """Redis unreachable or a port in use: a status other than 0, and one sentence that names the culprit."""
    overrides = {fault: livekit.port} if fault != "redis" else {"redis": {"address": f"127.0.0.1:{free_port()}"}}
    daemon = Daemon(tmp_path, livekit, wait=False, **overrides)
    assert daemon.ended() not in (0, None)
    assert ("redis" if fault == "redis" else str(livekit.port)) in daemon.logged().lower(), daemon.logged()


def test_rtmps(livekit, start_daemon, encode, clip, tmp_path):
    """RTMP over TLS, and a certificate that is read anew."""
    def certificate(name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                        "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True)

    def shown():
        text = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], input="", capture_output=True, text=True, timeout=10).stdout
        return next((name for name in ("first", "second") if f"CN = {name}" in text or f"CN={name}" in text), None)

    certificate("first")
    port = free_port()
    daemon = start_daemon(rtmps_port=port, tls_cert=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem"))
    record = livekit.create()
    daemon.url(record)
    encode("-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-tls_verify", "0", "-f", "flv",
           f"rtmps://127.0.0.1:{port}/live/{record.info.stream_key}")
    joined(livekit)
    assert shown() == "first"
    certificate("second")
    daemon.signal(signal.SIGHUP)
    until(lambda: shown() == "second", message="the old certificate is still shown")
