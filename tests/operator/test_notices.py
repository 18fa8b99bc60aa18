"""People are told what they must know of a pool, once for each time that it becomes so."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest_core.kube.events import EventType, Recorder
from ingest_core.kube.resources import CAMERAS, Resource
from ingest_core.model import Metadata
from ingest_operator.cluster import Cluster
from ingest_operator.notices import Notices
from ingest_operator.plan import Lack
from ingest_operator.state import Life
from tests.fakes.memory_api import MemoryServer, put_camera, put_lease, put_pool
from tests.fakes.operator_parts import feed
from tests.fakes.states import fleet


@dataclass
class Told(Recorder):
    """Keeps what it is told, in place of an Event each."""

    facts: list[tuple[str, str, str]] = field(default_factory=list)

    def tell(
        self, resource: Resource, metadata: Metadata, type_: EventType, reason: str, message: str
    ) -> None:
        assert (resource.kind, type_) == ("CameraPool", "Warning")
        self.facts.append((metadata.name, reason, message))


class Watched:
    """Notices of a cluster with one pool and two workers."""

    def __init__(self) -> None:
        self.server = MemoryServer()
        self.cluster = Cluster(lambda: None, lambda: 0.0, 3.0)
        self.server.watches.append(lambda event: feed(self.cluster, event))
        put_pool(self.server)
        for name in ("default-0", "default-1"):
            put_lease(self.server, name, "t")
        self.told = Told()
        self.notices = Notices(self.told)

    def workers(self, **lives: Life) -> list[tuple[str, str, str]]:
        self.told.facts.clear()
        self.notices.workers(fleet("default-0", **lives), self.cluster)
        return list(self.told.facts)

    def exhausted(self, **pools: Lack) -> list[tuple[str, str, str]]:
        self.told.facts.clear()
        self.notices.exhausted(pools, self.cluster)
        return list(self.told.facts)


@pytest.fixture
def watched() -> Watched:
    return Watched()


LOST: list[Any] = [
    (
        "default",
        "WorkerLost",
        "worker default-1 did not renew its Lease; its cameras go to others",
    )
]


@pytest.mark.parametrize("life", [Life.LOST, Life.GONE])
def test_a_worker_that_is_lost_is_told_of_once(watched: Watched, life: Life) -> None:
    assert watched.workers(default_1=Life.OPEN) == []
    assert watched.workers(default_1=life) == LOST
    assert watched.workers(default_1=life) == []
    assert watched.workers(default_1=Life.OPEN) == []
    assert watched.workers(default_1=life) == LOST


def test_what_was_so_before_this_operator_began_is_no_news(watched: Watched) -> None:
    assert watched.workers(default_1=Life.LOST) == []


@pytest.mark.parametrize(("said", "news"), [("True", LOST), ("False", [])])
def test_a_loss_that_the_leader_before_did_not_act_on_is_told_of_once(
    watched: Watched, said: str, news: list[Any]
) -> None:
    """As it acted, each camera got another worker, or says that it is not assigned."""
    assignment = {"worker": "default-1", "epoch": 7}
    condition = {"type": "Assigned", "status": said, "reason": "Any"}
    put_camera(watched.server, "lobby")
    status = {"assignment": assignment, "conditions": [condition]}
    watched.server.put(CAMERAS, "lobby", status=status)
    assert watched.workers(default_1=Life.LOST) == news
    assert watched.workers(default_1=Life.LOST) == []


def test_a_worker_that_let_go_of_its_lease_is_not_lost(watched: Watched) -> None:
    watched.workers(default_1=Life.LEAVING)
    put_lease(watched.server, "default-1", "t2", holder=None)
    assert watched.workers(default_1=Life.LOST) == []


def test_a_worker_whose_lease_was_removed_is_forgotten(watched: Watched) -> None:
    watched.workers(default_1=Life.OPEN)
    assert watched.workers() == []
    assert watched.workers(default_1=Life.LOST) == []


def test_exhausted_capacity_is_told_of_each_time_that_it_becomes_so(watched: Watched) -> None:
    message = "no room for 3 cameras: add workers, or take cameras away"
    assert watched.exhausted(default=Lack(3)) == [("default", "CapacityExhausted", message)]
    assert watched.exhausted(default=Lack(4, 1)) == []
    assert watched.exhausted(default=Lack()) == []
    assert watched.exhausted(default=Lack(3)) == [("default", "CapacityExhausted", message)]


def test_of_what_fits_no_worker_it_is_not_said_that_more_workers_help(watched: Watched) -> None:
    ((_, _, message),) = watched.exhausted(default=Lack(too_heavy=1))
    assert "1 camera:" in message
    assert "raise weightCapacity (1000)" in message
    assert "add workers" not in message


def test_of_a_pool_that_is_gone_nothing_is_told(watched: Watched) -> None:
    assert watched.exhausted(missing=Lack(3)) == []
