import asyncio
from pathlib import Path

import pytest

from ingest_simulator import clips
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.clips import Clips, ReadyClip
from ingest_simulator.encode import ClipSpec, UnwantedError


async def made(folder: Path, camera: SimulatedCamera) -> ReadyClip:
    store = Clips(folder)
    try:
        return await store.get(ClipSpec.of(camera))
    finally:
        await store.close()


def only_nothing(folder: Path) -> bool:
    return not list(folder.iterdir())


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


async def test_a_clip_is_read_back_from_disk(tmp_path: Path, small: SimulatedCamera) -> None:
    first = await made(tmp_path, small)
    path = only_file(tmp_path)
    before = path.stat().st_ino
    assert await made(tmp_path, small) == first
    assert path.stat().st_ino == before


async def test_a_file_that_cannot_be_read_is_made_anew(
    tmp_path: Path, small: SimulatedCamera
) -> None:
    first = await made(tmp_path, small)
    path = only_file(tmp_path)
    whole = path.read_bytes()
    for broken in (b"", whole[:-1], b"\x90" + whole):
        path.write_bytes(broken)
        assert await made(tmp_path, small) == first
        assert path.read_bytes() == whole


async def test_a_cache_that_cannot_be_written_does_no_harm(
    tmp_path: Path, small: SimulatedCamera
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    assert len((await made(blocked, small)).frames) == 20


async def test_who_asks_while_a_clip_is_made_gets_the_same(
    tmp_path: Path, small: SimulatedCamera
) -> None:
    store, spec = Clips(tmp_path), ClipSpec.of(small)
    assert store.ready(spec) is None
    impatient = asyncio.create_task(store.get(spec))
    await asyncio.sleep(0)
    impatient.cancel()
    first, second = await asyncio.gather(store.get(spec), store.get(spec))
    assert first is second
    assert store.ready(spec) is first
    await store.close()


async def test_closing_stops_a_drawing_that_would_take_long(tmp_path: Path) -> None:
    long = SimulatedCamera(name="a", width=1920, height=1080, fps=120, clip_seconds=120)
    store = Clips(tmp_path)
    waiting = [asyncio.create_task(store.get(ClipSpec.of(long)))]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await store.close()
    (outcome,) = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(outcome, UnwantedError)
    assert only_nothing(tmp_path)


async def test_memory_holds_no_more_clips_than_it_may(
    tmp_path: Path, small: SimulatedCamera
) -> None:
    store = Clips(tmp_path, capacity=1)
    spec = ClipSpec.of(small)
    first = await store.get(spec)
    await store.get(ClipSpec.of(SimulatedCamera(name="b", width=64, height=64, clip_seconds=1)))
    assert await store.get(spec) is not first
    await store.close()


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/camera-ingest/clips"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/camera-ingest/clips"),
    ],
)
def test_clips_are_kept_where_caches_belong(environment: dict[str, str], folder: str) -> None:
    assert clips.directory(environment) == Path(folder)
