"""Who we are and where the server is: read from files, read again, and never told."""

import asyncio
import base64
import json
import logging
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingest_core.errors import ApiUnavailable
from ingest_core.kube.access import REFRESH_SECONDS, Access, load
from ingest_core.kube.client import Api
from ingest_core.kube.resources import CAMERAS
from tests.fakes.kube_stand_in import called_api, said, stand_in

TOKEN = "token-that-nobody-may-see"
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


class Clock:
    """Monotonic seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """What the kubelet puts into a pod."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    for name, content in {"token": TOKEN, "ca.crt": "authority", "namespace": "cameras"}.items():
        (folder / name).write_text(content)
    return folder


def in_pod(account: Path, clock: Callable[[], float] = time.monotonic, **more: str) -> Any:
    return load(None, {**POD, **more}, clock, account)


def config(user: object = None, **changed: object) -> dict[str, Any]:
    """A kubeconfig in which nothing is missing."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/"}}],
        "users": [{"name": "u", "user": {"token": TOKEN} if user is None else user}],
        "contexts": [
            {"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "cameras"}},
            {"name": "b", "context": {"cluster": "other", "user": "u"}},
        ],
        "current-context": "a",
        **changed,
    }


def content(file: str | None) -> str:
    assert file is not None
    return Path(file).read_text("utf-8")


def written(folder: Path, what: object) -> str:
    path = folder / "kubeconfig"
    path.write_text(what if isinstance(what, str) else json.dumps(what))
    return str(path)


# In a pod


async def test_a_pod_has_its_own_account(account: Path) -> None:
    access = await in_pod(account)
    assert access.in_cluster
    assert access.configuration.host == "https://10.0.0.1:443"
    assert access.configuration.ssl_ca_cert == str(account / "ca.crt")
    assert access.namespace == "cameras"
    assert await access.authorization() == f"bearer {TOKEN}"


async def test_a_pod_may_live_on_ipv6(account: Path) -> None:
    access = await in_pod(account, KUBERNETES_SERVICE_HOST="fd00::1")
    assert access.configuration.host == "https://[fd00::1]:443"


async def test_an_account_without_a_namespace_is_of_the_default_one(account: Path) -> None:
    (account / "namespace").unlink()
    assert (await in_pod(account)).namespace == "default"


async def test_a_kubeconfig_comes_before_the_pods_account(tmp_path: Path, account: Path) -> None:
    kubeconfig = written(tmp_path, config())
    assert not (await in_pod(account, KUBECONFIG=kubeconfig)).in_cluster
    given_ = await load(kubeconfig, POD, account=account)
    assert given_.configuration.host == "https://10.0.0.1:6443"


@pytest.mark.parametrize("name", ["token", "ca.crt"])
@pytest.mark.parametrize("content", [None, "", b"\xff"])
async def test_an_account_with_a_hole_is_no_access(
    account: Path, name: str, content: str | bytes | None
) -> None:
    (account / name).unlink()
    if content is not None:
        (account / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(
        ApiUnavailable, match=f"the pod's service account in {account} gives no access"
    ):
        await in_pod(account)


@pytest.mark.parametrize("missing", POD)
async def test_a_pod_without_an_address_for_the_server_is_none(account: Path, missing: str) -> None:
    with pytest.raises(ApiUnavailable):
        await load(None, {**POD, missing: ""}, account=account)


async def test_an_error_says_what_was_looked_at_and_what_to_do(
    tmp_path: Path, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    missing = tmp_path / "missing"
    (account / "token").unlink()
    cases: list[tuple[str | None, dict[str, str], str]] = [
        (str(missing), {}, f"the kubeconfig {missing} gives"),
        (None, {"KUBECONFIG": str(missing)}, f"the kubeconfig {missing} of $KUBECONFIG gives"),
        (None, {}, "the kubeconfig ~/.kube/config gives"),
        (None, {"KUBECONFIG": ""}, "outside of a pod, say where the API server is with "),
        (None, POD, f"the pod's service account in {account} gives"),
        (None, {**POD, "KUBERNETES_SERVICE_PORT": ""}, "$KUBERNETES_SERVICE_PORT does not say"),
    ]
    for kubeconfig, environment, words in cases:
        with pytest.raises(ApiUnavailable) as raised:
            await load(kubeconfig, environment, account=account)
        assert words in str(raised.value)


# A token that changes


async def test_a_token_is_read_again_every_minute(account: Path) -> None:
    clock = Clock()
    access = await in_pod(account, clock)
    (account / "token").write_text("second")
    clock.now += REFRESH_SECONDS
    assert await access.authorization() == f"bearer {TOKEN}"
    clock.now += 0.1
    assert await access.authorization() == "bearer second"
    (account / "token").write_text("third")
    assert await access.authorization() == "bearer second"
    await access.reload()
    assert await access.authorization() == "bearer third"


async def test_a_token_that_cannot_be_read_again_counts_on_and_is_tried_every_minute(
    account: Path,
) -> None:
    clock = Clock()
    access = await in_pod(account, clock)
    (account / "token").unlink()
    with capture_logs() as logs:
        for _ in range(12):
            clock.now += REFRESH_SECONDS / 3
            assert await access.authorization() == f"bearer {TOKEN}"
    assert [one["event"] for one in logs] == ["access_not_reloaded"] * 3
    with pytest.raises(ApiUnavailable):  # a server that refused it wants to know
        await access.reload()
    (account / "token").write_text("back")
    clock.now += REFRESH_SECONDS + 1
    assert await access.authorization() == "bearer back"


@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
async def test_the_end_of_a_tokens_line_is_no_part_of_it(
    tmp_path: Path, account: Path, end: str
) -> None:
    (account / "token").write_text(TOKEN + end)
    assert await (await in_pod(account)).authorization() == f"bearer {TOKEN}"
    (tmp_path / "token").write_text(TOKEN + end)
    access = await load(written(tmp_path, config({"tokenFile": "token"})), {})
    assert await access.authorization() == f"Bearer {TOKEN}"


async def test_a_token_file_is_read_again_beside_its_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    access = await load(written(tmp_path, config({"tokenFile": "token"})), {})
    assert await access.authorization() == "Bearer first"
    (tmp_path / "token").write_text("second")
    await access.reload()
    assert await access.authorization() == "Bearer second"


# What connections are made of


async def test_a_file_that_is_replaced_under_its_name_is_another_way_to_the_server(
    tmp_path: Path, account: Path
) -> None:
    access = await in_pod(account)
    first = access.fingerprint
    await access.reload()
    assert access.fingerprint == first
    (account / "token").write_text("another")
    await access.reload()
    assert access.fingerprint == first, "which connection a token goes over makes no difference"
    (account / "ca.crt").write_text("rotated")
    await access.reload()
    assert access.fingerprint != first


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("field", ["client-certificate", "client-key"])
async def test_so_is_a_client_certificate_that_is_renewed(
    tmp_path: Path, field: str, *, inline: bool
) -> None:
    def write(content: str) -> None:
        user: dict[str, str] = {}
        for one in ("client-certificate", "client-key"):
            now = content if one == field else "constant"
            (tmp_path / one).write_text(now)
            encoded = base64.b64encode(now.encode()).decode()
            user |= {f"{one}-data": encoded} if inline else {one: one}
        written(tmp_path, config(user))

    write("first")
    access = await load(str(tmp_path / "kubeconfig"), {})
    first = access.fingerprint
    write("second")
    await access.reload()
    assert access.fingerprint != first


# A kubeconfig


async def test_a_kubeconfig_says_where_and_who(tmp_path: Path) -> None:
    access = await load(written(tmp_path, config()), {})
    assert access.configuration.host == "https://10.0.0.1:6443"
    assert access.namespace == "cameras"
    assert await access.authorization() == f"Bearer {TOKEN}"


async def test_the_environment_may_name_several(tmp_path: Path) -> None:
    parts = config(contexts=[{"name": "a", "context": {"cluster": "c", "user": "u"}}])
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(json.dumps({key: parts[key] for key in ("users", "current-context")}))
    two.write_text(json.dumps({key: parts[key] for key in ("clusters", "contexts")}))
    access = await load(None, {"KUBECONFIG": f"{one}:{two}"})
    assert access.configuration.host == "https://10.0.0.1:6443"
    assert access.namespace == "default"


async def test_a_login_may_be_a_password(tmp_path: Path) -> None:
    user = {"username": "admin", "password": "hunter2"}
    access = await load(written(tmp_path, config(user)), {})
    assert await access.authorization() == f"Basic {base64.b64encode(b'admin:hunter2').decode()}"


@pytest.mark.parametrize("inline", [False, True])
async def test_a_client_certificate_needs_no_header(tmp_path: Path, *, inline: bool) -> None:
    user: dict[str, str] = {}
    for field in ("client-certificate", "client-key"):
        (tmp_path / field).write_text(field)
        encoded = base64.b64encode(field.encode()).decode()
        user |= {f"{field}-data": encoded} if inline else {field: field}
    access = await load(written(tmp_path, config(user)), {})
    assert await access.authorization() is None
    files = [access.configuration.cert_file, access.configuration.key_file]
    assert [content(file) for file in files] == ["client-certificate", "client-key"]


async def test_who_calls_another_context_current_moves_no_program_that_runs(tmp_path: Path) -> None:
    """It would go on in another cluster, with what it knows of this one."""
    other = [
        *config()["clusters"],
        {"name": "other", "cluster": {"server": "https://192.0.2.1:6443"}},
    ]
    kubeconfig = written(tmp_path, config(clusters=other))
    access = await load(kubeconfig, {})
    changed = {"clusters": other, "current-context": "b"}
    written(tmp_path, config({"token": "rotated"}, **changed))
    await access.reload()
    assert access.configuration.host == "https://10.0.0.1:6443"
    assert access.namespace == "cameras"
    assert await access.authorization() == "Bearer rotated"
    assert (await load(kubeconfig, {})).configuration.host == "https://192.0.2.1:6443"


BROKEN: dict[str, object] = {
    "empty": "",
    "no YAML": f"users: [{{token: {TOKEN}",
    "YAML with a tab": f"\tusers: {TOKEN}",
    "two documents": f"a: {TOKEN}\n---\nb: 1\n",
    "nesting without an end": "[" * 500,
    "bytes": "\x00",
    "a word": TOKEN,
    "a list": [TOKEN],
    "a number": 7,
    "no context": {key: value for key, value in config().items() if key != "current-context"},
    "an unknown context": config(**{"current-context": "z"}),
    "a context of an unknown cluster": config(**{"current-context": "b"}),
    "contexts that are none": config(contexts=TOKEN),
    "no clusters": config(clusters=None),
    "a cluster without a name": config(clusters=[{"cluster": {}}]),
    "a server that is a number": config(clusters=[{"name": "c", "cluster": {"server": 7}}]),
    "an authority that is not there": config(
        clusters=[
            {"name": "c", "cluster": {"server": "https://h", "certificate-authority": "missing"}}
        ]
    ),
    "an unknown user": config(users=[]),
    "a user that is a word": config(TOKEN),
    "a user who is nobody": config({}),
    "a token that is empty": config({"token": ""}),
    "a token file that is not there": config({"tokenFile": "missing"}),
    "a key that is no base64": config({"client-certificate-data": TOKEN, "client-key-data": "?"}),
    "a password that is a number": config({"username": "u", "password": 7}),
    "a plugin that is a word": config({"exec": TOKEN}),
    "a plugin that is not there": config({"exec": {"apiVersion": "v1", "command": "/missing"}}),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_kubeconfig_is_named_and_not_quoted(tmp_path: Path, how: str) -> None:
    kubeconfig = written(tmp_path, BROKEN[how])
    with pytest.raises(ApiUnavailable) as raised:
        await load(kubeconfig, {})
    assert str(raised.value).startswith(f"the kubeconfig {kubeconfig} gives no access")
    assert TOKEN not in f"{raised.value!r}"


async def test_a_kubeconfig_that_is_not_there_or_not_ours_to_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ApiUnavailable, match=f"the kubeconfig {path} gives no access"):
            await load(str(path), {})


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a document."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for key, one in items for place in places(one, (*path, key)))]


@given(
    place=st.sampled_from(places(config())[1:]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
)
def test_a_wrong_value_anywhere_is_access_or_no_access(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], value: object
) -> None:
    broken = config()
    target = broken
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    kubeconfig = written(tmp_path_factory.getbasetemp(), broken)
    assert TOKEN not in asyncio.run(outcome(kubeconfig))


async def outcome(kubeconfig: str) -> str:
    """What is seen of a load."""
    try:
        access = await load(kubeconfig, {})
        await access.authorization()
    except ApiUnavailable as error:
        return f"{error!r}"
    return f"{access!r}"


# A plugin, as managed clusters have it


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """It says a token with the number of its run, after a while, or fails when told to."""
    program = tmp_path / "plugin"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, sys, time\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "if (here / 'fails').exists():\n"
        f"    sys.exit('denied for {TOKEN}')\n"
        "with (here / 'runs').open('a') as runs:\n"
        "    runs.write('x')\n"
        "token = f\"run-{len((here / 'runs').read_text())}\"\n"
        "version = 'client.authentication.k8s.io/v1'\n"
        "print(json.dumps({'apiVersion': version, 'kind': 'ExecCredential',"
        " 'status': {'token': token}}))\n"
    )
    program.chmod(stat.S_IRWXU)
    return program


def with_plugin(plugin: Path) -> dict[str, Any]:
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    return config({"exec": spec})


async def test_a_plugin_is_run_once_however_many_ask(tmp_path: Path, plugin: Path) -> None:
    clock = Clock()
    access = await load(written(tmp_path, with_plugin(plugin)), {}, clock)
    assert await access.authorization() == "Bearer run-1"
    clock.now += REFRESH_SECONDS + 1
    told = await asyncio.gather(*(access.authorization() for _ in range(20)))
    assert set(told) == {"Bearer run-2"}


async def test_while_a_plugin_runs_nobody_is_nobody(tmp_path: Path, plugin: Path) -> None:
    """A call that went out without a token would be refused as one of a stranger."""
    access = await load(written(tmp_path, with_plugin(plugin)), {})
    reloading = asyncio.create_task(access.reload())
    seen = set()
    while not reloading.done():
        seen.add(await access.authorization())
        await asyncio.sleep(0)
    await reloading
    assert seen == {"Bearer run-1"}
    assert await access.authorization() == "Bearer run-2"


async def test_a_plugin_that_fails_is_no_access_and_its_words_go_nowhere(
    tmp_path: Path, plugin: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access = await load(written(tmp_path, with_plugin(plugin)), {})
    (tmp_path / "fails").touch()
    with caplog.at_level(logging.DEBUG), pytest.raises(ApiUnavailable) as raised:
        await access.reload()
    assert TOKEN not in f"{raised.value}{caplog.text}"
    assert await access.authorization() == "Bearer run-1"


async def test_nothing_that_is_printed_holds_a_token(tmp_path: Path) -> None:
    async with stand_in(said(200)) as server, called_api(server.url, tmp_path) as api:
        access: Access = api.access
        await api.get(CAMERAS)
        assert isinstance(api, Api)
        for one in (api, access, access.configuration):
            assert TOKEN not in f"{one!r}{one}"
