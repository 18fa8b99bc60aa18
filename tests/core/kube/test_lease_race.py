"""Candidates for one Lease over bad lines, with clocks of their own: never two at once."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingest_core.errors import ApiUnavailable, LeaseLost
from ingest_core.kube.client import Call
from ingest_core.kube.lease import LeaseHolder
from ingest_core.kube.resources import LEASES
from tests.fakes.memory_api import MemoryApi, MemoryServer
from tests.fakes.virtual_time import in_virtual_time

DURATION = 10
SECONDS = 180.0


class Candidate(LeaseHolder):
    """One that says when it begins or goes on to hold."""

    said: Callable[["Candidate"], None]

    def _hold(self, sent: float) -> None:
        super()._hold(sent)
        self.said(self)


class Race:
    """Three at a time; each may crash or let go, and another one comes in its place.

    Attributes:
        now: Those that live.
        terms: How often somebody began to hold.
    """

    def __init__(self, seed: int, trouble: float) -> None:
        self._draw = random.Random(seed)
        self._trouble = trouble
        self._server = MemoryServer()
        self._came = 0
        self.now: list[Candidate] = []
        self.terms: list[str] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            runners = [tasks.create_task(self._lives()) for _ in range(3)]
            meddler = tasks.create_task(self._meddle())
            await asyncio.sleep(SECONDS)
            self._trouble = 0.0
            meddler.cancel()
            await asyncio.sleep(DURATION + 30)
            assert sum(one.holds for one in self.now) == 1, "in the end, somebody does"
            for runner in runners:
                runner.cancel()

    async def _lives(self) -> None:
        while True:
            one = self._candidate()
            self.now.append(one)
            task = asyncio.create_task(one.run())
            try:
                await asyncio.wait([task], timeout=15 + self._draw.expovariate(1 / 30))
                if self._trouble == 0.0:
                    await asyncio.wait([task])
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                if self._draw.random() < 0.5:
                    await one.release()
                self.now.remove(one)
            if not task.cancelled():
                assert isinstance(task.exception(), LeaseLost)

    async def _meddle(self) -> None:
        """People write on it now and then."""
        while True:
            await asyncio.sleep(self._draw.uniform(0, 30))
            if self._server.find(LEASES, "operator"):
                label = {"by": f"{self._draw.random()}"}
                self._server.put(LEASES, "operator", metadata={"labels": label})

    def _candidate(self) -> Candidate:
        self._came += 1
        api = MemoryApi(self._server)
        api.before = api.after = self._line()
        offset, time = self._draw.uniform(-1e5, 1e5), asyncio.get_running_loop().time
        one = Candidate(
            api,
            "operator",
            f"candidate-{self._came}",
            duration=DURATION,
            renew=3.0,
            manager="test",
            patient=True,
            now=lambda: time() + offset,
            draw=self._draw.random,
        )
        one.said = self._check
        return one

    def _line(self) -> Callable[[Call], Awaitable[None]]:
        async def hop(_call: Call) -> None:
            luck = self._draw.random()
            if luck < self._trouble / 8:
                await asyncio.sleep(self._draw.uniform(0, 20))
            elif luck < self._trouble / 2:
                await asyncio.sleep(self._draw.uniform(0, 3))
            else:
                await asyncio.sleep(self._draw.uniform(0, 0.02))
            if self._draw.random() < self._trouble / 2:
                raise ApiUnavailable("lost")

        return hop

    def _check(self, holder: Candidate) -> None:
        if holder.holds:
            assert [one for one in self.now if one.holds] == [holder]
            name = holder._identity
            if not self.terms or self.terms[-1] != name:
                self.terms.append(name)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), trouble=st.sampled_from([0.05, 0.3, 0.7]))
def test_at_every_moment_at_most_one_holds(seed: int, trouble: float) -> None:
    with capture_logs():
        _race(seed, trouble)


@in_virtual_time
async def _race(seed: int, trouble: float) -> None:
    race = Race(seed, trouble)
    await race.run()
    assert race.terms
