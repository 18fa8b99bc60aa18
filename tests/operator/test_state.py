"""A Camera cut down to what the operator decides by."""

from typing import Any

import msgspec
import pytest

from ingest_core.model import Assignment, Condition
from ingest_operator.state import CameraState, assignment_of, camera_state, ordinal_of

FULL: dict[str, Any] = {
    "apiVersion": "camera-ingest.io/v1alpha1",
    "kind": "Camera",
    "metadata": {
        "name": "lobby",
        "uid": "u1",
        "generation": 3,
        "resourceVersion": "812",
        "creationTimestamp": "2026-11-22T08:00:00Z",
        "labels": {"a": "b"},
        "managedFields": [{"manager": "kubectl"}],
    },
    "spec": {
        "cameraId": "front_door",
        "poolRef": {"name": "gate"},
        "weight": 250,
        "source": {
            "rtsp": {
                "url": "rtsps://camera.example/stream",
                "session": "Exclusive",
                "credentialsSecretRef": {"name": "login"},
                "tls": {"caSecretRef": {"name": "authority", "key": "ca.crt"}},
            }
        },
        "ofTomorrow": {"unknown": True},
    },
    "status": {
        "assignment": {
            "worker": "gate-1",
            "previous": "gate-0",
            "epoch": 7,
            "time": "2026-11-22T09:00:00Z",
        },
        "stream": {"worker": "gate-0", "epoch": 6, "releasedEpoch": 7, "connectedTime": "t"},
        "conditions": [
            {
                "type": "Assigned",
                "status": "True",
                "reason": "Assigned",
                "lastTransitionTime": "t",
                "message": "",
                "observedGeneration": 3,
            },
            {
                "type": "Ready",
                "status": "Unknown",
                "reason": "Starting",
                "message": "soon",
                "lastTransitionTime": "t",
            },
            {"type": "OfTomorrow", "status": "Perhaps"},
        ],
    },
}


def changed(**status: Any) -> CameraState:
    return camera_state({**FULL, "status": {**FULL["status"], **status}})


def test_what_decides_is_read_and_what_a_newer_version_wrote_is_let_be() -> None:
    assert camera_state(FULL) == CameraState(
        name="lobby",
        id="front_door",
        uid="u1",
        created="2026-11-22T08:00:00Z",
        version=812,
        generation=3,
        deleting=False,
        pool="gate",
        weight=250,
        exclusive=True,
        secrets=("login", "authority"),
        worker="gate-1",
        epoch=7,
        previous="gate-0",
        since="2026-11-22T09:00:00Z",
        released=7,
        connected=6,
        assigned=Condition(
            type="Assigned",
            status="True",
            reason="Assigned",
            last_transition_time="t",
            observed_generation=3,
        ),
        ready=Condition(
            type="Ready",
            status="Unknown",
            reason="Starting",
            message="soon",
            last_transition_time="t",
        ),
    )


def test_a_camera_that_was_just_applied_has_nobody() -> None:
    source = {"push": {"tokenSecretRef": {"name": "token", "key": "token"}}}
    found = camera_state({"metadata": {"name": "door"}, "spec": {"source": source}})
    assert (found.id, found.pool, found.weight, found.exclusive) == ("door", "default", 100, False)
    assert (found.worker, found.epoch, found.previous, found.since) == (None, 0, None, "")
    assert (found.secrets, found.assigned, found.ready) == (("token",), None, None)
    assert assignment_of(found) is None


def test_an_assignment_is_given_back_as_it_stands() -> None:
    assert assignment_of(camera_state(FULL)) == Assignment(
        worker="gate-1", previous="gate-0", epoch=7, time="2026-11-22T09:00:00Z"
    )
    nobodys = changed(assignment={"epoch": 9, "time": "t"})
    assert assignment_of(nobodys) == Assignment(epoch=9, time="t")


def test_a_stream_without_a_session_is_not_connected() -> None:
    assert changed(stream={"worker": "gate-1", "epoch": 7}).connected == 0


def test_a_camera_that_is_told_to_end_is_being_deleted() -> None:
    metadata = {**FULL["metadata"], "deletionTimestamp": "2026-11-22T09:00:00Z"}
    assert camera_state({**FULL, "metadata": metadata}).deleting


def test_what_is_no_camera_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        camera_state({"metadata": {"name": "x"}, "spec": {"weight": "heavy"}})


@pytest.mark.parametrize(
    ("worker", "pool", "ordinal"),
    [
        ("default-0", "default", 0),
        ("default-17", "default", 17),
        ("a-b-3", "a-b", 3),
        ("a-b-3", "a", None),
        ("default", "default", None),
        ("default-", "default", None),
        ("default-x", "default", None),
        ("default--1", "default", None),
        ("default-1234567890", "default", None),
    ],
)
def test_the_ordinal_is_the_number_of_a_pods_name(
    worker: str, pool: str, ordinal: int | None
) -> None:
    assert ordinal_of(worker, pool) == ordinal
