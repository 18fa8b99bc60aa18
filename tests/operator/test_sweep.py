"""What the watches lost is found; a watch that is dead ends the process."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from ingest_core.errors import ApiForbidden, ApiNotFound, ApiUnavailable
from ingest_core.kube.client import Call
from ingest_core.kube.resources import CAMERAS, LEASES, POOLS
from ingest_core.names import OPERATOR_LEASE
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.sight import SightedClock
from ingest_operator.sweep import GRACE_SECONDS, SILENCE_SECONDS, Sweeper, WatchDead
from ingest_operator.watchdog import TICK_SECONDS, Watchdog
from tests.fakes.memory_api import (
    Event,
    MemoryApi,
    MemoryServer,
    put_camera,
    put_lease,
    put_pool,
)
from tests.fakes.operator_parts import feed, until
from tests.fakes.virtual_time import in_virtual_time


class Eyes:
    """A sweeper and a watchdog over a server in memory; the watches see while they are `open`."""

    def __init__(self, every: float = 300) -> None:
        now = asyncio.get_running_loop().time
        self.server = MemoryServer()
        clock = SightedClock(3.0, now)
        self.api = MemoryApi(self.server, clock.called)
        self.cluster = Cluster(lambda: None, clock, 3.0)
        self.open = True
        self.server.watches.append(self._see)
        self.sweeper = Sweeper(self.api, self.cluster)
        self.sweeps = 0
        self.watchdog = Watchdog(self.sweeper, every=every, swept=self._count, now=now)

    def _see(self, event: Event) -> None:
        if self.open:
            feed(self.cluster, event)

    def _count(self) -> None:
        self.sweeps += 1

    async def renew(self, seconds: float) -> None:
        """Let time pass, in which a Lease is renewed and the server heard, as in any cluster."""
        for second in range(int(seconds)):
            put_lease(self.server, "default-0", f"{second}")
            await self.api.get(LEASES, "default-0")
            await asyncio.sleep(1)


@in_virtual_time
async def test_at_the_beginning_everything_is_read_page_by_page() -> None:
    eyes = Eyes()
    eyes.open = False
    put_pool(eyes.server)
    for number in range(1203):
        put_camera(eyes.server, f"c{number:04}")
    put_lease(eyes.server, "default-0", "t")
    eyes.server.put(LEASES, "of-another-program", spec={"holderIdentity": "x"})
    await eyes.sweeper.begin()
    assert len(eyes.cluster.cameras) == 1203
    assert (set(eyes.cluster.pools), set(eyes.cluster.leases)) == ({"default"}, {"default-0"})
    assert len(eyes.api.calls("list", "cameras")) == 3


@in_virtual_time
async def test_what_was_gone_before_the_beginning_is_older_than_what_was_read() -> None:
    """An id of a camera that is no more goes on with epochs above all that it had."""
    eyes = Eyes()
    eyes.open = False
    put_camera(eyes.server, "a")
    put_camera(eyes.server, "b")
    eyes.server.drop(CAMERAS, "b")
    gone = eyes.server.version
    await eyes.sweeper.begin()
    assert eyes.cluster.version == gone


@in_virtual_time
async def test_a_deletion_that_no_watch_told_is_swept() -> None:
    eyes = Eyes()
    for name in ("a", "b"):
        put_camera(eyes.server, name)
    put_pool(eyes.server)
    eyes.open = False
    eyes.server.drop(CAMERAS, "a")
    eyes.server.drop(POOLS, "default")
    await eyes.sweeper.look()
    assert (set(eyes.cluster.cameras), set(eyes.cluster.pools)) == ({"b"}, set())


@in_virtual_time
async def test_what_is_made_while_it_is_listed_is_not_swept() -> None:
    eyes = Eyes()
    put_camera(eyes.server, "a")

    async def meanwhile(call: Call) -> None:
        if call.resource is CAMERAS and eyes.server.find(CAMERAS, "b") is None:
            put_camera(eyes.server, "b")

    eyes.api.after = meanwhile
    await eyes.sweeper.look()
    assert set(eyes.cluster.cameras) == {"a", "b"}


@in_virtual_time
async def test_a_watch_need_not_have_told_of_what_was_made_anew_a_moment_ago() -> None:
    eyes = Eyes()
    put_camera(eyes.server, "a")
    eyes.open = False
    put_camera(eyes.server, "a", weight=7)

    async def anew() -> None:
        await asyncio.sleep(GRACE_SECONDS / 2)
        eyes.open = True
        eyes.server.drop(CAMERAS, "a")
        eyes.open = False
        put_camera(eyes.server, "a")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(anew())
        await eyes.sweeper.look()
    assert not eyes.cluster.cameras


@pytest.mark.parametrize("change", ["added", "changed"])
def test_a_watch_that_does_not_tell_what_is_listed_is_dead(change: str) -> None:
    @in_virtual_time
    async def look() -> None:
        eyes = Eyes()
        put_camera(eyes.server, "a")
        eyes.open = False
        put_camera(eyes.server, "a" if change == "changed" else "b", weight=7)
        with pytest.raises(WatchDead, match="the watch of cameras did not tell of "):
            await eyes.sweeper.look()

    look()


@in_virtual_time
async def test_a_watch_that_is_only_late_is_alive() -> None:
    eyes = Eyes()
    eyes.open = False
    made = put_camera(eyes.server, "a")
    loop = asyncio.get_running_loop()
    loop.call_later(GRACE_SECONDS - 1, eyes.cluster.see, Kind.CAMERA, made)
    await eyes.sweeper.look()


@in_virtual_time
async def test_what_was_deleted_meanwhile_need_not_be_told() -> None:
    eyes = Eyes()
    eyes.open = False
    put_camera(eyes.server, "a")
    asyncio.get_running_loop().call_later(1, eyes.server.drop, CAMERAS, "a")
    await eyes.sweeper.look()


# The watchdog


async def running(eyes: Eyes, *parts: Callable[[], object]) -> None:
    """Run the watchdog beside something that is done first."""
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(eyes.watchdog.run())
        for part in parts:
            result = part()
            if asyncio.iscoroutine(result):
                await result
        watching.cancel()


@in_virtual_time
async def test_it_has_begun_only_once_everything_was_read() -> None:
    eyes = Eyes()

    async def fail(call: Call) -> None:
        if call.label == "pods":
            raise ApiUnavailable("the API server is away")

    async def check() -> None:
        eyes.api.before = fail
        await asyncio.sleep(30)
        assert not eyes.watchdog.begun.is_set()
        eyes.api.before = nothing
        await until(eyes.watchdog.begun.is_set, seconds=1.5)

    await running(eyes, check)


async def nothing(_call: Call) -> None:
    pass


@in_virtual_time
async def test_what_is_in_the_way_is_said_once_a_minute_until_it_is_gone() -> None:
    eyes = Eyes()

    async def refuse(_call: Call) -> None:
        raise ApiNotFound(404, "", "")

    async def check() -> None:
        eyes.api.before = refuse
        with capture_logs() as lines:
            await asyncio.sleep(150)
            assert [one["event"] for one in lines] == ["waiting_for_the_cluster"] * 3
            assert not eyes.watchdog.reached.is_set()
            assert "kubectl apply -f crds/" in str(eyes.watchdog.obstacle)
            eyes.api.before = nothing
            await until(eyes.watchdog.begun.is_set, seconds=1.5)
            assert lines[-1]["event"] == "the_cluster_can_be_read"
            assert eyes.watchdog.obstacle is None

    await running(eyes, check)


@in_virtual_time
async def test_whoever_asks_whether_everything_can_be_read_waits_until_it_can() -> None:
    eyes = Eyes()

    async def refuse(call: Call) -> None:
        if call.label == "pods":
            raise ApiForbidden(403, "Forbidden", "pods is forbidden")

    async def check() -> None:
        await until(eyes.watchdog.begun.is_set)
        eyes.api.before = refuse
        asked = [asyncio.ensure_future(eyes.watchdog.reach()) for _ in range(3)]
        await asyncio.sleep(10)
        assert not any(one.done() for one in asked)
        assert "pods is forbidden" in str(eyes.watchdog.obstacle)
        eyes.api.before = nothing
        await asyncio.gather(*asked)
        assert eyes.watchdog.obstacle is None

    await running(eyes, check)


@in_virtual_time
async def test_a_namespace_is_asked_for_by_making_nothing_in_it() -> None:
    eyes = Eyes()
    await eyes.sweeper.reach()
    (made,) = eyes.api.calls("create")
    assert made.query == {"dryRun": "All"}
    assert not eyes.server.every(LEASES)
    eyes.server.put(LEASES, OPERATOR_LEASE)
    await eyes.sweeper.reach()
    assert len(eyes.api.calls("create")) == 1, "a Lease that is there says as much"


@in_virtual_time
async def test_every_so_often_everything_is_looked_at() -> None:
    eyes = Eyes(every=60)
    await running(eyes, lambda: eyes.renew(200))
    assert eyes.sweeps == 3


@in_virtual_time
async def test_what_was_deleted_while_a_watch_began_anew_is_found_soon() -> None:
    eyes = Eyes(every=300)
    put_camera(eyes.server, "a")

    async def check() -> None:
        eyes.watchdog.hurry()
        await until(eyes.watchdog.begun.is_set)
        await eyes.renew(2 * TICK_SECONDS)
        assert eyes.sweeps == 0, "what was read at the beginning is not read again"
        eyes.open = False
        eyes.server.drop(CAMERAS, "a")
        eyes.open = True
        eyes.watchdog.hurry()
        await eyes.renew(TICK_SECONDS + 1)
        assert not eyes.cluster.cameras
        await eyes.renew(2 * TICK_SECONDS)
        assert eyes.sweeps == 1

    await running(eyes, check)


@pytest.mark.parametrize(
    "error", [ApiUnavailable("away"), ApiForbidden(403, "Forbidden", "rbac is being changed")]
)
def test_a_look_that_failed_is_done_again_soon(error: Exception) -> None:
    @in_virtual_time
    async def look() -> None:
        eyes = Eyes(every=60)

        async def fail(call: Call) -> None:
            if call.verb == "list":
                raise error

        async def check() -> None:
            await until(eyes.watchdog.begun.is_set)
            eyes.api.before = fail
            await eyes.renew(90)
            assert eyes.sweeps == 0
            eyes.api.before = nothing
            await eyes.renew(2 * TICK_SECONDS)
            assert eyes.sweeps == 1

        await running(eyes, check)

    look()


@in_virtual_time
async def test_a_watch_of_leases_that_is_silent_while_the_server_answers_is_dead() -> None:
    eyes = Eyes(every=3600)
    began = asyncio.get_running_loop().time()

    async def check() -> None:
        await until(eyes.watchdog.begun.is_set)
        eyes.open = False
        await eyes.renew(600)

    with pytest.raises(ExceptionGroup) as ended:
        await running(eyes, check)
    assert ended.group_contains(WatchDead, match="the watch of Leases has told nothing for")
    took = asyncio.get_running_loop().time() - began
    assert SILENCE_SECONDS < took < SILENCE_SECONDS + 2 * TICK_SECONDS


@in_virtual_time
async def test_a_watch_that_is_silent_in_an_outage_of_the_server_is_not_dead() -> None:
    eyes = Eyes(every=3600)

    async def check() -> None:
        await until(eyes.watchdog.begun.is_set)
        await asyncio.sleep(600)
        await eyes.renew(60)

    await running(eyes, check)
