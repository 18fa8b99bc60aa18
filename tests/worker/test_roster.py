"""What to start, stop and change: the difference between what is wanted and what runs."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingest_core.kube.lease import Term
from ingest_core.model import (
    Buffer,
    Camera,
    CredentialsRef,
    Decode,
    Metadata,
    Motion,
    PoolRef,
    RtspSource,
    Stream,
)
from ingest_worker.roster import Charge, Difference, Idle
from ingest_worker.roster import diff as compare
from tests.fakes.cameras import push_camera, rtsp_camera

BASE = rtsp_camera("a")
NOTHING = Difference((), (), (), ())


def charge(camera: Camera) -> Charge:
    return Charge(camera, Idle.SUSPENDED if camera.spec.suspend else None)


def diff(wanted: Mapping[str, Camera], running: Mapping[str, Camera]) -> Difference:
    return compare(
        {name: charge(camera) for name, camera in wanted.items()},
        {name: charge(camera) for name, camera in running.items()},
    )


def spec(**changes: object) -> Camera:
    return replace(BASE, spec=replace(BASE.spec, **changes))


def test_a_new_camera_starts_and_one_that_is_gone_stops() -> None:
    assert diff({"a": BASE, "c": BASE}, {"b": BASE, "a": BASE}) == Difference(
        ("c",), ("b",), (), ()
    )


def test_names_are_sorted() -> None:
    wanted = dict.fromkeys("cab", BASE)
    assert diff(wanted, {}).start == ("a", "b", "c")


@pytest.mark.parametrize(
    "changed",
    [
        spec(motion=Motion(sensitivity=1)),
        spec(buffer=Buffer(seconds=1)),
        spec(weight=7),
        spec(pool_ref=PoolRef(name="other")),
    ],
)
def test_what_a_living_session_can_take_only_retunes(changed: Camera) -> None:
    assert diff({"a": changed}, {"a": BASE}) == Difference((), (), (), ("a",))


@pytest.mark.parametrize(
    "changed",
    [
        spec(decode=Decode.KEYFRAMES),
        spec(suspend=True),
        spec(camera_id="another"),
        push_camera("a"),
        rtsp_camera("a", source=RtspSource(url="rtsp://192.0.2.2/stream")),
        rtsp_camera(
            "a",
            source=RtspSource(
                url="rtsp://192.0.2.1/stream", credentials_secret_ref=CredentialsRef(name="s")
            ),
        ),
        rtsp_camera("a", epoch=2),
        replace(BASE, metadata=replace(BASE.metadata, uid="deleted and made anew")),
    ],
)
def test_what_a_living_session_cannot_take_restarts(changed: Camera) -> None:
    assert diff({"a": changed}, {"a": BASE}) == Difference((), (), ("a",), ())


@pytest.mark.parametrize(
    "change",
    [
        lambda camera: replace(camera, metadata=Metadata(name="a", uid="uid of a", generation=9)),
        lambda camera: replace(camera, status=replace(camera.status, stream=Stream(sessions=3))),
    ],
)
def test_a_status_or_a_generation_changes_nothing(change: Callable[[Camera], Camera]) -> None:
    assert diff({"a": change(BASE)}, {"a": BASE}) == NOTHING


@pytest.mark.parametrize(
    "changed",
    [
        Charge(BASE, Idle.HANDED_OVER),
        Charge(BASE, Idle.UNFENCED),
        Charge(BASE, fence=Term(1.0, 9.0)),
    ],
)
def test_a_session_ends_with_what_it_lives_by(changed: Charge) -> None:
    for wanted, running in ((changed, Charge(BASE)), (Charge(BASE), changed)):
        assert compare({"a": wanted}, {"a": running}) == Difference((), (), ("a",), ())
    assert compare({"a": changed}, {"a": changed}) == NOTHING


def test_a_term_that_is_renewed_is_the_same_and_another_is_another() -> None:
    term = Term(1.0, 9.0)
    running = {"a": Charge(BASE, fence=term)}
    term.until = 12.0
    assert compare({"a": Charge(BASE, fence=term)}, running) == NOTHING
    assert compare({"a": Charge(BASE, fence=Term(1.0, 12.0))}, running).restart == ("a",)


variants = st.builds(
    lambda epoch, sensitivity, suspend: rtsp_camera(
        "a", epoch=epoch, motion=Motion(sensitivity=sensitivity), suspend=suspend
    ),
    st.integers(1, 2),
    st.integers(0, 1),
    st.booleans(),
)
rosters = st.dictionaries(st.sampled_from("abcdef"), variants)


@given(rosters, rosters)
def test_applying_the_difference_makes_what_runs_equal_to_what_is_wanted(
    wanted: dict[str, Camera], running: dict[str, Camera]
) -> None:
    found = diff(wanted, running)
    parts = (*found.start, *found.stop, *found.restart, *found.retune)
    assert len(parts) == len(set(parts))
    now = {name: camera for name, camera in running.items() if name not in found.stop}
    now |= {name: wanted[name] for name in (*found.start, *found.restart, *found.retune)}
    assert now == wanted
    assert diff(wanted, now) == NOTHING
    back = diff(running, wanted)
    assert (back.start, back.stop) == (found.stop, found.start)
    assert (back.restart, back.retune) == (found.restart, found.retune)
