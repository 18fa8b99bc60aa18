"""Read a pushed frame's body: a JPEG as it is, or a form around one.

Streaming and bounded: never more than the frame's limit, and a little for the form around it, is
read, in a bounded time; nothing is decompressed.
"""

import asyncio
import math
from http import HTTPStatus
from typing import Final, cast

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from ingest_core import names
from ingest_core.errors import PushRefused
from ingest_core.http import BODY_SECONDS, read_body

_JPEG: Final = "image/jpeg"
_MULTIPART: Final = "multipart/form-data"
_MULTIPART_OVERHEAD: Final = 16_384  # bytes of heads and boundaries around a frame
_FIELD_BYTES: Final = 64
# What aiohttp's reader raises over a form that is none; some only when `assert` is on.
_MALFORMED: Final = (ValueError, RuntimeError, AssertionError, HttpProcessingError)


async def read(request: web.Request, limit: int) -> tuple[bytes, float | None]:
    """A frame of at most `limit` bytes, and the Unix seconds at which the device says it was.

    Raises:
        PushRefused: 400 no form, 413 too big, 415 of another type, 422 a field is wrong.
        web.HTTPException: 408 too slow.
    """
    if request.content_type == _JPEG:
        claimed = _timestamp(request.headers.get(names.HEADER_PUSH_TIMESTAMP))
        return await read_body(request, limit), claimed
    if request.content_type == _MULTIPART:
        return await _form(request, limit)
    raise PushRefused(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"the body must be {_MULTIPART} with a frame_file, or {_JPEG}",
    )


async def _form(request: web.Request, limit: int) -> tuple[bytes, float | None]:
    """Read `frame_file` and `timestamp` of a form, in any order."""
    if (request.content_length or 0) > limit + _MULTIPART_OVERHEAD:
        raise _too_big(limit)
    data: bytes | None = None
    claimed: float | None = None
    body = cast("StreamReader", _Bounded(request.content, limit))
    try:
        async with asyncio.timeout(BODY_SECONDS):
            parts = MultipartReader(request.headers, body)
            while (part := await parts.next()) is not None:
                if not isinstance(part, BodyPartReader):
                    raise _unprocessable("a part must not be multipart itself")
                if part.name == "frame_file" and data is None:
                    data = await _read_part(part, limit)
                elif part.name == "timestamp" and claimed is None:
                    claimed = _timestamp((await _read_part(part, _FIELD_BYTES)).decode("latin-1"))
                else:
                    raise _unprocessable(
                        f"{part.name!r}: the form has one frame_file and one timestamp, no more"
                    )
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body took more than {BODY_SECONDS:g} s") from None
    except _MALFORMED:
        raise PushRefused(HTTPStatus.BAD_REQUEST, "the body is no well-formed form") from None
    if data is None:
        raise _unprocessable("frame_file: the form has none")
    return data, claimed


class _Bounded:
    """A body whose form is read: what is before, between and after its parts counts, too."""

    def __init__(self, content: StreamReader, limit: int) -> None:
        self._content = content
        self._limit = limit

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        return self._counted(await self._content.readline(max_line_length=max_line_length))

    async def read(self, size: int) -> bytes:
        return self._counted(await self._content.read(size))

    def unread_data(self, data: bytes) -> None:
        self._content.unread_data(data)

    def at_eof(self) -> bool:
        return self._content.at_eof()

    def _counted(self, data: bytes) -> bytes:
        if self._content.total_bytes > self._limit + _MULTIPART_OVERHEAD:
            raise _too_big(self._limit)
        return data


async def _read_part(part: BodyPartReader, limit: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(65536):
        data += chunk
        if len(data) > limit:
            raise _too_big(limit)
    return bytes(data)


def _too_big(limit: int) -> PushRefused:
    return PushRefused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"must not have more than {limit} bytes"
    )


def _unprocessable(reason: str) -> PushRefused:
    return PushRefused(HTTPStatus.UNPROCESSABLE_ENTITY, reason)


def _timestamp(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        timestamp = float(text)
    except ValueError:
        timestamp = math.nan
    if not 0 < timestamp < 1e11:  # noqa: PLR2004 - the year 5138; also refuses inf and nan
        raise PushRefused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"timestamp: must be Unix seconds, such as 1763801000.123 (found {text[:40]!r})",
        )
    return timestamp
