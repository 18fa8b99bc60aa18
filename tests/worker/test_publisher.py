"""The publisher against a Redis that is played by the test: batches, retries, counts, threads."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, MutableSequence, Sequence

from prometheus_client import CollectorRegistry

from ingest_core.events import CameraDisconnected, Event, FrameIngested, event
from ingest_worker.delivery import Answer, Reason, Request, Retention, Verdict
from ingest_worker.publisher import Link, Outage, Publisher, RedisUnavailable

SOON = 10.0  # seconds after which a test that waits for an event has failed


def frame(sequence: int, camera: str = "c") -> Event:
    fact = FrameIngested(
        camera_id=camera, timestamp=1.0, source="rtsp", keyframe=False, bytes=1, frame=sequence
    )
    return event(fact, source="s", epoch=1, sequence=sequence)


def state(sequence: int) -> Event:
    fact = CameraDisconnected(camera_id="c", reason="Stalled", timestamp=1.0)
    return event(fact, source="s", epoch=1, sequence=sequence)


class PlayedRedis:
    """Answers as it is told; `reached` is set by each exchange, after it was noted."""

    def __init__(self) -> None:
        self.opens = self.closes = self.checks = 0
        self.refuse_opening: list[Outage] = []
        self.script: list[list[Verdict] | Outage] = []  # next batches; afterwards all is taken
        self.batches: list[list[bytes]] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.reached = asyncio.Event()
        self.checked = asyncio.Event()

    async def open(self) -> None:
        self.opens += 1
        if self.refuse_opening:
            raise RedisUnavailable(self.refuse_opening.pop(0))

    async def check(self) -> None:
        self.checks += 1
        self.checked.set()

    async def exchange(
        self, requests: Sequence[Request], verdicts: MutableSequence[Verdict]
    ) -> None:
        self.batches.append([request.packed for request in requests])
        self.reached.set()
        await self.hold.wait()
        script = self.script.pop(0) if self.script else [Answer.TAKEN] * len(requests)
        if isinstance(script, Outage):
            raise RedisUnavailable(script)
        for index, verdict in enumerate(script):
            verdicts[index] = verdict
        if len(script) < len(requests):
            raise RedisUnavailable(Outage.UNREACHABLE)

    async def close(self) -> None:
        self.closes += 1

    def sequences(self) -> list[list[int]]:
        return [
            [int(request.rpartition(b'"sequence":')[2].partition(b",")[0]) for request in batch]
            for batch in self.batches
        ]


class Played:
    """A publisher at a played Redis, with its counters."""

    def __init__(self, max_frames: int = 100, heartbeat: float = 60, interval: float = 0) -> None:
        self.redis = PlayedRedis()
        self.registry = CollectorRegistry()
        link: Link = self.redis
        self.publisher = Publisher(
            link,
            registry=self.registry,
            retention=Retention(),
            max_frames=max_frames,
            max_states=100,
            interval=interval,
            heartbeat=heartbeat,
            max_delay=0,
        )

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"camera_ingest_{name}", labels) or 0.0

    def dropped(self, reason: Reason) -> float:
        return self.count("events_dropped_total", reason=reason.value)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        run = asyncio.create_task(self.publisher.run(), name="publish")
        try:
            yield
        finally:
            run.cancel()
            await asyncio.wait([run])
            assert run.cancelled()


async def test_events_go_out_in_batches_in_the_order_of_offering() -> None:
    played = Played()
    for sequence in (1, 3):
        played.publisher.offer(frame(sequence))
    async with played.running():
        assert await played.publisher.drain(SOON)
        played.publisher.offer(frame(4))
        assert await played.publisher.drain(SOON)
    assert played.redis.sequences() == [[1, 3], [4]]
    assert played.count("events_published_total", type="frame.ingested") == 3
    assert played.count("event_queue_depth") == 0
    assert played.count("publish_seconds_count") == 2


async def test_frames_wait_for_the_next_batch_and_other_events_do_not() -> None:
    played = Played(interval=SOON * 10)
    async with played.running():
        played.publisher.offer(frame(1))
        assert await played.publisher.drain(SOON)
        played.redis.reached.clear()
        played.publisher.offer(frame(2))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not played.redis.reached.is_set()
        played.publisher.offer(state(3))
        assert await played.publisher.drain(SOON)
    assert [numbers[0] for numbers in played.redis.sequences()] == [1, 2]
    assert played.redis.sequences()[1][-1] == 3


async def test_the_events_of_many_threads_all_arrive_each_camera_in_order() -> None:
    played = Played(max_frames=10_000)

    def offer(camera: str) -> None:
        for sequence in range(100):
            played.publisher.offer(frame(sequence, camera))

    threads = [threading.Thread(target=offer, args=(f"cam{n}",)) for n in range(8)]
    async with played.running():
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert await played.publisher.drain(SOON)
    sent = [request for batch in played.redis.batches for request in batch]
    for n in range(8):
        of_camera = [r for r in sent if b"camera:cam%d\r\n" % n in r]
        numbers = [r.rpartition(b'"frame":')[2].partition(b"}")[0] for r in of_camera]
        assert numbers == [b"%d" % sequence for sequence in range(100)]


async def test_an_unanswered_event_is_sent_again_in_front_of_newer_ones() -> None:
    played = Played()
    played.redis.script = [[Answer.TAKEN]]  # of three; then the connection breaks
    for sequence in range(3):
        played.publisher.offer(frame(sequence))
    played.redis.hold.clear()
    async with played.running():
        await asyncio.wait_for(played.redis.reached.wait(), SOON)
        played.publisher.offer(frame(3))
        played.redis.hold.set()
        assert await played.publisher.drain(SOON)
    assert played.redis.sequences() == [[0, 1, 2], [1, 2, 3]]
    assert played.redis.opens == played.redis.closes == 2
    assert played.count("events_published_total", type="frame.ingested") == 4


async def test_an_event_refused_for_now_goes_to_its_missing_places_over_a_new_link() -> None:
    played = Played()
    played.redis.script = [[Answer.TAKEN, Answer.LATER, Answer.LATER]]
    played.publisher.offer(state(1))
    async with played.running():
        assert await played.publisher.drain(SOON)
    assert [len(batch) for batch in played.redis.batches] == [3, 2]
    assert played.redis.opens == 2
    assert played.count("events_published_total", type="camera.disconnected") == 1


async def test_a_refused_event_is_counted_and_the_link_stays() -> None:
    played = Played()
    played.redis.script = [[Answer.TAKEN, Reason.OOM, Reason.OOM]]
    played.publisher.offer(state(1))
    played.publisher.offer(frame(2))
    played.redis.script[0].append(Answer.TAKEN)  # type: ignore[union-attr] # the list above
    async with played.running():
        assert await played.publisher.drain(SOON)
    assert played.redis.opens == 1
    assert played.dropped(Reason.OOM) == 1
    assert played.count("events_published_total", type="frame.ingested") == 1


def test_drops_are_counted_from_zero_whatever_their_reason() -> None:
    """An alert that asks for their increase does not see the first ones else."""
    registry = Played().registry
    name = "camera_ingest_events_dropped_total"
    values = {one: registry.get_sample_value(name, {"reason": one.value}) for one in Reason}
    assert values == dict.fromkeys(Reason, 0.0)


async def test_while_redis_is_away_the_newest_are_kept_and_the_rest_is_counted() -> None:
    played = Played(max_frames=5)
    for sequence in range(12):
        played.publisher.offer(frame(sequence))
    assert played.dropped(Reason.OVERFLOW) == 7
    assert played.count("event_queue_depth") == 5
    played.redis.refuse_opening = [Outage.UNREACHABLE, Outage.TIMEOUT]
    async with played.running():
        assert await played.publisher.drain(SOON)
    assert played.redis.sequences() == [[7, 8, 9, 10, 11]]
    assert played.redis.opens == 3


async def test_what_was_sent_and_is_pushed_out_unanswered_is_counted_as_such() -> None:
    played = Played(max_frames=2)
    played.redis.script = [Outage.TIMEOUT]
    played.publisher.offer(frame(0))
    played.redis.hold.clear()
    async with played.running():
        await asyncio.wait_for(played.redis.reached.wait(), SOON)
        for sequence in (1, 2):
            played.publisher.offer(frame(sequence))
        played.redis.hold.set()
        assert await played.publisher.drain(SOON)
    assert played.dropped(Reason.UNANSWERED) == 1
    assert played.dropped(Reason.OVERFLOW) == 0
    assert played.redis.sequences()[1] == [1, 2]


async def test_the_end_counts_what_waits_and_what_comes_too_late() -> None:
    played = Played()
    played.redis.hold.clear()
    played.publisher.offer(frame(0))
    async with played.running():
        await asyncio.wait_for(played.redis.reached.wait(), SOON)
        played.publisher.offer(frame(1))
        assert not await played.publisher.drain(0)
    played.publisher.offer(frame(2))
    assert played.dropped(Reason.UNANSWERED) == 1
    assert played.dropped(Reason.SHUTDOWN) == 2
    assert played.redis.closes == 1


async def test_redis_is_up_only_between_opening_and_failure() -> None:
    played = Played()
    assert played.count("redis_up") == 0
    async with played.running():
        played.publisher.offer(frame(0))
        assert await played.publisher.drain(SOON)
        assert played.count("redis_up") == 1
    assert played.count("redis_up") == 0


async def test_an_idle_link_is_checked() -> None:
    played = Played(heartbeat=0.001)
    async with played.running():
        await asyncio.wait_for(played.redis.checked.wait(), SOON)
    assert not played.redis.batches


async def test_a_busy_link_is_checked_too() -> None:
    played = Played(heartbeat=0)  # due at once, also when events wait
    played.publisher.offer(frame(0))
    async with played.running():
        assert await played.publisher.drain(SOON)
        assert played.redis.checks >= 1


def test_offering_after_the_loop_was_closed_raises_nothing() -> None:
    async def cut_short() -> Publisher:
        played = Played()
        run = played.publisher.run()
        task = asyncio.ensure_future(run)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return played.publisher

    asyncio.run(cut_short()).offer(frame(0))
