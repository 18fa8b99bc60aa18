"""No credential is anywhere but in Secrets, and in the memory of whoever needs it.

Everything that can go wrong with one has gone wrong before anything is searched (mishaps.py). What
is searched is proven to be what it should be: a search of nothing finds nothing.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from tests.cluster.command_line import CommandLine
from tests.cluster.etcd import Etcd
from tests.cluster.leaks import leaks
from tests.cluster.nodes.cluster import Cluster
from tests.e2e import mishaps, states, tenant, traces
from tests.e2e.door import door
from tests.e2e.events import connected, published
from tests.e2e.mishaps import CREDENTIALS
from tests.e2e.site import forwarded
from tests.fakes.authority import authority

RESTARTED: Final = "broken-0"

Answers = Sequence[tuple[str, bytes]]


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PEM of an authority."""
    return authority(tmp_path_factory.mktemp("tls") / "authority").certificate.read_text()


@pytest.fixture(scope="module")
def answers(other: CommandLine, trusted: str) -> Iterator[Answers]:
    """What people were told, once everything has gone wrong."""
    mishaps.fail(other, trusted)
    with forwarded(other, f"service/{tenant.GATEWAY}", 80) as place:
        told = [*mishaps.use(door(f"http://{place}")), *mishaps.apply(other)]
    states.until(lambda: states.status(other, "gate")["stream"].get("width"), bool)
    yield tuple(told)
    mishaps.end(other)


@pytest.fixture(scope="module")
def store(nodes: Cluster) -> Etcd:
    return nodes.control_plane.server.etcd


def test_a_credential_that_is_left_is_found(
    answers: Answers, other: CommandLine, store: Etcd
) -> None:
    assert answers
    basic = b64encode(f"admin:{tenant.LOGIN.text}".encode()).decode()
    other.kubectl("create", "configmap", "planted", f"--from-literal=header=Basic {basic}")
    try:
        in_store = leaks(traces.store(store), CREDENTIALS)
        shown = leaks(traces.objects(other), CREDENTIALS)
    finally:
        other.kubectl("delete", "configmap", "planted")

    password = f"has {tenant.LOGIN.name}"
    assert in_store == (f"/registry/configmaps/{other.namespace}/planted {password}",)
    assert f"kubectl describe {password}" in shown
    assert f"kubectl get --output=yaml {password}" in shown


def test_none_is_stored_outside_of_secrets(
    answers: Answers, store: Etcd, other: CommandLine
) -> None:
    assert answers
    places = dict(traces.store(store))
    ours = f"/registry/camera-ingest.io/cameras/{other.namespace}"

    assert {f"{ours}/{name}" for name in (*mishaps.FAILING, "lobby")} <= places.keys()
    assert any(key.startswith(f"/registry/events/{other.namespace}/") for key in places)
    assert leaks(places.items(), CREDENTIALS) == ()


def test_secrets_hold_them_all_where_they_are_kept(answers: Answers, store: Etcd) -> None:
    """So what is searched for is what is there, letter by letter."""
    assert answers
    secrets = b"".join(
        value for key, value in store.everything() if key.startswith(b"/registry/secrets/")
    )
    kept = (tenant.LOGIN, tenant.REDIS, mishaps.WRONG, mishaps.TOKEN, mishaps.POSTED)

    assert leaks([("a Secret", secrets)], kept) == tuple(f"a Secret has {one.name}" for one in kept)


def test_kubectl_shows_none(answers: Answers, other: CommandLine) -> None:
    assert answers
    places = dict(traces.objects(other))

    for name in mishaps.FAILING:
        assert f"Name:         {name}\n".encode() in places["kubectl describe"]
    assert b"the camera refused the login" in places["kubectl describe"]
    assert leaks(places.items(), CREDENTIALS) == ()


def test_no_pod_logs_one(answers: Answers, other: CommandLine) -> None:
    assert answers
    places = dict(traces.logs(other))

    assert {f"the log of {pod}" for pod in ("default-0", "side-0", RESTARTED)} <= places.keys()
    assert f"the log of {RESTARTED} before" in places
    for why in {why for _, why in mishaps.FAILING.values()}:
        assert why.encode() in places["the log of default-0"]
    assert b"Redis URL: " in places[f"the log of {RESTARTED} before"]
    assert leaks(places.items(), CREDENTIALS) == ()


def test_helm_tells_none(answers: Answers, other: CommandLine) -> None:
    assert answers
    places = dict(traces.release(other, "cameras"))

    assert b"existingSecret: redis" in places["helm get values --all"]
    assert b"name: CAMERA_INGEST_WORKER_REDIS_SECRET" in places["helm get manifest"]
    assert leaks(places.items(), CREDENTIALS) == ()


def test_no_program_serves_one(answers: Answers, other: CommandLine) -> None:
    places = dict(traces.pages(other))

    assert b"camera_ingest_camera_up" in places["/metrics of default-0"]
    assert {name.split()[0] for name in places} == {"/metrics", "/live", "/api/cameras"}
    (listed,) = (told for name, told in places.items() if name.startswith("/api/cameras"))
    for camera in (*mishaps.FAILING, "posted", "gate"):
        assert f'"id":"{camera}"'.encode() in listed
    assert leaks((*places.items(), *answers), CREDENTIALS) == ()


def test_redis_hears_none(answers: Answers, other: CommandLine) -> None:
    assert answers
    with connected(other, "deployment/redis", tenant.REDIS.text) as redis:
        heard = published(redis, {"lobby", "alley", "still"})
        places = dict(traces.database(redis))

    assert b"camera.disconnected" in places["the key camera-events"]
    assert "the key camera:still:state" in places
    assert leaks([("an event", event) for event in heard], CREDENTIALS) == ()
    assert leaks(places.items(), CREDENTIALS) == ()


def test_no_process_has_one_among_its_arguments_or_files(
    answers: Answers, trusted: str, nodes: Cluster
) -> None:
    assert answers
    arguments = [*traces.arguments(nodes)]
    files = [*traces.files(nodes)]
    programs = ("worker", "operator", "gateway", "simulator")

    assert {f"the arguments of camera-ingest {one}" for one in programs} <= dict(arguments).keys()
    assert leaks(arguments, CREDENTIALS) == ()
    written = {name.rpartition(" of ")[2] for name, text in files if text == trusted.encode()}
    assert written == {"camera-ingest worker"}
    assert leaks(files, CREDENTIALS) == ()


def test_only_the_login_of_redis_is_among_a_programs_variables(
    answers: Answers, nodes: Cluster
) -> None:
    """As its Secret is read when a worker starts; the simulator is no program of a release."""
    assert answers
    redis = (tenant.REDIS, mishaps.REDIS_WRONG)

    assert set(leaks(traces.environments(nodes), CREDENTIALS)) - {
        f"camera-ingest simulator has {tenant.LOGIN.name}",
        f"camera-ingest worker has {mishaps.REDIS_BROKEN.name}",  # if it lives at the moment
    } == {f"camera-ingest worker has {one.name}" for one in redis}
