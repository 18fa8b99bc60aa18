"""JPEGs on demand: once per frame and variant, however many ask, and never too many at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ingest_core.errors import FrameUnavailable, FrameUndecodable
from ingest_core.metrics import RENDER_SECONDS
from ingest_worker.feed import Newest
from ingest_worker.render import decode_last
from ingest_worker.renderer import MAX_OLDER_WAITING, MAX_WAITING, Renderer, Variant
from ingest_worker.ring import JPEG, Frame
from tests.fakes import footage
from tests.fakes.cameras import feed_of, rtsp_camera

SMALL = Variant(width=32)


class Held(Executor):
    """Keeps jobs until `work`; `jobs` counts all that ever came."""

    def __init__(self) -> None:
        self.jobs = 0
        self._waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, job: Callable[..., Any], /, *_: Any, **__: Any) -> Future[Any]:
        self.jobs += 1
        future: Future[Any] = Future()
        self._waiting.append((future, job))
        return future

    def work(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future, job in waiting:
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except FrameUndecodable as error:
                future.set_exception(error)


class Made:
    def __init__(self) -> None:
        self.held = Held()
        self.exposition = CollectorRegistry()
        self.older = Held()
        seconds = RENDER_SECONDS.histogram(self.exposition)
        self.renderer = Renderer(self.held, self.older, seconds)
        self.feed = feed_of(rtsp_camera())

    async def asked(self, *jobs: Any) -> list[asyncio.Task[bytes]]:
        tasks = [asyncio.ensure_future(job) for job in jobs]
        await asyncio.sleep(0)
        return tasks

    def newest(self, frame: Frame | None = None, variant: Variant = SMALL) -> Any:
        return self.renderer.newest(self.feed, newest(frame), variant)


def newest(frame: Frame | None = None) -> Newest:
    picture = decode_last(footage.h264(1))
    return Newest(frame or picture.frame, picture, 0.0)


def pushed(data: bytes, sequence: int = 1) -> Newest:
    return Newest(Frame(sequence, 1.0, keyframe=True, data=data, codec=JPEG), None, 0.0)


def numbered(sequence: int) -> Frame:
    return Frame(sequence, 0.0, keyframe=True, data=b"", codec=footage.h264(1)[0].codec)


def sized(encoded: bytes) -> tuple[int, int]:
    height, width, _ = footage.pixels(encoded).shape
    return width, height


async def test_a_thousand_viewers_of_one_picture_cost_one_encoding() -> None:
    made = Made()
    viewers = await made.asked(*(made.newest() for _ in range(1000)))
    made.held.work()
    pictures = await asyncio.gather(*viewers)
    assert made.held.jobs == 1
    assert len(set(pictures)) == 1
    assert sized(pictures[0]) == (32, 24)
    assert await made.newest() == pictures[0], "and those who come later cost nothing"


async def test_each_frame_and_each_variant_is_made_by_itself() -> None:
    made = Made()
    wanted = [
        made.newest(),
        made.newest(variant=Variant()),
        made.newest(variant=Variant(quality=10)),
        made.newest(numbered(2)),
    ]
    viewers = await made.asked(*wanted)
    made.held.work()
    small, whole, poor, _ = await asyncio.gather(*viewers)
    assert made.held.jobs == 4
    assert (sized(small), sized(whole), sized(poor)) == ((32, 24), (64, 48), (64, 48))


async def test_cameras_do_not_share_pictures() -> None:
    made = Made()
    other = feed_of(rtsp_camera("other"))
    viewers = await made.asked(made.newest(), made.renderer.newest(other, newest(), SMALL))
    made.held.work()
    await asyncio.gather(*viewers)
    assert made.held.jobs == 2


async def test_a_picture_is_never_made_larger_than_it_is() -> None:
    made = Made()
    (viewer,) = await made.asked(made.newest(variant=Variant(width=8192)))
    made.held.work()
    assert sized(await viewer) == (64, 48)


async def test_only_the_last_few_are_kept() -> None:
    made = Made()
    for sequence in range(10):
        (viewer,) = await made.asked(made.newest(numbered(sequence)))
        made.held.work()
        await viewer
    await made.newest(numbered(9))
    assert made.held.jobs == 10
    (viewer,) = await made.asked(made.newest(numbered(0)))
    made.held.work()
    await viewer
    assert made.held.jobs == 11


async def test_when_too_many_wait_the_next_is_refused_and_told_when_to_come_again() -> None:
    made = Made()
    viewers = await made.asked(*(made.newest(numbered(n)) for n in range(MAX_WAITING)))
    with pytest.raises(FrameUnavailable) as refused:
        await made.newest(numbered(999))
    assert refused.value.retry_after == 1
    made.held.work()
    await asyncio.gather(*viewers)
    (viewer,) = await made.asked(made.newest(numbered(999)))
    made.held.work()
    assert await viewer


async def test_those_who_ask_for_what_is_being_made_are_not_refused() -> None:
    made = Made()
    viewers = await made.asked(*(made.newest(numbered(n)) for n in range(MAX_WAITING)))
    more = await made.asked(made.newest(numbered(MAX_WAITING - 1)))
    made.held.work()
    await asyncio.gather(*viewers, *more)


async def test_a_failed_job_fails_for_all_who_wait_and_is_forgotten() -> None:
    made = Made()
    broken = pushed(b"\xff\xd8\xff no picture")
    made.feed.size = (64, 48)
    viewers = await made.asked(*(made.renderer.newest(made.feed, broken, SMALL) for _ in range(3)))
    made.held.work()
    for viewer in viewers:
        with pytest.raises(FrameUndecodable):
            await viewer
    await made.asked(made.renderer.newest(made.feed, pushed(footage.jpeg()), SMALL))
    assert made.held.jobs == 2
    made.held.work()


async def test_a_viewer_who_goes_away_does_not_take_the_picture_from_the_others() -> None:
    made = Made()
    first, second = await made.asked(made.newest(), made.newest())
    first.cancel()
    await asyncio.sleep(0)
    made.held.work()
    assert sized(await second) == (32, 24)


async def test_a_pushed_jpeg_is_served_as_it_came_when_that_is_what_is_wanted() -> None:
    made = Made()
    made.feed.size = (64, 48)
    frame = pushed(footage.jpeg())
    for variant in (Variant(), Variant(width=64), Variant(width=8192)):
        assert await made.renderer.newest(made.feed, frame, variant) is frame.frame.data
        assert await made.renderer.older(made.feed, (frame.frame,), variant) is frame.frame.data
    assert made.held.jobs == 0


@pytest.mark.parametrize("variant", [Variant(width=32), Variant(quality=10)])
async def test_a_pushed_jpeg_is_made_anew_when_another_one_is_wanted(variant: Variant) -> None:
    made = Made()
    made.feed.size = (64, 48)
    frame = pushed(footage.jpeg(seed=1))
    (viewer,) = await made.asked(made.renderer.newest(made.feed, frame, variant))
    made.held.work()
    assert sized(await viewer) == ((variant.width or 64), (variant.width or 64) * 3 // 4)


async def test_an_older_frame_is_decoded_from_its_keyframe_once() -> None:
    made = Made()
    group = footage.h264(5)
    viewers = await made.asked(
        *(made.renderer.older(made.feed, group, Variant()) for _ in range(5))
    )
    made.older.work()
    pictures = await asyncio.gather(*viewers)
    assert (made.older.jobs, made.held.jobs) == (1, 0)
    assert footage.pixels(pictures[0]).mean() == pytest.approx(footage.level_of(4), abs=4)


async def test_those_who_look_back_never_delay_those_who_look_now() -> None:
    made = Made()
    frames = footage.h264(MAX_OLDER_WAITING + 1)
    older = [made.renderer.older(made.feed, frames[:end], SMALL) for end in range(1, len(frames))]
    viewers = await made.asked(*older)
    with pytest.raises(FrameUnavailable):
        await made.renderer.older(made.feed, frames, SMALL)
    (now,) = await made.asked(made.newest(numbered(999)))
    made.held.work()
    assert await now
    made.older.work()
    await asyncio.gather(*viewers)


async def test_the_pictures_of_a_camera_go_with_it() -> None:
    made = Made()
    (viewer,) = await made.asked(made.newest())
    made.held.work()
    await viewer
    del viewer
    assert len(made.renderer._kept) == 1
    made.feed = feed_of(rtsp_camera())
    assert len(made.renderer._kept) == 0


async def test_the_time_that_it_took_is_measured() -> None:
    made = Made()
    (viewer,) = await made.asked(made.newest())
    made.held.work()
    await viewer
    assert made.exposition.get_sample_value("camera_ingest_render_seconds_count") == 1
