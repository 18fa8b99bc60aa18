"""What only an API server does to a registry: refuse, change under it, forget an answer, go away.

What holds for every registry is in tests/contract/test_registry.py.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

from ingest_core import names
from ingest_core.errors import (
    AdmissionRefused,
    ApiUnavailable,
    CameraChanged,
    CameraExists,
    InvalidManifest,
    NotAllowed,
    QuotaExceeded,
    RegistryUnavailable,
    UnknownCamera,
)
from ingest_core.kube.access import Access
from ingest_core.kube.client import Api, Call
from ingest_core.model import Camera, CameraSpec, Metadata, PushSource, RtspSource, Source
from ingest_core.objects import referring
from ingest_gateway.kube_registry import KubeRegistry
from ingest_gateway.permissions import RULES
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Client, Refused
from tests.fakes.cluster_registry import account, synced
from tests.fakes.memory_api import MemoryApi, MemoryServer

RTSP = CameraSpec(source=Source(rtsp=RtspSource(url="rtsp://10.0.0.7/x")))
LOGIN = {"username": "admin", "password": "hunter2"}
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


class Namespace:
    """What is there, as the admin sees it."""

    def __init__(self, admin: Client, name: str) -> None:
        self.admin = admin
        self.name = name
        self.core = f"/api/v1/namespaces/{name}"
        self.cameras = f"/apis/camera-ingest.io/v1alpha1/namespaces/{name}/cameras"

    def secrets(self) -> dict[str, Any]:
        items = self.admin.get(f"{self.core}/secrets")["items"]
        return {one["metadata"]["name"]: one for one in items}

    def camera(self, name: str = "lobby") -> Any:
        return self.admin.get(f"{self.cameras}/{name}")

    def empty(self) -> bool:
        return not self.secrets() and not self.admin.get(self.cameras)["items"]

    def change(self, name: str, spec: dict[str, Any]) -> Any:
        return self.admin.merge(f"{self.cameras}/{name}", {"spec": spec})


@pytest.fixture
def there(admin: Client, namespace: str) -> Namespace:
    return Namespace(admin, namespace)


class Opened:
    """A registry with its watch, which a test may stop: then it is behind."""

    def __init__(self, registry: KubeRegistry, watch: "asyncio.Task[None]") -> None:
        self.registry = registry
        self._watch = watch

    async def stop_watching(self) -> None:
        self._watch.cancel()
        await asyncio.wait({self._watch})


@asynccontextmanager
async def opened(
    server: ApiServer,
    namespace: str,
    directory: Path,
    rules: Any = RULES,
    make: Callable[[Access], Api] = Api,
) -> AsyncIterator[Opened]:
    async with make(await account(server, namespace, "gateway", rules, directory)) as api:
        registry = KubeRegistry(api)
        watch = asyncio.create_task(registry.run())
        try:
            await synced(registry)
            yield Opened(registry, watch)
        finally:
            watch.cancel()
            await asyncio.wait({watch})


@pytest.fixture
async def gateway(api_server: ApiServer, namespace: str, tmp_path: Path) -> AsyncIterator[Opened]:
    async with opened(api_server, namespace, tmp_path) as one:
        yield one


async def seen(registry: KubeRegistry, name: str, holds: Callable[[Camera | None], bool]) -> None:
    """Return as soon as something holds of a camera, or of there being none."""
    async with asyncio.timeout(5), registry.changes() as changes:
        async for _ in changes:
            if holds(registry.cameras.get(name)):
                return


def claims(claim: dict[str, str], camera: Camera | None) -> bool:
    return camera is not None and camera.metadata.annotations == claim


def login_of(camera: Camera) -> str:
    assert camera.spec.source.rtsp is not None
    assert camera.spec.source.rtsp.credentials_secret_ref is not None
    return camera.spec.source.rtsp.credentials_secret_ref.name


# Logins


async def test_a_login_lives_in_a_secret_that_its_camera_owns_and_nowhere_else(
    gateway: Opened, there: Namespace
) -> None:
    camera = await gateway.registry.create("lobby", RTSP, LOGIN)
    ((name, secret),) = there.secrets().items()
    assert login_of(camera) == name
    assert secret["metadata"]["labels"] == {names.LABEL_MANAGED_BY: names.APP}
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Camera", "lobby", camera.metadata.uid)
    written = there.camera()
    assert written["metadata"]["annotations"] == {names.ANNOTATION_OWN_SECRET: name}
    assert "hunter2" not in str(written)


async def test_a_secret_of_somebody_cannot_be_named_over_http(
    gateway: Opened, there: Namespace
) -> None:
    there.admin.post(f"{there.core}/secrets", {"metadata": {"name": "theirs"}, "stringData": LOGIN})
    named = referring(RTSP, "theirs", LOGIN)
    with pytest.raises(InvalidManifest, match=r"credentialsSecretRef\.name: names a Secret"):
        await gateway.registry.create("lobby", named, {})
    made = await gateway.registry.create("lobby", RTSP, {})
    with pytest.raises(InvalidManifest, match=r"credentialsSecretRef\.name: names a Secret"):
        await gateway.registry.replace("lobby", named, None)
    assert gateway.registry.cameras["lobby"] == made


async def test_a_secret_that_a_camera_only_claims_is_never_deleted(
    gateway: Opened, there: Namespace
) -> None:
    await gateway.registry.create("lobby", RTSP, {})
    await gateway.registry.create("door", RTSP, LOGIN)
    (theirs,) = there.secrets()
    there.admin.post(f"{there.core}/secrets", {"metadata": {"name": "precious"}})
    for claimed in ("precious", theirs):
        claim = {names.ANNOTATION_OWN_SECRET: claimed}
        there.admin.merge(f"{there.cameras}/lobby", {"metadata": {"annotations": claim}})
        await seen(gateway.registry, "lobby", partial(claims, claim))
        after = await gateway.registry.replace("lobby", RTSP, {"username": "a", "password": "b"})
        await gateway.registry.replace("lobby", RTSP, None)
        assert after.metadata.annotations == {names.ANNOTATION_OWN_SECRET: login_of(after)}
    await gateway.registry.delete("lobby")
    assert set(there.secrets()) == {"precious", theirs}


# What others write


async def test_what_people_write_beside_the_spec_is_kept(gateway: Opened, there: Namespace) -> None:
    await gateway.registry.create("lobby", RTSP, LOGIN)
    theirs = {"labels": {"site": "a"}, "annotations": {"note": "b"}, "finalizers": ["x.io/held"]}
    there.admin.merge(f"{there.cameras}/lobby", {"metadata": theirs})
    await gateway.registry.replace(
        "lobby", replace(RTSP, weight=7), {"username": "a", "password": "b"}
    )
    metadata = there.camera()["metadata"]
    assert metadata["labels"] == {"site": "a"}
    assert metadata["annotations"]["note"] == "b"
    assert metadata["finalizers"] == ["x.io/held"]
    there.admin.merge(f"{there.cameras}/lobby", {"metadata": {"finalizers": None}})


async def test_only_what_is_wanted_changes_in_the_spec(gateway: Opened, there: Namespace) -> None:
    await gateway.registry.create("lobby", replace(RTSP, weight=7), {})
    before = there.camera()["spec"]
    await gateway.registry.replace("lobby", RTSP, None)
    assert there.camera()["spec"] == before | {"weight": 100}


async def test_a_status_that_changed_meanwhile_is_no_conflict(
    gateway: Opened, there: Namespace
) -> None:
    await gateway.registry.create("lobby", RTSP, {})
    await gateway.stop_watching()
    status = {"status": {"assignment": {"worker": "w", "epoch": 1}}}
    there.admin.merge(f"{there.cameras}/lobby/status", status)
    after = await gateway.registry.replace("lobby", replace(RTSP, weight=7), None)
    assert (after.spec.weight, after.epoch) == (7, 1)


async def test_a_spec_that_changed_meanwhile_is_one_and_is_known_then(
    gateway: Opened, there: Namespace
) -> None:
    await gateway.registry.create("lobby", RTSP, {})
    await gateway.stop_watching()
    there.change("lobby", {"suspend": True})
    with pytest.raises(CameraChanged):
        await gateway.registry.replace("lobby", replace(RTSP, weight=7), LOGIN)
    assert there.secrets() == {}
    now = gateway.registry.cameras["lobby"].spec
    assert now == replace(RTSP, suspend=True)
    after = await gateway.registry.replace("lobby", replace(now, weight=7), None)
    assert (after.spec.weight, after.spec.suspend) == (7, True)


async def test_a_write_that_others_always_precede_is_given_up(
    api_server: ApiServer, there: Namespace, tmp_path: Path
) -> None:
    class Preceded(Api):
        async def call(self, call: Call, seconds: float = 15.0) -> bytes:
            if call.verb == "update":
                there.admin.merge(f"{there.cameras}/lobby", {"metadata": {"labels": {"a": None}}})
                label = {"labels": {"a": str(len(versions))}}
                versions.append(there.admin.merge(f"{there.cameras}/lobby", {"metadata": label}))
            return await super().call(call, seconds)

    versions: list[Any] = []
    async with opened(api_server, there.name, tmp_path, make=Preceded) as g:
        await g.registry.create("lobby", RTSP, {})
        with pytest.raises(CameraChanged):
            await g.registry.replace("lobby", replace(RTSP, weight=7), None)
        assert len(versions) == 5


async def test_a_camera_that_goes_away_just_before_the_write_is_unknown(
    api_server: ApiServer, there: Namespace, tmp_path: Path
) -> None:
    class Bereft(Api):
        async def call(self, call: Call, seconds: float = 15.0) -> bytes:
            if call.verb == "update":
                there.admin.delete(f"{there.cameras}/lobby")
            return await super().call(call, seconds)

    async with opened(api_server, there.name, tmp_path, make=Bereft) as g:
        await g.registry.create("lobby", RTSP, {})
        with pytest.raises(UnknownCamera):
            await g.registry.replace("lobby", RTSP, LOGIN)
        assert there.empty()


async def test_another_camera_of_the_same_name_is_not_taken_for_the_one_that_was_seen(
    gateway: Opened, there: Namespace
) -> None:
    await gateway.registry.create("lobby", RTSP, {})
    await gateway.stop_watching()

    def make_anew() -> None:
        again = there.camera()
        there.admin.delete(f"{there.cameras}/lobby")
        kept = {key: again[key] for key in ("apiVersion", "kind", "spec")}
        there.admin.post(there.cameras, kept | {"metadata": {"name": "lobby"}})

    make_anew()
    with pytest.raises(CameraChanged):
        await gateway.registry.replace("lobby", replace(RTSP, weight=7), None)
    make_anew()
    with pytest.raises(CameraChanged):
        await gateway.registry.delete("lobby")
    await gateway.registry.delete("lobby")
    assert there.empty()


async def test_what_is_gone_already_is_unknown(gateway: Opened, there: Namespace) -> None:
    for name in ("a", "b"):
        await gateway.registry.create(name, RTSP, {})
    await gateway.stop_watching()
    for name in ("a", "b"):
        there.admin.delete(f"{there.cameras}/{name}")
    with pytest.raises(UnknownCamera):
        await gateway.registry.replace("a", replace(RTSP, weight=7), LOGIN)
    with pytest.raises(UnknownCamera):
        await gateway.registry.delete("b")
    assert dict(gateway.registry.cameras) == {}
    assert there.empty()


async def test_a_camera_that_a_finalizer_holds_is_shown_until_it_is_gone(
    gateway: Opened, there: Namespace
) -> None:
    await gateway.registry.create("lobby", RTSP, {})
    there.admin.merge(f"{there.cameras}/lobby", {"metadata": {"finalizers": ["x.io/held"]}})
    await gateway.registry.delete("lobby")
    registry = gateway.registry
    await seen(registry, "lobby", lambda one: one is not None)
    assert registry.cameras["lobby"].metadata.deletion_timestamp
    with pytest.raises(CameraExists):
        await registry.create("lobby", RTSP, {})
    there.admin.merge(f"{there.cameras}/lobby", {"metadata": {"finalizers": None}})
    await seen(registry, "lobby", lambda one: one is None)


async def test_a_name_that_the_watch_has_not_told_of_is_taken_all_the_same(
    gateway: Opened, there: Namespace
) -> None:
    await gateway.stop_watching()
    body = {
        "apiVersion": names.API_VERSION,
        "kind": "Camera",
        "metadata": {"name": "lobby"},
        "spec": {"source": {"push": {}}},
    }
    there.admin.post(there.cameras, body)
    with pytest.raises(CameraExists):
        await gateway.registry.create("lobby", RTSP, LOGIN)
    assert there.secrets() == {}


async def test_a_camera_made_anew_while_the_last_one_is_said_to_be_gone_stays() -> None:
    api = MemoryApi(MemoryServer())
    registry = KubeRegistry(api)
    before, anew = (
        Camera(metadata=Metadata(name="lobby", uid=uid, resource_version=version), spec=RTSP)
        for uid, version in (("u1", "1"), ("u2", "3"))
    )
    registry.put(before)

    async def meanwhile(_: Call) -> None:
        registry.put(anew)

    api.before = meanwhile
    await registry.look_up("lobby")
    assert registry.cameras["lobby"].metadata.uid == "u2"


async def test_what_was_deleted_does_not_come_back_because_the_watch_is_late(
    gateway: Opened, there: Namespace
) -> None:
    registry = gateway.registry
    await registry.create("lobby", RTSP, {})
    seen: list[bool] = []
    async with registry.changes() as changes:
        await anext(changes)
        for weight in range(1, 20):
            there.change("lobby", {"weight": weight})  # blocks: the watch tells of all this later
        await registry.delete("lobby")
        await registry.create("later", RTSP, {})
        there.change("later", {"weight": 9})
        async with asyncio.timeout(5):
            while "later" not in registry.cameras or registry.cameras["later"].spec.weight != 9:
                await anext(changes)
                seen.append("lobby" in registry.cameras)
    assert not any(seen)


# What the cluster refuses


def limit(there: Namespace, what: str) -> None:
    """A quota that is used up; the numbers are a controller's, which we play."""
    counted = f"count/{what}"
    quota = f"{there.core}/resourcequotas"
    spec = {"metadata": {"name": "few"}, "spec": {"hard": {counted: "0"}}}
    made = there.admin.post(quota, spec)
    made["status"] = {"hard": {counted: "0"}, "used": {counted: "0"}}
    there.admin.put(f"{quota}/few/status", made)


async def refused(registry: KubeRegistry, type_: type[Exception]) -> Exception:
    """The refusal, once the API server knows the rule: some admission is told by its own watch."""
    async with asyncio.timeout(10):
        while True:
            try:
                await registry.create("lobby", RTSP, LOGIN)
            except type_ as error:
                return error
            await registry.delete("lobby")
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("what", ["cameras.camera-ingest.io", "secrets"])
async def test_a_quota_is_told_and_nothing_is_left(
    gateway: Opened, there: Namespace, what: str
) -> None:
    limit(there, what)
    error = await refused(gateway.registry, QuotaExceeded)
    assert f"exceeded quota: few, requested: count/{what}=1" in str(error)
    assert there.empty()
    assert dict(gateway.registry.cameras) == {}


@contextlib.contextmanager
def policy(there: Namespace, group: str, resource: str) -> Iterator[None]:
    """No object of this kind gets into this namespace."""
    name = f"no-{resource}-{there.name}"
    rule = {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": [resource],
    }
    only = {"matchLabels": {"kubernetes.io/metadata.name": there.name}}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": only},
        "validations": [{"expression": "false", "message": "not rtsp://u:hunter2@h on a Sunday"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    policies, bindings = (
        f"{ADMISSION}/validatingadmissionpolicies",
        f"{ADMISSION}/validatingadmissionpolicybindings",
    )
    there.admin.post(policies, {"metadata": {"name": name}, "spec": spec})
    there.admin.post(bindings, {"metadata": {"name": name}, "spec": binding})
    try:
        yield
    finally:
        there.admin.delete(f"{bindings}/{name}")
        there.admin.delete(f"{policies}/{name}")


async def test_a_policy_is_told_in_its_words_without_a_login_in_them(
    gateway: Opened, there: Namespace
) -> None:
    with policy(there, names.API_GROUP, "cameras"):
        error = await refused(gateway.registry, AdmissionRefused)
        assert "not rtsp://***@h on a Sunday" in str(error)
        assert there.empty()


async def test_a_policy_on_secrets_is_told_without_its_words(
    gateway: Opened, there: Namespace
) -> None:
    with policy(there, "", "secrets"):
        error = await refused(gateway.registry, AdmissionRefused)
        assert str(error) == "the cluster does not take the Secret of the camera's login"
        assert there.empty()
        camera = await gateway.registry.create("lobby", RTSP, {})
        with pytest.raises(AdmissionRefused):
            await gateway.registry.replace("lobby", RTSP, LOGIN)
        assert gateway.registry.cameras["lobby"] == camera


@pytest.mark.parametrize(("lacking", "needed"), [(0, "create cameras"), (2, "create secrets")])
async def test_an_account_that_lacks_a_permission_is_told_which(
    api_server: ApiServer, there: Namespace, tmp_path: Path, lacking: int, needed: str
) -> None:
    rules = list(RULES)
    verbs = tuple(verb for verb in rules[lacking].verbs if verb != "create")
    rules[lacking] = replace(rules[lacking], verbs=verbs)
    async with opened(api_server, there.name, tmp_path, rules) as one:
        with structlog.testing.capture_logs() as logs, pytest.raises(NotAllowed, match=needed):
            await one.registry.create("lobby", RTSP, LOGIN)
        assert {line["event"]: line["log_level"] for line in logs}["permission_missing"] == "error"
        assert there.empty()


async def test_a_rule_of_the_crd_alone_is_told_by_field(gateway: Opened, there: Namespace) -> None:
    url = "rtsp://[::ffff:192.0.2.1]/"  # see tests/fakes/manifest_differences.py
    spec = CameraSpec(source=Source(rtsp=RtspSource(url=url)))
    with pytest.raises(InvalidManifest, match=r"^spec\.source\.rtsp\.url: "):
        await gateway.registry.create("lobby", spec, LOGIN)
    with pytest.raises(InvalidManifest, match=r"^metadata\.name: "):
        await gateway.registry.create("a..b", RTSP, {})
    assert there.empty()


async def test_a_namespace_that_ends_takes_nothing_more(
    api_server: ApiServer, admin: Client, tmp_path: Path
) -> None:
    made = admin.post("/api/v1/namespaces", {"metadata": {"generateName": "ending-"}})
    name = made["metadata"]["name"]
    async with opened(api_server, name, tmp_path) as one:
        gone = admin.delete(f"/api/v1/namespaces/{name}")
        with pytest.raises(RegistryUnavailable, match="the namespace is being deleted"):
            await one.registry.create("lobby", RTSP, {})
        gone["spec"]["finalizers"] = []
        admin.put(f"/api/v1/namespaces/{name}/finalize", gone)
        with pytest.raises(RegistryUnavailable):
            await one.registry.create("lobby", RTSP, {})


# Answers that are lost


class Lossy(Api):
    """Loses answers, as a connection that breaks does: of these verbs, for these kinds.

    Attributes:
        lost: Verbs and kinds.
        done: Whether the server does it all the same.
        spared: So many answers of these arrive first.
    """

    lost: frozenset[tuple[str, str]] = frozenset()
    done = True
    spared = 0

    async def call(self, call: Call, seconds: float = 15.0) -> bytes:
        lost = (call.verb, call.resource.plural) in self.lost
        if lost and self.spared:
            self.spared, lost = self.spared - 1, False
        if not lost or self.done:
            answer = await super().call(call, seconds)
        if lost:
            raise ApiUnavailable("the answer is lost")
        return answer


@pytest.fixture
async def lossy(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> AsyncIterator[tuple[KubeRegistry, Lossy]]:
    async with Lossy(await account(api_server, namespace, "gateway", RULES, tmp_path)) as api:
        registry = KubeRegistry(api)
        watch = asyncio.create_task(registry.run())
        await synced(registry)
        yield registry, api
        watch.cancel()
        await asyncio.wait({watch})


async def test_a_camera_whose_answer_was_lost_is_found(
    lossy: tuple[KubeRegistry, Lossy], there: Namespace
) -> None:
    registry, api = lossy
    api.lost = frozenset({("create", "cameras")})
    camera = await registry.create("lobby", RTSP, LOGIN)
    assert list(there.secrets()) == [login_of(camera)]


async def test_a_camera_that_was_not_made_leaves_nothing(
    lossy: tuple[KubeRegistry, Lossy], there: Namespace
) -> None:
    registry, api = lossy
    api.lost, api.done = frozenset({("create", "cameras")}), False
    with pytest.raises(RegistryUnavailable, match="nothing was written"):
        await registry.create("lobby", RTSP, LOGIN)
    assert there.empty()


@pytest.mark.parametrize("done", [True, False])
async def test_a_login_whose_answer_was_lost_takes_its_camera_with_it(
    lossy: tuple[KubeRegistry, Lossy], there: Namespace, done: Any
) -> None:
    registry, api = lossy
    api.lost, api.done = frozenset({("create", "secrets")}), done
    with pytest.raises(ApiUnavailable):
        await registry.create("lobby", RTSP, LOGIN)
    assert there.empty()


async def test_a_change_whose_answer_was_lost_is_found(
    lossy: tuple[KubeRegistry, Lossy], there: Namespace
) -> None:
    registry, api = lossy
    await registry.create("lobby", RTSP, LOGIN)
    api.lost = frozenset({("update", "cameras")})
    after = await registry.replace(
        "lobby", replace(RTSP, weight=7), {"username": "a", "password": "b"}
    )
    assert after.spec.weight == 7
    assert list(there.secrets()) == [login_of(after)]


async def test_a_change_that_was_not_made_keeps_the_login_that_was(
    lossy: tuple[KubeRegistry, Lossy], there: Namespace
) -> None:
    registry, api = lossy
    before = await registry.create("lobby", RTSP, LOGIN)
    api.lost, api.done = frozenset({("update", "cameras")}), False
    with pytest.raises(RegistryUnavailable, match="nothing was written"):
        await registry.replace("lobby", RTSP, {"username": "a", "password": "b"})
    assert list(there.secrets()) == [login_of(before)]


async def test_a_change_that_nobody_can_tell_of_keeps_both_logins(
    lossy: tuple[KubeRegistry, Lossy], there: Namespace
) -> None:
    registry, api = lossy
    before = await registry.create("lobby", RTSP, LOGIN)

    api.lost = frozenset({("update", "cameras"), ("get", "cameras")})
    api.spared = 1  # the look before the write
    with pytest.raises(ApiUnavailable):
        await registry.replace("lobby", RTSP, {"username": "a", "password": "b"})
    assert len(there.secrets()) == 2
    assert login_of(before) in there.secrets()


# A server that is away


async def test_with_the_api_server_gone_it_knows_what_it_knew_and_writes_nothing(
    gateway: Opened, api_server: ApiServer
) -> None:
    camera = await gateway.registry.create("lobby", RTSP, {})
    api_server.kill()
    with structlog.testing.capture_logs() as logs:
        for write in (
            gateway.registry.create("door", RTSP, {}),
            gateway.registry.replace("lobby", replace(RTSP, weight=7), None),
            gateway.registry.delete("lobby"),
        ):
            with pytest.raises(RegistryUnavailable):
                await write
    assert "camera_in_doubt" not in {line["event"] for line in logs}
    assert gateway.registry.synced
    assert gateway.registry.by_id("lobby") == camera


async def test_before_it_has_read_the_cameras_it_knows_nothing_and_says_so(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    async with Api(await account(api_server, namespace, "gateway", RULES, tmp_path)) as api:
        registry = KubeRegistry(api)
        assert not registry.synced
        for write in (
            registry.create("lobby", CameraSpec(source=Source(push=PushSource())), {}),
            registry.replace("lobby", RTSP, None),
            registry.delete("lobby"),
        ):
            with pytest.raises(RegistryUnavailable, match="have not been read yet"):
                await write


async def test_the_gateway_cannot_read_a_secret(
    api_server: ApiServer, there: Namespace, tmp_path: Path
) -> None:
    await account(api_server, there.name, "gateway", RULES, tmp_path)
    token = json.loads((tmp_path / "gateway.kubeconfig").read_text())["users"][0]["user"]["token"]
    client = Client(api_server.url, api_server.ca_file, token)
    for path in (f"{there.core}/secrets", f"{there.core}/secrets/login"):
        with pytest.raises(Refused) as answer:
            client.get(path)
        assert answer.value.status == 403
    client.close()
