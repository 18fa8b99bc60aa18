"""When a worker may have Exclusive sessions: never with a Lease that may be another's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from ingest_core.errors import RegistryUnavailable
from ingest_core.kube.lease import Term
from ingest_worker.deadline import Fence
from ingest_worker.tenure import Tenure
from tests.fakes.virtual_time import in_virtual_time

SETTLE, LEASE = 3.0, 8.0


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


class Held:
    """A Lease that a test renews, and the tenure by it. `changes`: when it changed, and to what."""

    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.began = self.now()
        self.term = Term(float("-inf"), float("-inf"))
        self.away = False
        self.refreshed: list[float] = []
        self.refreshing = 0.0
        self.changes: list[tuple[float, bool]] = []
        self.tenure = Tenure(
            lambda: self.term,
            SETTLE,
            refresh=self._refresh,
            changed=lambda: self.changes.append((self._at(), self.tenure.fence is not None)),
            now=self.now,
        )

    def fence(self) -> Fence | None:
        """What the tenure says now."""
        return self.tenure.fence

    def renew(self) -> None:
        now = self.now()
        if now < self.term.until:
            self.term.until = now + LEASE
        else:
            self.term = Term(now, now + LEASE)

    async def renew_for(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.renew()
            await asyncio.sleep(1)

    def _at(self) -> float:
        return round(self.now() - self.began, 1)

    async def _refresh(self) -> None:
        self.refreshed.append(self._at())
        await asyncio.sleep(self.refreshing)
        if self.away:
            raise RegistryUnavailable("away")


@asynccontextmanager
async def held() -> AsyncIterator[Held]:
    one = Held()
    task = asyncio.create_task(one.tenure.run())
    assert one.fence() is None
    yield one
    task.cancel()
    await asyncio.wait([task])


@in_virtual_time
async def test_a_lease_counts_once_it_was_held_for_a_while_and_what_is_assigned_was_read() -> None:
    async with held() as one:
        assert one.fence() is None
        await one.renew_for(60)
        assert one.changes == [(SETTLE, True)]
        assert one.refreshed == [SETTLE]
        assert one.fence() is one.term


@in_virtual_time
async def test_who_has_no_such_camera_reads_nothing_until_it_asks() -> None:
    one = Held()
    task = asyncio.create_task(one.tenure.run())
    await one.renew_for(60)
    assert one.refreshed == []
    assert one.fence() is None
    await one.renew_for(1)
    assert one.fence() is one.term
    assert len(one.refreshed) == 1
    task.cancel()
    await asyncio.wait([task])


@in_virtual_time
async def test_while_another_of_its_name_may_live_no_session_is_opened() -> None:
    async with held() as one:
        alone = one.now() + 20
        one.term = Term(one.now(), one.now() + LEASE, alone)
        await one.renew_for(19)
        assert (one.tenure.alone, one.fence()) == (False, None)
        await one.renew_for(2)
        assert (one.tenure.alone, one.fence()) == (True, one.term)
        assert one.changes == [(20, True)]
        assert one.refreshed == [20]


@in_virtual_time
async def test_who_was_waited_for_long_ago_is_not_waited_for_again() -> None:
    async with held() as one:
        alone = one.now() + 4
        one.term = Term(one.now(), one.now() + LEASE, alone)
        await asyncio.sleep(LEASE + 2)
        one.term = Term(one.now(), one.now() + LEASE, alone)
        await one.renew_for(5)
        assert one.changes == [(4, True), (8, False), (13, True)]


@in_virtual_time
async def test_a_lease_that_was_not_renewed_counts_no_more_at_that_very_moment() -> None:
    async with held() as one:
        await one.renew_for(10)
        fence = one.fence()
        assert fence is not None
        await asyncio.sleep(LEASE - 1.001)
        assert one.fence() is fence
        await asyncio.sleep(0.002)
        assert one.fence() is None
        await asyncio.sleep(0.1)
        assert [open_ for _, open_ in one.changes] == [True, False]


@in_virtual_time
async def test_a_loop_that_is_late_is_not_believed() -> None:
    async with held() as one:
        await one.renew_for(10)
        assert one.fence() is not None
        one.term.until = one.now()  # and nobody had a turn since
        assert one.fence() is None


@in_virtual_time
async def test_a_lease_that_was_lost_for_a_moment_begins_anew() -> None:
    async with held() as one:
        await one.renew_for(10)
        before = one.fence()
        await asyncio.sleep(LEASE)
        await one.renew_for(2)
        assert one.fence() is None, "whoever took it for lost is still to be heard of"
        await one.renew_for(3)
        assert one.fence() is one.term
        assert one.fence() is not before
        assert [open_ for _, open_ in one.changes] == [True, False, True]
        assert len(one.refreshed) == 2


@in_virtual_time
async def test_a_process_that_slept_through_the_end_knows_it_by_the_term() -> None:
    async with held() as one:
        await one.renew_for(10)
        mine = one.fence()
        one.term = Term(one.now(), one.now() + LEASE)  # it lapsed and was renewed within one look
        await one.renew_for(10)
        assert one.fence() is one.term
        assert one.fence() is not mine
        assert [open_ for _, open_ in one.changes] == [True, False, True]


@in_virtual_time
async def test_while_what_is_assigned_cannot_be_read_no_session_is_opened() -> None:
    async with held() as one:
        one.away = True
        await one.renew_for(20)
        assert one.fence() is None
        assert len(one.refreshed) > 5
        one.away = False
        await one.renew_for(2)
        assert one.fence() is one.term


@in_virtual_time
async def test_a_reading_that_outlasts_the_lease_does_not_count() -> None:
    async with held() as one:
        one.refreshing = 2 * LEASE
        one.renew()
        await asyncio.sleep(SETTLE + LEASE)
        one.renew()
        one.refreshing = 0.0
        await asyncio.sleep(LEASE)
        assert one.changes == []
        await one.renew_for(SETTLE + 2)
        assert one.fence() is one.term
