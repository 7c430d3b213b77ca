"""Encoders in, viewers out: every codec that FFmpeg can send, and what changes in mid-stream."""
import pytest

from conftest import AAC, FFMPEG_NEW, FFMPEG_OLD, H264, TEST_PICTURE, TEST_SOUND, until
from rtmp import Publisher
from whep import Viewer

OPUS = ["-c:a", "libopus", "-b:a", "96k"]
SMALL = ["-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30"]
CODECS = {
    "h264-5.1": (FFMPEG_OLD, TEST_PICTURE, H264 + AAC),
    "h264-9": (FFMPEG_NEW, TEST_PICTURE, H264 + AAC),
    "h264-bframes": (FFMPEG_OLD, SMALL, ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "60", "-pix_fmt", "yuv420p"] + AAC),
    "hevc": (FFMPEG_NEW, SMALL, ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "bframes=0:keyint=60:log-level=error"] + OPUS),
    "av1": (FFMPEG_NEW, SMALL, ["-c:v", "libsvtav1", "-preset", "12", "-g", "60", "-pix_fmt", "yuv420p"] + OPUS),
    "vp9": (FFMPEG_NEW, SMALL, ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60"] + OPUS),
    "flac": (FFMPEG_NEW, SMALL, H264 + ["-c:a", "flac"]),
    "mp3": (FFMPEG_OLD, SMALL, H264 + ["-c:a", "libmp3lame"]),
}


@pytest.mark.parametrize("name", CODECS)
def test_codec_plays(server, encode, name):
    """A viewer that waits sees the picture and hears the sound of each codec."""
    binary, source, arguments = CODECS[name]
    viewer = Viewer(server.whep_url("key"))
    encoder = encode(*source, *TEST_SOUND, *arguments, "-f", "flv", server.rtmp_url("key"), binary=binary)
    try:
        viewer.wait(lambda v: v.frames >= 45 and v.audio_samples >= 48_000, 40, f"{encoder.logged()} {server.logged()}")
    finally:
        viewer.close()
    size = (1280, 720) if source is TEST_PICTURE else (640, 360)
    assert viewer.sizes[-1] == size
    stream = until(server.stream)
    assert stream["video"]["width"] == size[0]
    assert not stream["drops"]["undecodable"]


def test_layers(server, encode):
    """Each layer has its size, and switching needs no new session."""
    encode(*TEST_PICTURE, *H264, "-f", "flv", server.rtmp_url("key"))
    until(server.stream)
    viewer = Viewer(server.whep_url("key", "q"))
    viewer.wait(lambda v: v.sizes and v.sizes[-1] == (320, 180))
    for layer, size in (("f", (1280, 720)), ("h", (640, 360)), ("q", (320, 180))):
        viewer.layer(layer)
        viewer.wait(lambda v: v.sizes[-1] == size, message=f"never saw layer {layer}")
    encoded = until(lambda: [l["rid"] for l in server.stream()["layers"] if l["state"] == "encoded"] == ["q"])
    assert encoded, "layers that nobody watches are still encoded"
    viewer.close()
    until(lambda: all(l["state"] == "paused" for l in server.stream()["layers"]), message="layers went on without viewers")


def test_viewer_stays(server, clip):
    """A viewer comes before the publisher, stays when it goes, and sees the next one."""
    viewer = Viewer(server.whep_url("key"))
    for _ in range(2):
        before = viewer.frames
        publisher = Publisher(server.rtmp, "key")
        publisher.play(clip, 3)
        publisher.end()
        viewer.wait(lambda v: v.frames >= before + 60)
        until(lambda: not server.stream()["live"])
    viewer.close()
    until(lambda: server.stream() is None)


def test_source_changes_size(server, media):
    """The ladder follows a source that changes its size, and no viewer is lost."""
    def make(size):
        return media(f"size-{size}.flv", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30:duration=4", *H264)

    viewer = Viewer(server.whep_url("key"))
    publisher = Publisher(server.rtmp, "key")
    at = publisher.play(make("1280x720"))
    viewer.wait(lambda v: v.sizes and v.sizes[-1] == (1280, 720))
    at = publisher.play(make("640x480"), offset=at + 33)
    viewer.wait(lambda v: v.sizes[-1] == (640, 480))
    publisher.play(make("405x720"), offset=at + 33)
    viewer.wait(lambda v: v.sizes[-1][1] == 720)
    publisher.end()
    viewer.close()


def test_second_publisher_replaces(server, clip):
    """The newer encoder takes over with its first key frame; the viewer sees a cut and no end."""
    first = Publisher(server.rtmp, "key")
    first.wait_for(b"NetStream.Publish.Start")
    first.play(clip, 1)
    viewer = Viewer(server.whep_url("key"))
    first.play(clip, 2, offset=1_000)
    viewer.wait(lambda v: v.frames > 10)
    second = Publisher(server.rtmp, "key")
    assert second.wait_for(b"NetStream.Publish.Start")
    before = viewer.frames
    second.play(clip, 3)
    viewer.wait(lambda v: v.frames > before + 40)
    assert first.wait_for(b"taken over"), "the older encoder was not told"
    second.end()
    viewer.close()


def test_second_publisher_rejected(start, clip):
    server = start("--on-duplicate", "reject")
    first = Publisher(server.rtmp, "key")
    first.wait_for(b"NetStream.Publish.Start")
    first.play(clip, 1)
    second = Publisher(server.rtmp, "key")
    assert second.wait_for(b"NetStream.Publish.BadName")
    first.play(clip, 1, offset=1_000)
    assert server.stream()["live"]
    first.end()


def test_keys(start):
    """Only the keys that were given are let in, wherever an encoder puts them."""
    server = start("--stream-key", "alpha", "beta")
    for key in ("alpha", "beta?token=1", "extra/path/alpha"):
        publisher = Publisher(server.rtmp, key)
        assert publisher.wait_for(b"NetStream.Publish.Start"), key
        publisher.end()
    assert Publisher(server.rtmp, "", app="live/alpha").wait_for(b"NetStream.Publish.Start")
    wrong = Publisher(server.rtmp, "gamma")
    assert wrong.wait_for(b"NetStream.Publish.BadName")
    assert "gamma" not in server.logged() and "alpha" not in server.logged()


def test_vp8_ladder(start, encode):
    server = start("--video-codec", "vp8", "--layers", "640x360@800,320x180@250")
    viewer = Viewer(server.whep_url("key"))
    encode(*SMALL, *H264, "-f", "flv", server.rtmp_url("key"))
    viewer.wait(lambda v: v.frames >= 30 and v.sizes[-1] == (640, 360))
    viewer.layer("q")
    viewer.wait(lambda v: v.sizes[-1] == (320, 180))
    viewer.close()


def test_rtmps(start, encode, tmp_path):
    import subprocess

    from conftest import free_port
    cert, key, port = tmp_path / "cert.pem", tmp_path / "key.pem", free_port()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    server = start("--rtmps-port", str(port), "--tls-cert", str(cert), "--tls-key", str(key))
    viewer = Viewer(server.whep_url("key"))
    encode(*SMALL, *H264, "-tls_verify", "0", "-f", "flv", f"rtmps://127.0.0.1:{port}/live/key")
    viewer.wait(lambda v: v.frames >= 30, message=server.logged())
    viewer.close()


def test_sound_alone(server, sound):
    viewer = Viewer(server.whep_url("key"))
    publisher = Publisher(server.rtmp, "key")
    publisher.play(sound, 4)
    viewer.wait(lambda v: v.audio_samples >= 48_000)
    publisher.end()
    viewer.close()


def test_picture_alone(server, media):
    silent = media("silent.flv", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=4", *H264)
    viewer = Viewer(server.whep_url("key"))
    publisher = Publisher(server.rtmp, "key")
    publisher.play(silent)
    viewer.wait(lambda v: v.frames >= 60)
    publisher.end()
    viewer.close()
