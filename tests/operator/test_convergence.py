"""Whatever happens, and whatever is told of it, everything ends where it should be.

A state machine: users, workers and nodes do what they do, in any order; events are lost, doubled,
late and out of order; operators are replaced, with writes of theirs still under way. In between
nothing may be broken, and after a quiet while nothing is left to do.
"""

import asyncio
import itertools
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from prometheus_client import CollectorRegistry

from ingest_core import metrics, names
from ingest_core.errors import ApiUnavailable
from ingest_core.kube.client import Call
from ingest_core.kube.resources import CAMERAS, LEASES, PODS, POOLS
from ingest_operator import autoscale, ids
from ingest_operator.cluster import Cluster
from ingest_operator.placement import Budget, Rebalance
from ingest_operator.plan import Cause, Plan, PoolRules, Write, plan
from ingest_operator.state import CameraState, Life, WorkerState, camera_state
from ingest_operator.sweep import Sweeper
from ingest_operator.workers import workers
from ingest_operator.writer import Writer
from tests.fakes.memory_api import Event, MemoryApi, MemoryServer, put_camera, put_pool
from tests.fakes.modelled_worker import ModelledWorker
from tests.fakes.operator_parts import feed

WORKERS: Final = ("default-0", "default-1", "default-2", "other-0")
CAMERAS_: Final = tuple(f"c{number}" for number in range(5))
SHARED: Final = "c0"  # the others are Exclusive, for as long as they are there
POOLS_: Final = ("default", "other")
PATIENCE: Final = 2.7
PROMPTLY: Final = 1.5
SKEW: Final = 30
MOVES: Final = 2

_LEASES: Final = LEASES.plural


class Pass(Enum):
    """What becomes of a pass."""

    WHOLE = "it is written"
    IN_PART = "some of it is written"
    REFUSED = "the connection breaks before the server did what it was asked"
    UNANSWERED = "the connection breaks before the answer came"


class Leader:
    """One process of the operator: what it was told, and its hand."""

    def __init__(self, server: MemoryServer, time: "Time") -> None:
        self.api = MemoryApi(server)
        self.cluster = Cluster(lambda: None, time, PATIENCE)
        self.inbox: list[Event] = []
        errors = metrics.RECONCILE_ERRORS.counter(CollectorRegistry())
        self.writer = Writer(self.api, self.cluster, holds=lambda: True, errors=errors)
        server.watches.append(self.inbox.append)

    def workers(self) -> dict[str, WorkerState]:
        pools = self.cluster.pools
        replicas = {name: autoscale.replicas(one, 0, 0) for name, one in pools.items()}
        ending = frozenset(name for name, pod in self.cluster.pods.items() if pod.terminating)
        return dict(workers(self.cluster.leases, ending, replicas, self.cluster.clock()))

    def budgets(self) -> dict[str, Budget]:
        return {
            name: Budget(one.spec.worker.weight_capacity, one.spec.worker.max_cameras)
            for name, one in self.cluster.pools.items()
        }

    def plan(self) -> Plan:
        rules = {
            name: PoolRules(budget, Rebalance(SKEW, MOVES))
            for name, budget in self.budgets().items()
        }
        cluster = self.cluster
        return plan(
            cluster.cameras.values(),
            self.workers(),
            rules,
            "now",
            cluster.version,
            predecessors=cluster.predecessors,
        )

    def knows(self, found: Any) -> bool:
        """Does it know who has this Camera?"""
        camera = camera_state(found)
        there = self.cluster.cameras.get(camera.name)
        return there is not None and (there.uid, there.epoch, there.holder) == (
            camera.uid,
            camera.epoch,
            camera.holder,
        )


class Time:
    """Monotonic seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Namespace(RuleBasedStateMachine):
    """Rules are what may happen; invariants what may not."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.time = Time()
        self.server = MemoryServer()
        self.server.watches.append(self.record)
        self.epochs: dict[tuple[str, int], Any] = {}
        self.holders: dict[
            str, tuple[str, int]
        ] = {}  # uid and epoch of who had a worker last, by id
        self.latest: dict[str, tuple[str, int]] = {}  # uid and epoch, by name
        self.ids: dict[str, str] = {}  # by uid
        self.untold: set[str] = set()  # uids of which the leader cannot know who had them
        self.blind = False
        self.slow: set[str] = set()
        self.rounds = 0
        self.fleet = {name: ModelledWorker(name, self.server, self.time) for name in WORKERS}
        for pool in POOLS_:
            self.a_pool_is_applied(pool, 3, 100, 100)
        self.leader = self.elected()

    def teardown(self) -> None:
        try:
            self.come_to_rest()
        finally:
            self.loop.close()

    # The operator

    def elected(self) -> Leader:
        """A new process, which reads everything before it leads; what is gone it never saw."""
        there = {one["metadata"]["uid"] for one in self.server.every(CAMERAS)}
        self.untold |= self.ids.keys() - there
        leader = Leader(self.server, self.time)
        self.loop.run_until_complete(Sweeper(leader.api, leader.cluster).begin())
        return leader

    @rule()
    def another_operator_leads(self) -> None:
        self.server.watches.remove(self.leader.inbox.append)
        self.blind = False
        self.leader = self.elected()

    @rule(data=st.data())
    def some_events_come(self, data: st.DataObject) -> None:
        """In any order; some are told twice, and some get lost."""
        inbox = [event for event in self.leader.inbox if event[1] != _LEASES]
        if not inbox:
            return
        numbers = st.lists(st.integers(0, len(inbox) - 1), max_size=2 * len(inbox))
        for number in data.draw(numbers, label="come"):
            feed(self.leader.cluster, inbox[number])
        lost = data.draw(st.sets(st.integers(0, len(inbox) - 1)), label="are taken away")
        taken = {id(inbox[number]) for number in lost}
        self.leader.inbox[:] = [event for event in self.leader.inbox if id(event) not in taken]

    def all_events_come(self) -> None:
        self.hear()
        for event in self.leader.inbox:
            if event[1] != _LEASES or not self.blind:
                feed(self.leader.cluster, event)
        self.leader.inbox[:] = [e for e in self.leader.inbox if e[1] == _LEASES and self.blind]

    def everything_is_swept(self) -> None:
        """As at the start: what is gone is forgotten, what is newer is taken over."""
        self.hear()
        self.loop.run_until_complete(Sweeper(self.leader.api, self.leader.cluster).begin())

    @rule(data=st.data())
    def the_watch_of_leases_breaks_or_comes_back(self, data: st.DataObject) -> None:
        """When it comes back it tells of one after the other, and a pass may be in between."""
        self.blind = not self.blind
        if not self.blind:
            leases = [event for event in self.leader.inbox if event[1] == _LEASES]
            for event in leases[: data.draw(st.integers(0, len(leases)), label="come first")]:
                feed(self.leader.cluster, event)
            self.reconcile()
            self.hear()

    @rule(hears=st.booleans(), how=st.sampled_from(Pass), data=st.data())
    def a_pass(self, how: Pass, data: st.DataObject, *, hears: bool) -> None:
        if hears:
            self.all_events_come()
        writes = self.checked().writes
        if how is Pass.IN_PART:
            some = data.draw(st.sets(st.integers(0, max(0, len(writes) - 1))), label="written")
            self.write(one for number, one in enumerate(writes) if number in some)
        elif how is Pass.WHOLE:
            self.write(writes)
        else:
            left = data.draw(st.integers(0, 2), label="calls that are answered")
            self.write_until_it_breaks(writes, left, done=how is Pass.UNANSWERED)

    def write_until_it_breaks(self, writes: Iterable[Write], left: int, *, done: bool) -> None:
        numbers = itertools.count()

        async def break_off(_call: Call) -> None:
            if next(numbers) >= left:
                raise ApiUnavailable("the connection broke")

        api = self.leader.api
        before, after = api.before, api.after
        api.before, api.after = (before, break_off) if done else (break_off, after)
        try:
            self.write(writes)
        except ApiUnavailable:
            pass
        finally:
            api.before, api.after = before, after

    @rule(data=st.data(), passes=st.booleans())
    def a_leader_is_replaced_in_mid_pass(self, data: st.DataObject, *, passes: bool) -> None:
        """What it had asked for already comes when another one leads."""
        old, writes = self.leader, self.checked().writes
        some = data.draw(st.sets(st.integers(0, max(0, len(writes) - 1))), label="in time")
        self.write(one for number, one in enumerate(writes) if number in some)
        self.another_operator_leads()
        if passes:
            self.reconcile()
        late = [one for number, one in enumerate(writes) if number not in some]
        self.loop.run_until_complete(old.writer.cameras(late, PROMPTLY))

    def reconcile(self) -> Plan:
        made = self.checked()
        self.write(made.writes)
        return made

    def write(self, writes: Iterable[Write]) -> None:
        self.loop.run_until_complete(self.leader.writer.cameras(writes, PROMPTLY))

    def checked(self) -> Plan:
        """A plan, which must be good for what the operator knows."""
        leader = self.leader
        made, known = leader.plan(), list(leader.cluster.cameras.values())
        alive, budgets = leader.workers(), leader.budgets()
        demand_budgets(made, known, alive, budgets)
        for write in made.writes:
            demand_need(write, known, alive, budgets)
        return made

    # Users

    @rule(
        name=st.sampled_from(CAMERAS_),
        pool=st.sampled_from(["default", "default", "default", "other", "missing"]),
        weight=st.sampled_from([10, 40, 60, 90, 130]),
        shares=st.booleans(),
    )
    def a_camera_is_applied(
        self, name: str, pool: str, weight: int, *, shares: bool = False
    ) -> None:
        """One that is new may ask for an id that others have, too: the first by uid has it."""
        there = self.server.find(CAMERAS, name)
        id_ = there["spec"]["cameraId"] if there else "shared" if shares else name
        where, exclusive = {"name": pool}, name != SHARED
        put_camera(
            self.server, name, exclusive=exclusive, poolRef=where, weight=weight, cameraId=id_
        )

    @rule(name=st.sampled_from(CAMERAS_), again=st.booleans(), shares=st.booleans())
    def a_camera_is_deleted(self, name: str, *, again: bool, shares: bool) -> None:
        found = self.server.find(CAMERAS, name)
        if found is not None:
            if not self.leader.knows(found):
                self.untold.add(found["metadata"]["uid"])
            self.server.drop(CAMERAS, name)
        if again:
            self.a_camera_is_applied(name, "default", 50, shares=shares)

    @rule(
        name=st.sampled_from(POOLS_),
        replicas=st.sampled_from([0, 1, 2, 3, 3, 3, None]),
        capacity=st.sampled_from([60, 100, 200]),
        most=st.sampled_from([1, 2, 100]),
    )
    def a_pool_is_applied(self, name: str, replicas: int | None, capacity: int, most: int) -> None:
        """Or deleted, without replicas."""
        worker = {"weightCapacity": capacity, "maxCameras": most}
        if replicas is not None:
            put_pool(self.server, name, replicas=replicas, worker=worker)
        elif self.server.find(POOLS, name) is not None:
            self.server.drop(POOLS, name)

    # Workers

    @initialize()
    def all_is_well(self) -> None:
        for one in self.fleet.values():
            one.start()
        for number, name in enumerate(CAMERAS_):
            pool = "default" if number < 4 else "other"
            self.a_camera_is_applied(name, pool, 50, shares=number in (2, 3))
        self.all_goes_on(6)

    @rule(seconds=st.integers(1, 6), heals=st.booleans())
    def all_goes_on(self, seconds: int, *, heals: bool = False) -> None:
        """Everybody does what they should; what died or was drained may be made anew, too."""
        for pool in POOLS_:
            if heals and self.server.find(POOLS, pool) is None:
                self.a_pool_is_applied(pool, 3, 100, 100)
        for one in self.fleet.values():
            if heals and one.draining and not one.sessions:
                one.stop()
            if heals and not one.alive:
                one.start()
        for _ in range(seconds):
            self.time_passes(1)
            self.all_events_come()
            self.reconcile()
            for name in sorted(self.fleet.keys() - self.slow):
                self.fleet[name].look()
                self.fleet[name].act()
                self.no_exclusive_camera_is_captured_twice()

    @rule(name=st.sampled_from(WORKERS))
    def a_worker_dies_or_starts(self, name: str) -> None:
        one = self.fleet[name]
        (one.kill if one.alive else one.start)()

    @rule(name=st.sampled_from(WORKERS))
    def a_worker_drains(self, name: str) -> None:
        self.fleet[name].drain()

    @rule(name=st.sampled_from(WORKERS), again=st.booleans())
    def a_worker_ends_in_good_order(self, name: str, *, again: bool) -> None:
        self.fleet[name].stop()
        if again and not self.fleet[name].alive:
            self.fleet[name].start()

    @rule(name=st.sampled_from(WORKERS))
    def a_worker_is_frozen_or_wakes(self, name: str) -> None:
        one = self.fleet[name]
        one.frozen = one.alive and not one.frozen

    @rule(slow=st.sets(st.sampled_from(WORKERS)))
    def some_workers_are_told_of_nothing(self, slow: set[str]) -> None:
        """They renew their Leases all the same."""
        self.slow = slow

    @rule(name=st.sampled_from(WORKERS), ends=st.booleans())
    def a_pod_is_told_to_end_or_made_anew(self, name: str, *, ends: bool) -> None:
        if self.server.find(PODS, name) is not None:
            self.server.drop(PODS, name)
        metadata = {"labels": {names.LABEL_MANAGED_BY: names.APP}}
        ending = {"deletionTimestamp": "now"} if ends else {}
        self.server.put(PODS, name, metadata={**metadata, **ending})

    @rule(names_=st.sets(st.sampled_from(WORKERS)), looks=st.booleans(), acts=st.booleans())
    def some_workers_do_a_step(self, names_: set[str], *, looks: bool, acts: bool) -> None:
        for name in sorted(names_):
            if looks:
                self.fleet[name].look()
            if acts:
                self.fleet[name].act()

    # Time

    @rule(seconds=st.integers(1, 12))
    def time_passes(self, seconds: int) -> None:
        for _ in range(2 * seconds):
            self.time.now += 0.5
            for one in self.fleet.values():
                one.beat()
            if self.time.now % 2 == 0:  # the leader's own Lease
                self.server.put(
                    LEASES, names.OPERATOR_LEASE, spec={"renewTime": str(self.time.now)}
                )
            self.hear()

    def hear(self) -> None:
        """Leases come as one stream, in order, or not at all."""
        if self.blind:
            return
        for event in [event for event in self.leader.inbox if event[1] == _LEASES]:
            feed(self.leader.cluster, event)
        self.leader.inbox[:] = [one for one in self.leader.inbox if one[1] != _LEASES]

    # What may not happen

    def record(self, event: Event) -> None:
        """Every version of every Camera: its epoch never falls, and belongs to one worker."""
        type_, plural, found = event
        if plural != CAMERAS.plural or type_ == "DELETED":
            return
        name, uid = found["metadata"]["name"], found["metadata"]["uid"]
        self.ids[uid] = found["spec"]["cameraId"]
        known, latest = self.latest.get(name, (uid, 0))
        assignment = found.get("status", {}).get("assignment")
        if assignment is None:
            return
        epoch, worker = assignment["epoch"], assignment.get("worker")
        assert epoch >= latest
        assert uid == known or epoch > latest, "also of a Camera that had the name before"
        self.latest[name] = uid, epoch
        assert self.epochs.setdefault((uid, epoch), worker) == worker
        if worker is not None:
            id_ = found["spec"]["cameraId"]
            holder, highest = self.holders.get(id_, (uid, 0))
            assert holder == uid or epoch > highest, "events of two cameras could be one"
            self.holders[id_] = uid, max(epoch, highest)

    @invariant()
    def no_exclusive_camera_is_captured_twice(self) -> None:
        """Nor is an id, by two Cameras of which one came after the other."""
        having: dict[str, set[str]] = {}
        for one in self.fleet.values():
            for uid, session in one.sessions.items():
                if session.exclusive and one.has(uid):
                    having.setdefault(uid, set()).add(one.name)
                    if uid not in self.untold:
                        having.setdefault(f"id {self.ids[uid]}", set()).add(one.name)
        assert all(len(names_) < 2 for names_ in having.values()), having

    # In the end

    def come_to_rest(self) -> None:
        """Nothing happens any more, and what is wrong is put right."""
        self.blind, self.slow = False, set()
        self.everything_is_swept()
        quiet = 0
        while quiet < 12:  # longer than a Lease counts, and than the old worker waits in a handover
            before = self.server.every(CAMERAS)
            self.all_goes_on(2)
            self.time_passes(2)
            quiet = quiet + 1 if self.server.every(CAMERAS) == before else 0
            self.rounds += 1
            assert self.rounds < 200, "it does not come to rest"
        self.all_is_where_it_should_be()

    def all_is_where_it_should_be(self) -> None:
        """As the API server and the workers have it, whatever the operator believes."""
        cameras = [camera_state(one) for one in self.server.every(CAMERAS)]
        taken = ids.taken(cameras)
        for camera in cameras:
            assert camera.previous is None, "every handover ends"
            if camera.name in taken:
                assert camera.refused, f"{taken[camera.name].name} has its id"
                continue
            assert camera.worker is None or self.may_have(camera.worker, camera)
            others = [one for one in cameras if one is not camera]
            if camera.worker is None or not self.takes(camera.worker):
                for name in filter(self.takes, WORKERS):
                    there = [one for one in others if one.worker == name]
                    free = pool_of(name) == camera.pool and not over(
                        [*there, camera], self.budget(name)
                    )
                    assert not free, f"{name} has room for {camera.name}"
        for one in self.fleet.values():
            if one.acts:
                assigned = {each.uid for each in cameras if each.worker == one.name}
                assert set(one.sessions) == assigned, "what is assigned is captured"

    def takes(self, name: str) -> bool:
        """Is it there to take cameras?"""
        pod = self.server.find(PODS, name) or {"metadata": {}}
        ending = "deletionTimestamp" in pod["metadata"]
        one = self.fleet[name]
        return one.acts and not one.draining and not ending and self.wanted(name)

    def wanted(self, name: str) -> bool:
        """Does its pool want a worker of its number?"""
        pool = self.server.find(POOLS, pool_of(name))
        return pool is not None and int(name[-1]) < pool["spec"]["replicas"]

    def may_have(self, name: str, camera: CameraState) -> bool:
        """Does it capture what it has, or will it again?"""
        there = self.server.find(POOLS, camera.pool) is not None
        back = self.fleet[name].acts or self.wanted(name)
        return there and back and pool_of(name) == camera.pool

    def budget(self, name: str) -> Budget:
        worker = self.server.find(POOLS, pool_of(name))["spec"]["worker"]
        return Budget(worker["weightCapacity"], worker["maxCameras"])


def pool_of(name: str) -> str:
    return name.rpartition("-")[0]


def over(there: list[CameraState], budget: Budget) -> bool:
    return sum(one.weight for one in there) > budget.weight or len(there) > budget.cameras


def demand_budgets(
    made: Plan,
    known: list[CameraState],
    alive: dict[str, WorkerState],
    budgets: dict[str, Budget],
) -> None:
    """In whichever order the writes come, and whichever of them do not."""
    given = {w.camera.name: w.assignment.worker for w in made.writes if w.assignment and w.cause}
    for target in set(given.values()) - {None}:
        there = [
            one
            for one in known
            if target in (one.worker, given.get(one.name), one.previous if one.yielded else None)
        ]
        assert not over(there, budgets[alive[target or ""].pool]), f"{target} is given too much"


def demand_need(
    write: Write,
    known: list[CameraState],
    alive: dict[str, WorkerState],
    budgets: dict[str, Budget],
) -> None:
    """A camera that has a worker loses it for a reason."""
    camera, home = write.camera, alive.get(write.camera.worker or "")
    if write.cause is None or camera.worker is None or home is None:
        return
    if write.cause == Cause.DUPLICATE_ID:
        assert camera.name in ids.taken(known)
        return
    own = [one for one in known if one.worker == home.name and one.pool == home.pool]
    if home.life is not Life.OPEN or home.pool != camera.pool or home.pool not in budgets:
        return
    if write.cause == Cause.REBALANCE:
        assert write.assignment is not None
        loads = {
            one.name: sum(each.weight for each in known if each.worker == one.name)
            for one in alive.values()
        }
        gap = loads[home.name] - loads[write.assignment.worker or ""]
        assert gap * 100 > SKEW * budgets[home.pool].weight
    else:
        assert over(own, budgets[home.pool]), f"{camera.name} fits {home.name}"


TestNamespace = Namespace.TestCase
TestNamespace.settings = settings(stateful_step_count=50)
