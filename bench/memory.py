"""Memory of one more camera: what the process grows by from few to many, with full rings."""

import time
from dataclasses import dataclass
from typing import Final

from bench.cameras import LARGE, SMALL, simulated
from bench.line import Budget, Line
from bench.workers import Working, working
from ingest_simulator.camera import SimulatedCamera

RING_SECONDS: Final = 10
_FULL_SECONDS: Final = RING_SECONDS + 4.0  # a whole group of pictures more


@dataclass(frozen=True, slots=True)
class Kind:
    """Cameras of one kind, few and many of them, and the megabytes that one more may cost."""

    what: str
    camera: SimulatedCamera
    few: int
    many: int
    budget: float


KINDS: Final = (
    Kind("640x360@5", SMALL, few=20, many=80, budget=4.0),
    Kind("1080p15, 3 Mb/s", LARGE, few=2, many=8, budget=16.0),
)


def measure() -> list[Line]:
    lines = []
    for kind in KINDS:
        with simulated() as cameras, working() as worker:
            urls = cameras.add(kind.camera, kind.many)
            before, _ = _filled(worker, urls[: kind.few])
            after, rate = _filled(worker, urls[kind.few :])
        each = (after - before) / (kind.many - kind.few) / 1e6
        detail = (
            f"{before / 1e6:.0f} MB with {kind.few}, {after / 1e6:.0f} MB with {kind.many}; "
            f"the streams have {rate / 1e6:.2f} Mb/s, "
            f"{RING_SECONDS} s of them are {rate * RING_SECONDS / 8e6:.2f} MB"
        )
        lines.append(
            Line(f"memory of one more camera, {kind.what}", each, "MB", Budget(kind.budget), detail)
        )
    return lines


def _filled(worker: Working, urls: list[str]) -> tuple[int, float]:
    """Bytes of the process once these cameras have full rings too, and their mean bits a second."""
    worker.add(urls)
    worker.await_connected()
    began = worker.look()
    time.sleep(_FULL_SECONDS)
    seen = worker.look()
    bits = 8 * (sum(seen.bytes.values()) - sum(began.bytes.values()))
    return worker.process.memory, bits / len(seen.bytes) / (seen.at - began.at)
