"""What a program holds of its machine, and whether that has grown for no reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import psutil

from tests.cluster.world import World

GROWTH: Final = 1.5  # of resident memory: allocators keep what was used once
CAMERA_MEGABYTES: Final = 4.0  # the budget of one of 640x360@5, which these are smaller than
CAMERA_THREADS: Final = 1
CAMERA_DESCRIPTORS: Final = 2
SLACK: Final = 16  # threads or descriptors: pools of them are filled when first needed


@dataclass(frozen=True, slots=True)
class Footprint:
    """Of a program, with so many cameras to care for."""

    cameras: int
    megabytes: float
    threads: int
    descriptors: int


def footprint(pid: int, cameras: int) -> Footprint:
    process = psutil.Process(pid)
    with process.oneshot():
        return Footprint(
            cameras,
            round(process.memory_info().rss / 1e6, 1),
            process.num_threads(),
            process.num_fds(),
        )


async def footprints(cluster: World) -> list[tuple[str, Footprint]]:
    """What each program of a world holds, by what it is."""
    every = len(await cluster.cameras())
    found = [("operator", footprint(one.pid, every)) for one in cluster.operators]
    found += [("gateway", footprint(one.pid, every)) for one in cluster.gateways]
    for pod in cluster.kubelet.pods.values():
        found.append(("worker", footprint(pod.program.pid, len(await cluster.live(pod)))))
    return found


def grown(name: str, before: Footprint, after: Footprint, slack: int = SLACK) -> Iterator[str]:
    """A sentence for each thing of which it holds more than its cameras cost. Pure.

    So many threads or descriptors as `slack` says are not too many.
    """
    more = max(0, after.cameras - before.cameras)
    bounds = (
        (after.megabytes, GROWTH * before.megabytes + CAMERA_MEGABYTES * more, "MB"),
        (after.threads, before.threads + CAMERA_THREADS * more + slack, "threads"),
        (after.descriptors, before.descriptors + CAMERA_DESCRIPTORS * more + slack, "descriptors"),
    )
    for held, bound, what in bounds:
        if held > bound:
            yield f"{name} holds {held} {what}, of at most {bound:.0f}: {before} became {after}"
