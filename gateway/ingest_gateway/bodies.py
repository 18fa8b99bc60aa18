"""The bodies of the HTTP API, to and from a camera's spec. Pure.

A body is a manifest's spec with the words of the first API around it: `source_type`, `source_url`
and a login, which goes into the camera's own Secret and is never said again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from ingest_core import manifest, names
from ingest_core.credentials import Credentials, split_userinfo
from ingest_core.errors import InvalidManifest, Problem
from ingest_core.live import Live
from ingest_core.model import (
    CONNECTED,
    READY,
    Camera,
    CameraId,
    CameraSpec,
    Condition,
)
from ingest_core.objects import PASSWORD, TOKEN, USERNAME
from ingest_gateway.chosen import chosen

SourceType = Literal["rtsp", "http_push"]
Login = Annotated[str, Meta(max_length=256, pattern=names.LOGIN_PATTERN)]
Token = Annotated[str, Meta(max_length=256, pattern=names.TOKEN_PATTERN)]

_URL_FIELD: Final = "spec.source.rtsp.url"


class CameraBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a camera: the body of POST, and what PATCH must add up to."""

    id: CameraId
    source_type: SourceType
    source_url: Annotated[str, Meta(max_length=4096)] | None = None
    username: Login | None = None
    password: Login | None = None
    token: Token | None = None
    spec: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"CameraBody({self.id!r}, ***)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A camera as a body wants it; `secret` holds the values of its own Secret, by key."""

    spec: CameraSpec
    secret: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Wanted({self.spec!r}, ***)"


class Status(Struct, frozen=True, kw_only=True):
    """How a camera is: what a person looks at, the conditions, and what its worker sees now."""

    ready: bool
    reason: str
    message: str
    conditions: tuple[Condition, ...]
    live: Live | None


class CameraView(Struct, frozen=True, kw_only=True):
    """A camera as the API shows it; `source_url` is None for one that is pushed."""

    id: str
    name: str
    source_type: SourceType
    source_url: str | None
    spec: dict[str, Any]
    status: Status


class CameraList(Struct, frozen=True, kw_only=True, rename={"continue_": "continue"}):
    """A page; `continue` asks for the next one, and is None on the last."""

    items: tuple[CameraView, ...]
    continue_: str | None


def wanted(body: CameraBody, name: str) -> Wanted:
    """Turn a body into a spec and the values of the camera's own Secret.

    Args:
        body: Its fields keep their own rules.
        name: The name of the camera's object; the id is said in the spec where it differs.

    Raises:
        InvalidManifest: With every problem of what the fields say together, or the first of `spec`.
    """
    url, login, problems = _login(body)
    problems += _source(body)
    if problems:
        raise InvalidManifest(*problems)
    raw = dict(body.spec)
    if body.id != name:
        raw["cameraId"] = body.id
    kind = "rtsp" if body.source_type == "rtsp" else "push"
    source = dict(raw.get("source", {}))
    source[kind] = dict(source.get(kind, {}))
    if url is not None:
        source[kind]["url"] = url
    raw["source"] = source
    try:
        spec = manifest.parse(raw, CameraSpec, root="spec")
    except InvalidManifest as error:
        raise _said(error.problems) from None
    if found := manifest.check(spec):
        raise _said(tuple(found))
    if login is not None:
        return Wanted(spec, {USERNAME: login.username, PASSWORD: login.password})
    return Wanted(spec, {} if body.token is None else {TOKEN: body.token})


def said(camera: Camera) -> dict[str, Any]:
    """A camera in the words of a body, without its login: what a patch is applied to."""
    spec = chosen(camera.spec)
    spec.pop("cameraId", None)
    body: dict[str, Any] = {"id": camera.id, "source_type": source_type(camera), "spec": spec}
    if camera.spec.source.rtsp is not None:
        body["source_url"] = spec["source"]["rtsp"].pop("url")
    return body


def view(camera: Camera, live: Live | None) -> CameraView:
    """A camera as the API shows it."""
    body = said(camera)
    by_type = {condition.type: condition for condition in camera.status.conditions}
    told = by_type.get(READY) or by_type.get(CONNECTED)
    return CameraView(
        id=camera.id,
        name=camera.name,
        source_type=source_type(camera),
        source_url=body.get("source_url"),
        spec=body["spec"],
        status=Status(
            ready=READY in by_type and by_type[READY].status == "True",
            reason="Pending" if told is None else told.reason,
            message="no worker has said anything yet" if told is None else told.message,
            conditions=camera.status.conditions,
            live=live,
        ),
    )


def source_type(camera: Camera) -> SourceType:
    return "rtsp" if camera.spec.source.rtsp is not None else "http_push"


def _login(body: CameraBody) -> tuple[str | None, Credentials | None, list[Problem]]:
    """The URL without a login, the login from wherever it was said, and what is wrong with both."""
    url, login = body.source_url, None
    problems = []
    if url is not None:
        try:
            url, login = split_userinfo(url)
        except ValueError as error:
            problems.append(Problem("source_url", None, str(error)))
    if (body.username is None) != (body.password is None):
        missing = USERNAME if body.username is None else PASSWORD
        problems.append(Problem(missing, None, "username and password go together"))
    elif body.username is not None and body.password is not None:
        if login is not None:
            problems.append(Problem(USERNAME, None, "the login is in source_url already"))
        login = Credentials(body.username, body.password)
    elif login is not None and not _printable(login):
        problems.append(Problem("source_url", None, "a login must not hold control characters"))
    return url, login, problems


def _source(body: CameraBody) -> list[Problem]:
    source = body.spec.get("source", {})
    kind, other = ("rtsp", "push") if body.source_type == "rtsp" else ("push", "rtsp")
    part = source.get(kind, {}) if isinstance(source, dict) else None
    if not isinstance(part, dict):
        field = "spec.source" if part is None else f"spec.source.{kind}"
        return [Problem(field, None, "must be a mapping")]
    problems = []
    if other in source:
        rule = f"does not go with source_type {body.source_type}"
        problems.append(Problem(f"spec.source.{other}", None, rule))
    if "cameraId" in body.spec and body.spec["cameraId"] != body.id:
        problems.append(Problem("spec.cameraId", None, "is said by id"))
    if kind == "rtsp":
        problems += _rtsp(body, part)
    else:
        problems += _push(body, part)
    return problems


def _rtsp(body: CameraBody, part: dict[str, Any]) -> list[Problem]:
    problems = []
    if body.source_url is None:
        problems.append(Problem("source_url", None, "is required with source_type rtsp"))
    if "url" in part:
        problems.append(Problem(_URL_FIELD, None, "is said by source_url"))
    if body.token is not None:
        problems.append(Problem(TOKEN, None, "goes with source_type http_push only"))
    return problems


def _push(body: CameraBody, part: dict[str, Any]) -> list[Problem]:
    rule = "goes with source_type rtsp only"
    given = {"source_url": body.source_url, USERNAME: body.username, PASSWORD: body.password}
    problems = [Problem(field, None, rule) for field, value in given.items() if value is not None]
    if "url" in part:
        problems.append(Problem("spec.source.push.url", None, "there is no such field"))
    return problems


def _said(problems: tuple[Problem, ...]) -> InvalidManifest:
    """The problems by the names that the body has for the fields."""
    return InvalidManifest(
        *(
            Problem("source_url" if one.field == _URL_FIELD else one.field, one.value, one.rule)
            for one in problems
        )
    )


def _printable(login: Credentials) -> bool:
    text = login.username + login.password
    return not any(ord(c) < ord(" ") or ord(c) == 0x7F for c in text)  # noqa: PLR2004 - DEL
