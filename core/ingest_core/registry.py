"""Where Cameras are: the one seam between the programs and their source of truth.

Standalone it is a directory of manifests; on Kubernetes, the API server. A worker and a gateway
see no difference. One contract test suite (tests/contract/) holds for every implementation.

A registry is level-triggered: `cameras` is what is, `changes` says only where to look again, so a
reader that missed or doubled a change is right again at the next look.
"""

from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ingest_core.model import Camera, CameraSpec, Condition, Stream


class CameraReader(Protocol):
    """What every program may see."""

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """Every camera in reach by its object's name: a live view, never to be changed."""

    @property
    def synced(self) -> bool:
        """Has the registry been read whole at least once?"""

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[AbstractSet[str]]]:
        """Names that changed, came or went, merged while nobody asks: bounded by the cameras.

        The first item holds every name, once the registry has been read whole.
        """

    def by_id(self, camera_id: str) -> Camera | None:
        """The camera with this id in URLs, events and metrics."""


class WorkerRegistry(CameraReader, Protocol):
    """What a worker needs besides."""

    async def secret(self, name: str, key: str) -> str:
        """One value of a Secret, as it is now.

        Raises:
            SecretMissing: The Secret or its key is not there.
            RegistryUnavailable: It could not be read.
        """

    async def report(
        self, camera: Camera, stream: Stream, conditions: tuple[Condition, ...]
    ) -> None:
        """Write what this worker sees; a camera that is gone meanwhile is no error.

        Raises:
            Superseded: A worker with a later assignment has written already.
            RegistryUnavailable: It could not be written.
            ApiRefused: It must not be written.
        """

    async def release(self, camera: Camera) -> None:
        """Write that this worker, the previous one of an assignment, has let go of the camera.

        Raises:
            RegistryUnavailable: It could not be written.
            ApiRefused: It must not be written.
        """

    async def refresh(self) -> None:
        """Make sure that `cameras` is what is assigned now, or was after the call.

        Raises:
            RegistryUnavailable: It could not be read.
        """


class CameraRegistry(CameraReader, Protocol):
    """What a gateway needs besides."""

    async def create(self, name: str, spec: CameraSpec, secret: Mapping[str, str]) -> Camera:
        """Add a camera; `secret` holds the values of its own Secret, by key.

        The registry makes that Secret, under a name of its own, and lets the spec name it.

        Raises:
            CameraExists: The name or the id is taken.
            InvalidManifest: The spec breaks a rule, or names the own Secret of another camera.
            RegistryUnavailable: It could not be written; nothing was.
        """

    async def replace(
        self, name: str, spec: CameraSpec, secret: Mapping[str, str] | None
    ) -> Camera:
        """Give a camera another spec, and with `secret` other values of its own Secret.

        Raises:
            UnknownCamera: There is none of that name.
            InvalidManifest: The spec breaks a rule, or names the own Secret of another camera.
            RegistryUnavailable: It could not be written; nothing was.
        """

    async def delete(self, name: str) -> None:
        """Remove a camera and the Secret that was made with it.

        Raises:
            UnknownCamera: There is none of that name.
            RegistryUnavailable: It could not be written.
        """
