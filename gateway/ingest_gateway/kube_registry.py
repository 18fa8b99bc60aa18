"""The registry of a gateway on Kubernetes: reads by a watch, writes by the API server.

A login goes into a Secret of the camera's own, which is never read here. The Camera is made first
and owns it: whatever breaks in between leaves a camera that says its login is missing, and never a
login that nobody owns. What a write answered is known at once, before the watch tells of it.
"""

import secrets
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec
import structlog
from msgspec import UNSET
from msgspec.structs import replace

from ingest_core import lenient, names
from ingest_core.errors import (
    ApiConflict,
    ApiNotFound,
    ApiRefused,
    ApiUnavailable,
    CameraChanged,
    CameraExists,
    IngestError,
    InvalidManifest,
    Problem,
    RegistryUnavailable,
    UnknownCamera,
)
from ingest_core.kube.cameras import KubeCameras
from ingest_core.kube.client import Api
from ingest_core.kube.resources import CAMERAS
from ingest_core.manifest import check_camera, parse
from ingest_core.model import Camera, CameraSpec, Metadata
from ingest_core.objects import borrowed, foreign, referring, secrets_of
from ingest_gateway import merge_patch, own_secret
from ingest_gateway.chosen import chosen
from ingest_gateway.logins import Logins, told

TRIES: Final = 5  # of a write that somebody else's came before
_EXISTS: Final = "AlreadyExists"

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def _token() -> str:
    return secrets.token_hex(own_secret.TOKEN_BYTES)


class KubeRegistry(KubeCameras):
    """A `CameraRegistry`: every Camera of a namespace.

    Args:
        api: The server, and the namespace.
        token: Makes the name of a Secret, from chance.
    """

    def __init__(self, api: Api, token: Callable[[], str] = _token) -> None:
        super().__init__(api)
        self._api = api
        self._logins = Logins(api)
        self._token = token
        self.namespace: Final = api.namespace

    async def create(self, name: str, spec: CameraSpec, secret: Mapping[str, str]) -> Camera:
        """See `CameraRegistry.create`.

        Raises:
            QuotaExceeded, AdmissionRefused, NotAllowed: The cluster refuses; nothing was written.
        """
        metadata = parse({"name": name}, Metadata, root="metadata")
        camera = self._checked(Camera(metadata=metadata, spec=spec), frozenset())
        there = self.by_id(camera.id)
        if there is not None and there.name != name:  # of the name, the API server knows more
            raise CameraExists(camera.id)
        own = own_secret.name_of(name, self._token()) if secret else None
        made = await self._create(_owning(camera, own, secret))
        if own is not None:
            try:
                await self._logins.make(own, made, secret)
            except IngestError:
                await self._take_back(made, own)
                raise
        self.put(made)
        return made

    async def replace(
        self, name: str, spec: CameraSpec, secret: Mapping[str, str] | None
    ) -> Camera:
        """See `CameraRegistry.replace`. What the API server holds besides the spec is kept.

        Raises:
            CameraChanged: Somebody else changed the spec meanwhile; what it is now is known.
            QuotaExceeded, AdmissionRefused, NotAllowed: The cluster refuses; nothing was written.
        """
        before = self._there(name)
        camera = self._checked(replace(before, spec=spec), secrets_of(before.spec))
        if camera.id != before.id:
            raise InvalidManifest(Problem("spec.cameraId", camera.id, "is immutable"))
        own = own_secret.name_of(name, self._token()) if secret else None
        wanted = _owning(camera, own, secret or {})
        if own is not None:
            await self._logins.make(own, before, secret or {})
        try:
            after = await self._rewrite(before, wanted)
        except ApiUnavailable:  # it may have been done: then the new login is in use
            log.warning("camera_in_doubt", camera=name, secret=own)
            raise
        except IngestError:
            await self._logins.remove(own)
            raise
        self.put(after)
        old = own_secret.own_secret(before)
        if old != own_secret.own_secret(after):
            await self._logins.remove(old)
        return after

    async def delete(self, name: str) -> None:
        """See `CameraRegistry.delete`.

        Raises:
            CameraChanged: It is another one of the same name by now.
            NotAllowed, AdmissionRefused: The cluster refuses.
        """
        camera = self._there(name)
        try:
            await self._api.delete(CAMERAS, name, uid=camera.metadata.uid)
        except ApiNotFound:
            self.drop(name, camera.metadata.uid)
            raise UnknownCamera(camera.id) from None
        except ApiConflict:
            await self.look_up(name)
            raise CameraChanged(camera.id) from None
        except ApiRefused as error:
            raise told(error) from None
        self.drop(name, camera.metadata.uid)
        await self._logins.remove(own_secret.own_secret(camera))  # not every server collects it

    async def look_up(self, name: str) -> None:
        """Ask for a camera, where the watch may be behind.

        Raises:
            RegistryUnavailable: It could not be read.
            NotAllowed: The cluster refuses.
        """
        known = self.cameras.get(name)
        try:
            self.put(lenient.decode(await self._api.get(CAMERAS, name), Camera))
        except ApiNotFound:
            if known is not None:
                self.drop(name, known.metadata.uid)  # not one that was made anew meanwhile
        except ApiRefused as error:
            raise told(error) from None

    # How

    def _there(self, name: str) -> Camera:
        self._demand_synced()
        camera = self.cameras.get(name)
        if camera is None:
            raise UnknownCamera(name)
        return camera

    def _checked(self, camera: Camera, own: AbstractSet[str]) -> Camera:
        self._demand_synced()
        problems = check_camera(camera)
        if secrets_of(camera.spec) - own:
            made = {name for name in map(own_secret.own_secret, self.cameras.values()) if name}
            problems += borrowed(camera.spec, own, made) or foreign(camera.spec, own)
        if problems:
            raise InvalidManifest(*problems)
        return camera

    def _demand_synced(self) -> None:
        if not self.synced:
            raise RegistryUnavailable("the cameras have not been read yet")

    async def _create(self, camera: Camera) -> Camera:
        body = {
            "apiVersion": camera.api_version,
            "kind": camera.kind,
            "metadata": camera.metadata,
            "spec": camera.spec,
        }
        try:
            answer = await self._api.create(CAMERAS, body, manager=names.GATEWAY_MANAGER)
        except ApiUnavailable:
            return await self._done(camera)
        except ApiConflict as error:
            if error.reason == _EXISTS:
                raise CameraExists(camera.id) from None
            raise told(error) from None
        except ApiRefused as error:
            raise told(error) from None
        return lenient.decode(answer, Camera)

    async def _rewrite(self, before: Camera, wanted: Camera) -> Camera:
        """Write over the very camera that was seen; its status may have changed meanwhile."""
        for _ in range(TRIES):
            body = _rewritten(await self._unchanged(before), before, wanted)
            try:
                answer = await self._api.update(
                    CAMERAS, before.name, body, manager=names.GATEWAY_MANAGER
                )
            except (ApiConflict, ApiNotFound):
                continue
            except ApiUnavailable:
                return await self._done(wanted)
            except ApiRefused as error:
                raise told(error) from None
            return lenient.decode(answer, Camera)
        raise CameraChanged(before.id)

    async def _unchanged(self, before: Camera) -> dict[str, Any]:
        """The object as the API server has it, if its spec is the one that was seen."""
        try:
            raw: dict[str, Any] = msgspec.json.decode(await self._api.get(CAMERAS, before.name))
        except ApiNotFound:
            self.drop(before.name, before.metadata.uid)
            raise UnknownCamera(before.id) from None
        except ApiUnavailable as error:
            raise RegistryUnavailable(f"{error}: nothing was written") from None
        except ApiRefused as error:
            raise told(error) from None
        there = lenient.convert(raw, Camera)
        if (there.metadata.uid, there.spec) != (before.metadata.uid, before.spec):
            self.put(there)
            raise CameraChanged(before.id)
        return raw

    async def _done(self, wanted: Camera) -> Camera:
        """The camera, if the write that got no answer was done.

        Raises:
            ApiUnavailable: Nobody says whether it was.
            RegistryUnavailable: It was not.
        """
        nothing = RegistryUnavailable("the API server did not answer: nothing was written")
        try:
            there = lenient.decode(await self._api.get(CAMERAS, wanted.name), Camera)
        except ApiRefused:
            raise nothing from None
        ours = own_secret.own_secret(there) == own_secret.own_secret(wanted)
        if there.spec != wanted.spec or not ours:
            raise nothing
        return there

    async def _take_back(self, camera: Camera, secret: str) -> None:
        """Undo: a camera whose login could not be kept is as if it had never been."""
        self.put(camera)  # or the watch would bring it, once it is gone
        await self._logins.remove(secret)
        try:
            await self._api.delete(CAMERAS, camera.name, uid=camera.metadata.uid)
        except ApiNotFound:
            pass
        except (ApiUnavailable, ApiRefused) as error:
            log.warning("camera_left", camera=camera.name, error=type(error).__name__)
        else:
            self.drop(camera.name, camera.metadata.uid)


def _owning(camera: Camera, own: str | None, values: Mapping[str, str]) -> Camera:
    """A camera with a new Secret of its own, or with the one that its spec still names."""
    spec = camera.spec if own is None else referring(camera.spec, own, values)
    name = own or own_secret.kept(camera)
    annotations = {names.ANNOTATION_OWN_SECRET: name} if name else UNSET
    return replace(camera, spec=spec, metadata=replace(camera.metadata, annotations=annotations))


def _rewritten(raw: dict[str, Any], before: Camera, wanted: Camera) -> dict[str, Any]:
    """The object as the API server has it, with no more changed than is wanted."""
    then, now = chosen(before.spec), chosen(wanted.spec)
    spec = merge_patch.merge(raw["spec"], merge_patch.difference(then, now))
    annotations = dict(raw["metadata"].get("annotations", {}))
    annotations.pop(names.ANNOTATION_OWN_SECRET, None)
    annotations |= wanted.metadata.annotations or {}
    return {**raw, "metadata": {**raw["metadata"], "annotations": annotations}, "spec": spec}
