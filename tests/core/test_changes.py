"""Readers are told where to look, once, however often it was said while they were away."""

import asyncio

from ingest_core.changes import Changes


async def test_the_first_set_waits_until_everything_is_known() -> None:
    changes = Changes()
    async with changes.read((), ready=False) as reader:
        first = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        assert not first.done()
        changes.tell({"lobby", "door"})
        assert await first == {"lobby", "door"}


async def test_an_empty_first_set_is_given_too() -> None:
    changes = Changes()
    async with changes.read((), ready=False) as reader:
        changes.tell(frozenset())
        assert await anext(reader) == frozenset()


async def test_what_is_told_often_is_read_once() -> None:
    changes = Changes()
    async with changes.read(["lobby"], ready=True) as reader:
        for _ in range(1000):
            changes.tell({"lobby"})
            changes.tell({"door"})
        assert await anext(reader) == {"lobby", "door"}
        again = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        assert not again.done()
        again.cancel()


async def test_a_reader_that_left_is_told_nothing() -> None:
    changes = Changes()
    async with changes.read((), ready=True):
        pass
    assert not changes._readers
