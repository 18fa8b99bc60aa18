"""Of several Cameras with one id the oldest has it, in whichever order they are seen."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ingest_core import lenient
from ingest_core.model import Camera
from ingest_operator.ids import taken
from ingest_operator.state import CameraState, camera_state
from tests.fakes.states import LATER, NOW, camera


def names(*cameras: CameraState) -> dict[str, str]:
    return {name: holder.name for name, holder in taken(cameras).items()}


def test_ids_that_differ_are_nobody_elses() -> None:
    assert names(camera("a"), camera("b"), camera("c", id="d")) == {}


def test_the_oldest_camera_has_the_id_and_the_others_are_told_which_one_that_is() -> None:
    old, young = camera("z", id="x"), camera("a", id="x", created=LATER)
    youngest = camera("b", id="x", created=LATER, uid="uid-of-z")
    assert names(youngest, old, young) == {"a": "z", "b": "z"}
    assert names(youngest, young) == {"b": "a"}


def test_an_id_that_is_not_given_is_the_name() -> None:
    assert names(camera("lobby", created=LATER), camera("hall", id="lobby")) == {"lobby": "hall"}


def test_of_two_that_were_made_in_one_second_the_lower_uid_decides() -> None:
    assert names(camera("a", id="x", uid="2"), camera("b", id="x", uid="1")) == {"a": "b"}


def test_who_captures_it_makes_no_difference() -> None:
    captured = camera("young", id="x", created=LATER, worker="default-0")
    assert names(captured, camera("old", id="x")) == {"young": "old"}


def test_a_camera_that_is_being_deleted_has_its_id_until_it_is_gone() -> None:
    old, young = camera("old", id="x", deleting=True), camera("young", id="x", created=LATER)
    assert names(old, young) == {"young": "old"}
    assert names(young) == {}


@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from([NOW, LATER])), max_size=12),
    st.randoms(use_true_random=False),
)
def test_each_id_is_had_by_one_camera_whatever_the_order(
    kinds: list[tuple[str, str]], random: Random
) -> None:
    cameras = [
        camera(f"c{number}", id=id_, created=created) for number, (id_, created) in enumerate(kinds)
    ]
    mixed = list(cameras)
    random.shuffle(mixed)
    found = taken(cameras)
    assert found == taken(mixed)
    holders = [one for one in cameras if one.name not in found]
    assert sorted(one.id for one in holders) == sorted({one.id for one in cameras})
    for one in cameras:
        holder = found.get(one.name, one)
        assert holder.id == one.id
        assert holder in holders
        assert holder.seniority <= one.seniority


def test_operator_and_gateway_go_by_one_order() -> None:
    metadata = {"name": "a", "uid": "u", "creationTimestamp": NOW}
    raw = {"metadata": metadata, "spec": {"source": {"push": {}}}}
    as_served = lenient.convert(raw, Camera).metadata.seniority
    assert camera_state(raw).seniority == as_served == (NOW, "u")
