"""What the chart's admission policies refuse on a real API server, and whom they let pass."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from ingest_simulator.camera import Auth
from tests.chart.rendering import Chart, Object, Values, of_kind
from tests.cluster.api_server import ApiServer
from tests.cluster.client import Client, Refused
from tests.cluster.identity import service_account
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
]
SECONDS = 30  # in which the API server takes a new policy up


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts: each with the same rights, so that only the policies tell them apart."""

    clients: dict[str, Client]
    path: str

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


def cameras_of(namespace: str) -> str:
    return f"/apis/camera-ingest.io/v1alpha1/namespaces/{namespace}/cameras"


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
        made = Party(clients, cameras_of(namespace))
        _await_enforced(made)
        yield made


def _await_enforced(party: Party) -> None:
    """Until each policy refuses something: the API server looks for new ones now and then."""
    party.apply("gateway", "probe", {"push": {}})
    _await_refused(lambda number: party.assign("gateway", "probe", number))
    _await_refused(lambda number: party.apply("worker", "probe", login("theirs", f"host-{number}")))


def _await_refused(attempt: Callable[[int], None]) -> None:
    """Try something new each time, which changes nothing that a test looks at."""
    deadline = time.monotonic() + SECONDS
    for number in count(1):
        try:
            attempt(number)
        except Refused:
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


async def test_every_program_does_its_work_under_the_policies(
    chart: Chart, api_server: ApiServer, namespace: str
) -> None:
    names = {who: {"serviceAccount": {"name": who}} for who in ("operator", "gateway")}
    admin, path = api_server.admin, cameras_of(namespace)
    with policies(api_server, chart, namespace, **names):
        with closing(service_account(api_server, namespace, "someone", RULES).client()) as someone:
            await asyncio.to_thread(
                _await_enforced, Party({"gateway": admin, "worker": someone}, path)
            )
        admin.delete(f"{path}/probe")
        async with world(api_server, namespace) as cluster:
            await cluster.apply("CameraPool", "default", POOL)
            login = small("lobby", auth=Auth.BASIC, username="u", password="p")
            url = (await cluster.simulator.add(login)).replace("://", "://u:p@")
            body = {"id": "cam_1", "source_type": "rtsp", "source_url": url}
            answer = await cluster.http.post(f"{cluster.urls[0]}/api/cameras", json=body)
            assert answer.status == 201, await answer.text()
            await cluster.until(every, "a camera with a login is captured")
