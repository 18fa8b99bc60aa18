"""On what a benchmark ran: the facts that its figures depend on."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import av
import cv2


def facts() -> dict[str, str]:
    """In the order in which a reader asks for them."""
    ffmpeg = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return {
        **_machine(),
        "Python": platform.python_version(),
        "PyAV": f"{av.__version__}, with libavcodec {ffmpeg}",
        "OpenCV": cv2.__version__,
        "ffmpeg": _first_line("ffmpeg", "-version"),
        "Motion": _first_line("motion", "-h"),
        "Redis": _first_line("redis-server", "--version"),
    }


def in_short() -> str:
    """What a figure of a whole cluster depends on most."""
    return ", ".join(_machine().values())


def _machine() -> dict[str, str]:
    return {
        "CPU": f"{_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "Memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.1f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
    }


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text("utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _first_line(command: str, option: str) -> str:
    if shutil.which(command) is None:
        return "not installed"
    done = subprocess.run([command, option], capture_output=True, check=False, text=True)
    lines = (done.stdout or done.stderr).splitlines()
    first = lines[0] if lines else "unknown"
    return first.partition(" Copyright")[0].partition(" sha=")[0].rstrip(",")
