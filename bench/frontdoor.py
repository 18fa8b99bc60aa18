"""The HTTP API against aiohttp alone: the latest frame from the cache, and frames that are pushed.

Servers have one core, the load generator another; both servers live all the time and are loaded in
turn, so each ratio is of two neighbouring moments, and the median of them is told. Ours is the
whole standalone program with Redis, capturing while it answers.
"""

import contextlib
import json
import shutil
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from bench.cameras import SMALL, simulated
from bench.line import TIMES, Budget, Line
from bench.load import Done, Job
from bench.processes import MEASURED_CORE, OTHER_CORE, BenchError, Child, python, running
from ingest_simulator.scenes import make

ROUNDS: Final = 5
ROUND_SECONDS: Final = 1.5
CONNECTIONS: Final = 16
PUSHERS: Final = 40
"""Cameras that are pushed to: each takes 120 frames a second at most."""
PUSHED_BYTES: Final = 100_000
_READY_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Servers:
    """Both, and their ports, and the client that loads them."""

    ours: Child
    our_port: int
    bare: Child
    bare_port: int
    client: Child


def measure() -> list[Line]:
    return [latest(), push(moving=False), push(moving=True)]


def latest() -> Line:
    """GET of the newest frame of a 640x360@5 H.264 camera, made a JPEG once per frame."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cameras = stack.enter_context(simulated(OTHER_CORE))
        manifest = {"source": {"rtsp": {"url": cameras.add(SMALL, 1)[0]}}}
        path = "/api/cameras/c0/frame/latest"
        ours, port = stack.enter_context(_standalone(folder, {"c0": manifest}))
        picture = _await(f"http://127.0.0.1:{port}{path}")
        (folder / "picture.jpg").write_bytes(picture)
        servers = stack.enter_context(_against(ours, port, folder / "picture.jpg"))
        ratios, detail = _rounds(servers, [path])
    detail += f"; {len(picture) / 1000:.0f} kB"
    budget = Budget(0.7, at_most=False)
    return Line("latest frame, cached JPEG, against bare aiohttp", ratios, TIMES, budget, detail)


def push(*, moving: bool) -> Line:
    """POST of JPEGs to many cameras in turn, as raw bodies."""
    picture = jpeg(PUSHED_BYTES)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        manifest = {
            "source": {"push": {"maxFPS": 120}},
            "motion": {"enabled": moving},
            "buffer": {"maxBytes": 4 * 1024 * 1024},
        }
        names = [f"p{number}" for number in range(PUSHERS)]
        ours, port = stack.enter_context(_standalone(folder, dict.fromkeys(names, manifest)))
        servers = stack.enter_context(_against(ours, port, folder / f"{names[-1]}.yaml"))
        headers = "Content-Type: image/jpeg\r\n"
        paths = [f"/api/ingest/push/{name}" for name in names]
        _await(f"http://127.0.0.1:{port}/api/cameras/{names[-1]}")
        ratio, detail = _rounds(servers, paths, "POST", headers, picture)
    detail += f"; {len(picture) / 1000:.0f} kB to {PUSHERS} cameras in turn"
    if moving:
        return Line("the same with motion on the same core", ratio, TIMES, detail=detail)
    budget = Budget(0.6, at_most=False)
    return Line("push ingest, against bare aiohttp", ratio, TIMES, budget, detail)


def jpeg(size: int) -> bytes:
    """A 1280x720 picture of about so many bytes."""
    luma = make("object", width=1280, height=720, fps=15).luma(0)
    colour = cv2.cvtColor(np.ascontiguousarray(luma), cv2.COLOR_GRAY2BGR)
    best = b""
    for quality in range(5, 100):
        best = cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(best) >= size:
            break
    return best


@contextlib.contextmanager
def _standalone(folder: Path, specs: dict[str, object]) -> Iterator[tuple[Child, int]]:
    for name, spec in specs.items():
        manifest = {
            "apiVersion": "camera-ingest.io/v1alpha1",
            "kind": "Camera",
            "metadata": {"name": name},
            "spec": spec,
        }
        (folder / f"{name}.yaml").write_text(json.dumps(manifest), "utf-8")
    with _redis(folder) as redis_url:
        command = python("bench.serving", "standalone", str(folder), redis_url)
        with running(command, core=MEASURED_CORE, quiet=False) as ours:
            yield ours, ours.hear(int)


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[str]:
    socket = folder / "redis.sock"
    server = shutil.which("redis-server")
    if server is None:
        yield "none"
        return
    command = [server, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    with running([*command, "--dir", str(folder)], core=OTHER_CORE):
        yield f"unix://{socket}"


@contextlib.contextmanager
def _against(ours: Child, port: int, file: Path) -> Iterator[Servers]:
    command = python("bench.serving", "bare", str(file))
    with (
        running(command, core=MEASURED_CORE, quiet=False) as bare,
        running(python("bench.load"), core=OTHER_CORE, quiet=False) as client,
    ):
        yield Servers(ours, port, bare, bare.hear(int), client)


def _rounds(
    servers: Servers, paths: list[str], method: str = "GET", headers: str = "", body: bytes = b""
) -> tuple[float, str]:
    """Median ratio of the rates, and the figures behind it."""

    def load(port: int) -> Done:
        job = Job(port, paths, CONNECTIONS, ROUND_SECONDS, method, headers, body)
        return servers.client.ask(job, Done)

    load(servers.our_port)  # both warm
    load(servers.bare_port)
    rounds = [(load(servers.our_port), load(servers.bare_port)) for _ in range(ROUNDS)]
    bad = sum(ours.bad + theirs.bad for ours, theirs in rounds)
    if bad:
        raise BenchError(f"{bad} requests were refused")
    ratios = [ours.rate / theirs.rate for ours, theirs in rounds]
    rates = [
        statistics.median(each) for each in zip(*(_rates(pair) for pair in rounds), strict=True)
    ]
    busy = max(theirs.cpu / theirs.seconds for _, theirs in rounds)
    detail = (
        f"{rates[0]:.0f} against {rates[1]:.0f} a second, rounds {min(ratios):.2f} to "
        f"{max(ratios):.2f}; the client's core is busy {busy:.0%} at most"
    )
    return statistics.median(ratios), detail


def _rates(pair: Sequence[Done]) -> list[float]:
    return [each.rate for each in pair]


def _await(url: str) -> bytes:
    """The body, once it is answered with success."""
    for _ in range(_READY_SECONDS * 10):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                body: bytes = answer.read()
        except urllib.error.HTTPError:
            time.sleep(0.1)
        else:
            return body
    raise BenchError(f"{url} was not answered")
