"""What people are told of a camera, as Kubernetes Events."""

import pytest

from ingest_core.errors import Failure
from ingest_core.kube.events import EventType, Recorder
from ingest_core.kube.resources import Resource
from ingest_core.model import ConnectedReason, Metadata, Reason, Stream
from ingest_worker.feed import State
from ingest_worker.notices import noticing
from tests.fakes.cameras import push_camera

Fact = tuple[str, str, str]


class Told(Recorder):
    """Keeps what it is told, in place of an Event each."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def tell(
        self, resource: Resource, metadata: Metadata, type_: EventType, reason: str, message: str
    ) -> None:
        assert (resource.kind, metadata.name) == ("Camera", "door")
        self.facts.append((type_, reason, message))


@pytest.mark.parametrize(
    ("connected", "sessions", "reason", "expected"),
    [
        (True, 1, ConnectedReason.CONNECTED, [("Normal", "Connected", "mjpeg, 64x48")]),
        (False, 1, Failure.STALLED, [("Warning", "Disconnected", "Stalled: why")]),
        (False, 0, Failure.UNREACHABLE, [("Warning", "Unreachable", "why")]),
        (False, 0, Failure.AUTHENTICATION_FAILED, [("Warning", "AuthenticationFailed", "why")]),
        (False, 1, ConnectedReason.SUSPENDED, []),
        (False, 1, ConnectedReason.RELEASED, []),
    ],
)
def test_a_connect_a_disconnect_and_why_nothing_connects_are_told(
    *, connected: bool, sessions: int, reason: Reason, expected: list[Fact]
) -> None:
    told = Told()
    seen = Stream(codec="mjpeg", width=64, height=48, sessions=sessions)
    noticing(told)(push_camera("door"), seen, State(connected, reason, "why", 0.0))
    assert told.facts == expected
