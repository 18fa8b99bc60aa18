"""The errors of Camera Ingest. The type decides what happens; the text is for people.

    IngestError
    ├── InvalidManifest        a Camera that breaks a rule: which field, which value, which rule
    │   └── InvalidQuery       the same of a parameter in a URL
    ├── UnknownCamera          no camera of that id or name
    ├── CameraExists           the id or the name is taken
    ├── CameraChanged          somebody else changed it meanwhile: look at it again
    ├── ManagedElsewhere       a camera that only a person may change, where they wrote it
    ├── SecretMissing          a Secret, or a key of it, that a camera names is not there
    ├── QuotaExceeded          the namespace may not hold more
    ├── AdmissionRefused       a policy or webhook of the cluster said no
    ├── NotAllowed             the gateway's own account lacks a permission
    ├── RegistryInUse          another process owns the directory
    ├── RegistryUnavailable    the registry could not be read or written just now
    │   └── ApiUnavailable     the API server does not answer, or is overloaded
    ├── ApiRefused             the API server understood and said no; carries its status and reason
    │   ├── ApiNotFound        there is no such object (404)
    │   ├── ApiConflict        it exists already, or is another one by now (409)
    │   ├── ApiExpired         that version is no longer remembered: list anew (410)
    │   ├── ApiForbidden       RBAC, a quota or an admission webhook said no (403)
    │   └── ApiInvalid         the object breaks a rule (400, 422)
    ├── Superseded             another worker has a later assignment of the camera
    ├── LeaseLost              another process holds the Lease that this one lived by
    ├── CannotListen           an address is taken, or is none of this machine's
    ├── WorkerFailed           a worker that was asked over the network did not answer
    │   ├── WorkerUnreachable  no connection, or one that broke
    │   ├── WorkerSilent       it took too long
    │   └── WorkerBusy         so many wait for it already that it was not asked
    ├── NotCaptured            this worker does not have the camera (any more)
    ├── FrameUnavailable       no frame to serve: none yet, or too old to be called live
    ├── FrameGone              the ring no longer (or never) held that frame
    ├── FrameUndecodable       the frame is there and cannot be turned into a picture
    ├── PushRefused            a pushed frame was not taken; carries its HTTP status
    └── CaptureError           a session ended; `failure` says of which class

No message ever holds a credential: foreign errors are mapped where they are caught, by type.
"""

from dataclasses import dataclass
from enum import StrEnum


class IngestError(Exception):
    """Root of the tree."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule of a manifest or of a request body.

    Attributes:
        field: Path of the field, as a user would write it (`spec.source.rtsp.url`).
        value: The offending value, printed and cut short; never a credential. None: missing.
        rule: What holds instead.
    """

    field: str
    value: str | None
    rule: str

    def __str__(self) -> str:
        found = "" if self.value is None else f" (found {self.value})"
        return f"{self.field}: {self.rule}{found}"


class InvalidManifest(IngestError):
    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class InvalidQuery(InvalidManifest):
    pass


class UnknownCamera(IngestError):
    def __init__(self, camera: str) -> None:
        super().__init__(f"no camera {camera!r}")
        self.camera = camera


class CameraExists(IngestError):
    def __init__(self, camera: str) -> None:
        super().__init__(f"camera {camera!r} exists")
        self.camera = camera


class CameraChanged(IngestError):
    def __init__(self, camera: str) -> None:
        super().__init__(f"camera {camera!r} was changed meanwhile: look at it, and ask again")
        self.camera = camera


class ManagedElsewhere(IngestError):
    def __init__(self, camera: str, where: str) -> None:
        super().__init__(f"camera {camera!r} is kept in {where}: change it there")


class SecretMissing(IngestError):
    """What a camera names cannot be read.

    Args:
        secret: Its name.
        key: Which value of it.
        reason: Why, where it is known: it is there and must not be used.
    """

    def __init__(self, secret: str, key: str, reason: str | None = None) -> None:
        why = f"is refused: {reason}" if reason else f"has no key {key!r}, or does not exist"
        super().__init__(f"secret {secret!r} {why}")


class QuotaExceeded(IngestError):
    pass


class AdmissionRefused(IngestError):
    pass


class NotAllowed(IngestError):
    pass


class RegistryInUse(IngestError):
    pass


class RegistryUnavailable(IngestError):
    pass


class ApiUnavailable(RegistryUnavailable):
    """Nothing is known of what became of the request.

    Attributes:
        retry_after: Seconds that the server asked for; None: it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Cause:
    """A StatusCause of the API server; `field` is a path as a user would write it, or empty."""

    reason: str = ""
    message: str = ""
    field: str = ""


class ApiRefused(IngestError):
    """The answer of an API server that did not do what it was asked.

    Attributes:
        status: Of HTTP.
        reason: Of the `Status` object, in CamelCase (`AlreadyExists`); empty when there was none.
        message: The server's own words. They may quote what was sent.
        causes: The broken rules one by one, where the server says them.
    """

    def __init__(
        self, status: int, reason: str, message: str, causes: tuple[Cause, ...] = ()
    ) -> None:
        super().__init__(f"the API server answered {status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes


class ApiNotFound(ApiRefused):
    pass


class ApiConflict(ApiRefused):
    pass


class ApiExpired(ApiRefused):
    pass


class ApiForbidden(ApiRefused):
    pass


class ApiInvalid(ApiRefused):
    pass


class Superseded(IngestError):
    pass


class LeaseLost(IngestError):
    pass


class CannotListen(IngestError):
    def __init__(self, listen: str, reason: str) -> None:
        super().__init__(f"cannot listen on {listen}: {reason}")


class WorkerFailed(IngestError):
    """Another try makes sense soon: the worker comes back, or its cameras get another one."""


class WorkerUnreachable(WorkerFailed):
    pass


class WorkerSilent(WorkerFailed):
    pass


class WorkerBusy(WorkerFailed):
    pass


class NotCaptured(IngestError):
    def __init__(self, camera: str) -> None:
        super().__init__(f"this worker does not have camera {camera!r}")


class FrameUnavailable(IngestError):
    """No frame that may be served as live.

    Attributes:
        retry_after: Seconds after which asking again makes sense.
    """

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class FrameGone(IngestError):
    pass


class FrameUndecodable(IngestError):
    pass


class PushRefused(IngestError):
    """A pushed frame that was not taken.

    Attributes:
        status: The HTTP status that says why: 400, 401, 409, 413, 415, 422, 429 or 503.
        retry_after: Seconds, with 429 and 503.
    """

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


class Failure(StrEnum):
    """Why a session ended, or never began: the reasons of `Connected=False`."""

    UNREACHABLE = "Unreachable"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    CAMERA_BUSY = "CameraBusy"
    NOT_FOUND = "NotFound"
    STALLED = "Stalled"
    DECODE_FAILED = "DecodeFailed"
    UNSUPPORTED_STREAM = "UnsupportedStream"
    CREDENTIALS_MISSING = "CredentialsMissing"
    LEASE_EXPIRED = "LeaseExpired"  # so the session of an Exclusive camera had to end
    CRASHED = "Crashed"  # a bug of ours; the traceback is in the log


class CaptureError(IngestError):
    """A session with a camera ended. Its message is written by us and holds no credential."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure
