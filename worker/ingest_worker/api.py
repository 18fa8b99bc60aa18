"""The worker's frame API: what a gateway asks of it, in one process or over the network.

An old frame is never served as if it were live: older than the camera's patience is 503.
"""

import math
import re
import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, overload

from aiohttp import hdrs, web
from msgspec import Struct

from ingest_core import names
from ingest_core.errors import FrameUnavailable, InvalidQuery, NotCaptured, Problem, PushRefused
from ingest_core.http import json_response
from ingest_core.model import Camera
from ingest_worker import bodies
from ingest_worker.feed import Feed, Newest
from ingest_worker.push import Push
from ingest_worker.renderer import Renderer, Variant

MAX_WIDTH: Final = 8192
MAX_AGE_SECONDS: Final = 3600.0
_JPEG: Final = "image/jpeg"
_RETRY_SECONDS: Final = 2
_SEQUENCE: Final = re.compile(r"[0-9]{1,18}")


class FrameInfo(Struct, frozen=True):
    """A frame of the ring; `timestamp` is its capture time in Unix seconds."""

    sequence: int
    timestamp: float
    keyframe: bool
    bytes: int


class FrameList(Struct, frozen=True):
    """What the ring holds, oldest first. Sequences live within (incarnation, epoch)."""

    camera_id: str
    incarnation: int
    epoch: int
    items: list[FrameInfo]


class Accepted(Struct, frozen=True):
    """A pushed frame was taken, now or before, under this number."""

    sequence: int


class FrameApi:
    """Answers for the cameras that `feeds` and `pushes` hold at that moment, by name."""

    def __init__(
        self, feeds: Mapping[str, Feed], pushes: Mapping[str, Push], renderer: Renderer
    ) -> None:
        self._feeds = feeds
        self._pushes = pushes
        self._renderer = renderer

    async def answer(self, request: web.Request, camera: Camera, tail: str) -> web.StreamResponse:
        """Answer what is asked of one camera.

        Args:
            request: Its query, headers and body count; its path does not.
            camera: By whose name the feed is found.
            tail: `frame/latest`, `frames`, `frames/{sequence}` or `push`.

        Raises:
            NotCaptured: This worker does not have the camera.
            IngestError: As the call says.
            web.HTTPNotFound: There is no such call.
        """
        feed = self._feeds.get(camera.name)
        if feed is None:
            raise NotCaptured(camera.id)
        match tail.split("/"):
            case ["frame", "latest"]:
                return await self._latest(request, feed)
            case ["frames"]:
                return self._list(feed)
            case ["frames", number] if _SEQUENCE.fullmatch(number):
                return await self._one(request, feed, int(number))
            case ["push"]:
                return await self._push(request, camera)
        raise web.HTTPNotFound

    async def _latest(self, request: web.Request, feed: Feed) -> web.Response:
        variant = _variant(request.query)
        max_age = _number(request.query, "max_age", 0.0, MAX_AGE_SECONDS, MAX_AGE_SECONDS)
        newest = _fresh(feed, min(max_age, feed.fresh_seconds))
        etag = _etag(feed, newest.frame.sequence, variant)
        headers = _headers(etag, newest.frame.sequence, newest.frame.timestamp)
        headers[hdrs.AGE] = str(int(time.monotonic() - newest.captured))
        headers[hdrs.CACHE_CONTROL] = "no-cache"
        if _matches(request, etag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        body = await self._renderer.newest(feed, newest, variant)
        return _picture(body, headers)

    def _list(self, feed: Feed) -> web.Response:
        items = [
            FrameInfo(frame.sequence, frame.timestamp, frame.keyframe, len(frame.data))
            for frame in feed.held()
        ]
        frames = FrameList(feed.camera_id, feed.incarnation, feed.epoch, items)
        return json_response(frames, headers={hdrs.CACHE_CONTROL: "no-store"})

    async def _one(self, request: web.Request, feed: Feed, sequence: int) -> web.Response:
        variant = _variant(request.query)
        group = feed.until(sequence)
        frame = group[-1]
        etag = _etag(feed, sequence, variant)
        headers = _headers(etag, sequence, frame.timestamp)
        headers[hdrs.AGE] = str(max(0, int(time.time() - frame.timestamp)))
        if _matches(request, etag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        body = await self._renderer.older(feed, group, variant)
        return _picture(body, headers)

    async def _push(self, request: web.Request, camera: Camera) -> web.Response:
        push = self._pushes.get(camera.name)
        if camera.spec.source.push is None:
            raise PushRefused(HTTPStatus.CONFLICT, "the camera is one that is read by RTSP")
        if push is None:
            raise FrameUnavailable("the camera is suspended, or about to start", _RETRY_SECONDS)
        scheme, _, bearer = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        push.admit(bearer.strip() if scheme.lower() == "bearer" else None)
        with push.reading():
            data, claimed = await bodies.read(request, push.max_bytes)
        return json_response(Accepted(push.take(data, claimed)), HTTPStatus.ACCEPTED)


def _picture(body: bytes, headers: dict[str, str]) -> web.Response:
    """A pushed picture is served as it came: a browser must take it for nothing else."""
    headers["X-Content-Type-Options"] = "nosniff"
    return web.Response(body=body, content_type=_JPEG, headers=headers)


def _fresh(feed: Feed, max_age: float) -> Newest:
    newest = feed.newest
    if newest is None:
        raise FrameUnavailable(f"no frame yet: {_why(feed)}", _RETRY_SECONDS)
    age = time.monotonic() - newest.captured
    if age > max_age:
        text = f"the newest frame is {age:.1f} s old, more than {max_age:g} s: {_why(feed)}"
        raise FrameUnavailable(text, _RETRY_SECONDS)
    return newest


def _why(feed: Feed) -> str:
    state = feed.state
    return f"{state.reason.value}. {state.message}".rstrip(". ")


def _variant(query: Mapping[str, str]) -> Variant:
    width = _number(query, "width", 16, MAX_WIDTH, None)
    quality = _number(query, "quality", 1, 100, None)
    return Variant(None if width is None else int(width), None if quality is None else int(quality))


@overload
def _number(
    query: Mapping[str, str], field: str, least: float, most: float, default: float
) -> float: ...
@overload
def _number(
    query: Mapping[str, str], field: str, least: float, most: float, default: None
) -> float | None: ...
def _number(
    query: Mapping[str, str], field: str, least: float, most: float, default: float | None
) -> float | None:
    text = query.get(field)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        rule = f"must be a number of {least:g} to {most:g}"
        raise InvalidQuery(Problem(f"?{field}", repr(text[:40]), rule))
    return number


def _etag(feed: Feed, sequence: int, variant: Variant) -> str:
    shape = f"{variant.width or 0}-{variant.quality or 0}"
    return f'"{feed.incarnation:x}-{feed.epoch:x}-{sequence:x}-{shape}"'


def _matches(request: web.Request, etag: str) -> bool:
    wanted = request.headers.get(hdrs.IF_NONE_MATCH)
    if wanted is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
    return etag in tags or "*" in tags


@lru_cache(maxsize=64)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _headers(etag: str, sequence: int, timestamp: float) -> dict[str, str]:
    return {
        hdrs.ETAG: etag,
        hdrs.LAST_MODIFIED: _http_date(int(timestamp)),
        names.HEADER_TIMESTAMP: f"{timestamp:.6f}",
        names.HEADER_SEQUENCE: str(sequence),
    }
