"""The operator's hand: each write whole and by itself, and what is refused is looked at again."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ingest_core import manifest, metrics
from ingest_core.errors import (
    ApiConflict,
    ApiForbidden,
    ApiInvalid,
    ApiNotFound,
    ApiUnavailable,
)
from ingest_core.kube.client import APPLY, Call
from ingest_core.kube.resources import CAMERAS, LEASES, POOLS, ROLES
from ingest_core.names import OPERATOR_MANAGER, UNREADY_MANAGER, WORKER_MANAGER
from ingest_core.pool import CameraPool
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.manifests import Manifest, manifests
from ingest_operator.plan import Write, plan
from ingest_operator.settings import OperatorSettings
from ingest_operator.writer import AT_ONCE, NotLeading, Outcome, Writer
from tests.fakes.memory_api import MemoryApi, MemoryServer, put_camera, put_lease, put_pool
from tests.fakes.operator_parts import feed
from tests.fakes.states import NOW, fleet, rules
from tests.fakes.virtual_time import in_virtual_time


class Hand:
    """A writer over a server in memory, with its copy of the cluster; `leads` until it is unset."""

    def __init__(self) -> None:
        self.server = MemoryServer()
        self.api = MemoryApi(self.server)
        self.cluster = Cluster(lambda: None, lambda: 0.0, 3.0)
        self.leads = True
        self.outcome = Outcome()
        self.registry = CollectorRegistry()
        errors = metrics.RECONCILE_ERRORS.counter(self.registry)
        self.writer = Writer(self.api, self.cluster, holds=lambda: self.leads, errors=errors)

    def camera(self, name: str = "lobby", **spec: Any) -> Any:
        """A camera that is known."""
        made = put_camera(self.server, name, **spec)
        self.cluster.see(Kind.CAMERA, made)
        return made

    def planned(self, *workers: str) -> list[Write]:
        cameras, version = self.cluster.cameras.values(), self.cluster.version
        made = plan(cameras, fleet(*workers), {"default": rules()}, NOW, version)
        return list(made.writes)

    async def write(self, *workers: str) -> list[str]:
        """Write what a plan for these workers asks for; what was written."""
        self.outcome = await self.writer.cameras(self.planned(*workers), within=1.5)
        return [write.camera.name for write in self.outcome.written]

    def status(self, name: str = "lobby") -> Any:
        return self.server.find(CAMERAS, name)["status"]

    def errors(self, resource: str = "cameras") -> float:
        name = "camera_ingest_reconcile_errors_total"
        return self.registry.get_sample_value(name, {"resource": resource}) or 0.0


@pytest.fixture
def hand() -> Hand:
    return Hand()


async def test_an_assignment_and_its_condition_are_one_apply_and_its_answer_is_taken_over(
    hand: Hand,
) -> None:
    made = hand.camera()
    assert await hand.write("default-0") == ["lobby"]
    (call,) = hand.api.asked
    assert (call.label, call.content_type) == ("cameras/status", APPLY)
    assert call.query == {"fieldManager": OPERATOR_MANAGER, "force": "true"}
    epoch = int(made["metadata"]["resourceVersion"])
    assert hand.status() == {
        "assignment": {"worker": "default-0", "epoch": epoch, "time": NOW},
        "conditions": [
            {
                "type": "Assigned",
                "status": "True",
                "reason": "Assigned",
                "lastTransitionTime": NOW,
                "observedGeneration": 1,
            }
        ],
    }
    assert hand.cluster.cameras["lobby"].worker == "default-0"
    assert hand.planned("default-0") == []


async def test_not_ready_is_said_by_a_manager_of_its_own(hand: Hand) -> None:
    """The operator's next apply, which says nothing of Ready, must not take it away."""
    hand.camera()
    await hand.write()
    managers = [call.query["fieldManager"] for call in hand.api.asked]
    assert managers == [OPERATOR_MANAGER, UNREADY_MANAGER]
    await hand.write("default-0")
    conditions = {one["type"]: one for one in hand.status()["conditions"]}
    assert conditions["Assigned"]["status"] == "True"
    assert conditions["Ready"]["status"] == "False"


async def test_what_a_worker_says_stays(hand: Hand) -> None:
    hand.camera()
    await hand.write("default-0")
    ready = {"type": "Ready", "status": "True", "reason": "Connected", "lastTransitionTime": NOW}
    body = {"status": {"stream": {"worker": "default-0", "epoch": 7}, "conditions": [ready]}}
    query = {"fieldManager": WORKER_MANAGER}
    call = Call("patch", CAMERAS, "lobby", "status", query, body, content_type=APPLY)
    hand.cluster.see(Kind.CAMERA, hand.server.do(call))
    await hand.write("default-1")
    assert hand.status()["stream"] == {"worker": "default-0", "epoch": 7}
    assert ready in hand.status()["conditions"]


async def test_a_camera_that_is_gone_is_forgotten(hand: Hand) -> None:
    hand.camera()
    hand.server.drop(CAMERAS, "lobby")
    assert await hand.write("default-0") == []
    assert not hand.cluster.cameras
    assert hand.errors() == 0


async def test_one_made_anew_before_the_last_one_is_said_to_be_gone_is_known(hand: Hand) -> None:
    hand.camera()

    async def gone(call: Call) -> None:
        assert call.verb == "patch"
        hand.server.drop(CAMERAS, "lobby")
        hand.camera(weight=2)
        raise ApiNotFound(404, "NotFound", "it is gone")

    hand.api.before = gone
    await hand.write("default-0")
    assert hand.cluster.cameras["lobby"].weight == 2


async def test_one_made_anew_before_a_list_says_that_there_is_none_is_known(hand: Hand) -> None:
    hand.camera()
    hand.server.drop(CAMERAS, "lobby")

    async def conflict(call: Call) -> None:
        if call.verb == "patch":
            raise ApiConflict(409, "Conflict", "changed")

    async def meanwhile(call: Call) -> None:
        if call.verb == "list":
            hand.camera(weight=2)

    hand.api.before, hand.api.after = conflict, meanwhile
    await hand.write("default-0")
    assert hand.cluster.cameras["lobby"].weight == 2


async def test_moves_that_were_written_count_though_one_cannot_be_looked_at(hand: Hand) -> None:
    for name in ("a", "b"):
        hand.camera(name)

    async def refuse(call: Call) -> None:
        if call.verb == "list":
            raise ApiForbidden(403, "Forbidden", "no rights")
        if call.verb == "patch" and call.name == "a":
            raise ApiConflict(409, "Conflict", "changed")

    hand.api.before = refuse
    assert await hand.write("default-0") == ["b"]


async def test_a_camera_that_was_made_anew_is_not_given_what_was_meant_for_the_old_one(
    hand: Hand,
) -> None:
    hand.camera(weight=1)
    hand.server.drop(CAMERAS, "lobby")
    anew = put_camera(hand.server, "lobby", weight=2)
    assert await hand.write("default-0") == []
    assert "status" not in hand.server.find(CAMERAS, "lobby")
    assert hand.cluster.cameras["lobby"].uid == anew["metadata"]["uid"], "looked at again"
    assert await hand.write("default-0") == ["lobby"]


async def test_what_another_leader_decided_is_not_overwritten(hand: Hand) -> None:
    """The API server's own fence: an epoch belongs to one worker."""
    made = hand.camera()
    other = {"worker": "default-9", "epoch": int(made["metadata"]["resourceVersion"])}
    hand.server.put(CAMERAS, "lobby", status={"assignment": other})
    assert await hand.write("default-0") == []
    assert hand.status()["assignment"] == other
    assert hand.cluster.cameras["lobby"].worker == "default-9", "looked at again"
    assert hand.errors() == 0, "a conflict is told by the next plan, not by an alert"


async def test_what_the_api_server_finds_invalid_is_an_error(hand: Hand) -> None:
    hand.camera()

    async def refuse(call: Call) -> None:
        if call.verb == "patch":
            raise ApiInvalid(422, "Invalid", "a CRD of another release")

    hand.api.before = refuse
    assert await hand.write("default-0") == []
    assert hand.errors() == 1


def test_errors_of_everything_that_is_written_are_counted_from_zero(hand: Hand) -> None:
    """An alert that asks for their increase does not see the first one else."""
    pool = manifest.parse(put_pool(hand.server), CameraPool)
    made = manifests(pool, OperatorSettings(), 1, ["login"], 0)
    written = {CAMERAS, POOLS, LEASES, *(one.resource for one in made)}
    (family,) = hand.registry.collect()
    counted = {sample.labels["resource"]: sample.value for sample in family.samples}
    assert counted == {resource.plural: 0 for resource in written}


async def test_a_refusal_of_one_camera_is_no_matter_of_the_others(hand: Hand) -> None:
    for name in ("a", "b", "c"):
        hand.camera(name)

    async def refuse(call: Call) -> None:
        if call.name == "b":
            raise ApiForbidden(403, "Forbidden", "a policy says no")

    hand.api.before = refuse
    assert await hand.write("default-0") == ["a", "c"]
    assert hand.outcome.refused == {"b": hand.cluster.cameras["b"].version}
    assert hand.errors() == 1


async def test_what_is_refused_once_it_was_changed_or_deleted_is_not_refused_for_good(
    hand: Hand,
) -> None:
    for name in ("changed", "gone"):
        hand.camera(name)
    hand.server.put(CAMERAS, "changed", metadata={"labels": {"a": "b"}})
    hand.server.drop(CAMERAS, "gone")
    assert await hand.write("default-0") == []
    assert hand.outcome == Outcome()


async def test_an_assignment_counts_as_written_though_what_is_said_of_ready_is_refused(
    hand: Hand,
) -> None:
    hand.camera()

    async def refuse(call: Call) -> None:
        if call.query.get("fieldManager") == UNREADY_MANAGER:
            raise ApiForbidden(403, "Forbidden", "a policy says no")

    hand.api.before = refuse
    assert await hand.write() == ["lobby"]
    assert hand.outcome.refused == {"lobby": hand.cluster.cameras["lobby"].version}


async def test_many_denials_are_one_line_a_second_which_names_one_of_them(hand: Hand) -> None:
    for number in range(5):
        hand.camera(f"c{number}", weight=1)

    async def refuse(_call: Call) -> None:
        raise ApiForbidden(403, "Forbidden", "a policy says no")

    hand.api.before = refuse
    with capture_logs() as lines:
        await hand.write("default-0")
        await hand.write("default-0")
    (line,) = [one for one in lines if one["event"] == "write_denied"]
    assert (line["resource"], line["name"][0]) == ("cameras", "c")
    assert "a policy says no" in line["error"]


async def test_a_server_that_is_away_ends_the_pass_when_all_have_ended(hand: Hand) -> None:
    for name in ("a", "b", "c"):
        hand.camera(name)

    async def break_off(call: Call) -> None:
        if call.name == "b":
            raise ApiUnavailable("the connection broke")

    hand.api.before = break_off
    assert await hand.write("default-0") == ["a", "c"]
    assert isinstance(hand.outcome.error, ApiUnavailable)
    assert not hand.outcome.refused, "of what was not answered nothing is known"
    assert hand.cluster.cameras["a"].worker == hand.cluster.cameras["c"].worker == "default-0"
    assert hand.cluster.cameras["b"].worker is None


async def test_nothing_is_written_once_the_lease_does_not_hold(hand: Hand) -> None:
    for number in range(AT_ONCE * 2):
        hand.camera(f"c{number:02}", weight=1)

    async def lose(_call: Call) -> None:
        hand.leads = False

    hand.api.after = lose
    written = await hand.write("default-0")
    assert isinstance(hand.outcome.error, NotLeading)
    assert len(written) == len(hand.api.asked) == AT_ONCE, "those that were under way"


@in_virtual_time
async def test_so_many_are_written_at_once_and_no_more() -> None:
    hand = Hand()
    for number in range(AT_ONCE * 3):
        hand.camera(f"c{number:02}", weight=1)
    under_way: list[str] = []
    most = 0

    async def count(call: Call) -> None:
        nonlocal most
        under_way.append(call.name)
        most = max(most, len(under_way))
        await asyncio.sleep(1)
        under_way.remove(call.name)

    hand.api.before = count
    await hand.write("default-0")
    assert most == AT_ONCE


@pytest.mark.parametrize(
    ("exclusive", "holders", "stream", "lost"),
    [
        (True, {"worker": "default-0"}, {}, True),
        (True, {"worker": "default-1", "previous": "default-0"}, {}, True),
        (True, {"previous": "default-0"}, {}, True),
        (True, {"worker": "default-1", "previous": "default-0"}, {"releasedEpoch": 5}, False),
        (True, {"worker": "default-1"}, {}, False),
        (False, {"worker": "default-0"}, {}, False),
    ],
)
def test_what_a_lost_worker_may_open_again_is_given_away_promptly_or_not_at_all(
    *, exclusive: bool, holders: dict[str, str], stream: dict[str, int], lost: bool
) -> None:
    """An Exclusive camera's; of others the worst is that two capture them for a while."""

    @in_virtual_time
    async def give() -> None:
        hand, began = Hand(), asyncio.get_running_loop().time()
        put_camera(hand.server, "lobby", exclusive=exclusive)
        status = {"assignment": {**holders, "epoch": 5}, "stream": stream}
        hand.cluster.see(Kind.CAMERA, hand.server.put(CAMERAS, "lobby", status=status))

        async def hang(_call: Call) -> None:
            await asyncio.sleep(8)

        hand.api.before = hang
        written = await hand.write("default-1", "default-2")
        if lost:
            assert (written, hand.errors()) == ([], 1)
            assert isinstance(hand.outcome.error, ApiUnavailable)
            assert asyncio.get_running_loop().time() - began < 2
            assert hand.status() == status
        else:
            assert written == ["lobby"]

    give()


@in_virtual_time
async def test_what_must_be_given_away_promptly_waits_for_nothing_else() -> None:
    hand = Hand()
    for number in range(AT_ONCE * 3):
        hand.camera(f"c{number:02}", weight=1)
    put_camera(hand.server, "lobby", exclusive=True, weight=1)
    status = {"assignment": {"worker": "default-9", "epoch": 5}}
    hand.cluster.see(Kind.CAMERA, hand.server.put(CAMERAS, "lobby", status=status))

    async def slow(_call: Call) -> None:
        await asyncio.sleep(1)

    hand.api.before = slow
    assert "lobby" in await hand.write("default-0")
    assert hand.outcome.error is None


async def test_the_lease_of_a_worker_is_removed_only_as_it_was_seen(hand: Hand) -> None:
    """A worker that came back meanwhile keeps it."""
    hand.server.watches.append(lambda event: feed(hand.cluster, event))
    seen = put_lease(hand.server, "default-0", "t1")["metadata"]["resourceVersion"]
    put_lease(hand.server, "default-0", "t2")
    assert not await hand.writer.remove_lease("default-0", seen)
    assert "default-0" in hand.cluster.leases
    head = hand.cluster.head(Kind.LEASE, "default-0")
    assert head is not None
    assert await hand.writer.remove_lease("default-0", head.resource_version)
    assert hand.server.find(LEASES, "default-0") is None
    assert not await hand.writer.remove_lease("default-0", head.resource_version)


async def test_a_status_is_written_to_the_pool_that_it_was_made_for(hand: Hand) -> None:
    hand.cluster.see(Kind.POOL, put_pool(hand.server))
    version = hand.cluster.pools["default"].metadata.resource_version
    assert await hand.writer.pool_status("default", version, {"cameras": 3})
    assert hand.server.find(POOLS, "default")["status"] == {"cameras": 3}
    hand.server.drop(POOLS, "default")
    anew = put_pool(hand.server, replicas=5)
    assert not await hand.writer.pool_status("default", version, {"cameras": 4})
    assert hand.cluster.pools["default"].metadata.uid == anew["metadata"]["uid"]


async def test_what_is_removed_already_is_removed(hand: Hand) -> None:
    role = Manifest(ROLES, "stale", {"metadata": {"name": "stale"}})
    made = await hand.writer.manifest(role)
    assert made is not None
    assert await hand.writer.remove(ROLES, "stale", made.uid)
    assert await hand.writer.remove(ROLES, "stale", made.uid)
    assert hand.server.find(ROLES, "stale") is None


async def test_what_another_leader_made_anew_is_not_removed(hand: Hand) -> None:
    role = Manifest(ROLES, "anew", {"metadata": {"name": "anew"}})
    made = await hand.writer.manifest(role)
    assert made is not None
    hand.server.drop(ROLES, "anew")
    hand.server.put(ROLES, "anew")
    assert not await hand.writer.remove(ROLES, "anew", made.uid)
    assert hand.server.find(ROLES, "anew") is not None


async def test_no_request_of_a_write_is_sent_once_the_lease_does_not_hold(hand: Hand) -> None:
    """A write may be sent again long after it was asked for: see `Retry-After`."""
    hand.camera()
    seen = put_lease(hand.server, "default-0", "t1")["metadata"]["resourceVersion"]
    hand.cluster.see(Kind.POOL, put_pool(hand.server))
    version = hand.cluster.pools["default"].metadata.resource_version
    role = Manifest(ROLES, "stale", {"metadata": {"name": "stale"}})
    await hand.write("default-0")
    await hand.writer.manifest(role)
    await hand.writer.pool_status("default", version, {})
    await hand.writer.remove(ROLES, "stale", "")
    await hand.writer.remove_lease("default-0", seen)
    hand.leads = False
    assert {call.verb for call in hand.api.asked} == {"patch", "delete"}
    for call in hand.api.asked:
        with pytest.raises(NotLeading):
            call.fence()
