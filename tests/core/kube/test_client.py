"""What is asked of the API server, and what becomes of each of its answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest_core.errors import (
    ApiConflict,
    ApiExpired,
    ApiForbidden,
    ApiInvalid,
    ApiNotFound,
    ApiRefused,
    ApiUnavailable,
    Cause,
)
from ingest_core.kube.client import PATIENCE_SECONDS, Api, Call
from ingest_core.kube.resources import CAMERAS, LEASES
from tests.fakes.kube_stand_in import TOKEN, StandIn, called_api, refusal, said, stand_in
from tests.fakes.virtual_time import in_virtual_time

PATH = "/apis/camera-ingest.io/v1alpha1/namespaces/ns/cameras"
BODY = {"metadata": {"name": "lobby"}}
JSON, APPLY, MERGE = (
    "application/json",
    "application/apply-patch+yaml",
    "application/merge-patch+json",
)


def delete_options(**preconditions: str) -> Any:
    return {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}


async def asked(
    folder: Path, call: Call, *plan: Any, calls: list[tuple[str, str, str]] | None = None
) -> tuple[StandIn, bytes | Exception]:
    """Call a stand-in once; gives it, and the answer or the error."""

    def called(verb: str, resource: str, code: str, took: float, /) -> None:
        assert took >= 0
        if calls is not None:
            calls.append((verb, resource, code))

    async with stand_in(*plan) as server, called_api(server.url, folder, called) as api:
        try:
            return server, await api.call(call)
        except (ApiRefused, ApiUnavailable) as error:
            return server, error


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("get", ("GET", f"{PATH}/lobby", JSON, None)),
        ("list", ("GET", f"{PATH}?limit=500&fieldSelector=a%3Db,c%3Dd", JSON, None)),
        ("create", ("POST", f"{PATH}?fieldManager=m&fieldValidation=Strict", JSON, BODY)),
        ("update", ("PUT", f"{PATH}/lobby?fieldManager=m&fieldValidation=Strict", JSON, BODY)),
        ("apply", ("PATCH", f"{PATH}/lobby/status?fieldManager=m&force=true", APPLY, BODY)),
        ("merge", ("PATCH", f"{PATH}/lobby?fieldManager=m", MERGE, BODY)),
        ("delete", ("DELETE", f"{PATH}/lobby", JSON, delete_options(uid="u", resourceVersion="7"))),
        ("delete any", ("DELETE", f"{PATH}/lobby", JSON, delete_options())),
    ],
)
async def test_each_verb_is_asked_as_the_api_has_it(
    tmp_path: Path, call: str, wanted: tuple[str, str, str, Any]
) -> None:
    calls = {
        "get": lambda api: api.get(CAMERAS, "lobby"),
        "list": lambda api: api.get(CAMERAS, limit="500", fieldSelector="a=b,c=d"),
        "create": lambda api: api.create(CAMERAS, BODY, manager="m"),
        "update": lambda api: api.update(CAMERAS, "lobby", BODY, manager="m"),
        "apply": lambda api: api.apply(CAMERAS, "lobby", BODY, manager="m", subresource="status"),
        "merge": lambda api: api.merge(CAMERAS, "lobby", BODY, manager="m"),
        "delete": lambda api: api.delete(CAMERAS, "lobby", uid="u", version="7"),
        "delete any": lambda api: api.delete(CAMERAS, "lobby"),
    }
    async with stand_in(said(200)) as server, called_api(server.url, tmp_path) as api:
        assert await calls[call](api) in (b"{}", None)
    (request,) = server.asked
    body = json.loads(request.body) if request.body else None
    assert (request.method, request.path, request.headers["content-type"], body) == wanted
    assert request.headers["accept"] == "application/json"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ApiInvalid),
        (401, ApiRefused),
        (402, ApiRefused),
        (403, ApiForbidden),
        (404, ApiNotFound),
        (405, ApiRefused),
        (406, ApiRefused),
        (409, ApiConflict),
        (410, ApiExpired),
        (413, ApiRefused),
        (415, ApiRefused),
        (422, ApiInvalid),
    ],
)
async def test_a_refusal_says_what_kind_it_is_and_all_that_the_server_said(
    tmp_path: Path, status: int, kind: type[ApiRefused]
) -> None:
    causes = [{"reason": "FieldValueInvalid", "message": "too big", "field": "spec.weight"}]
    body = {"reason": "Because", "message": "in words", "details": {"causes": causes, "kind": "x"}}
    _, error = await asked(tmp_path, Call("get", CAMERAS, "lobby"), said(status, body))
    assert type(error) is kind
    assert (error.status, error.reason, error.message) == (status, "Because", "in words")
    assert error.causes == (Cause("FieldValueInvalid", "too big", "spec.weight"),)
    assert str(error) == f"the API server answered {status} Because: in words"


async def test_where_nothing_is_served_the_way_out_is_named(tmp_path: Path) -> None:
    unserved = said(404, b"404 page not found\n", Content_Type="text/plain")
    _, error = await asked(tmp_path, Call("list", CAMERAS), unserved)
    assert type(error) is ApiNotFound
    assert str(error).endswith(": no such kind of object is known there; are the CRDs installed?")


async def test_a_version_that_a_cache_has_not_reached_yet_is_one_that_cannot_be_had(
    tmp_path: Path,
) -> None:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    body = {"reason": "Timeout", "message": "too large", "details": {"causes": [cause]}}
    _, error = await asked(tmp_path, Call("list", CAMERAS), said(504, body))
    assert type(error) is ApiExpired


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 507, 599])
async def test_a_broken_server_is_unavailable_and_asked_once(tmp_path: Path, status: int) -> None:
    server, error = await asked(tmp_path, Call("get", CAMERAS), refusal(status, "Because", "x"))
    assert type(error) is ApiUnavailable
    assert error.retry_after is None
    assert str(error) == f"the API server answered {status} Because"
    assert len(server.asked) == 1


async def test_every_status_there_may_be_is_one_of_ours(tmp_path: Path) -> None:
    async with stand_in(said(200)) as server, called_api(server.url, tmp_path) as api:
        for status in [*range(300, 400), *range(400, 600)]:
            server.plan = [said(status, Retry_After="3600")]
            with pytest.raises((ApiRefused, ApiUnavailable)) as raised:
                await api.get(CAMERAS)
            if isinstance(raised.value, ApiRefused):
                assert raised.value.status == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"404 page not found\n",
        b"<html>hunter2</html>",
        b"null",
        b"[]",
        b'"x"',
        b'{"reason": 7, "message": "hunter2"}',
        b'{"details": null, "message": "hunter2"}',
        b'{"message": "\xff"}',
        b'{"x":' + b"[" * 100_000,
        b'{"reason": "NotFound", "mess',
    ],
)
async def test_a_refusal_in_rubbish_is_the_same_refusal_and_quotes_none_of_it(
    tmp_path: Path, body: bytes
) -> None:
    async with stand_in(said(200)) as server, called_api(server.url, tmp_path) as api:
        for status in (400, 401, 403, 404, 409, 410, 418, 422, 429, 500, 503):
            server.plan = [said(status, body, Retry_After="3600")]
            with pytest.raises((ApiRefused, ApiUnavailable)) as raised:
                await api.get(CAMERAS)
            refused = raised.value
            assert isinstance(refused, ApiUnavailable) == (status in (429, 500, 503))
            assert str(status) in str(refused)
            assert "hunter2" not in str(refused)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>log in</html>", "text/html"),
        (200, b"log in", "text/plain"),
        (204, b"", "text/html"),
        (201, b"{}", "application/vnd.kubernetes.protobuf"),
    ],
)
async def test_who_answers_without_json_is_no_api_server(
    tmp_path: Path, status: int, body: bytes, kind: str
) -> None:
    answer = said(status, body, Content_Type=kind)
    _, error = await asked(tmp_path, Call("get", CAMERAS), answer)
    assert isinstance(error, ApiUnavailable)
    assert "without JSON" in str(error)


# Another try


async def test_a_refused_token_is_read_again_and_tried_once_more(tmp_path: Path) -> None:
    async with stand_in(said(401), said(200)) as server, called_api(server.url, tmp_path) as api:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(kubeconfig.read_text().replace(TOKEN, "rotated"))
        assert await api.create(CAMERAS, BODY, manager="m") == b"{}"
    tokens = [request.headers["authorization"] for request in server.asked]
    assert tokens == [f"Bearer {TOKEN}", "Bearer rotated"]
    assert server.asked[0].body == server.asked[1].body


async def test_a_token_that_is_refused_twice_is_a_refusal(tmp_path: Path) -> None:
    server, error = await asked(tmp_path, Call("get", CAMERAS), refusal(401, "Unauthorized", "no"))
    assert type(error) is ApiRefused
    assert (error.status, len(server.asked)) == (401, 2)


async def test_a_refused_token_that_cannot_be_read_again_says_so(tmp_path: Path) -> None:
    async with stand_in(said(401)) as server, called_api(server.url, tmp_path) as api:
        (tmp_path / "kubeconfig").write_text(f"users: {{{TOKEN}")
        with pytest.raises(ApiUnavailable, match=str(tmp_path / "kubeconfig")):
            await api.get(CAMERAS)
        assert await api.access.authorization() == f"Bearer {TOKEN}"
    assert len(server.asked) == 1


@in_virtual_time
async def _waits(folder: Path, status: int, said_seconds: str | None, waited: float) -> None:
    headers = {} if said_seconds is None else {"Retry_After": said_seconds}
    server, answer = await asked(
        folder, Call("get", CAMERAS), said(status, **headers), said(200, b'{"a":1}')
    )
    assert answer == b'{"a":1}'
    first, second = (request.at for request in server.asked)
    assert second - first == pytest.approx(waited, abs=0.01)


@pytest.mark.parametrize(
    ("status", "said_seconds", "waited"),
    [
        (429, "1", 1),
        (429, "4", 4),
        (429, None, 1),
        (429, "Fri, 31 Dec 1999 23:59:59 GMT", 1),
        (429, "-1", 1),
        (429, "0", 1),
        (500, "2", 2),
        (503, "10", 10),
    ],
)
def test_the_server_is_asked_again_when_it_says(
    tmp_path: Path, status: int, said_seconds: str | None, waited: float
) -> None:
    _waits(tmp_path, status, said_seconds, waited)


@pytest.mark.parametrize(
    ("status", "said_seconds", "retry_after"),
    [
        (429, "11", 11.0),
        (503, "3600", 3600.0),
        (503, "9" * 400, float("inf")),
        (503, None, None),
        (503, "soon", None),
        (503, "1.5", None),
        (503, "²", None),
    ],
)
async def test_what_is_not_soon_is_for_the_caller_to_wait_for(
    tmp_path: Path, status: int, said_seconds: str | None, retry_after: float | None
) -> None:
    headers = {} if said_seconds is None else {"Retry_After": said_seconds}
    server, error = await asked(tmp_path, Call("get", CAMERAS), said(status, **headers))
    assert isinstance(error, ApiUnavailable)
    assert error.retry_after == retry_after
    assert len(server.asked) == 1


@in_virtual_time
async def _is_patient(folder: Path, said_seconds: str, most: int) -> None:
    server, error = await asked(folder, Call("get", CAMERAS), said(429, Retry_After=said_seconds))
    assert isinstance(error, ApiUnavailable)
    assert error.retry_after is not None
    assert 1 < len(server.asked) <= most
    assert server.asked[-1].at - server.asked[0].at <= PATIENCE_SECONDS


@pytest.mark.parametrize(("said_seconds", "most"), [("0", 11), ("1", 11), ("3", 4)])
def test_a_server_that_never_has_time_is_left_in_the_end(
    tmp_path: Path, said_seconds: str, most: int
) -> None:
    _is_patient(tmp_path, said_seconds, most)


class _Late(Exception):
    pass


@in_virtual_time
async def _is_fenced(folder: Path, first: Any) -> None:
    looks = 0

    def fence() -> None:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise _Late

    async with stand_in(first, said(200)) as server, called_api(server.url, folder) as api:
        with pytest.raises(_Late):
            await api.apply(CAMERAS, "lobby", BODY, manager="m", fence=fence)
        with pytest.raises(_Late):
            await api.delete(CAMERAS, "lobby", fence=fence)
        assert len(server.asked) == 1


@pytest.mark.parametrize("first", [said(429, Retry_After="3"), said(401)], ids=["429", "401"])
def test_a_fence_is_asked_each_time_that_something_is_sent(tmp_path: Path, first: Any) -> None:
    """What was well when it was asked for may be too late when it is sent again."""
    _is_fenced(tmp_path, first)


# What is told and what is read


async def test_every_try_is_told_with_its_verb_resource_and_status(tmp_path: Path) -> None:
    calls: list[tuple[str, str, str]] = []
    call = Call("patch", CAMERAS, "lobby", "status", body=BODY)
    await asked(tmp_path, call, said(429, Retry_After="3600"), calls=calls)
    await asked(tmp_path, Call("list", LEASES), said(401), said(200), calls=calls)
    await asked(tmp_path, Call("get", LEASES, "x"), said(404), calls=calls)
    async with called_api(
        "http://127.0.0.1:1", tmp_path, lambda *one: calls.append(one[:3])
    ) as api:
        with pytest.raises(ApiUnavailable, match=r"cannot connect to 127\.0\.0\.1:1"):
            await api.delete(LEASES, "x")
    assert calls == [
        ("patch", "cameras/status", "429"),
        ("list", "leases", "200"),
        ("get", "leases", "404"),
        ("delete", "leases", "none"),
    ]


async def test_a_list_of_many_megabytes_is_read_whole(tmp_path: Path) -> None:
    big = {"items": [{"metadata": {"name": f"camera-{n}", "x": "y" * 2000}} for n in range(10_000)]}
    _, answer = await asked(tmp_path, Call("list", CAMERAS), said(200, big))
    assert isinstance(answer, bytes)
    assert len(answer) > 20_000_000
    assert answer == json.dumps(big).encode()


async def test_the_namespace_is_the_contexts_unless_another_is_given(tmp_path: Path) -> None:
    async with called_api("http://127.0.0.1:1", tmp_path) as api:
        assert api.namespace == "ns"
        async with Api(api.access, "other") as other:
            assert other.namespace == "other"
