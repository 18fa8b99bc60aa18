"""Listening to a real Redis: what comes, and what is when it goes, returns, or is elsewhere."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import redis

from bench.reliability.ears import RedisEars
from bench.reliability.heard import Heard
from ingest_core import events
from ingest_core.events import Fact, FrameIngested, MotionEnded
from tests.fakes.redis_server import HOST, RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def ears(server: RedisServer) -> Iterator[RedisEars]:
    made = RedisEars(server.port)
    made.start()
    made.follow(HOST)
    until(lambda: made.listening)
    yield made
    made.stop()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)  # another thread hears it, and says in no other way that it has


def publish(server: RedisServer, fact: Fact, sequence: int) -> None:
    made = events.event(fact, source="camera-ingest/default-0/1", epoch=4, sequence=sequence)
    with redis.Redis(HOST, server.port) as client:
        assert client.publish(f"camera:{fact.camera_id}", events.encode(made)) == 1


def frame(camera: str, captured: float) -> FrameIngested:
    return FrameIngested(
        camera_id=camera, timestamp=captured, source="rtsp", keyframe=True, bytes=9, frame=1
    )


def test_events_are_kept_by_camera_and_only_frames_say_when_they_were_captured(
    server: RedisServer, ears: RedisEars
) -> None:
    publish(server, frame("lobby", 12.5), 1)
    publish(server, MotionEnded(camera_id="lobby", timestamp=13.0, duration_seconds=2.0), 2)
    publish(server, frame("yard", 12.6), 7)
    until(lambda: "yard" in ears.heard())
    source = "camera-ingest/default-0/1"
    assert ears.heard() == {
        "lobby": (Heard(source, 4, 1, 12.5), Heard(source, 4, 2, None)),
        "yard": (Heard(source, 4, 7, 12.6),),
    }
    ears.forget()
    assert ears.heard() == {}


def test_it_knows_that_redis_is_gone_and_listens_again_when_it_is_back(
    server: RedisServer, ears: RedisEars
) -> None:
    server.kill()
    until(lambda: not ears.listening)
    server.start()
    until(lambda: ears.listening)
    publish(server, frame("lobby", 12.5), 1)
    until(lambda: "lobby" in ears.heard())


def test_told_of_another_address_it_listens_there_and_no_longer_here(
    server: RedisServer, ears: RedisEars
) -> None:
    ears.follow("localhost")  # the same server by another name
    assert not ears.listening
    until(lambda: ears.listening)
    publish(server, frame("lobby", 12.5), 1)
    until(lambda: "lobby" in ears.heard())


def test_what_ends_its_listening_is_raised_to_who_asks(
    server: RedisServer, ears: RedisEars
) -> None:
    with redis.Redis(HOST, server.port) as client:
        client.publish("camera:lobby", b"no event")

    def failed() -> bool:
        try:
            ears.heard()
        except msgspec.DecodeError:
            return True
        return False

    until(failed)
