"""The lines of a watch, however the network cuts them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.errors import ApiExpired, ApiForbidden, ApiRefused, ApiUnavailable
from ingest_core.kube.client import SILENCE_SECONDS, Api, _lines
from ingest_core.kube.resources import CAMERAS
from tests.fakes.kube_stand_in import (
    Say,
    called_api,
    refusal,
    said,
    stand_in,
    stream,
    stream_end,
)
from tests.fakes.virtual_time import in_virtual_time

MIB = 1024 * 1024


async def read(api: Api, seconds: float = 300.0, into: list[bytes] | None = None) -> list[bytes]:
    """All lines; those before a failure, too, into a list."""
    read_ = [] if into is None else into
    async with api.watch(CAMERAS, {"resourceVersion": "7"}, seconds) as lines:
        async for line in lines:
            read_.append(line)
    return read_


async def cut(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_it_is_asked_for_as_the_api_has_it(tmp_path: Path) -> None:
    say = stream_end(b'{"a":1}\n{"b":2}\n')
    async with stand_in(say) as server, called_api(server.url, tmp_path) as api:
        assert await read(api, 301.9) == [b'{"a":1}', b'{"b":2}']
    query = parse_qs(urlsplit(server.asked[0].path).query)
    assert query == {"resourceVersion": ["7"], "watch": ["true"], "timeoutSeconds": ["301"]}


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b" "))),
    cuts=st.lists(st.integers(0, 400)),
    rest=st.binary(max_size=9).map(lambda line: line.replace(b"\n", b" ")),
)
def test_the_lines_are_the_same_wherever_they_are_cut(
    lines: list[bytes], cuts: Sequence[int], rest: bytes
) -> None:
    """Empty ones are none, and half an event at the end is none either."""
    whole = b"".join(line + b"\n" for line in lines) + rest
    places = sorted({0, len(whole), *(place for place in cuts if place < len(whole))})
    chunks = [whole[a:b] for a, b in pairwise(places)]

    async def collect() -> list[bytes]:
        content: Any = SimpleNamespace(iter_any=lambda: cut(*chunks))
        return [line async for line in _lines(content)]

    assert asyncio.run(collect()) == [line for line in lines if line]


async def test_a_line_may_have_four_mebibytes(tmp_path: Path) -> None:
    line = b"x" * (4 * MIB)
    say = stream_end(line + b"\ny\n")
    async with stand_in(say) as server, called_api(server.url, tmp_path) as api:
        assert await read(api) == [line, b"y"]


async def test_a_longer_one_is_for_a_list_to_tell(tmp_path: Path) -> None:
    """Watched again it would come again, for ever; and it never fills the memory."""
    say = stream_end(b"y\n", *[b"x" * MIB] * 64)
    async with stand_in(say) as server, called_api(server.url, tmp_path) as api:
        seen: list[bytes] = []
        with pytest.raises(ApiExpired):
            await read(api, into=seen)
        assert seen == [b"y"]


@pytest.mark.parametrize(
    ("say", "kind"),
    [
        (refusal(403, "Forbidden", "no"), ApiForbidden),
        (refusal(410, "Expired", "too old"), ApiExpired),
        (refusal(500, "InternalError", "no"), ApiUnavailable),
        (refusal(429, "TooManyRequests", "no", Retry_After="1"), ApiUnavailable),
        (said(200, b"<html>", Content_Type="text/html"), ApiUnavailable),
    ],
)
async def test_a_watch_that_does_not_begin(
    tmp_path: Path, say: Say, kind: type[ApiRefused | ApiUnavailable]
) -> None:
    async with stand_in(say) as server, called_api(server.url, tmp_path) as api:
        with pytest.raises(kind):
            await read(api)
        assert len(server.asked) == 1  # when to come back is for the informer to decide


async def test_a_watch_that_is_cut_has_told_what_it_told(tmp_path: Path) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        await stream(b"a\n", b"b\nha")(writer)
        await asyncio.sleep(0.01)  # so that it was read before the reset throws it away
        writer.transport.abort()

    async with stand_in(say) as server, called_api(server.url, tmp_path) as api:
        seen: list[bytes] = []
        with pytest.raises(ApiUnavailable):
            await read(api, into=seen)
        assert seen == [b"a", b"b"]


@in_virtual_time
async def _is_dead_after(folder: Path, silence: float) -> None:
    now = asyncio.get_running_loop().time
    say = stream(b"a\n")
    async with stand_in(say) as server, called_api(server.url, folder, silence=silence) as api:
        began = now()
        with pytest.raises(ApiUnavailable, match="timed out"):
            await read(api)
        assert silence <= now() - began <= silence + 1


@pytest.mark.parametrize("silence", [SILENCE_SECONDS, 2.0])
def test_a_watch_that_is_silent_for_too_long_is_dead(tmp_path: Path, silence: float) -> None:
    _is_dead_after(tmp_path, silence)


@in_virtual_time
async def _lives_longer_than_a_call(folder: Path) -> None:
    now = asyncio.get_running_loop().time

    async def talk(writer: asyncio.StreamWriter) -> None:
        await stream()(writer)
        while True:
            await stream_part(writer, b"x\n")
            await asyncio.sleep(60)

    async with stand_in(talk) as server, called_api(server.url, folder) as api:
        began = now()
        with pytest.raises(ApiUnavailable, match="timed out"):
            await read(api, 600)
        assert 600 < now() - began < 620  # a server that forgets its time is not waited for


async def stream_part(writer: asyncio.StreamWriter, part: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(part), part))
    await writer.drain()


def test_a_watch_that_talks_lives_for_as_long_as_was_asked(tmp_path: Path) -> None:
    _lives_longer_than_a_call(tmp_path)


async def test_who_leaves_a_watch_leaves_no_connection(tmp_path: Path) -> None:
    async with stand_in(stream(b"a\n")) as server, called_api(server.url, tmp_path) as api:
        async with api.watch(CAMERAS, {}, 300.0) as lines:
            assert await anext(lines) == b"a"
        session = api._lender._current.pool_manager
        assert session is not None
        assert not session.connector._acquired  # type: ignore[union-attr]


async def test_what_the_reader_raises_stays_what_it_is(tmp_path: Path) -> None:
    async with stand_in(stream(b"a\n")) as server, called_api(server.url, tmp_path) as api:
        with pytest.raises(ValueError, match="mine"):
            async with api.watch(CAMERAS, {}, 300.0):
                raise ValueError("mine")
