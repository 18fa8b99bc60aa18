"""What the operator knows of each object, cut down to what it decides by. Pure.

Ten thousand Cameras are held at once, so a CameraState is a fraction of a Camera: read leniently
from what the API server says, which keeps the CRD's rules, and fields of newer versions are let be.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from ingest_core import names
from ingest_core.kube.informer import version
from ingest_core.model import ASSIGNED, READY, Assignment, Condition

_STATUSES: Final[Mapping[str, Literal["True", "False"]]] = {"True": "True", "False": "False"}
DUPLICATE_ID: Final = "DuplicateId"  # reason of Assigned

_ORDINAL: Final = re.compile(r"(?P<set>.+)-(?P<ordinal>[0-9]{1,9})")


class _Seen(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    pass


class Meta(_Seen, frozen=True, kw_only=True):
    """Of any object."""

    name: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}

    @property
    def revision(self) -> tuple[str, int]:
        """Changes with what is asked of the object, and not with its status."""
        return self.uid, self.generation


class Headed(_Seen, frozen=True):
    """Any object, of which no more is read."""

    metadata: Meta


class _Ref(_Seen, frozen=True):
    name: str = ""


class _Tls(_Seen, frozen=True):
    ca_secret_ref: _Ref | None = None


class _Rtsp(_Seen, frozen=True):
    session: str = "Shared"
    credentials_secret_ref: _Ref | None = None
    tls: _Tls | None = None


class _Push(_Seen, frozen=True):
    token_secret_ref: _Ref | None = None


class _Source(_Seen, frozen=True):
    rtsp: _Rtsp | None = None
    push: _Push | None = None


class _Spec(_Seen, frozen=True):
    source: _Source = _Source()
    camera_id: str | None = None
    pool_ref: _Ref = _Ref(name=names.DEFAULT_POOL)
    weight: int = 100


class _Assignment(_Seen, frozen=True):
    worker: str | None = None
    epoch: int = 0
    previous: str | None = None
    time: str | None = None


class _Stream(_Seen, frozen=True):
    epoch: int | None = None
    released_epoch: int | None = None
    connected_time: str | None = None


class _Condition(_Seen, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class _Status(_Seen, frozen=True):
    assignment: _Assignment | None = None
    stream: _Stream | None = None
    conditions: tuple[_Condition, ...] = ()


class _Camera(_Seen, frozen=True):
    metadata: Meta
    spec: _Spec = _Spec()
    status: _Status = _Status()


@dataclass(frozen=True, slots=True)
class CameraState:
    """A camera, as far as placing it goes.

    Attributes:
        id: In URLs, events and metrics; of several cameras with one id, one is captured.
        created: RFC 3339, in UTC and whole seconds.
        version: resourceVersion as a number.
        pool: The CameraPool that it names.
        weight: Cost in its worker's budget.
        exclusive: May only one session exist, also during a handover?
        secrets: Names of the Secrets that its worker must read.
        worker, epoch, previous, since: Its assignment; epoch 0: it never had one.
        released: Epoch up to which the previous worker let go.
        connected: Epoch under which a worker is seen to be connected; 0: none is.
        assigned, ready: These conditions, as they stand.
    """

    name: str
    id: str
    uid: str
    created: str
    version: int
    generation: int
    deleting: bool
    pool: str
    weight: int
    exclusive: bool
    secrets: tuple[str, ...]
    worker: str | None
    epoch: int
    previous: str | None
    since: str
    released: int
    connected: int
    assigned: Condition | None
    ready: Condition | None

    @property
    def seniority(self) -> tuple[str, str]:
        """As `Metadata.seniority`: of several cameras with one id, the least has it."""
        return self.created, self.uid

    @property
    def refused(self) -> bool:
        """Was it told that another camera has its id, so that it wants no worker?"""
        told = self.assigned is not None and self.assigned.reason == DUPLICATE_ID
        return told and self.worker is None

    @property
    def believed(self) -> bool:
        """Does it say that its worker, if it has one, captures it?"""
        return self.assigned is not None and self.assigned.status == "True"

    @property
    def handing_over(self) -> bool:
        """Is it the previous worker that captures it still, if it lives?"""
        over = self.released if self.exclusive else max(self.released, self.connected)
        return self.previous is not None and over < self.epoch

    @property
    def yielded(self) -> bool:
        """Does its previous worker capture it still, until the next one is connected?"""
        return self.handing_over and not self.exclusive

    @property
    def holder(self) -> str | None:
        """Who captures it, if that one lives."""
        return self.previous if self.handing_over else self.worker


def camera_state(raw: Any) -> CameraState:
    """Cut a Camera down.

    Args:
        raw: As JSON was decoded.

    Raises:
        msgspec.ValidationError: It is no Camera.
    """
    camera = msgspec.convert(raw, _Camera)
    source, status = camera.spec.source, camera.status
    assignment = status.assignment or _Assignment()
    stream = status.stream or _Stream()
    conditions = {one.type: one for one in status.conditions}
    assigned, ready = conditions.get(ASSIGNED), conditions.get(READY)
    return CameraState(
        name=camera.metadata.name,
        id=camera.spec.camera_id or camera.metadata.name,
        uid=camera.metadata.uid,
        created=sys.intern(camera.metadata.creation_timestamp),
        version=version(camera.metadata.resource_version),
        generation=camera.metadata.generation,
        deleting=bool(camera.metadata.deletion_timestamp),
        pool=sys.intern(camera.spec.pool_ref.name),
        weight=camera.spec.weight,
        exclusive=source.rtsp is not None and source.rtsp.session == "Exclusive",
        secrets=_secrets(source),
        worker=_interned(assignment.worker),
        epoch=assignment.epoch,
        previous=_interned(assignment.previous),
        since=assignment.time or "",
        released=stream.released_epoch or 0,
        connected=(stream.epoch or 0) if stream.connected_time else 0,
        assigned=None if assigned is None else _condition(assigned),
        ready=None if ready is None else _condition(ready),
    )


def _secrets(source: _Source) -> tuple[str, ...]:
    references = []
    if source.rtsp is not None:
        references.append(source.rtsp.credentials_secret_ref)
        references.append(source.rtsp.tls.ca_secret_ref if source.rtsp.tls else None)
    if source.push is not None:
        references.append(source.push.token_secret_ref)
    return tuple(one.name for one in references if one is not None and one.name)


def _condition(one: _Condition) -> Condition:
    return Condition(
        type=sys.intern(one.type),
        status=_STATUSES.get(one.status, "Unknown"),
        reason=sys.intern(one.reason),
        message=sys.intern(one.message),
        last_transition_time=one.last_transition_time,
        observed_generation=one.observed_generation,
    )


def _interned(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)


class Life(StrEnum):
    """How a worker is, as placing goes.

    OPEN takes cameras. LEAVING captures what it has, and is to be relieved of it. LOST captures
    nothing, but comes back to what it has. GONE never comes back.
    """

    OPEN = "open"
    LEAVING = "leaving"
    LOST = "lost"
    GONE = "gone"


UNNUMBERED: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker of a pool; UNNUMBERED is one that is no pod of its StatefulSet."""

    name: str
    pool: str
    ordinal: int
    life: Life

    @property
    def numbered(self) -> bool:
        return self.ordinal != UNNUMBERED

    @property
    def captures(self) -> bool:
        """Is it alive, so that what it has must be handed over rather than given away?"""
        return self.life in (Life.OPEN, Life.LEAVING)


def ordinal_of(worker: str, pool: str) -> int | None:
    """The number of a pool's pod; None: it is not one of the pool's."""
    found = _ORDINAL.fullmatch(worker)
    return int(found["ordinal"]) if found is not None and found["set"] == pool else None


def assignment_of(camera: CameraState) -> Assignment | None:
    """The assignment as it stands."""
    if camera.epoch == 0:
        return None
    return Assignment(
        worker=camera.worker, epoch=camera.epoch, previous=camera.previous, time=camera.since
    )
