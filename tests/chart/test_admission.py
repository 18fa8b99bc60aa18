"""What the chart's admission policies refuse on a real API server, and whom they let pass."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from ingest_core.kube.resources import CAMERAS, SECRETS
from ingest_core.model import Camera, CameraSpec, Metadata, PushSource, Source
from ingest_gateway import own_secret
from ingest_simulator.camera import Auth
from tests.chart.rendering import Chart, Object, Values, of_kind
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Client, Refused
from tests.cluster.identity import Identity, service_account
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.test_system import POOL, every, small
from tests.cluster.world import world

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
RULES = [
    {
        "apiGroups": ["camera-ingest.io"],
        "resources": ["cameras", "cameras/status"],
        "verbs": ["get", "create", "update", "patch"],
    },
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["mine"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "delete"]},
]
SECONDS = 30  # in which the API server takes a new policy up


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts: each with the same rights, so that only the policies tell them apart."""

    clients: dict[str, Client]
    namespace: str

    @property
    def path(self) -> str:
        return CAMERAS.path(self.namespace)

    @property
    def secrets(self) -> str:
        return SECRETS.path(self.namespace)

    def apply(self, who: str, name: str, source: dict[str, Any]) -> None:
        self.clients[who].apply(f"{self.path}/{name}", {**camera(name), "spec": {"source": source}})

    def assign(self, who: str, name: str, epoch: int) -> None:
        status = {"assignment": {"epoch": epoch, "worker": f"default-{epoch}"}}
        self.clients[who].apply(f"{self.path}/{name}/status", {**camera(name), "status": status})

    def report(self, who: str, name: str) -> None:
        status = {"stream": {"worker": "default-0", "epoch": 1}}
        self.clients[who].apply(
            f"{self.path}/{name}/status", {**camera(name), "status": status}, manager=who
        )


def camera(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "camera-ingest.io/v1alpha1",
        "kind": "Camera",
        "metadata": {"name": name},
    }


def login(name: str, host: str = "10.0.0.7") -> dict[str, Any]:
    return {"rtsp": {"url": f"rtsp://{host}/", "credentialsSecretRef": {"name": name}}}


@contextmanager
def policies(
    server: ApiServer, chart: Chart, namespace: str, **programs: Values
) -> Iterator[tuple[Object, ...]]:
    """The policies of a namespace are there until the block ends; gives the whole release."""
    values = {"admissionPolicy": {"enabled": True}, **programs}
    objects = chart.render(values, f"--namespace={namespace}")
    with ExitStack() as stack:
        for one in objects:
            if one["kind"] in PLURALS:
                place = f"{ADMISSION}/{PLURALS[one['kind']]}/{one['metadata']['name']}"
                server.admin.apply(place, one)
                stack.callback(server.admin.delete, place)
        yield objects


@pytest.fixture(scope="module")
def party(chart: Chart, _api_server: ApiServer) -> Iterator[Party]:
    """With the policies in force, which takes seconds: tests use cameras of their own."""
    with ExitStack() as stack:
        namespace = stack.enter_context(temporary_namespace(_api_server.admin))
        objects = stack.enter_context(policies(_api_server, chart, namespace))
        pods = {
            who: one["spec"]["template"]["spec"]
            for who, one in of_kind(objects, "Deployment").items()
        }
        names = {who: pod["serviceAccountName"] for who, pod in pods.items()}
        clients = {
            who: stack.enter_context(
                closing(service_account(_api_server, namespace, name, RULES).client())
            )
            for who, name in {**names, "worker": "someone"}.items()
        }
        made = Party(clients, namespace)
        _await_enforced(made)
        yield made


def _await_enforced(party: Party) -> None:
    """Until each policy refuses something: the API server looks for new ones now and then."""
    _await_enforced_for_cameras(party)
    _await_enforced_for_secrets(party.clients["gateway"], party.secrets)


def _await_enforced_for_secrets(gateway: Client, secrets: str) -> None:
    _await_refused(
        "only Secrets of Cameras",
        lambda number: gateway.post(secrets, {"metadata": {"name": f"probe-{number}"}}),
    )


def _await_enforced_for_cameras(party: Party) -> None:
    party.apply("gateway", "probe", {"push": {}})
    _await_refused(
        "written by the operator only", lambda number: party.assign("gateway", "probe", number)
    )
    _await_refused(
        "must name a Secret that you may read",
        lambda number: party.apply("worker", "probe", login("theirs", f"host-{number}")),
    )


def _await_refused(told: str, attempt: Callable[[int], None]) -> None:
    """Try something new each time, which changes nothing that a test looks at."""
    deadline = time.monotonic() + SECONDS
    for number in count(1):
        try:
            attempt(number)
        except Refused as refused:
            if told in refused.message:
                return
        assert time.monotonic() < deadline, "the policies are not in force"
        time.sleep(0.1)  # the API server says in no other way that it has taken them up


def test_only_the_operator_assigns_a_camera_and_workers_report_all_the_same(party: Party) -> None:
    party.apply("worker", "lobby", {"push": {}})
    party.assign("operator", "lobby", 1)
    party.report("worker", "lobby")
    for who in ("worker", "gateway"):
        with pytest.raises(Refused, match="written by the operator only"):
            party.assign(who, "lobby", 2)
    party.assign("operator", "lobby", 2)
    party.report("worker", "lobby")


@pytest.mark.parametrize(
    "source",
    [
        login("theirs"),
        {
            "rtsp": {
                "url": "rtsps://10.0.0.7/",
                "tls": {"caSecretRef": {"name": "theirs", "key": "ca.crt"}},
            }
        },
        {"push": {"tokenSecretRef": {"name": "theirs", "key": "token"}}},
    ],
)
def test_a_camera_names_only_secrets_that_its_author_may_read(
    party: Party, source: dict[str, Any]
) -> None:
    with pytest.raises(Refused, match="must name a Secret that you may read"):
        party.apply("worker", "yard", source)
    party.apply("worker", "yard", login("mine"))
    party.apply("gateway", "gate", source)  # it makes Secrets, and reads none


def test_who_may_not_read_a_secret_cannot_send_it_elsewhere(party: Party) -> None:
    party.apply("gateway", "porch", login("theirs"))
    with pytest.raises(Refused, match="must name a Secret that you may read"):
        party.apply("worker", "porch", login("theirs", host="10.6.6.6"))
    suspended = {"spec": {"suspend": True}}
    party.clients["worker"].merge(f"{party.path}/porch", suspended)  # what is no source is free


def test_the_gateway_makes_and_deletes_only_secrets_of_cameras(
    party: Party, api_server: ApiServer
) -> None:
    admin, gateway = api_server.admin, party.clients["gateway"]
    spec = CameraSpec(source=Source(push=PushSource()))
    owner = Camera(metadata=Metadata(name="hall", uid="0"), spec=spec)
    ours = own_secret.manifest("hall-01234567", owner, {"password": "p"})
    metadata = ours["metadata"]
    (owned,) = metadata["ownerReferences"]
    for wrong in (
        {"metadata": {**metadata, "labels": {}}},
        {"metadata": {**metadata, "ownerReferences": []}},
        {"metadata": {**metadata, "name": "hall"}},
        {"metadata": {**metadata, "name": "redis-01234567"}},
        {"metadata": {**metadata, "ownerReferences": [{**owned, "apiVersion": "apps/v1"}]}},
        {"type": "example.com/other"},
    ):
        with pytest.raises(Refused, match="only Secrets of Cameras"):
            gateway.post(party.secrets, {**ours, **wrong})
    theirs = {"metadata": {"name": "redis"}, "stringData": {"url": "redis://redis"}}
    admin.post(party.secrets, theirs)
    with pytest.raises(Refused, match="only Secrets of Cameras"):
        gateway.delete(f"{party.secrets}/redis")
    party.clients["worker"].delete(f"{party.secrets}/redis")  # its Role, which is not ours, lets it
    gateway.post(party.secrets, ours)
    gateway.delete(f"{party.secrets}/hall-01234567")


async def test_every_program_does_its_work_under_the_policies(
    chart: Chart, api_server: ApiServer, namespace: str
) -> None:
    names = {who: {"serviceAccount": {"name": who}} for who in ("operator", "gateway")}
    admin = api_server.admin
    with policies(api_server, chart, namespace, **names):
        with closing(service_account(api_server, namespace, "someone", RULES).client()) as someone:
            who = Party({"gateway": admin, "worker": someone}, namespace)
            await asyncio.to_thread(_await_enforced_for_cameras, who)
        admin.delete(f"{who.path}/probe")
        async with world(api_server, namespace) as cluster:
            with closing(Identity(api_server, namespace, "gateway").client()) as gateway:
                await asyncio.to_thread(_await_enforced_for_secrets, gateway, who.secrets)
            await cluster.apply("CameraPool", "default", POOL)
            login = small("lobby", auth=Auth.BASIC, username="u", password="p")
            url = (await cluster.simulator.add(login)).replace("://", "://u:p@")
            body = {"id": "cam_1", "source_type": "rtsp", "source_url": url}
            answer = await cluster.http.post(f"{cluster.urls[0]}/api/cameras", json=body)
            assert answer.status == 201, await answer.text()
            await cluster.until(every, "a camera with a login is captured")
