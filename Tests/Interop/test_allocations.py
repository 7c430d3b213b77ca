"""No heap allocation per packet, counted by the bench's own allocator in the release build."""
import json
import os
import subprocess

import pytest

from conftest import FFMPEG_OLD, ROOT

BENCH = os.environ.get("INGRESS_BENCH", str(ROOT / ".build/release/ingress-bench"))


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    clip = tmp_path_factory.mktemp("allocations") / "clip.flv"
    subprocess.run(
        [FFMPEG_OLD, "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30",
         "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "6", "-pix_fmt", "yuv420p", "-c:v", "libx264",
         "-preset", "veryfast", "-bf", "0", "-g", "60", "-b:v", "1900k", "-c:a", "aac", str(clip)], check=True)
    run = subprocess.run([BENCH, "allocations", str(clip), "--stacks", "8"], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return {line["way"]: line for line in map(json.loads, run.stdout.splitlines())} | {"stacks": run.stderr}


def test_passed_packets_cost_no_allocation(ways):
    passed = ways["whip passed"]
    assert passed["packets"] > 1_000
    assert passed["allocations"] == 0, ways["stacks"]


def test_rtmp_costs_one_allocation_a_message_and_none_a_chunk(ways):
    """The message's slab is an object; its memory comes from the pool."""
    rtmp = ways["rtmp to frames"]
    assert rtmp["frames"] > 300 and rtmp["packets"] > rtmp["frames"]
    assert rtmp["allocations"] <= rtmp["frames"] * 1.05, ways["stacks"]


def test_sending_costs_two_allocations_a_frame_and_none_a_packet(ways):
    """The frame that all viewers share, and its list of packets."""
    sent = ways["frames to packets"]
    assert sent["packets"] > 2 * sent["frames"] > 600
    assert sent["allocations"] <= sent["frames"] * 2, ways["stacks"]
