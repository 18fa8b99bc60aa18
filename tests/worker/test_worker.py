"""The worker over a registry in memory: what runs is what is assigned, whatever changes."""

import asyncio
import threading

import pytest
from msgspec.structs import replace

from ingest_core.errors import PushRefused
from ingest_core.events import FrameIngested
from ingest_core.model import Buffer, ConnectedReason, Motion, PushSource, RtspSource, Source
from ingest_worker.motion import Observation
from ingest_worker.regions import Region
from tests.fakes import footage
from tests.fakes.virtual_time import in_virtual_time
from tests.fakes.working import ME, SPEC, Working, settled, working

OTHER_SOURCE = Source(push=PushSource(max_fps=7))


@in_virtual_time
async def test_a_camera_that_is_added_is_captured_and_reported() -> None:
    async with working() as one:
        await one.add()
        assert one.ready() == ("False", "WaitingForPush")
        assert one.push() == 1
        await settled()
        assert one.ready() == ("True", "Connected")
        stream = one.registry.cameras["door"].status.stream
        assert stream is not None
        assert (stream.worker, stream.codec, stream.width) == (ME, "mjpeg", 64)
        assert one.exposed() == 1
        assert one.types() == ["frame.ingested", "camera.connected"]
        live = one.live()
        assert live is not None
        assert live.connected


@in_virtual_time
async def test_cameras_that_are_there_before_the_worker_are_captured() -> None:
    async with asyncio.TaskGroup() as tasks:
        one = Working(tasks)
        await one.registry.create("door", SPEC, {})
        one.worker.start()
        await settled()
        assert one.push() == 1
        await one.worker.stop()


@in_virtual_time
async def test_of_two_cameras_with_one_id_the_oldest_answers() -> None:
    """For a moment there may be two: the operator takes one away."""
    async with working() as one:
        await one.add()
        there = one.registry.cameras["door"]
        for name, created in (("b", "2026-11-22T08:00:00Z"), ("a", "2026-11-22T09:00:00Z")):
            metadata = replace(there.metadata, name=name, uid=name, creation_timestamp=created)
            spec = replace(there.spec, camera_id="gate")
            one.registry._roll._put(replace(there, metadata=metadata, spec=spec))
            one.registry._changes.tell({name})
        await settled()
        found = one.worker.camera("gate")
        assert found is not None
        assert found.name == "b"


@in_virtual_time
async def test_a_ring_or_motion_that_changes_keeps_the_session() -> None:
    async with working() as one:
        await one.add()
        one.push()
        receiver, feed = one.worker._pushes["door"], one.feed()
        await one.edit(buffer=Buffer(seconds=1), motion=Motion(sensitivity=3))
        assert one.worker._pushes["door"] is receiver
        assert one.feed() is feed
        assert feed.watch.detector is not None
        assert one.push() == 2
        assert "camera.disconnected" not in one.types()


@in_virtual_time
async def test_a_source_that_changes_costs_the_session_and_numbers_go_on() -> None:
    async with working() as one:
        await one.add()
        one.push()
        receiver = one.worker._pushes["door"]
        await one.edit(source=OTHER_SOURCE)
        assert one.worker._pushes["door"] is not receiver
        assert one.push() == 2
        assert [frame.sequence for frame in one.feed().held()] == [2], "the old source's are gone"
        assert [event.sequence for event in one.events] == [1, 2, 3, 4, 5]
        assert one.types()[2] == "camera.disconnected"
        assert len({(event.source, event.epoch) for event in one.events}) == 1


@in_virtual_time
async def test_a_suspended_camera_takes_nothing_keeps_its_ring_and_comes_back() -> None:
    async with working() as one:
        await one.add()
        one.push()
        await one.edit(suspend=True)
        assert one.worker._pushes == {}
        assert one.feed().state.reason is ConnectedReason.SUSPENDED
        assert one.ready() == ("False", "Suspended")
        assert len(one.feed().held()) == 1
        await one.edit(suspend=False)
        assert one.push() == 2
        await settled()
        assert one.ready() == ("True", "Connected")


@in_virtual_time
async def test_a_camera_that_is_removed_leaves_nothing() -> None:
    async with working() as one:
        await one.add()
        await one.add("gate")
        one.push()
        await one.registry.delete("door")
        await settled()
        assert one.types()[-1] == "camera.disconnected"
        assert one.exposed("door") is None
        assert one.exposed("gate") == 0
        assert "door" not in one.worker._pushes | one.worker._feeds
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert "camera gate" in names
        assert "camera door" not in names


@in_virtual_time
async def test_a_camera_that_goes_to_another_worker_is_let_go_and_may_come_back() -> None:
    async with working() as one:
        camera = await one.add()
        one.push()
        one.registry.assign("door", "another", camera.epoch + 1)
        await settled()
        assert one.live() is None
        assert one.exposed() is None
        assert one.types()[-1] == "camera.disconnected"
        one.registry.assign("door", ME, camera.epoch + 2)
        await settled()
        assert one.push() == 1
        assert one.events[-1].epoch == camera.epoch + 2


@in_virtual_time
async def test_another_epoch_begins_its_numbers_anew() -> None:
    async with working() as one:
        camera = await one.add()
        one.push()
        one.push()
        one.registry.assign("door", ME, camera.epoch + 1)
        await settled()
        assert one.push() == 1
        frames = [
            (event.epoch, event.data.frame)
            for event in one.events
            if isinstance(event.data, FrameIngested)
        ]
        assert frames == [(camera.epoch, 1), (camera.epoch, 2), (camera.epoch + 1, 1)]
        assert [event.sequence for event in one.events if event.epoch > camera.epoch] == [1, 2]
        assert len({(event.source, event.id) for event in one.events}) == len(one.events)


@in_virtual_time
async def test_what_was_begun_in_one_epoch_is_ended_in_it() -> None:
    async with working() as one:
        camera = await one.add(spec=replace(SPEC, motion=Motion()))
        one.feed().connected(footage.h264(1)[0].codec, (64, 48))
        detector = one.feed().watch.detector
        assert detector is not None
        one.feed().watch.observe(detector, Observation(began=Region(0, 0, 9, 9, 81)), 1.0)
        one.registry.assign("door", ME, camera.epoch + 1)
        await settled()
        assert one.types() == [
            "camera.connected",
            "motion.detected",
            "motion.ended",
            "camera.disconnected",
        ]


@in_virtual_time
async def test_one_that_is_not_assigned_here_is_none_of_our_business() -> None:
    async with working() as one:
        camera = await one.add()
        one.registry.assign("door", "another", camera.epoch + 1)
        await settled()
        await one.edit(buffer=Buffer(seconds=1))
        assert one.worker._captures.running == {}


@in_virtual_time
async def test_a_token_that_changes_is_known_at_once() -> None:
    async with working() as one:
        await one.add(token="first")
        assert one.push(bearer="first") == 1
        receiver = one.worker._pushes["door"]
        (secret,) = one.registry.secrets.values()
        secret["token"] = "second"
        one.registry._changes.tell({"door"})
        await settled()
        assert one.worker._pushes["door"] is receiver
        with pytest.raises(PushRefused):
            one.push(bearer="first")
        assert one.push(bearer="second") == 2


@in_virtual_time
async def test_changes_that_are_told_twice_or_change_nothing_do_nothing() -> None:
    async with working() as one:
        await one.add()
        one.push()
        receiver = one.worker._pushes["door"]
        for _ in range(3):
            one.registry._changes.tell({"door", "no such camera"})
            await settled()
        assert one.worker._pushes["door"] is receiver
        assert one.feed().state.connected


@in_virtual_time
async def test_a_camera_whose_address_is_nobodys_disturbs_no_other() -> None:
    dead = RtspSource(url="rtsp://127.0.0.1:1/", connect_timeout_seconds=1)
    async with working() as one:
        await one.add("dead", replace(SPEC, source=Source(rtsp=dead), suspend=True))
        await one.add()
        assert one.push() == 1
        assert one.feed("dead").state.reason is ConnectedReason.SUSPENDED


@in_virtual_time
async def test_nothing_is_left_when_a_worker_stopped() -> None:
    threads = set(threading.enumerate())
    async with working() as one:
        await one.add(spec=replace(SPEC, motion=Motion()))
        await one.add("gate")
        one.push()
        one.push("gate")
        assert set(threading.enumerate()) > threads
    assert set(threading.enumerate()) == threads
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [event.type for event in one.events].count("camera.disconnected") == 2
    assert not any(one.feed(name).state.connected for name in ("door", "gate"))


@in_virtual_time
async def test_a_worker_that_never_started_stops() -> None:
    async with asyncio.TaskGroup() as tasks:
        await Working(tasks).worker.stop()
