"""A worker that takes cameras over, hands them over, and loses its Lease: in virtual time."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from ingest_core.errors import Failure
from ingest_core.kube.lease import Term
from ingest_core.model import Camera, CameraSpec, Metadata, Motion, RtspSource, Source, Stream
from ingest_worker.handover import YIELD_SECONDS
from tests.fakes import footage
from tests.fakes.played_camera import PlayedCamera, deaf, serving, silent
from tests.fakes.virtual_time import in_virtual_time
from tests.fakes.working import ME, Working, settled, working

OTHER = "another"
TIME = "2026-11-22T09:00:00Z"
URL = "rtsp://192.0.2.1/stream"
ALWAYS = 1e6
LEASE = 8.0
INTERVAL = 0.2  # of a played camera's frames


def rtsp(session: str = "Shared") -> CameraSpec:
    source = RtspSource(url=URL, session="Exclusive" if session == "Exclusive" else "Shared")
    return CameraSpec(source=Source(rtsp=source), motion=Motion(enabled=False))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


def gaps(one: Working) -> float:
    """The longest time between two frames."""
    times = [at for _, at in one.frames()]
    return max((after - before for before, after in pairwise(times)), default=0.0)


# Handing over


@in_virtual_time
async def test_the_old_worker_captures_on_until_the_new_one_is_seen_connected() -> None:
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp())
        epoch = camera.epoch
        reported = one.stream()
        one.registry.assign("door", OTHER, epoch + 1, previous=ME)
        await asyncio.sleep(10)
        assert one.has()
        assert played.started == played.started[:1], "it is the very same session"
        assert {epoch_ for epoch_, _ in one.frames()} == {epoch}
        assert gaps(one) < 2 * INTERVAL
        assert one.stream() == reported, "it is not the old worker's to speak of any more"
        assert one.registry.released == []
        seen = len(one.frames())
        one.registry.say("door", Stream(worker=OTHER, epoch=epoch + 1, connected_time=TIME))
        await settled()
        assert len(one.frames()) <= seen + 1
        assert played.living == 0
        assert [at for _, at in one.registry.released] == [epoch + 1]
        assert not one.has()
        assert one.worker.relieved.is_set()


@in_virtual_time
async def test_what_changes_while_a_camera_is_yielded_is_not_told() -> None:
    async with working() as one:
        camera = await one.add()
        one.push()
        await settled()
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        await settled()
        reported = one.stream()
        one.worker._pushes["door"].take(footage.jpeg(320, 240), None)
        await settled()
        assert one.feed().size == (320, 240)
        assert one.stream() == reported


@in_virtual_time
async def test_a_camera_that_was_made_anew_meanwhile_is_not_yielded() -> None:
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp())
        await one.registry.delete("door")
        await one.registry.create("door", rtsp(), {})
        one.registry.assign("door", OTHER, camera.epoch + 9, previous=ME)
        await asyncio.sleep(0.5)
        assert played.living == 0, "it was a session with another camera"
        assert [epoch for _, epoch in one.registry.released] == [camera.epoch + 9]


@in_virtual_time
async def test_the_old_worker_waits_for_thirty_seconds_at_most() -> None:
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp())
        now = asyncio.get_running_loop().time
        began = now()
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        await asyncio.sleep(YIELD_SECONDS - 1)
        assert played.living == 1
        assert not one.worker.relieved.is_set()
        await asyncio.sleep(2)
        assert played.living == 0
        ((at, epoch),) = one.registry.released
        assert epoch == camera.epoch + 1
        assert at - began == pytest.approx(YIELD_SECONDS, abs=1)


@in_virtual_time
async def test_each_new_worker_has_thirty_seconds() -> None:
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp())
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        await asyncio.sleep(YIELD_SECONDS - 5)
        one.registry.assign("door", "a third", camera.epoch + 2, previous=ME)
        await asyncio.sleep(YIELD_SECONDS - 5)
        assert played.living == 1
        await asyncio.sleep(10)
        assert [epoch for _, epoch in one.registry.released] == [camera.epoch + 2]


@in_virtual_time
async def test_a_session_that_fails_while_the_new_worker_connects_is_not_begun_anew() -> None:
    played = PlayedCamera(serving(5, Failure.UNREACHABLE), serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp())
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        await asyncio.sleep(10)
        assert len(played.started) == 1
        assert [epoch for _, epoch in one.registry.released] == [camera.epoch + 1]


@in_virtual_time
async def test_a_pushed_camera_is_yielded_as_well() -> None:
    async with working() as one:
        camera = await one.add()
        one.push()
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        await settled()
        one.push()
        assert one.worker.camera("door") is not None
        one.registry.say("door", Stream(worker=OTHER, epoch=camera.epoch + 1, connected_time=TIME))
        await settled()
        assert one.worker.camera("door") is None
        assert [epoch for _, epoch in one.registry.released] == [camera.epoch + 1]


@in_virtual_time
async def test_what_is_yielded_stays_as_it_was_whatever_its_spec_becomes() -> None:
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp())
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        await one.edit(source=Source(rtsp=RtspSource(url="rtsp://192.0.2.9/")))
        assert (len(played.started), played.living) == (1, 1)


@in_virtual_time
async def test_an_exclusive_camera_is_closed_before_that_is_said() -> None:
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp("Exclusive"))
        living: list[int] = []
        release = one.registry.release

        async def watched(camera: Camera) -> None:
            living.append(played.living)
            await release(camera)

        one.registry.release = watched  # type: ignore[method-assign] # to see when
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        await settled()
        assert living == [0]
        assert one.worker.relieved.is_set()


@in_virtual_time
async def test_an_exclusive_camera_whose_session_hangs_is_not_said_to_be_closed() -> None:
    played = PlayedCamera(deaf(20))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp("Exclusive"))
        began = asyncio.get_running_loop().time()
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        await asyncio.sleep(15)
        assert one.registry.released == []
        assert not one.worker.relieved.is_set()
        await asyncio.sleep(10)
        assert played.living == 0
        ((at, _),) = one.registry.released
        assert at - began == pytest.approx(18, abs=1)


@pytest.mark.parametrize("session", ["Shared", "Exclusive"])
@in_virtual_time
async def test_a_restarted_worker_lets_go_at_once_of_what_it_handed_over(session: str) -> None:
    played = PlayedCamera(serving(ALWAYS))
    async with asyncio.TaskGroup() as tasks:
        one = Working(tasks, played.open)
        camera = await one.registry.create("door", rtsp(session), {})
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        one.worker.start()
        await settled()
        assert played.started == []
        assert [epoch for _, epoch in one.registry.released] == [camera.epoch + 1]
        await one.worker.stop()


@in_virtual_time
async def test_a_release_that_was_lost_is_said_again_and_one_that_was_heard_is_not() -> None:
    async with working() as one:
        camera = await one.add()
        one.registry.assign("door", OTHER, camera.epoch + 1, previous=ME)
        await settled()
        for _ in range(3):
            one.registry._changes.tell({"door"})
            await settled()
        assert len(one.registry.released) == 1
        one.registry.say("door", Stream())
        await settled()
        assert len(one.registry.released) == 2


# Taking over


@in_virtual_time
async def test_the_new_worker_connects_at_once_and_is_silent_until_it_has() -> None:
    played = PlayedCamera(serving(ALWAYS, connecting=7))
    async with asyncio.TaskGroup() as tasks:
        one = Working(tasks, played.open)
        camera = await one.registry.create("door", rtsp(), {})
        one.registry.assign("door", ME, camera.epoch + 1, previous=OTHER)
        theirs = Stream(worker=OTHER, epoch=camera.epoch, connected_time=TIME)
        one.registry.say("door", theirs)
        one.worker.start()
        await asyncio.sleep(6)
        assert len(played.started) == 1
        assert one.stream() == theirs
        await asyncio.sleep(1.2)
        stream = one.stream()
        assert stream is not None
        assert (stream.worker, stream.epoch) == (ME, camera.epoch + 1)
        assert one.ready() == ("True", "Connected")
        await one.worker.stop()


@in_virtual_time
async def test_that_the_new_worker_is_connected_is_told_without_delay() -> None:
    played = PlayedCamera(serving(ALWAYS, connecting=1))
    async with working(played.open) as one:
        camera = await one.registry.create("door", replace(rtsp(), suspend=True), {})
        one.registry.assign("door", ME, camera.epoch + 1, previous=OTHER)
        await settled()
        await one.registry.replace("door", rtsp(), None)
        await asyncio.sleep(1.01)
        stream = one.stream()
        assert stream is not None
        assert stream.connected_time is not None


@in_virtual_time
async def test_the_new_worker_says_that_it_cannot_connect_once_nobody_else_has_the_camera() -> None:
    played = PlayedCamera(silent)
    slow = Source(rtsp=RtspSource(url=URL, connect_timeout_seconds=300))
    async with working(played.open) as one:
        camera = await one.registry.create("door", replace(rtsp(), suspend=True), {})
        one.registry.assign("door", ME, camera.epoch + 1, previous=OTHER)
        await one.registry.replace("door", replace(rtsp(), source=slow), None)
        await asyncio.sleep(60)
        assert one.stream() is None
        one.registry.assign("door", ME, camera.epoch + 1)
        await settled()
        stream = one.stream()
        assert stream is not None
        assert (stream.worker, stream.connected_time) == (ME, None)
        assert one.ready()[0] == "False"


@in_virtual_time
async def test_an_exclusive_camera_is_captured_once_its_previous_worker_is_gone() -> None:
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.registry.create("door", rtsp("Exclusive"), {})
        one.registry.assign("door", OTHER, camera.epoch + 1)
        await settled()
        one.registry.assign("door", ME, camera.epoch + 2, previous=OTHER)
        await asyncio.sleep(60)
        assert played.started == []
        assert one.stream() is None, "whoever has it still is the one to speak of it"
        live = one.live()
        assert live is not None
        assert (live.reason, live.message) == (
            "Connecting",
            "its previous worker has not let go of it yet",
        )
        one.registry.assign("door", ME, camera.epoch + 2)
        await settled()
        assert played.living == 1
        assert one.ready() == ("True", "Connected")


# The Lease


class Leased:
    """The term of a Lease, as a test has it."""

    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.term = Term(self.now(), self.now() + ALWAYS)

    def lapse(self) -> None:
        self.term.until = self.now()

    def renew(self) -> None:
        self.term = Term(self.now(), self.now() + ALWAYS)


@in_virtual_time
async def test_a_worker_that_lost_its_lease_ends_exclusive_sessions_and_no_others() -> None:
    lease = Leased()
    exclusive, shared = PlayedCamera(serving(ALWAYS)), PlayedCamera(serving(ALWAYS))

    def open_(target: object, feed: object, *arguments: object, **keywords: object) -> object:
        played = exclusive if getattr(feed, "camera_id", "") == "door" else shared
        return played.open(target, feed, *arguments, **keywords)  # type: ignore[arg-type] # as given

    async with working(open_, lambda: lease.term, settle=3) as one:  # type: ignore[arg-type] # passes on
        await one.add(spec=rtsp("Exclusive"))
        await one.add("gate", rtsp())
        await one.add("hatch")
        one.push("hatch")
        await asyncio.sleep(5)
        assert (exclusive.living, shared.living) == (1, 1)
        lease.lapse()
        await asyncio.sleep(0.5)
        seen = Counter(event.subject for event in one.events)
        assert (exclusive.living, shared.living) == (0, 1)
        await asyncio.sleep(60)
        assert len(exclusive.started) == 1
        assert len(shared.started) == 1
        after = Counter(event.subject for event in one.events) - seen
        assert after["door"] == 0
        assert after["gate"] > 200
        assert one.push("hatch") == 2
        assert one.ready() == ("False", "LeaseExpired")
        assert not one.worker.relieved.is_set(), "it is its camera still"


@in_virtual_time
async def test_an_exclusive_camera_comes_back_with_the_lease_and_its_numbers_go_on() -> None:
    lease = Leased()
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open, lambda: lease.term, settle=3) as one:
        await one.add(spec=rtsp("Exclusive"))
        await asyncio.sleep(5)
        lease.lapse()
        await asyncio.sleep(5)
        lease.renew()
        await asyncio.sleep(2.5)
        assert len(played.started) == 1, "who took it for lost may just be giving its cameras away"
        looked = one.registry.refreshed
        await asyncio.sleep(2)
        assert one.registry.refreshed == looked + 1
        assert (len(played.started), played.living, played.most) == (2, 1, 1)
        ids = [(event.source, event.id) for event in one.events]
        assert len(set(ids)) == len(ids)
        assert [event.sequence for event in one.events] == list(range(1, len(ids) + 1))
        assert one.types().count("camera.connected") == 2
        assert one.ready() == ("True", "Connected")


@in_virtual_time
async def test_a_session_of_a_term_that_is_over_ends_even_if_the_lease_was_renewed_since() -> None:
    lease = Leased()
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open, lambda: lease.term, settle=3) as one:
        await one.add(spec=rtsp("Exclusive"))
        await asyncio.sleep(5)
        lease.lapse()
        lease.renew()  # before anybody looked
        await asyncio.sleep(0.5)
        assert played.living == 0
        await asyncio.sleep(5)
        assert (len(played.started), played.living) == (2, 1)


# Heirs: Cameras with the id of one that is gone, or has it no more


def rival(one: Working, name: str = "gate") -> Camera:
    """A Camera with the door's id; a person may make one, and the HTTP API none."""
    spec = replace(rtsp("Exclusive"), camera_id="door")
    return one.registry._write(Camera(metadata=Metadata(name=name), spec=spec), {}, frozenset())


@in_virtual_time
async def test_what_was_made_anew_is_let_go_of_when_the_session_with_the_one_before_has_ended() -> (
    None
):
    played = PlayedCamera(deaf(20))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp("Exclusive"))
        await one.registry.delete("door")
        await one.registry.create("door", rtsp("Exclusive"), {})
        one.registry.assign("door", OTHER, camera.epoch + 9, previous=ME)
        await asyncio.sleep(15)
        assert (played.living, one.registry.released) == (1, [])
        await asyncio.sleep(10)
        assert played.living == 0
        assert [epoch for _, epoch in one.registry.released] == [camera.epoch + 9]


@in_virtual_time
async def test_an_heir_is_let_go_of_when_the_session_with_the_one_before_has_ended() -> None:
    """Its end may be heard of later than that there is an heir."""
    played = PlayedCamera(deaf(30))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp("Exclusive"))
        rival(one)
        one.registry.assign("gate", OTHER, camera.epoch + 9, previous=ME)
        await asyncio.sleep(5)
        assert one.registry.released == []
        await one.registry.delete("door")
        await asyncio.sleep(15)
        assert (played.living, one.registry.released) == (1, [])
        await asyncio.sleep(15)
        assert played.living == 0
        assert [epoch for _, epoch in one.registry.released] == [camera.epoch + 9]


@in_virtual_time
async def test_an_heir_on_the_same_worker_waits_for_the_end_of_the_session_before() -> None:
    """Its assignment may be heard of before the end of the other; nobody hands over to himself."""
    played = PlayedCamera(deaf(30), serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp("Exclusive"))
        rival(one)
        one.registry.assign("gate", ME, camera.epoch + 9)
        await asyncio.sleep(5)
        await one.registry.delete("door")
        await asyncio.sleep(15)
        assert len(played.started) == 1
        await asyncio.sleep(15)
        assert (len(played.started), played.living, played.most) == (2, 1, 1)


@in_virtual_time
async def test_two_of_one_id_take_turns_with_the_camera() -> None:
    played = PlayedCamera(*[serving(5, Failure.STALLED)] * 30)
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp("Exclusive"))
        for name in ("gate", "yard"):
            rival(one, name)
            one.registry.assign(name, ME, camera.epoch + 9)
        await asyncio.sleep(120)
        assert (played.most, len(played.started) > 6) == (1, True)


@in_virtual_time
async def test_and_not_between_two_sessions_with_one_whose_end_was_not_heard_of() -> None:
    played = PlayedCamera(serving(10, Failure.NOT_FOUND), serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp("Exclusive"))
        ended = played.started[0] + 10.3  # the next one comes some seconds later
        await asyncio.sleep(ended + 0.001 - asyncio.get_running_loop().time())
        rival(one)
        one.registry.assign("gate", OTHER, camera.epoch + 9, previous=ME)
        await settled()
        assert one.registry.released == []
        await asyncio.sleep(10)
        assert (played.living, one.registry.released) == (1, [])
        await one.registry.delete("door")
        await settled()
        assert [epoch for _, epoch in one.registry.released] == [camera.epoch + 9]


@in_virtual_time
async def test_what_nobody_follows_is_let_go_of_while_another_camera_with_its_id_is_captured() -> (
    None
):
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open) as one:
        camera = await one.add(spec=rtsp("Exclusive"))
        rival(one)
        one.registry.assign("gate", None, camera.epoch + 9, previous=ME)
        await settled()
        assert [epoch for _, epoch in one.registry.released] == [camera.epoch + 9]
        assert played.living == 1


@in_virtual_time
async def test_an_exclusive_camera_that_was_given_away_meanwhile_is_not_captured_again() -> None:
    lease = Leased()
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open, lambda: lease.term, settle=3) as one:
        camera = await one.add(spec=rtsp("Exclusive"))
        await asyncio.sleep(5)
        lease.lapse()
        await asyncio.sleep(5)
        one.registry.unheard = lambda: one.registry.assign("door", OTHER, camera.epoch + 1)
        lease.renew()
        await asyncio.sleep(20)
        assert len(played.started) == 1
        assert not one.has()


@in_virtual_time
async def test_what_another_process_of_its_name_may_have_is_neither_captured_nor_let_go_of() -> (
    None
):
    lease = Leased()
    alone = lease.now() + 10
    lease.term = Term(lease.now(), lease.now() + ALWAYS, alone)
    played = PlayedCamera(serving(ALWAYS))
    async with working(played.open, lambda: lease.term, settle=3) as one:
        await one.registry.create("door", rtsp("Exclusive"), {})
        gate = await one.registry.create("gate", rtsp("Exclusive"), {})
        one.registry.assign("gate", OTHER, gate.epoch + 1, previous=ME)
        yard = await one.registry.create("yard", rtsp(), {})
        one.registry.assign("yard", OTHER, yard.epoch + 1, previous=ME)
        await asyncio.sleep(9.9)
        assert [epoch for _, epoch in one.registry.released] == [yard.epoch + 1]
        assert played.started == []
        assert not one.worker.relieved.is_set()
        await asyncio.sleep(1)
        (_, let_go), (at, exclusive) = one.registry.released
        assert (let_go, exclusive) == (yard.epoch + 1, gate.epoch + 1)
        assert alone <= at < alone + 1
        assert played.living == 1


@in_virtual_time
async def test_who_has_nothing_but_to_let_go_does_so_once_it_is_alone() -> None:
    lease = Leased()
    alone = lease.now() + 10
    lease.term = Term(lease.now(), lease.now() + ALWAYS, alone)
    async with working(term=lambda: lease.term, settle=3) as one:
        gate = await one.registry.create("gate", rtsp("Exclusive"), {})
        one.registry.assign("gate", OTHER, gate.epoch + 1, previous=ME)
        await asyncio.sleep(11)
        ((at, epoch),) = one.registry.released
        assert (alone <= at < alone + 1, epoch) == (True, gate.epoch + 1)


# Relief


@in_virtual_time
async def test_a_worker_is_relieved_while_it_has_no_camera() -> None:
    async with working() as one:
        assert one.worker.relieved.is_set()
        camera = await one.add()
        assert not one.worker.relieved.is_set()
        one.registry.assign("door", OTHER, camera.epoch + 1)
        await settled()
        assert one.worker.relieved.is_set()
