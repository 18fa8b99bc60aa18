"""What each pool is made of is applied once, repaired, and removed when its reason is gone."""

from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ingest_core import metrics
from ingest_core.errors import ApiForbidden, ApiUnavailable
from ingest_core.kube.client import Call
from ingest_core.kube.resources import (
    LEASES,
    PODS,
    POOLS,
    ROLE_BINDINGS,
    ROLES,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from ingest_core.names import APP, LABEL_COMPONENT, LABEL_MANAGED_BY, LABEL_POOL, WORKER
from ingest_operator.cluster import Cluster, Kind
from ingest_operator.manifests import selector
from ingest_operator.plan import Lack
from ingest_operator.pools import Pools
from ingest_operator.settings import OperatorSettings
from ingest_operator.state import Life, WorkerState
from ingest_operator.writer import Writer
from tests.fakes.memory_api import MemoryApi, MemoryServer, put_camera, put_lease, put_pool
from tests.fakes.operator_parts import feed
from tests.fakes.states import NOW, fleet

MADE_OF = 8  # objects


class Keeper:
    """Pools over a server in memory, watched."""

    def __init__(self) -> None:
        self.time = 0.0
        self.told = 0
        self.server = MemoryServer()
        self.api = MemoryApi(self.server)
        self.cluster = Cluster(self._tell, lambda: 0.0, 3.0)
        self.server.watches.append(lambda event: feed(self.cluster, event))
        errors = metrics.RECONCILE_ERRORS.counter(CollectorRegistry())
        writer = Writer(self.api, self.cluster, holds=lambda: True, errors=errors)
        self.pools = Pools(self.api, writer, OperatorSettings(), lambda: self.time)
        put_pool(self.server, replicas=2)

    def _tell(self) -> None:
        self.told += 1

    async def keep(
        self, workers: Mapping[str, WorkerState] | None = None, *, replicas: int = 2
    ) -> list[str]:
        """One pass; what was called for it."""
        self.api.asked.clear()
        wanted = dict.fromkeys(self.cluster.pools, replicas)
        await self.pools.objects(self.cluster, wanted, workers or {})
        return [f"{call.verb} {call.label}" for call in self.api.asked]

    async def say(self, workers: Mapping[str, WorkerState], exhausted: int = 0) -> Any:
        self.api.asked.clear()
        wanted = dict.fromkeys(self.cluster.pools, 2)
        counts = {"default": Lack(exhausted)}
        await self.pools.statuses(self.cluster, wanted, workers, counts, NOW)
        return self.server.find(POOLS, "default").get("status")

    def assign(self, name: str, worker: str, **assignment: Any) -> None:
        made = put_camera(self.server, name)
        status = {"assignment": {"worker": worker, "epoch": 1, **assignment}}
        self.cluster.see(
            Kind.CAMERA,
            {
                **made,
                "status": status,
                "metadata": {**made["metadata"], "resourceVersion": str(self.server.version + 1)},
            },
        )
        self.server.version += 1


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


async def test_what_a_pool_is_made_of_is_applied_once(keeper: Keeper) -> None:
    first = await keeper.keep()
    assert first.count("list roles") == first.count("list rolebindings") == 1
    assert len(first) == 2 + 2 * MADE_OF, "each is looked at before"
    assert keeper.server.find(STATEFUL_SETS, "default")["spec"]["replicas"] == 2
    assert await keeper.keep() == []


async def test_only_what_differs_is_applied_again(keeper: Keeper) -> None:
    await keeper.keep()
    put_pool(keeper.server, replicas=3)
    assert await keeper.keep(replicas=3) == ["patch roles", "patch statefulsets"]
    rtsp = {"url": "rtsp://camera.example/", "credentialsSecretRef": {"name": "login"}}
    put_camera(keeper.server, "lobby", source={"rtsp": rtsp})
    assert await keeper.keep(replicas=3) == ["patch roles"]


async def test_after_a_resync_everything_is_applied_again_so_that_drift_is_repaired(
    keeper: Keeper,
) -> None:
    await keeper.keep()
    service = keeper.server.find(SERVICES, "default")
    keeper.server.put(SERVICES, "default", spec={**service["spec"], "selector": {"a": "b"}})
    assert await keeper.keep() == []
    keeper.pools.forget()
    assert len(await keeper.keep()) == 2 + MADE_OF
    assert keeper.server.find(SERVICES, "default")["spec"] == service["spec"]


@pytest.mark.parametrize("label", ["roles", "services", "statefulsets"])
async def test_a_resync_in_the_middle_of_a_pass_is_one_before_the_next(
    keeper: Keeper, label: str
) -> None:
    due = {label}

    async def resync(call: Call) -> None:
        if call.label in due:
            due.clear()
            keeper.pools.forget()

    keeper.api.before = resync
    await keeper.keep()
    again = await keeper.keep()
    assert again.count("list roles") == 1, "what is granted may be more than this process knows"
    assert len(again) == 2 + MADE_OF
    assert await keeper.keep() == []


async def test_what_was_refused_is_applied_again_and_is_no_matter_of_the_rest(
    keeper: Keeper,
) -> None:
    async def refuse(call: Call) -> None:
        if call.resource is SERVICES:
            raise ApiForbidden(403, "Forbidden", "a policy says no")

    keeper.api.before = refuse
    await keeper.keep()
    assert keeper.server.find(STATEFUL_SETS, "default") is not None
    assert await keeper.keep() == [], "it rests"
    assert keeper.pools.again == 1
    keeper.time += 1
    assert await keeper.keep() == ["patch services"]
    keeper.api.before = nothing
    assert keeper.pools.again == 3
    keeper.time += 2
    assert await keeper.keep() == ["patch services"] * 2, "looked at, and applied"
    assert await keeper.keep() == []


async def test_a_pass_in_which_one_answer_takes_long_is_cut_and_goes_on_where_it_was(
    keeper: Keeper,
) -> None:
    """A webhook that is waited for in vain, for ten seconds each time, holds up no failover."""
    for number in range(8):
        put_pool(keeper.server, f"pool-{number}")

    async def hang(call: Call) -> None:
        if call.resource is SERVICES:
            keeper.time += 10
            raise ApiUnavailable("the API server answered 500: a webhook timed out")

    keeper.api.before = hang
    for _ in range(9):
        assert (await keeper.keep()).count("patch services") == 1
        assert keeper.pools.again == keeper.time
    await keeper.keep()
    assert len(keeper.server.every(STATEFUL_SETS)) == 9, "each pool had its turn"


async def test_a_status_that_is_not_answered_is_no_matter_of_the_other_pools(
    keeper: Keeper,
) -> None:
    put_pool(keeper.server, "a-broken-one")

    async def fail(call: Call) -> None:
        if call.name == "a-broken-one":
            raise ApiUnavailable("the API server answered 500")

    keeper.api.before = fail
    assert (await keeper.say({}))["cameras"] == 0
    assert keeper.pools.again == 1


async def test_a_status_that_is_refused_rests_until_its_pool_is_another_one(
    keeper: Keeper,
) -> None:
    async def refuse(_call: Call) -> None:
        raise ApiForbidden(403, "Forbidden", "a policy says no")

    keeper.api.before = refuse
    await keeper.say({})
    await keeper.say({})
    assert keeper.api.asked == []
    keeper.api.before = nothing
    put_pool(keeper.server, replicas=3)
    await keeper.say({})
    assert [call.label for call in keeper.api.asked] == ["camerapools/status"]


def drift(keeper: Keeper, **spec: Any) -> None:
    there = keeper.server.find(STATEFUL_SETS, "default")["spec"]
    keeper.server.put(STATEFUL_SETS, "default", spec={**there, **spec})


async def test_a_stateful_set_that_somebody_changes_or_deletes_is_repaired_at_once(
    keeper: Keeper,
) -> None:
    await keeper.keep()
    drift(keeper, replicas=7)
    assert await keeper.keep() == ["patch statefulsets"]
    assert keeper.server.find(STATEFUL_SETS, "default")["spec"]["replicas"] == 2
    assert await keeper.keep() == []
    keeper.time += 1
    keeper.server.drop(STATEFUL_SETS, "default")
    assert await keeper.keep() == ["patch statefulsets"]
    assert await keeper.keep() == []


async def test_what_the_controller_says_of_a_stateful_set_costs_nothing(keeper: Keeper) -> None:
    await keeper.keep()
    told = keeper.told
    keeper.server.put(STATEFUL_SETS, "default", status={"readyReplicas": 1})
    assert keeper.told == told
    assert await keeper.keep() == []


async def test_whoever_undoes_each_repair_is_answered_ever_more_rarely(keeper: Keeper) -> None:
    await keeper.keep()
    repairs = 0
    for second in range(600):
        keeper.time = float(second)
        drift(keeper, replicas=7)
        repairs += await keeper.keep() == ["patch statefulsets"]
    assert 10 < repairs < 20
    keeper.pools.forget()
    assert "patch statefulsets" in await keeper.keep()


async def test_who_may_still_run_may_hold_its_lease(keeper: Keeper) -> None:
    """A pod that is taken away says farewell: its Lease is among the Role's until it is gone."""
    put_pod(keeper.server, "default-4", ready=True)
    put_pod(keeper.server, "default-4000000", ready=True)
    await keeper.keep()
    leases = names_of_leases(keeper)
    assert leases[:5] == [f"default-{number}" for number in range(5)]
    assert len(leases) == 1000, "and never more than a pool may have"
    keeper.server.drop(PODS, "default-4000000")
    await keeper.keep()
    assert len(names_of_leases(keeper)) == 5
    keeper.server.drop(PODS, "default-4")
    await keeper.keep()
    assert names_of_leases(keeper) == ["default-0", "default-1"]


def names_of_leases(keeper: Keeper) -> list[str]:
    rules = keeper.server.find(ROLES, "default-worker")["rules"]
    (named,) = [one["resourceNames"] for one in rules if "resourceNames" in one]
    return list(named)


async def test_a_role_allows_a_new_worker_its_lease_before_it_starts(keeper: Keeper) -> None:
    called = await keeper.keep()
    assert called.index("patch roles") < called.index("patch statefulsets")


async def nothing(_call: Call) -> None:
    pass


def grant(server: MemoryServer, name: str) -> None:
    """Something that an operator before this one granted to the pool's workers."""
    labels = {**selector("default"), LABEL_MANAGED_BY: APP}
    for resource in (ROLES, ROLE_BINDINGS):
        server.put(resource, name, metadata={"labels": labels})


async def test_what_is_granted_does_not_outlive_its_reason(keeper: Keeper) -> None:
    grant(keeper.server, "default-secrets-7")
    keeper.server.put(ROLES, "of-somebody-else", rules=[])
    called = await keeper.keep()
    assert called[-2:] == ["delete rolebindings", "delete roles"]
    names = {one["metadata"]["name"] for one in keeper.server.every(ROLES)}
    assert names == {"default-worker", "default-secrets-0", "of-somebody-else"}
    assert await keeper.keep() == []


ERRORS = (ApiUnavailable("the API server answered 500"), ApiForbidden(403, "Forbidden", "no"))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "failing", ["list roles", "list rolebindings", "patch services", "delete rolebindings"]
)
async def test_what_fails_is_no_matter_of_the_rest_and_nothing_of_it_is_forgotten(
    keeper: Keeper, failing: str, error: Exception
) -> None:
    """A webhook that fails for Services, say, is answered 500: so is a server that is away."""
    grant(keeper.server, "default-secrets-7")

    async def fail(call: Call) -> None:
        if f"{call.verb} {call.label}" == failing:
            raise error

    keeper.api.before = fail
    await keeper.keep()
    assert keeper.server.find(STATEFUL_SETS, "default") is not None
    assert await keeper.keep() == [], "it rests"
    keeper.api.before = nothing
    assert keeper.pools.again == 1
    keeper.time += 1
    assert failing in await keeper.keep()
    assert keeper.server.find(SERVICES, "default") is not None
    assert keeper.server.find(ROLES, "default-secrets-7") is None
    assert keeper.server.find(ROLE_BINDINGS, "default-secrets-7") is None


async def test_what_could_not_be_removed_is_removed_later(keeper: Keeper) -> None:
    grant(keeper.server, "default-secrets-7")

    async def refuse(call: Call) -> None:
        if call.verb == "delete":
            raise ApiForbidden(403, "Forbidden", "not now")

    keeper.api.before = refuse
    await keeper.keep()
    keeper.api.before = nothing
    assert await keeper.keep() == [], "it rests"
    assert keeper.pools.again == 1, "and is tried though nothing else happens"
    keeper.time += 1
    assert await keeper.keep() == ["delete rolebindings", "delete roles"]


async def test_a_bucket_of_secrets_that_is_no_more_is_removed(keeper: Keeper) -> None:
    def secret(number: int) -> dict[str, Any]:
        reference = {"name": f"login-{number}"}
        return {"rtsp": {"url": "rtsp://camera.example/", "credentialsSecretRef": reference}}

    for number in range(501):
        put_camera(keeper.server, f"c{number}", source=secret(number))
    await keeper.keep()
    assert keeper.server.find(ROLES, "default-secrets-1") is not None
    for number in range(300):
        put_camera(keeper.server, f"c{number}", source=secret(0))
    await keeper.keep()
    assert keeper.server.find(ROLES, "default-secrets-1") is None


async def test_a_pool_that_is_deleted_while_another_one_is_applied_is_let_be(
    keeper: Keeper,
) -> None:
    put_pool(keeper.server, "other")

    async def delete(call: Call) -> None:
        if keeper.server.find(POOLS, "other"):
            keeper.server.drop(POOLS, "other")

    keeper.api.before = delete
    await keeper.keep()
    assert keeper.server.find(STATEFUL_SETS, "default") is not None
    assert keeper.server.find(STATEFUL_SETS, "other") is None
    put_pool(keeper.server, "other")
    await keeper.say({})


@pytest.mark.parametrize(
    ("life", "number", "kept"),
    [
        (Life.OPEN, 4, 5),
        (Life.LEAVING, 4, 5),  # it has a camera yet
        (Life.LOST, 4, 2),
        (Life.GONE, 4, 2),
        (Life.OPEN, 0, 2),
    ],
)
async def test_a_worker_is_not_taken_away_while_it_lives_and_has_a_camera(
    keeper: Keeper, life: Life, number: int, kept: int
) -> None:
    keeper.assign("lobby", f"default-{number}")
    await keeper.keep(fleet(**{f"default_{number}": life}))
    assert keeper.server.find(STATEFUL_SETS, "default")["spec"]["replicas"] == kept


async def test_nor_while_it_hands_one_over(keeper: Keeper) -> None:
    keeper.assign("lobby", "default-0", previous="default-3")
    await keeper.keep(fleet("default-0", default_3=Life.LEAVING))
    assert keeper.server.find(STATEFUL_SETS, "default")["spec"]["replicas"] == 4


async def test_a_status_is_written_when_it_differs(keeper: Keeper) -> None:
    put_pod(keeper.server, "default-0", ready=True)
    put_pod(keeper.server, "default-1", ready=False)
    keeper.assign("lobby", "default-0")
    status = await keeper.say(fleet("default-0", "default-1"))
    assert (status["replicas"], status["readyReplicas"], status["assigned"]) == (2, 1, 1)
    assert status["workers"] == 2
    assert await keeper.say(fleet("default-0", "default-1")) == status
    assert keeper.api.asked == []
    status = await keeper.say(fleet("default-0", "default-1"), exhausted=1)
    assert [call.label for call in keeper.api.asked] == ["camerapools/status"]


def put_pod(server: MemoryServer, name: str, *, ready: bool) -> None:
    labels = {LABEL_POOL: "default", LABEL_COMPONENT: WORKER}
    conditions = [{"type": "Ready", "status": str(ready)}]
    server.put(PODS, name, metadata={"labels": labels}, status={"conditions": conditions})


@pytest.mark.parametrize(
    ("life", "pod", "camera", "removed"),
    [
        (Life.GONE, False, False, True),
        (Life.GONE, True, False, False),
        (Life.GONE, False, True, False),
        (Life.LOST, False, False, False),
        (Life.LEAVING, False, False, False),
    ],
)
async def test_the_lease_of_a_worker_that_is_gone_for_good_is_removed(
    keeper: Keeper, life: Life, *, pod: bool, camera: bool, removed: bool
) -> None:
    put_lease(keeper.server, "default-1", "t")
    if pod:
        put_pod(keeper.server, "default-1", ready=True)
    if camera:
        keeper.assign("lobby", "default-0", previous="default-1")
    await keeper.pools.sweep(keeper.cluster, fleet(default_1=life))
    assert (keeper.server.find(LEASES, "default-1") is None) == removed


async def test_what_another_leader_granted_anew_is_not_removed(keeper: Keeper) -> None:
    """A removal may come late, from one that led before."""
    grant(keeper.server, "default-secrets-7")

    async def make_anew(call: Call) -> None:
        if call.verb == "delete":
            keeper.server.drop(call.resource, call.name)
            grant(keeper.server, call.name)

    keeper.api.before = make_anew
    await keeper.keep()
    assert keeper.server.find(ROLES, "default-secrets-7") is not None
    assert keeper.server.find(ROLE_BINDINGS, "default-secrets-7") is not None


@pytest.mark.parametrize("resource", [SERVICES, ROLES, STATEFUL_SETS])
async def test_what_somebody_else_made_under_a_name_that_a_pool_needs_is_let_be(
    keeper: Keeper, resource: Resource
) -> None:
    """By force it would become the pool's, and would be collected with it."""
    name = "default-worker" if resource is ROLES else "default"
    theirs = keeper.server.put(resource, name, metadata={"labels": {"app": "theirs"}})
    with capture_logs() as lines:
        await keeper.keep()
    assert keeper.server.find(resource, name) == theirs
    (line,) = [one for one in lines if one["event"] == "object_of_somebody_else"]
    assert (line["log_level"], line["name"], line["pool"]) == ("error", name, "default")
    keeper.server.drop(resource, name)
    keeper.time += 1
    await keeper.keep()
    assert keeper.server.find(resource, name)["metadata"]["labels"][LABEL_POOL] == "default"


async def test_what_is_the_pools_is_looked_at_once_and_never_again(keeper: Keeper) -> None:
    await keeper.keep()
    keeper.pools.forget()
    assert len(await keeper.keep()) == 2 + MADE_OF
    keeper.server.drop(POOLS, "default")
    anew = put_pool(keeper.server, replicas=2)
    await keeper.keep()
    keeper.server.drop(SERVICES, "default")  # collected, with the pool before
    keeper.time += 1
    await keeper.keep()
    (owner,) = keeper.server.find(SERVICES, "default")["metadata"]["ownerReferences"]
    assert owner["uid"] == anew["metadata"]["uid"]


async def test_a_lease_whose_removal_is_denied_is_tried_again_though_nothing_else_happens(
    keeper: Keeper,
) -> None:
    put_lease(keeper.server, "default-1", "t")
    gone = fleet(default_1=Life.GONE)

    async def deny(call: Call) -> None:
        if call.verb == "delete":
            raise ApiForbidden(403, "Forbidden", "not now")

    keeper.api.before = deny
    await keeper.keep(gone)
    await keeper.pools.sweep(keeper.cluster, gone)
    keeper.api.before = nothing
    await keeper.keep(gone)
    await keeper.pools.sweep(keeper.cluster, gone)
    assert keeper.api.asked == [], "it rests"
    assert keeper.pools.again == 1
    keeper.time += 1
    await keeper.pools.sweep(keeper.cluster, gone)
    assert keeper.server.find(LEASES, "default-1") is None
