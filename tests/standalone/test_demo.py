"""`camera-ingest demo` as its user sees it: what it prints, and what it leaves behind."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "ingest_standalone.cli", "demo", "--listen", "127.0.0.1:0")


async def test_the_demo_shows_every_camera_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "80"}
    demo = await asyncio.create_subprocess_exec(
        *COMMAND, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
    )
    assert demo.stdout is not None
    output = ""
    async with asyncio.timeout(60):
        while not re.search(r"lobby .* connected .*\d+\.\d\d s", output):
            output += (await demo.stdout.readline()).decode()
        demo.send_signal(signal.SIGINT)
        rest, _ = await demo.communicate()
    output += rest.decode()
    assert demo.returncode == 0
    for camera in ("lobby", "yard", "cam_003", "vault", "gate", "flaky"):
        assert camera in output
    assert "curl http://127.0.0.1:" in output
    assert "Traceback" not in output
    assert "w/ord" not in output
    assert output.rstrip().endswith("Stopped; nothing is left behind.")
    assert list(tmp_path.iterdir()) == []
