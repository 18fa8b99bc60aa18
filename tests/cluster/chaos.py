"""Break everything at random while users go on, and prove afterwards that the rules held.

`python -m tests.cluster.chaos --seconds 300` is the long run; `.ci/run` makes a short one. Every
choice comes from the seed, which is printed; when each takes effect is the machine's. What was
seen is judged by the history checker (every version of every Camera), by the simulator (who was
connected to an Exclusive camera when), and by what is left in the end.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import psutil
import structlog

from ingest_core import logs
from ingest_simulator.camera import SimulatedCamera
from tests.cluster import binaries
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Refused
from tests.cluster.crds import install_crds
from tests.cluster.history import Move, check
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.plugin import CRDS
from tests.cluster.proxy import Proxy, proxy
from tests.cluster.recorder import Recorder, record
from tests.cluster.world import World, captured, world

REPLICAS: Final = 3
POOL: Final = {
    "replicas": REPLICAS,
    "lease": {"durationSeconds": 6, "renewSeconds": 1},
    "worker": {"weightCapacity": 500, "maxCameras": 12, "terminationGracePeriodSeconds": 40},
    "rebalance": {"maxMovesPerMinute": 6, "skewPercent": 30},
}
CAMERAS: Final = 12
FITS: Final = (
    1200  # weight for which three workers have room however it is spread: 3 * (500 - 80) is more
)
LAG_SECONDS: Final = 5.0  # for which an edit may be unknown to an operator whose network is slow
SETTLE_SECONDS: Final = 90.0
LET_GO_SECONDS: Final = 2.0  # in which a process that wakes closes what it may not have

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass
class Outcome:
    """What a run found; empty lists are good."""

    seed: int
    acts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    versions: int = 0
    moves: int = 0
    leaks: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.violations and not self.leaks


class Chaos:
    """One run: acts of chance on a world, one after another, some of them long."""

    def __init__(
        self,
        cluster: World,
        wire: Proxy,
        own: Mapping[str, Proxy],
        recorder: Recorder,
        seed: int,
    ) -> None:
        self._cluster = cluster
        self._wire = wire
        self._own = dict(own)  # of single workers: none, once it was stranded
        self._recorder = recorder
        self._random = random.Random(seed)
        self._made = 0
        self._frozen: list[tuple[float, float]] = []  # when any worker was, by the wall clock
        self.outcome = Outcome(seed)

    async def run(self, seconds: float) -> Outcome:
        """Act for so long, heal, wait until everything is well, judge."""
        await self._begin()
        until = time.monotonic() + seconds
        acts: Sequence[tuple[Callable[[], Awaitable[None]], int]] = (
            (self._kill_operator, 3),
            (self._kill_worker, 4),
            (self._lose_worker, 2),
            (self._freeze_worker, 3),
            (self._kill_api_server, 1),
            (self._compact, 1),
            (self._cut, 3),
            (self._slow, 2),
            (self._part_worker, 3),
            (self._strand_worker, 1),
            (self._add_camera, 5),
            (self._delete_camera, 3),
            (self._edit_camera, 4),
            (self._scale, 2),
            (self._pool, 2),
        )
        functions, weights = zip(*acts, strict=True)
        while time.monotonic() < until:
            (act,) = self._random.choices(functions, weights)
            name = act.__name__.strip("_")
            self.outcome.acts[name] = self.outcome.acts.get(name, 0) + 1
            log.info("act", act=name, left=round(until - time.monotonic()))
            with contextlib.suppress(Refused):  # what the cluster refuses a user is no fault
                await act()
            await asyncio.sleep(self._random.uniform(0.1, 1.5))
        await self._heal()
        await self._settled()
        await self._judge()
        return self.outcome

    # What users do

    async def _begin(self) -> None:
        for number in range(4):
            camera = SimulatedCamera(name=f"source-{number}", width=160, height=120, fps=5, gop=5)
            await self._cluster.simulator.add(camera)
        await self._cluster.apply("CameraPool", "default", POOL)
        for _ in range(CAMERAS):
            await self._add_camera()
        await self._cluster.until(_all_captured, "everything is captured at the start", 60)

    async def _add_camera(self) -> None:
        if len(await self._cluster.cameras()) >= 2 * CAMERAS:
            return
        self._made += 1
        name = f"cam-{self._made}"
        source = SimulatedCamera(name=name, width=160, height=120, fps=5, gop=5)
        url = await self._cluster.simulator.add(source)
        exclusive = self._random.random() < 0.4
        rtsp = {"url": url, "session": "Exclusive" if exclusive else "Shared"}
        weight = self._random.choice((20, 50, 80))
        await self._cluster.apply("Camera", name, {"source": {"rtsp": rtsp}, "weight": weight})

    async def _delete_camera(self) -> None:
        names = sorted(await self._cluster.cameras())
        if len(names) > CAMERAS // 2:
            await self._cluster.delete("cameras", self._random.choice(names))

    async def _edit_camera(self) -> None:
        cameras = await self._cluster.cameras()
        if not cameras:
            return
        name = self._random.choice(sorted(cameras))
        edit: dict[str, Any] = self._random.choice(
            (
                {"weight": self._random.choice((20, 50, 80))},
                {"suspend": self._random.random() < 0.5},
                {"motion": {"sensitivity": self._random.randrange(100)}},
                {"poolRef": {"name": self._random.choice(("default", "default", "other"))}},
            )
        )
        await self._patch("cameras", name, {"spec": edit})

    async def _scale(self) -> None:
        replicas = self._random.choice((2, 3, 4))
        await self._patch("camerapools", "default", {"spec": {"replicas": replicas}})

    async def _pool(self) -> None:
        there = {
            one["metadata"]["name"] for one in (await self._cluster.get("camerapools"))["items"]
        }
        if "other" in there:
            await self._cluster.delete("camerapools", "other")
        else:
            await self._cluster.apply("CameraPool", "other", {**POOL, "replicas": 1})

    async def _patch(self, plural: str, name: str, body: Any) -> None:
        path = self._cluster.path(plural, name)
        await asyncio.to_thread(self._cluster.server.admin.merge, path, body)

    # What breaks

    async def _kill_operator(self) -> None:
        operator = self._random.choice(self._cluster.operators)
        operator.kill()
        await asyncio.sleep(self._random.uniform(0, 4))
        operator.start()

    async def _kill_worker(self) -> None:
        if alive := self._cluster.kubelet.alive():
            self._cluster.kubelet.kill(self._random.choice(alive))

    async def _lose_worker(self) -> None:
        alive = self._cluster.kubelet.alive()
        if not alive:
            return
        name = self._random.choice(alive)
        self._cluster.kubelet.kill(name, hold=True)
        await asyncio.sleep(self._random.uniform(2, 10))
        with contextlib.suppress(KeyError):  # scaled in meanwhile
            self._cluster.kubelet.release(name)

    async def _freeze_worker(self) -> None:
        alive = self._cluster.kubelet.alive()
        if not alive:
            return
        name = self._random.choice(alive)
        began = time.time()
        self._cluster.kubelet.pause(name)
        await asyncio.sleep(self._random.uniform(1, 12))
        with contextlib.suppress(KeyError, ProcessLookupError):
            self._cluster.kubelet.resume(name)
        self._frozen.append((began, time.time()))

    async def _kill_api_server(self) -> None:
        await asyncio.to_thread(self._cluster.server.kill)
        await asyncio.sleep(self._random.uniform(0, 5))
        await asyncio.to_thread(self._cluster.server.restart)

    async def _compact(self) -> None:
        """Forget everything that was: watches that break now get a 410."""
        await self._recorder.history()
        server, revision = self._cluster.server, self._recorder.revision
        await asyncio.to_thread(server.expire_history, revision)

    async def _cut(self) -> None:
        await self._wire.cut()

    async def _slow(self) -> None:
        await self._wire.delay(self._random.uniform(0.05, 0.4))
        await asyncio.sleep(self._random.uniform(1, 4))
        await self._wire.heal()

    async def _part_worker(self) -> None:
        """It runs and serves, and the API server is out of its reach."""
        if not self._own:
            return
        name = self._random.choice(sorted(self._own))
        self._cluster.kubelet.cut_off(name)
        await self._own[name].black_hole()
        await asyncio.sleep(self._random.uniform(2, 14))
        await self._own[name].heal()

    async def _strand_worker(self) -> None:
        """Its node is cut off and its pod deleted by force: another process gets its name."""
        names = sorted(self._own.keys() & set(self._cluster.kubelet.alive()))
        if not names:
            return
        name = self._random.choice(names)
        wire = self._own.pop(name)
        await wire.black_hole()
        await asyncio.to_thread(self._cluster.kubelet.strand, name)
        await asyncio.sleep(self._random.uniform(2, 14))
        if self._random.random() < 0.5:  # its network is back before its kubelet ends it
            await wire.heal()
            await asyncio.sleep(self._random.uniform(0, 3))
        await asyncio.to_thread(self._cluster.kubelet.sink)

    # The end

    async def _heal(self) -> None:
        await self._wire.heal()
        for operator in self._cluster.operators:
            if not operator.alive:
                operator.start()
        await self._cluster.apply("CameraPool", "default", POOL)
        weight = 0
        for name, camera in (await self._cluster.cameras()).items():
            weight += camera["spec"]["weight"]
            if weight > FITS:
                await self._cluster.delete("cameras", name)
                continue
            wanted = {"suspend": False, "poolRef": {"name": "default"}}
            if {key: camera["spec"].get(key) for key in wanted} != wanted:
                await self._patch("cameras", name, {"spec": wanted})
        await self._cluster.delete("camerapools", "other")

    async def _settled(self) -> None:
        await self._cluster.until(
            lambda cameras: _all_captured(cameras) and self._whole(),
            "everything is captured in the end",
            SETTLE_SECONDS,
        )

    def _whole(self) -> bool:
        """The pods of the default pool are there and ready, and no others."""
        pods = dict(self._cluster.kubelet.pods)
        wanted = {f"default-{ordinal}" for ordinal in range(REPLICAS)}
        return pods.keys() == wanted and all(pod.ready for pod in pods.values())

    async def _judge(self) -> None:
        history = await self._recorder.history()
        self.outcome.versions = len(history)
        found = check(history, justified=self._justified, lag=LAG_SECONDS)
        self.outcome.violations += map(str, found)
        await self._judge_sessions()
        await self._judge_leftovers()
        if not self.outcome.good:
            print(self._cluster.said(20_000), flush=True)

    def _justified(self, _: Move) -> bool:
        """Any: workers are lost, drained and evened out all the time here.

        That nothing moves without need is for quiet tests; epochs and budgets are judged here.
        """
        self.outcome.moves += 1
        return True

    async def _judge_sessions(self) -> None:
        """No two sessions of an Exclusive camera at once, but for those of the frozen."""
        for name, camera in (await self._cluster.cameras()).items():
            if camera["spec"]["source"]["rtsp"]["session"] != "Exclusive":
                continue
            played = [
                (one.playing, one.closed or time.time())
                for one in await self._cluster.simulator.sessions(name)
                if one.playing is not None
            ]
            for (_, ended), (begun, other) in pairwise(played):
                overlap = begun, min(ended, other)
                if overlap[0] < overlap[1] and not self._excused(*overlap):
                    text = f"{name} was read by two for {overlap[1] - overlap[0]:.3f} s"
                    self.outcome.violations.append(text)

    def _excused(self, begun: float, ended: float) -> bool:
        return any(
            frozen <= begun + 0.1 and ended <= woken + LET_GO_SECONDS
            for frozen, woken in self._frozen
        )

    async def _judge_leftovers(self) -> None:
        """What runs is what is assigned, and nothing is left of what was."""
        cameras = await self._cluster.cameras()
        pods = self._cluster.kubelet.pods
        running: dict[str, str] = {}
        for name, pod in pods.items():
            async with self._cluster.http.get(f"http://{pod.ip}:8080/live") as answer:
                for live in await answer.json():
                    if live["camera_id"] in running:
                        self.outcome.leaks.append(f"{live['camera_id']} runs twice")
                    running[live["camera_id"]] = name
        assigned = {name: one["status"]["assignment"]["worker"] for name, one in cameras.items()}
        if running != assigned:
            self.outcome.leaks.append(f"runs {running}, is assigned {assigned}")
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._cluster.namespace}/leases"
        wanted = {*pods, "camera-ingest-operator"}
        deadline = time.monotonic() + SETTLE_SECONDS
        while (leases := await self._names(path)) != wanted:
            if time.monotonic() > deadline:
                self.outcome.leaks.append(f"leases {sorted(leases)}, workers {sorted(wanted)}")
                break
            await asyncio.sleep(0.2)
        for name, pod in pods.items():
            process = psutil.Process(pod.program.pid)
            log.info(
                "worker",
                name=name,
                threads=process.num_threads(),
                megabytes=round(process.memory_info().rss / 1e6),
                descriptors=process.num_fds(),
            )

    async def _names(self, path: str) -> set[str]:
        items = (await asyncio.to_thread(self._cluster.server.admin.get, path))["items"]
        return {one["metadata"]["name"] for one in items}


def _all_captured(cameras: Mapping[str, Any]) -> bool:
    return bool(cameras) and all(map(captured, cameras.values()))


@asynccontextmanager
async def chaos(server: ApiServer, namespace: str, seed: int) -> AsyncIterator[Chaos]:
    """A world behind a bad network, recorded from its beginning."""
    options = ("--lease-duration-seconds", "5", "--lease-renew-seconds", "1")
    async with (
        record(server.etcd, namespace) as recorder,
        proxy(server.url) as wire,
        proxy(server.url) as first,
        proxy(server.url) as second,
        world(
            server,
            namespace,
            operators=2,
            options=options,
            url=wire.url,
            urls={"default-0": first.url, "default-1": second.url},
            judged=False,
        ) as cluster,
    ):
        own = {"default-0": first, "default-1": second}
        yield Chaos(cluster, wire, own, recorder, seed)


async def _run(server: ApiServer, seconds: float, seed: int) -> Outcome:
    with temporary_namespace(server.admin) as namespace:
        async with chaos(server, namespace, seed) as made:
            return await made.run(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    logs.configure("info", "console")
    print(f"seed {given.seed}", flush=True)
    server = ApiServer(binaries.available())
    try:
        server.start()
        install_crds(server.admin, Path(CRDS))
        outcome = asyncio.run(_run(server, given.seconds, given.seed))
    finally:
        server.stop()
    acts = ", ".join(f"{count} {name}" for name, count in sorted(outcome.acts.items()))
    print(f"acts: {acts}")
    print(f"versions recorded: {outcome.versions}; moves: {outcome.moves}")
    for line in (*outcome.violations, *outcome.leaks):
        print(f"BROKEN: {line}")
    print("1 passed, 0 failed" if outcome.good else "0 passed, 1 failed")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
