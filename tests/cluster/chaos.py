"""Break everything at random while users go on, and prove afterwards that the rules held.

`python -m tests.cluster.chaos --seconds 300` is the long run; `.ci/run` makes a short one. Every
choice comes from the seed, which is printed; when each takes effect is the machine's. What was
seen is judged by the history checker (every version of every Camera), by the simulator (who was
connected to an Exclusive camera when), by what is left in the end, and by what the programs hold.
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
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp
import psutil
import structlog

from ingest_core import logs
from ingest_core.names import OPERATOR_LEASE
from tests.cluster import binaries
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Refused
from tests.cluster.crds import install_crds
from tests.cluster.footprint import Footprint, footprints, grown
from tests.cluster.history import Move, check
from tests.cluster.leftovers import remains, strays
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.plugin import CRDS
from tests.cluster.programs import BEGINS_ANEW
from tests.cluster.proxy import Proxy, proxy
from tests.cluster.recorder import Recorder, record
from tests.cluster.sessions import Freeze, overlaps
from tests.cluster.users import REPLICAS, Users, all_captured
from tests.cluster.world import World, account, world

LAG_SECONDS: Final = 5.0  # for which an edit may be unknown to an operator whose network is slow
SETTLE_SECONDS: Final = 90.0
HANG_SECONDS: Final = 60.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass
class Outcome:
    """What a run found; empty lists are good."""

    seed: int
    acts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    versions: int = 0
    moves: int = 0
    leaders: int = 0  # how often another one led than before
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
        self._users = Users(cluster, self._random)
        self._frozen: list[Freeze] = []
        self._began: dict[str, Footprint] = {}  # the greatest of each program at the start
        self.outcome = Outcome(seed)

    async def run(self, seconds: float) -> Outcome:
        """Act for so long, heal, wait until everything is well, judge."""
        await self._users.begin()
        for program, held in await footprints(self._cluster):
            before = self._began.get(program, held)
            self._began[program] = max(before, held, key=lambda one: one.megabytes)
        until = time.monotonic() + seconds
        acts: Sequence[tuple[Callable[[], Awaitable[None]], int]] = (
            (self._kill_operator, 3),
            (self._freeze_leader, 2),
            (self._kill_worker, 4),
            (self._lose_worker, 2),
            (self._freeze_worker, 3),
            (self._kill_api_server, 1),
            (self._compact, 1),
            (self._cut, 3),
            (self._slow, 2),
            (self._part_worker, 3),
            (self._strand_worker, 1),
            (self._users.add_camera, 5),
            (self._users.delete_camera, 3),
            (self._users.edit_camera, 4),
            (self._users.scale, 2),
            (self._users.pool, 2),
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

    # What breaks

    async def _kill_operator(self) -> None:
        """It is back before its Lease has run out, or after."""
        operator = self._random.choice(self._cluster.operators)
        operator.kill()
        shortly, long = self._random.uniform(0, 4), self._random.uniform(7, 10)
        await asyncio.sleep(self._random.choice((shortly, long)))
        operator.start()

    async def _freeze_leader(self) -> None:
        """Until the other one leads: then it may write nothing more, and begins anew."""
        number = await self._leader()
        operator = self._cluster.operators[number]
        operator.pause()
        try:
            await self._users.add_camera()  # which is for the other one
            await self._leader(but=number)
        finally:
            woken = self._cluster.server.audit.position()
            before = operator.times(BEGINS_ANEW)
            operator.resume()
        deadline = time.monotonic() + HANG_SECONDS
        while operator.times(BEGINS_ANEW) == before and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        user = f"{self._cluster.namespace}:{account('operator', number)}"
        self.outcome.violations += [
            f"a leader whose Lease had run out wrote: {one}"
            for one in self._cluster.server.audit.requests(woken)
            if one.user == f"system:serviceaccount:{user}"
            and one.verb not in ("get", "list", "watch")
            and one.code < HTTPStatus.BAD_REQUEST
        ]
        if operator.times(BEGINS_ANEW) == before:
            self.outcome.violations.append(f"a leader that lost its Lease went on: {operator.name}")

    async def _leader(self, but: int | None = None) -> int:
        """Wait until an operator says that it leads: its number."""
        deadline = time.monotonic() + HANG_SECONDS
        while True:
            for number, url in enumerate(self._cluster.probes):
                if number != but and await self._leads(url):
                    return number
            assert time.monotonic() < deadline, f"nobody leads\n{self._cluster.said()}"
            await asyncio.sleep(0.1)

    async def _leads(self, url: str) -> bool:
        try:
            async with self._cluster.http.get(f"{url}/metrics") as answer:
                return "\ncamera_ingest_operator_leader 1.0\n" in await answer.text()
        except aiohttp.ClientError:
            return False

    async def _kill_worker(self) -> None:
        with self._cluster.kubelet.still() as running:
            if running:
                self._cluster.kubelet.kill(self._random.choice(running))

    async def _lose_worker(self) -> None:
        with self._cluster.kubelet.still() as running:
            if not running:
                return
            name = self._random.choice(running)
            self._cluster.kubelet.kill(name, hold=True)
        await asyncio.sleep(self._random.uniform(2, 10))
        with contextlib.suppress(KeyError):  # scaled in meanwhile
            self._cluster.kubelet.release(name)

    async def _freeze_worker(self) -> None:
        with self._cluster.kubelet.still() as running:
            if not running:
                return
            name = self._random.choice(running)
            self._cluster.kubelet.pause(name)
            began = time.time()
            clients = _clients(self._cluster.kubelet.pods[name].program.pid)
        await asyncio.sleep(self._random.uniform(1, 12))
        with contextlib.suppress(KeyError, ProcessLookupError):
            self._cluster.kubelet.resume(name)
        self._frozen.append(Freeze(began, time.time(), clients))

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
        with self._cluster.kubelet.still() as running:
            names = sorted(self._own.keys() & set(running))
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
        await self._users.end()

    async def _settled(self) -> None:
        await self._cluster.until(
            lambda cameras: all_captured(cameras) and self._whole(),
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
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._cluster.namespace}/leases"
        lease = await asyncio.to_thread(self._cluster.server.admin.get, f"{path}/{OPERATOR_LEASE}")
        self.outcome.leaders = lease["spec"].get("leaseTransitions", 0)
        found = check(history, justified=self._justified, lag=LAG_SECONDS)
        self.outcome.violations += map(str, found)
        await self._judge_sessions()
        await self._judge_leftovers()
        await self._judge_footprints()
        if not self.outcome.good:
            print(self._cluster.said(20_000), flush=True)

    def _justified(self, _: Move) -> bool:
        """Any: workers are lost, drained and evened out all the time here.

        That nothing moves without need is for quiet tests; epochs and budgets are judged here.
        """
        self.outcome.moves += 1
        return True

    async def _judge_sessions(self) -> None:
        """No two sessions of an Exclusive camera at once, whether it is there still or not."""
        for name in sorted(self._users.exclusive):
            sessions = await self._cluster.simulator.sessions(name)
            self.outcome.violations += overlaps(name, sessions, self._frozen, time.time())

    async def _judge_leftovers(self) -> None:
        """What runs is what is assigned, and nothing is left of what was."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while left := [
            *await strays(self._cluster, self._users.made),
            *await remains(self._cluster),
        ]:
            if time.monotonic() > deadline:
                self.outcome.leaks += left
                break
            await asyncio.sleep(0.2)

    async def _judge_footprints(self) -> None:
        for program, held in await footprints(self._cluster):
            log.info("held", program=program, before=self._began[program], after=held)
            self.outcome.leaks += grown(program, self._began[program], held)


def _clients(pid: int) -> frozenset[str]:
    """A process's ends of its TCP connections, as who is called by them sees them."""
    connections = psutil.Process(pid).net_connections("tcp")
    return frozenset(f"{one.laddr.ip}:{one.laddr.port}" for one in connections)


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
    print(f"versions: {outcome.versions}; moves: {outcome.moves}; new leaders: {outcome.leaders}")
    for line in (*outcome.violations, *outcome.leaks):
        print(f"BROKEN: {line}")
    print("1 passed, 0 failed" if outcome.good else "0 passed, 1 failed")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
