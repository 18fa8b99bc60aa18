"""One repetition of a scenario: who is hit, when, and what became of every camera meanwhile."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from bench.reliability import heard, truth
from bench.reliability.heard import Heard
from bench.reliability.result import Account, CameraResult, Repetition
from bench.reliability.sight import Pod, Sight
from bench.reliability.stage import Stage
from bench.reliability.truth import Window
from ingest_simulator.session import SessionRecord
from tests.cluster.sessions import overlaps

_BEFORE: Final = 1.0  # s of a window before its fault
_AFTER: Final = 3.0  # s of it after all is well: it has to last, and consumers have to hear of it


class Turn:
    """Made when all is well; a scenario judges once in it.

    Attributes:
        stage: Where it plays.
        number: Of the repetition, from 0; which worker is hit depends on it alone.
        before: What was there before the fault.
        account: Of events, where the scenario counted them.
    """

    def __init__(self, stage: Stage, number: int) -> None:
        """Wait until all is well. Raises NotWell."""
        self.stage = stage
        self.number = number
        self.account: Account | None = None
        self._began = stage.clock.time()
        self._window: Window | None = None
        self._cameras: tuple[CameraResult, ...] = ()
        self._violations: tuple[str, ...] = ()
        self._lost_events: int | None = None
        self.before: Sight = stage.until_even()

    @property
    def workers(self) -> list[Pod]:
        """All of them, by their names."""
        return list(self.before.workers)

    def worker(self) -> Pod:
        """Whose turn it is."""
        return self.workers[self.number % len(self.workers)]

    def fresh_worker(self) -> Pod:
        """The same, in a pod whose container has not ended yet.

        One that ends again within ten minutes is started after kubelet's back-off, 10 s and more.
        """
        self.stage.cluster.kubectl("delete", "pod", self.worker().name)
        self.before = self.stage.until_even()
        return self.worker()

    def node(self) -> str:
        """Whose turn it is, of the nodes that have a worker and not Redis: it is to tell.

        The worker beside Redis is another one now. It would never be hit, and so gather cameras
        that a rebalance moves last.
        """
        spared = self.before.redis.node if self.before.redis else None
        for one in self.on(spared or ""):
            self.stage.cluster.kubectl("delete", "pod", one.name)
        self.before = self.stage.until_even()
        nodes = sorted({one.node for one in self.workers if one.node and one.node != spared})
        return nodes[self.number % len(nodes)]

    def on(self, node: str) -> list[Pod]:
        return [one for one in self.workers if one.node == node]

    @contextmanager
    def judged(self, hit: Collection[Pod], *, listening: bool = True) -> Iterator[None]:
        """Judge what happens in the block to those who are hit, and to all others.

        Args:
            hit: To whom the block does something.
            listening: Whether events can be heard all the time.
        """
        stage = self.stage
        if self.before.redis and self.before.redis.host:
            stage.ears.follow(self.before.redis.host)
        stage.ears.forget()
        began = stage.clock.time()
        stage.clock.sleep(_BEFORE)
        try:
            yield
            stage.clock.sleep(_AFTER)
        finally:
            self._window = Window(began, stage.clock.time())
            hosts = frozenset(one.host for one in hit if one.host)
            self._judge(self._window, hosts, listening=listening)

    def result(self) -> Repetition:
        """What came of it, so far."""
        now = self.stage.clock.time()
        window = self._window or Window(now, now)
        return Repetition(
            began=window.began,
            ended=window.ended,
            seconds=now - self._began,
            cameras=self._cameras,
            violations=self._violations,
            lost_events=self._lost_events,
            account=self.account,
        )

    def _judge(self, window: Window, hosts: Collection[str], *, listening: bool) -> None:
        sessions = self.stage.cameras.sessions()
        events = self.stage.ears.heard()
        self._cameras = tuple(
            self._outcome(name, found, events.get(name, ()) if listening else None, window, hosts)
            for name, found in sorted(sessions.items())
        )
        self._violations = tuple(self._read_by_two(sessions, events, window))
        if listening:
            self._lost_events = sum(heard.missing(found) for found in events.values())

    def _outcome(
        self,
        name: str,
        sessions: Sequence[SessionRecord],
        events: Sequence[Heard] | None,
        window: Window,
        hosts: Collection[str],
    ) -> CameraResult:
        stage = self.stage
        return CameraResult(
            name=name,
            session=stage.kinds[name],
            affected=not truth.read_by(sessions, window.began).isdisjoint(hosts),
            sent=truth.outcome(sessions, stage.cuts, window, stage.fps),
            told=None if events is None else heard.outcome(events, window, stage.fps),
        )

    def _read_by_two(
        self,
        sessions: Mapping[str, Sequence[SessionRecord]],
        events: Mapping[str, Sequence[Heard]],
        window: Window,
    ) -> Iterator[str]:
        """A sentence for each two that read an Exclusive camera at once."""
        for name in (name for name, kind in self.stage.kinds.items() if kind == "Exclusive"):
            found = sessions.get(name, ())
            lately = [one for one in found if one.closed is None or one.closed > window.began]
            yield from overlaps(
                name, lately, truth.excuses(lately, self.stage.cuts), now=window.ended
            )
            for one, other, seconds in heard.read_by_two(events.get(name, ())):
                yield f"{name}: {one} and {other} told of its frames at once for {seconds:.2f} s"
