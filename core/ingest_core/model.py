"""Camera, the contract with users, as values: the same manifest on Kubernetes and standalone.

These types hold what one field can say by itself; what fields say together is in `manifest`.
For people: docs/guide/cameras.md.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from ingest_core import names
from ingest_core.errors import Failure

ObjectName = Annotated[str, Meta(pattern=names.OBJECT_NAME_PATTERN)]
CameraId = Annotated[str, Meta(pattern=names.CAMERA_ID_PATTERN)]
SecretKey = Annotated[str, Meta(pattern=names.SECRET_KEY_PATTERN)]
Permille = Annotated[int, Meta(ge=0, le=1000)]
TimeoutSeconds = Annotated[int, Meta(ge=1, le=300)]

MIB: Final = 1024 * 1024
MAX_FRAME_BYTES: Final = 32 * MIB


class Decode(StrEnum):
    ALL = "All"
    KEYFRAMES = "Keyframes"


class Part(
    Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """A part of a spec: frozen, camelCase outside, and a typing error is an error."""


class CredentialsRef(Part, frozen=True):
    """Where the login is: a Secret, and its keys."""

    name: ObjectName
    username_key: SecretKey = "username"
    password_key: SecretKey = "password"


class SecretRef(Part, frozen=True):
    """One value of a Secret."""

    name: ObjectName
    key: SecretKey


class Tls(Part, frozen=True):
    """How a camera's certificate is checked (rtsps only)."""

    ca_secret_ref: SecretRef | None = None
    insecure_skip_verify: bool = False


class RtspSource(Part, frozen=True):
    """The worker connects to the camera."""

    url: Annotated[str, Meta(min_length=8, max_length=2048)]
    transport: Literal["TCP", "UDP"] = "TCP"
    credentials_secret_ref: CredentialsRef | None = None
    tls: Tls | None = None
    session: Literal["Shared", "Exclusive"] = "Shared"
    connect_timeout_seconds: TimeoutSeconds = 10
    stall_timeout_seconds: TimeoutSeconds = 10


class PushSource(Part, frozen=True):
    """A device sends JPEGs over HTTP."""

    token_secret_ref: SecretRef | None = None
    max_frame_bytes: Annotated[int, Meta(ge=1024, le=MAX_FRAME_BYTES)] = 8 * MIB
    max_fps: Annotated[int, Meta(ge=1, le=120)] = field(default=30, name="maxFPS")


class Source(Part, frozen=True):
    """Exactly one of the two."""

    rtsp: RtspSource | None = None
    push: PushSource | None = None


class Buffer(Part, frozen=True):
    """Bounds of the ring; the tighter one holds."""

    seconds: Annotated[int, Meta(ge=1, le=300)] = 10
    max_bytes: Annotated[int, Meta(ge=65536, le=1024 * MIB)] = 32 * MIB


class Point(Part, frozen=True):
    """A corner of a mask, in thousandths of the picture's width and height from the top left."""

    x_permille: Permille
    y_permille: Permille


class Mask(Part, frozen=True):
    """A part of the picture in which motion does not count."""

    name: Annotated[str, Meta(min_length=1, max_length=63)]
    polygon: Annotated[tuple[Point, ...], Meta(min_length=3, max_length=32)]


class Motion(Part, frozen=True):
    """What counts as motion; `sensitivity` is defined in docs/design/motion.md."""

    enabled: bool = True
    sensitivity: Annotated[int, Meta(ge=0, le=100)] = 50
    min_area_permille: Annotated[int, Meta(ge=1, le=500)] = 2
    cooldown_seconds: Annotated[int, Meta(ge=1, le=3600)] = 5
    masks: Annotated[tuple[Mask, ...], Meta(max_length=16)] = ()


class PoolRef(Part, frozen=True):
    name: ObjectName = names.DEFAULT_POOL


class CameraSpec(Part, frozen=True):
    """What the user wants."""

    source: Source
    camera_id: CameraId | None = None
    pool_ref: PoolRef = PoolRef()
    decode: Decode = Decode.ALL
    buffer: Buffer = Buffer()
    motion: Motion = Motion()
    weight: Annotated[int, Meta(ge=1, le=64000)] = 100
    suspend: bool = False


class Assignment(Part, frozen=True):
    """Camera → worker. Written by the operator only; standalone, by the registry.

    Once there it stays: a camera that lost its worker has an assignment without one.
    """

    epoch: int
    worker: str | None = None
    previous: str | None = None
    time: str | None = None


class Stream(Part, frozen=True):
    """What the worker sees. Written on transitions only."""

    worker: str | None = None
    epoch: int | None = None
    released_epoch: int | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    connected_time: str | None = None
    sessions: int = 0


class Condition(Part, frozen=True):
    """A metav1.Condition."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class CameraStatus(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is; unknown fields are a newer writer's and are let be."""

    observed_generation: int = 0
    assignment: Assignment | None = None
    stream: Stream | None = None
    conditions: tuple[Condition, ...] = ()


class Metadata(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The part of a Kubernetes object's metadata that we read."""

    name: ObjectName
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str | None = None  # null in what `kubectl create --dry-run` prints
    deletion_timestamp: str = ""
    labels: dict[str, str] | UnsetType = UNSET
    annotations: dict[str, Any] | UnsetType = UNSET

    @property
    def seniority(self) -> tuple[str, str]:
        """Never changes. Of several Cameras with one id the one that has the least has the id."""
        return self.creation_timestamp or "", self.uid


class Camera(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A camera, as applied."""

    metadata: Metadata
    spec: CameraSpec
    api_version: Literal["camera-ingest.io/v1alpha1"] = "camera-ingest.io/v1alpha1"
    kind: Literal["Camera"] = "Camera"
    status: CameraStatus = CameraStatus()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def id(self) -> str:
        """The id in URLs, events and metrics."""
        return self.spec.camera_id or self.metadata.name

    @property
    def epoch(self) -> int:
        """Epoch of its assignment; 0 while it has none."""
        return self.status.assignment.epoch if self.status.assignment else 0


class ConnectedReason(StrEnum):
    """Reasons of the condition Connected that are no failure."""

    CONNECTED = "Connected"
    CONNECTING = "Connecting"
    SUSPENDED = "Suspended"
    RELEASED = "Released"
    WAITING_FOR_PUSH = "WaitingForPush"


CONNECTED: Final = "Connected"
READY: Final = "Ready"
ASSIGNED: Final = "Assigned"

Reason = ConnectedReason | Failure
