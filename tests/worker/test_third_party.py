"""A server that is not ours: GStreamer's, with H.264 and H.265 over TCP and UDP."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.captured_camera import CapturedCamera, capturing

SERVER = Path(__file__).parents[1] / "fakes" / "gst_rtsp_server.py"
SYSTEM_PYTHON = "/usr/bin/python3"
NEEDS = "import gi; gi.require_version('GstRtspServer', '1.0')"
PLUGINS = ("x264enc", "x265enc", "rtph264pay", "rtph265pay", "videotestsrc")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """rtsp://HOST:PORT of GStreamer's server, ended with the module."""
    if not Path(SYSTEM_PYTHON).exists():
        pytest.skip(f"{SYSTEM_PYTHON} is not there")
    if subprocess.run([SYSTEM_PYTHON, "-c", NEEDS], capture_output=True, check=False).returncode:
        pytest.skip("Debian's gir1.2-gst-rtsp-server-1.0 and python3-gi are not installed")
    inspect = shutil.which("gst-inspect-1.0")
    missing = [
        name
        for name in PLUGINS
        if inspect and subprocess.run([inspect, "--exists", name], check=False).returncode
    ]
    if missing:
        pytest.skip(f"GStreamer lacks {', '.join(missing)}")
    server = subprocess.Popen(
        [SYSTEM_PYTHON, str(SERVER)], stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    try:
        assert server.stdout is not None
        yield f"rtsp://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.communicate()


async def test_gstreamer_is_captured_in_both_codecs_over_both_transports(address: str) -> None:
    cameras = {
        (codec, transport): CapturedCamera(
            f"{address}/{codec}",
            name=f"{codec}-{transport}".lower(),
            transport=transport,
            connect_seconds=20,
            stall_seconds=10,
        )
        for codec in ("h264", "h265")
        for transport in ("TCP", "UDP")
    }
    async with asyncio.timeout(180), capturing(*cameras.values()):
        for camera in cameras.values():
            await camera.frames(15)
        for (codec, transport), camera in cameras.items():
            feed = camera.feed
            said = (codec, transport, feed.codec and feed.codec.name, feed.size, feed.decode_errors)
            name = {"h264": "h264", "h265": "hevc"}[codec]
            assert said == (codec, transport, name, (320, 240), 0)
            assert not camera.failures
            assert any(frame.keyframe for frame in camera.ingested)
