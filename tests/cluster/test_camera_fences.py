"""What may change in a Camera: its id never, its epochs only upwards, whoever writes late."""

import pytest

from ingest_core.kube.resources import CAMERAS
from tests.cluster.client import Client, Refused
from tests.fakes.manifests import manifest
from tests.fakes.whole_objects import CAMERA, CAMERA_STATUS, HEAD, Object


@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        (None, "lobby", True),
        ("lobby", None, True),
        (None, "other", False),
        ("Lobby_1", "Lobby_1", True),
        ("Lobby_1", "Lobby_2", False),
        ("Lobby_1", "lobby", False),
        ("Lobby_1", None, False),
    ],
)
def test_an_id_is_immutable_however_it_is_said(
    admin: Client, namespace: str, before: str | None, after: str | None, *, may: bool
) -> None:
    def spec(camera_id: str | None, weight: int) -> Object:
        given = {"source": {"push": {}}, "weight": weight}
        return given if camera_id is None else {**given, "cameraId": camera_id}

    raw = {**CAMERA, "spec": spec(before, 1)}
    there = admin.post(CAMERAS.path(namespace), raw)
    put = {**there, "spec": spec(after, 2)}
    if may:
        assert admin.put(CAMERAS.path(namespace, "lobby"), put)["spec"]["weight"] == 2
    else:
        with pytest.raises(Refused, match=r"spec\.cameraId: .* is immutable"):
            admin.put(CAMERAS.path(namespace, "lobby"), put)


def assignment(epoch: int, worker: str | None, previous: str | None = None) -> Object:
    said = {"worker": worker, "previous": previous}
    given = {key: value for key, value in said.items() if value is not None}
    return {"assignment": {"epoch": epoch, **given}}


FALLS = r"status\.assignment\.epoch: .* must never fall"
WORKER = r"status\.assignment\.epoch: .* must grow when the worker changes"
PREVIOUS = r"status\.assignment\.epoch: .* must grow when another worker becomes previous"
REMOVED = r"status\.assignment must not be removed"
STREAM = r"status\.stream\.epoch: .* must never fall"
SAME = r"status\.assignment\.previous: .* must differ from worker"


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (None, assignment(1, "a"), None),
        (None, assignment(7, None), None),
        (None, assignment(7, "b", "a"), None),
        (None, assignment(0, "a"), "epoch in body should be greater than or equal to 1"),
        (None, {"assignment": {"worker": "a"}}, "epoch: Required"),
        (None, assignment(1, "a", "a"), SAME),
        (None, assignment(1, None, "a"), None),
        (assignment(4, "a"), assignment(4, "a"), None),
        (assignment(4, "a"), assignment(5, "a"), None),
        (assignment(4, "a"), assignment(3, "a"), FALLS),
        (assignment(4, "a"), assignment(3, "b"), FALLS),
        (assignment(4, "a"), assignment(4, "b"), WORKER),
        (assignment(4, "a"), assignment(4, None), WORKER),
        (assignment(4, None), assignment(4, "a"), WORKER),
        (assignment(4, None), assignment(4, None), None),
        (assignment(4, "a"), assignment(5, "b"), None),
        (assignment(4, "a"), assignment(5, None), None),
        (assignment(4, None), assignment(5, "a"), None),
        (assignment(4, "a"), assignment(5, "b", "a"), None),
        (assignment(4, "a"), assignment(4, "b", "a"), WORKER),
        (assignment(5, "b", "a"), assignment(5, "b"), None),
        (assignment(5, "b", "a"), assignment(5, "b", "a"), None),
        (assignment(5, "b", "a"), assignment(5, "b", "c"), PREVIOUS),
        (assignment(5, "b", "a"), assignment(6, "b", "c"), None),
        (assignment(5, "b"), assignment(5, "b", "a"), PREVIOUS),
        (assignment(5, "b"), assignment(6, "b", "b"), SAME),
        (assignment(4, "a"), {}, REMOVED),
        (assignment(4, "a"), {"stream": {"epoch": 4}}, REMOVED),
        (assignment(4, "a"), None, REMOVED),
        ({"stream": {}}, {"stream": {"epoch": 4}}, None),
        ({"stream": {"epoch": 4}}, {"stream": {"epoch": 4, "releasedEpoch": 5}}, None),
        ({"stream": {"epoch": 4}}, {"stream": {"epoch": 5}}, None),
        ({"stream": {"epoch": 4}}, {"stream": {"epoch": 3}}, STREAM),
        ({"stream": {"epoch": 4}}, {"stream": {"worker": "a"}}, STREAM),
        ({"stream": {"epoch": 4}}, {}, None),
    ],
)
def test_the_epoch_fences_what_a_late_writer_says(
    admin: Client, namespace: str, before: Object | None, after: Object | None, rule: str | None
) -> None:
    status = CAMERAS.path(namespace, "lobby", "status")
    there = admin.post(CAMERAS.path(namespace), manifest())
    if before is not None:
        there = admin.put(status, {**there, "status": before})
    put = {**there, "status": after}
    if after is None:
        del put["status"]
    if rule is None:
        assert admin.put(status, put)["status"] == after
    else:
        with pytest.raises(Refused, match=rule):
            admin.put(status, put)


def test_a_second_operator_that_decided_otherwise_is_refused(admin: Client, namespace: str) -> None:
    admin.post(CAMERAS.path(namespace), manifest())
    status = CAMERAS.path(namespace, "lobby", "status")
    admin.apply(status, {**HEAD, "status": assignment(2, "b")}, manager="operator")
    for late in (assignment(2, "c"), assignment(1, "a"), {}):
        with pytest.raises(Refused):
            admin.apply(status, {**HEAD, "status": late}, manager="operator")
    assert admin.get(status)["status"] == assignment(2, "b")


def test_who_may_only_edit_cameras_cannot_assign_them(admin: Client, namespace: str) -> None:
    camera = CAMERAS.path(namespace, "lobby")
    there = admin.post(CAMERAS.path(namespace), {**manifest(), "status": assignment(9, "evil")})
    assert "status" not in there
    admin.put(f"{camera}/status", {**there, "status": assignment(1, "a")})
    admin.merge(camera, {"status": assignment(9, "evil"), "spec": {"weight": 7}})
    there = admin.get(camera)
    assert (there["status"], there["spec"]["weight"]) == (assignment(1, "a"), 7)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"type": ""}, "type in body should match"),
        ({"type": "x" * 317}, "type: Too long"),
        ({"status": "Maybe"}, 'supported values: "True", "False", "Unknown"'),
        ({"reason": ""}, "reason"),
        ({"reason": "not one word"}, "reason in body should match"),
        ({"reason": "x" * 1025}, "reason: Too long"),
        ({"message": "x" * 32769}, "message: Too long"),
        ({"lastTransitionTime": "yesterday"}, "lastTransitionTime in body must be of type date-"),
        ({"lastTransitionTime": None}, "lastTransitionTime: Required"),
        ({"observedGeneration": -1}, "observedGeneration in body should be greater"),
    ],
)
def test_a_condition_has_the_limits_of_kubernetes(
    admin: Client, namespace: str, changed: Object, rule: str
) -> None:
    there = admin.post(CAMERAS.path(namespace), manifest())
    good = CAMERA_STATUS["conditions"][0]
    with pytest.raises(Refused) as caught:
        admin.put(
            CAMERAS.path(namespace, "lobby", "status"),
            {**there, "status": {"conditions": [{**good, **changed}]}},
        )
    assert "status.conditions[0]." in caught.value.message
    assert rule in caught.value.message


def test_conditions_of_two_writers_merge_by_type(admin: Client, namespace: str) -> None:
    admin.post(CAMERAS.path(namespace), manifest())
    status = CAMERAS.path(namespace, "lobby", "status")
    assigned, connected, ready = CAMERA_STATUS["conditions"]
    for manager, own in (("operator", [assigned]), ("worker", [connected, ready])):
        admin.apply(status, {**HEAD, "status": {"conditions": own}}, manager=manager)
    there = {one["type"] for one in admin.get(status)["status"]["conditions"]}
    assert there == {"Assigned", "Connected", "Ready"}
