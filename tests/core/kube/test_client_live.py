"""The real API server understands us, and we understand it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ingest_core.errors import ApiConflict, ApiForbidden, ApiInvalid, ApiNotFound
from ingest_core.kube.access import load
from ingest_core.kube.client import Api
from ingest_core.kube.resources import CAMERAS, LEASES, PODS, SECRETS, Resource
from tests.cluster.client import Client
from tests.cluster.programs import HOST
from tests.fakes.real_api import Account, manifest

CONFIG_MAPS = Resource("ConfigMap", "configmaps", "v1")


def decoded(answer: bytes) -> Any:
    return json.loads(answer)


async def test_an_object_is_made_read_changed_and_deleted(near: Api) -> None:
    made = decoded(await near.create(CAMERAS, manifest("lobby"), manager="test"))
    assert decoded(await near.get(CAMERAS, "lobby")) == made
    changed = {**made, "spec": {**made["spec"], "weight": 200}}
    changed = decoded(await near.update(CAMERAS, "lobby", changed, manager="test"))
    assert changed["metadata"]["generation"] == 2
    merged = decoded(
        await near.merge(CAMERAS, "lobby", {"spec": {"weight": None}}, manager="other")
    )
    assert merged["spec"]["weight"] == 100
    status = {
        "apiVersion": made["apiVersion"],
        "kind": "Camera",
        "status": {"assignment": {"worker": "default-0", "epoch": 1}},
    }
    applied = decoded(
        await near.apply(CAMERAS, "lobby", status, manager="operator", subresource="status")
    )
    assert applied["status"]["assignment"]["epoch"] == 1
    managers = {one["manager"]: one for one in applied["metadata"]["managedFields"]}
    assert managers["operator"]["operation"] == "Apply"
    assert managers["operator"]["subresource"] == "status"
    (listed,) = decoded(await near.get(CAMERAS))["items"]
    assert listed == applied
    await near.delete(CAMERAS, "lobby", uid=made["metadata"]["uid"])
    with pytest.raises(ApiNotFound):
        await near.get(CAMERAS, "lobby")


async def test_each_refusal_is_what_it_is(near: Api) -> None:
    made = decoded(await near.create(CAMERAS, manifest("lobby"), manager="test"))
    with pytest.raises(ApiConflict) as exists:
        await near.create(CAMERAS, manifest("lobby"), manager="test")
    assert exists.value.reason == "AlreadyExists"
    await near.merge(CAMERAS, "lobby", {"spec": {"weight": 200}}, manager="test")
    with pytest.raises(ApiConflict) as changed:
        await near.update(CAMERAS, "lobby", made, manager="test")
    assert changed.value.reason == "Conflict"
    for which in ({"uid": "another"}, {"version": made["metadata"]["resourceVersion"]}):
        with pytest.raises(ApiConflict):
            await near.delete(CAMERAS, "lobby", **which)
    with pytest.raises(ApiInvalid) as invalid:
        await near.create(CAMERAS, manifest("door", weight=0), manager="test")
    assert invalid.value.status == 422
    assert [cause.field for cause in invalid.value.causes] == ["spec.weight"]
    with pytest.raises(ApiInvalid, match="colour") as unknown:
        await near.create(CAMERAS, manifest("door", colour="red"), manager="test")
    assert unknown.value.status == 400
    with pytest.raises(ApiForbidden):
        await near.get(PODS)


async def test_a_refusal_to_a_secret_does_not_quote_it(near: Api) -> None:
    for secret in ({"data": {"k": "no base64: hunter2"}}, {"stringData": {"no key!": "hunter2"}}):
        with pytest.raises(ApiInvalid) as invalid:
            await near.create(SECRETS, {"metadata": {"name": "login"}, **secret}, manager="test")
        assert "hunter2" not in f"{invalid.value}{invalid.value.causes}"


async def test_a_pod_speaks_to_it_with_its_own_account(account: Account, tmp_path: Path) -> None:
    identity, server = account.identity, account.server
    identity.write_token(tmp_path / "token")
    (tmp_path / "ca.crt").write_bytes(server.ca_file.read_bytes())
    (tmp_path / "namespace").write_text(identity.namespace)
    pod = {"KUBERNETES_SERVICE_HOST": HOST, "KUBERNETES_SERVICE_PORT": f"{server.port}"}
    async with Api(await load(None, pod, account=tmp_path)) as api:
        assert decoded(await api.get(LEASES))["items"] == []
    assert [one.namespace for one in account.requests("list")] == [identity.namespace]


async def test_selectors_arrive_as_they_are_written(near: Api) -> None:
    for name, value in {"a": "x_1.y", "b": "z"}.items():
        body = {"metadata": {"name": name, "labels": {"camera-ingest.io/pool": value, "t": ""}}}
        await near.create(CONFIG_MAPS, body, manager="test")

    async def names(**query: str) -> list[str]:
        items = decoded(await near.get(CONFIG_MAPS, **query))["items"]
        return [one["metadata"]["name"] for one in items]

    assert await names(labelSelector="camera-ingest.io/pool in (x_1.y, w),t=") == ["a"]
    assert await names(labelSelector="camera-ingest.io/pool!=x_1.y,t") == ["b"]
    assert await names(fieldSelector="metadata.name=b") == ["b"]


async def test_a_name_that_needs_quoting_is_just_not_there(near: Api) -> None:
    for name in ("a b", "ä", "?watch=true"):
        with pytest.raises(ApiNotFound):
            await near.get(LEASES, name)


async def test_more_calls_than_there_are_connections_wait_their_turn(near: Api) -> None:
    made = [near.create(CAMERAS, manifest(f"camera-{n}"), manager="test") for n in range(150)]
    await asyncio.gather(*made)
    assert len(decoded(await near.get(CAMERAS))["items"]) == 150


async def test_a_token_that_ran_out_is_replaced_by_what_its_file_holds_by_then(
    account: Account, admin: Client, tmp_path: Path
) -> None:
    """Real tokens, each bound to a Secret: with the Secret goes the token."""
    identity, file = account.identity, tmp_path / "token"
    secrets = SECRETS.path(identity.namespace)
    for name in ("first", "second"):
        admin.post(secrets, {"metadata": {"name": name}})
    identity.write_token(file, bound_to="first")
    kubeconfig = identity.kubeconfig(tmp_path / "kubeconfig", token_file=file)
    async with Api(await load(str(kubeconfig), {})) as api:
        admin.delete(f"{secrets}/first")  # before the server has seen it, and so believes in it
        identity.write_token(file, bound_to="second")
        await api.create(LEASES, {"metadata": {"name": "one"}}, manager="test")
        assert [one.code for one in account.requests("create")] == [201]
        assert await api.get(LEASES, "one")
