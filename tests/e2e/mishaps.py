"""What goes wrong with logins in an installation, and what people do wrong with them.

Errors are what leaks, so every way to fail is walked with a login in hand. Each credential is told
from all others, so that what is found says where it came from.
"""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from urllib3 import BaseHTTPResponse

from tests.cluster.command_line import CommandLine, Failed
from tests.cluster.leaks import Credential
from tests.e2e import states, tenant
from tests.e2e.door import Door
from tests.fakes.footage import jpeg

WRONG: Final = Credential("a wrong password", "w@:/%lBittern5Chimney2Oak", "lBittern5Chimney2Oak")
LONG: Final = Credential(
    "a password that is too long", "Curlew6Mantle3Reed" * 9, "Curlew6Mantle3Reed"
)
TOKEN: Final = Credential("a push token", "t@:/%Dunlin3Harbour8Elm", "Dunlin3Harbour8Elm")
GUESS: Final = Credential("a wrong push token", "g@:/%Egret9Saddle4Birch", "Egret9Saddle4Birch")
POSTED: Final = Credential("a posted password", "p@:/%Fulmar2Cellar7Ash", "Fulmar2Cellar7Ash")
PATCHED: Final = Credential("a patched password", "q@:/%Gannet4Window6Yew", "Gannet4Window6Yew")
REFUSED: Final = Credential(
    "a password in what is refused", "Heron7Kettle5Willow", "Heron7Kettle5Willow"
)
REDIS_WRONG: Final = Credential(
    "a wrong password of Redis", "Ibis8Ladder2Poplar", "Ibis8Ladder2Poplar"
)
REDIS_BROKEN: Final = Credential(
    "one in a URL that is none", "Jackdaw3Barrel9Fir", "Jackdaw3Barrel9Fir"
)

CREDENTIALS: Final = (
    tenant.LOGIN,
    tenant.REDIS,
    WRONG,
    LONG,
    TOKEN,
    GUESS,
    POSTED,
    PATCHED,
    REFUSED,
    REDIS_WRONG,
    REDIS_BROKEN,
)

_JPEG: Final = {"Content-Type": "image/jpeg"}

_TLS: Final = {"caSecretRef": {"name": "authority", "key": "ca.crt"}}

# What each camera does, and why it is not ready then.
FAILING: Final[Mapping[str, tuple[Mapping[str, Any], str]]] = {
    "wrong": ({"path": "cam1", "login": "wrong-login"}, "AuthenticationFailed"),
    "forbidden": ({"path": "cam1/403"}, "AuthenticationFailed"),
    "gone": ({"path": "cam1/404"}, "NotFound"),
    "busy": ({"path": "cam1/453"}, "CameraBusy"),
    "deaf": ({"path": "cam1/refuse"}, "Unreachable"),
    "nowhere": ({"path": "cam1", "host": "nowhere.invalid"}, "Unreachable"),
    "elsewhere": (
        {"path": "cam1/redirect?location=rtsp%3A%2F%2Fnowhere.invalid%2F"},
        "Unreachable",
    ),
    "silent": ({"path": "cam1/silent", "connectTimeoutSeconds": 2}, "Unreachable"),
    "still": ({"path": "cam1/stall?after=1", "stallTimeoutSeconds": 2}, "Stalled"),
    "torn": ({"path": "cam1/corrupt?probability=1"}, "DecodeFailed"),
    "plain": ({"path": "", "url": "rtsps://simulator:8554/cam1", "tls": _TLS}, "Unreachable"),
    "lengthy": ({"path": "cam1", "login": "long-login"}, "AuthenticationFailed"),
    "without": ({"path": "cam1", "login": "no-login"}, "CredentialsMissing"),
}


def fail(by: CommandLine, authority: str) -> None:
    """Every camera fails in its way, and two pools' Redis; returns when all of them have.

    Args:
        by: Whose namespace it is.
        authority: PEM of one, which a worker that is to trust it writes to a file.
    """
    password = {"password": WRONG.text}
    tenant.apply(
        by,
        tenant.secret("wrong-login", username="admin", **password),
        tenant.secret("authority", **{"ca.crt": authority}),
        tenant.secret("long-login", username="admin", password=LONG.text),
        tenant.secret("redis-wrong", url=f"redis://:{REDIS_WRONG.text}@redis:6379/0"),
        tenant.secret("redis-broken", url=f"redis://:{REDIS_BROKEN.text}@redis:no-port/0"),
        _pool("astray", "redis-wrong"),
        _pool("broken", "redis-broken"),
        tenant.camera("astray", "cam2", pool="astray"),
        *(tenant.camera(name, weight=20, **camera) for name, (camera, _) in FAILING.items()),
    )
    tenant.await_ready(by, "astray")
    every = {(name, why) for name, (_, why) in FAILING.items()}
    states.until(lambda: every - _failures(by, "default-0"), lambda missing: not missing)
    states.until(lambda: restarts(by, "broken-0"), bool)


def _failures(by: CommandLine, worker: str) -> set[tuple[str, str]]:
    """Cameras, and why a session of theirs ended, as the worker's log keeps it."""
    lines = map(json.loads, by.kubectl("logs", worker).splitlines())
    return {
        (line["camera"], line["reason"]) for line in lines if line["event"] == "camera_disconnected"
    }


def restarts(by: CommandLine, pod: str) -> int:
    """How often its container was started again."""
    (container,) = states.get(by, "pod", pod)["status"].get("containerStatuses", [{}])
    return int(container.get("restartCount", 0))


def use(gateway: Door) -> Iterator[tuple[str, bytes]]:
    """Say logins to the gateway, and push with tokens; every answer, by what was asked."""
    for method, path, body, status in _requests():
        headers = {"Content-Type": "application/json"}
        answer = gateway.ask(path, method=method, body=body.encode(), headers=headers)
        yield _told(f"{method} {path}", answer, status)
    for number, (path, authorization, status) in enumerate(_pushes()):
        push = partial(gateway.ask, path, method="POST", body=jpeg())
        taken = states.until(  # by the worker that has it, of which the gateway learns by a watch
            partial(push, headers={**_JPEG, **authorization}),
            lambda answer: answer.status != HTTPStatus.SERVICE_UNAVAILABLE,
        )
        yield _told(f"push {number}", taken, status)


def _requests() -> Iterator[tuple[str, str, str, int]]:
    """Method, path, body, and the status of the answer."""
    cameras, push = "/api/cameras", {"source_type": "http_push", "token": TOKEN.text}
    rtsp = {"id": "no", "source_type": "rtsp"}
    raw = f"{REFUSED.text}/?#"
    url = f"rtsp://admin:{quote(POSTED.text, safe='')}@simulator:8554/cam1"
    posted = {**rtsp, "id": "posted", "source_url": url}
    patches = (
        ({"username": "admin", "password": PATCHED.text}, 200),
        ({"source_url": url.replace("cam1", "cam2")}, 200),
        ({"source_url": f"rtsp://a:{raw}@simulator/"}, 422),
    )
    bodies = (
        (posted, 201),
        (posted, 409),
        ({**rtsp, "source_url": f"rtsp://a:{raw}@h/"}, 422),
        ({**rtsp, "source_url": f"rtsp://h/?pwd={raw}"}, 422),
        ({**rtsp, "password": REFUSED.text}, 422),
        ({**rtsp, "id": f"{REFUSED.text}@", "source_url": url}, 422),
        ({**rtsp, "spec": {"password": REFUSED.text}}, 422),
        ({**push, "id": "gate"}, 201),
    )
    yield "POST", cameras, f'{{"id": "no", "password": "{REFUSED.text}', 400
    for body, status in bodies:
        yield "POST", cameras, json.dumps(body), status
    for patch, status in patches:
        yield "PATCH", f"{cameras}/posted", json.dumps(patch), status


def _pushes() -> Iterator[tuple[str, Mapping[str, str], int]]:
    """Path, headers, and the status of the answer."""
    path = "/api/ingest/push/gate"
    yield path, {"Authorization": f"Bearer {TOKEN.text}"}, 202
    yield path, {"Authorization": f"Bearer {GUESS.text}"}, 401
    yield path, {"Authorization": f"Basic {GUESS.text}"}, 401
    yield f"{path}?token={GUESS.core}", {}, 401


def _told(asked: str, answer: BaseHTTPResponse, status: int) -> tuple[str, bytes]:
    assert answer.status == status, f"{asked}: {answer.status}, {answer.data!r}"
    return f"the answer {status} to {asked}", f"{answer.headers}".encode() + answer.data


def apply(by: CommandLine) -> Iterator[tuple[str, bytes]]:
    """Apply Cameras that hold a login; each refusal, as kubectl tells it."""
    word = REFUSED.text
    url = "rtsp://simulator:8554/cam1"
    for wrong in (
        {"url": f"rtsp://admin:{word}@simulator:8554/cam1"},
        {"url": f"rtsp://admin:{word}/@simulator:8554/cam1"},
        {"url": f"rtsp://simulator:8554/cam1?password={word}"},
        {"url": f"http://admin:{word}@simulator:8554/cam1"},
        {"url": f"admin:{word}@simulator"},
        {"url": url, "password": word},
        {"url": url, "credentialsSecretRef": {"name": f"{word}!"}},
        {"url": url, "credentialsSecretRef": {"name": "login", "passwordKey": f"{word}!"}},
    ):
        try:
            tenant.apply(by, tenant.camera("careless", "", **wrong))
        except Failed as error:
            yield f"the refusal of {sorted(wrong)}", str(error).encode()
        else:
            raise AssertionError(f"applied: {sorted(wrong)}")


def end(by: CommandLine) -> None:
    """Take all of it back."""
    cameras = (*FAILING, "astray", "posted", "gate")
    for kind, names in (
        ("camera", cameras),
        ("camerapool", ("astray", "broken")),
        ("secret", ("wrong-login", "authority", "long-login", "redis-wrong", "redis-broken")),
    ):
        by.kubectl("delete", kind, *names)


def _pool(name: str, redis: str) -> dict[str, Any]:
    worker = {**tenant.WORKERS["worker"], "redisUrlSecretRef": {"name": redis, "key": "url"}}
    return tenant.pool(name, worker=worker)
