"""`helm upgrade` to another image, and what clients and a subscriber meet meanwhile."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from bench.reliability import sight
from bench.reliability.ears import RedisEars
from bench.reliability.heard import Heard
from bench.reliability.real import SimulatedCameras
from bench.reliability.truth import Window
from ingest_core.names import APP, LABEL_COMPONENT, LABEL_NAME
from ingest_simulator.session import SessionRecord
from tests.cluster.command_line import CommandLine
from tests.cluster.nodes.installation import Installation
from tests.e2e import states
from tests.e2e.door import Door, door
from tests.e2e.load import Asked, clients
from tests.fakes.footage import jpeg

SIMULATOR: Final = "simulator"  # a Service of docs/guide/simulated-cameras.yaml
_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at meanwhile.

    Attributes:
        read: Two cameras of RTSP, and what the simulator calls them. The latest frame of the first
            is read by one connection that is kept, of the second by a new one each time.
        pushed: A camera that is pushed to, by one connection that is kept.
        token: Of `pushed`.
    """

    read: Mapping[str, str]
    pushed: str
    token: str


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What became of it.

    Attributes:
        window: From before it began until all was well again.
        pushes: What was answered to the device.
        reads: What was answered to the two who read.
        events: All that was heard, by camera.
        sessions: What the simulator knows of whom it sent each camera's frames, by camera.
    """

    window: Window
    pushes: Sequence[Asked]
    reads: Sequence[Asked]
    events: Mapping[str, Sequence[Heard]]
    sessions: Mapping[str, Sequence[SessionRecord]]


def upgrade(installation: Installation, watched: Watched, tag: str, workers: int) -> Upgrade:
    """Upgrade to a tag; returns when all is well and what was said before has been heard."""
    by, release = installation.by, f"{installation.release}-camera-ingest"
    gateway = f"http://{states.address(by, f'{release}-gateway')}"
    first, second = watched.read
    device, reader = door(gateway), door(gateway)
    assert _push(device, watched) == 202
    with _listening(states.address(by, f"{release}-redis"), watched.read) as ears:
        began = time.time()
        with clients(
            lambda: device.push(watched.pushed, jpeg(), watched.token),
            lambda: reader.latest(first),
            lambda: door(gateway).latest(second),
        ) as (pushing, *reading):
            _roll_out(installation, tag, workers)
        ended = time.time()
        _hear_until(ears, ended, watched.read)
        events = ears.heard()
    record = SimulatedCameras(
        f"http://{states.address(by, SIMULATOR)}:8555", [*watched.read.values()]
    )
    told = record.sessions()
    return Upgrade(
        window=Window(began, ended),
        pushes=pushing.asked,
        reads=[asked for client in reading for asked in client.asked],
        events=events,
        sessions={camera: told[simulated] for camera, simulated in watched.read.items()},
    )


def images(by: CommandLine) -> Mapping[str, str]:
    """The image of each pod of ours, of those that are about to end, too."""
    selector = f"--selector={LABEL_NAME}={APP},{LABEL_COMPONENT} in (operator,gateway,worker)"
    found = states.items(by, "pods", selector)
    return {one["metadata"]["name"]: one["spec"]["containers"][0]["image"] for one in found}


def _push(device: Door, watched: Watched) -> int:
    return device.push(watched.pushed, jpeg(), watched.token).status


def _roll_out(installation: Installation, tag: str, workers: int) -> None:
    replace(installation, values={**installation.values, "image": {"tag": tag}}).install()

    def lacking() -> str:
        old = [pod for pod, one in images(installation.by).items() if not one.endswith(f":{tag}")]
        found = sight.read(installation.by.kubectl("get", "cameras,pods", "--output=json"))
        return ", ".join(old) or sight.unwell(found, workers)

    states.until(lacking, lambda lacks: not lacks, _SECONDS)


@contextmanager
def _listening(redis: str, cameras: Collection[str]) -> Iterator[RedisEars]:
    """A subscriber who hears of these cameras already."""
    ears = RedisEars()
    ears.start()
    try:
        ears.follow(redis)
        states.until(ears.heard, lambda heard: {*cameras} <= {*heard})
        yield ears
    finally:
        ears.stop()


def _hear_until(ears: RedisEars, time_of: float, cameras: Collection[str]) -> None:
    """Until of each camera a frame was heard of that was captured later."""

    def late(heard: Mapping[str, Sequence[Heard]]) -> bool:
        return all(max(one.captured or 0 for one in heard[name]) > time_of for name in cameras)

    states.until(ears.heard, late)
