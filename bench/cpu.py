"""CPU of one 1080p15 camera: ring, every frame decoded and motion, against others on that stream.

All four watch the same camera of the same simulator in the same windows, so whatever else the
machine does meets them alike; the ratio told is the median of the windows'. Each process's CPU is
user and system of all its threads, from when everybody plays, so starting is left out.
"""

import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from bench import peers
from bench.cameras import LARGE, simulated
from bench.line import TIMES, Budget, Line
from bench.processes import BenchError, Child, running
from bench.workers import working

_FFMPEG, _MOTION, _OPENCV = "ffmpeg -threads 1 -f null", "the Motion daemon", "an OpenCV loop"
BUDGETS: Final = {_FFMPEG: 1.15, _MOTION: 0.8, _OPENCV: 0.22}
WINDOWS: Final = 8
WINDOW_SECONDS: Final = 5.0
_SETTLE_SECONDS: Final = 5.0


def measure() -> list[Line]:
    missing: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        cameras = stack.enter_context(simulated())
        url = cameras.add(LARGE, 1, prefix="large")[0]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shape = {"width": LARGE.width, "height": LARGE.height, "fps": LARGE.fps}
        commands = {
            _FFMPEG: peers.ffmpeg(url),
            _MOTION: peers.motion(url, folder, **shape),
            _OPENCV: peers.opencv(url),
        }
        worker = stack.enter_context(working())
        others: dict[str, Child] = {}
        for name, command in commands.items():
            try:
                others[name] = stack.enter_context(running(command))
            except BenchError as error:
                missing[name] = str(error)
        worker.add([url])
        worker.await_connected()
        cameras.await_players(1 + len(others))
        time.sleep(_SETTLE_SECONDS)
        began = worker.look()
        rows = [_window(worker.process, others) for _ in range(WINDOWS)]
        seen = worker.look()
        frames = len(next(iter(seen.shown.values())))
        if seen.lost or began.lost:
            raise BenchError("the worker lost the camera")
        for name, other in others.items():
            if not other.alive:
                raise BenchError(f"{name} ended")
    ours = statistics.median(row[""] for row in rows)
    lines = [
        Line(
            "CPU of one 1080p15 H.264 camera: ring, decoding, motion",
            100 * ours,
            "% of a core",
            detail=f"{frames} frames in {WINDOWS} windows of {WINDOW_SECONDS:g} s",
        )
    ]
    for name, bound in BUDGETS.items():
        if name in missing:
            lines.append(Line(f"… against {name}", None, TIMES, Budget(bound), missing[name]))
            continue
        theirs = statistics.median(row[name] for row in rows)
        ratios = sorted(row[""] / row[name] for row in rows)
        spread = f"theirs {theirs:.1%}; windows {ratios[0]:.2f} to {ratios[-1]:.2f}"
        lines.append(
            Line(f"… against {name}", statistics.median(ratios), TIMES, Budget(bound), spread)
        )
    return lines


def _window(ours: Child, others: dict[str, Child]) -> dict[str, float]:
    """Shares of a core, ours under the empty name."""
    everyone = {"": ours, **others}
    began, before = time.monotonic(), {name: one.cpu for name, one in everyone.items()}
    time.sleep(WINDOW_SECONDS)
    seconds = time.monotonic() - began
    return {name: (one.cpu - before[name]) / seconds for name, one in everyone.items()}
