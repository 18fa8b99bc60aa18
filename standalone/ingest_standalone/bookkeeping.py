"""The order in which a camera and its own Secret are written, so that a kill leaves old or new.

The Secret of each writing has a name of its own, and the camera's file, replaced in one step, says
which one counts. So a Secret is written before the camera that names it and removed after it;
whatever a kill leaves between is a Secret that nobody names, and is tidied away.
"""

import contextlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec.structs import replace

from ingest_core.errors import InvalidManifest, ManagedElsewhere, Problem
from ingest_core.model import Camera
from ingest_core.objects import referring
from ingest_standalone.disk import PRIVATE, PUBLIC, Disk
from ingest_standalone.manifest_files import Content, render, secrets_in
from ingest_standalone.secrets_file import own_secret
from ingest_standalone.secrets_file import render as render_secrets

_SECRET: Final = ".secret"
_MAX_NAME: Final = 253


class Bookkeeping:
    """Changes one camera's files. Every method blocks, and may raise OSError."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def create(self, camera: Camera, secret: Mapping[str, str], token: str) -> AbstractSet[str]:
        """Write a new camera; gives the files that were written.

        Args:
            camera: Checked; there is none of its name.
            secret: Values of its own Secret, by key.
            token: Makes the Secret's name one of its own.

        Raises:
            InvalidManifest: The name cannot be a file's.
            ManagedElsewhere: A file of that name is there.
        """
        if camera.name.endswith(_SECRET):
            rule = "must not end in .secret, as the files of Secrets do"
            raise InvalidManifest(Problem("metadata.name", camera.name, rule))
        file, beside = f"{camera.name}.yaml", secret_file(camera.name)
        for taken in (file, beside):
            if self._disk.exists(taken):
                raise ManagedElsewhere(camera.id, taken)
        named = self._keep(camera, secret, token) if secret else camera
        try:
            self._disk.write(file, render(named), PUBLIC)
        except OSError:
            with contextlib.suppress(OSError):
                self._disk.remove(beside)
            raise
        return {file, beside}

    def replace(
        self,
        camera: Camera,
        file: str,
        content: Content,
        secret: Mapping[str, str] | None,
        token: str,
    ) -> AbstractSet[str]:
        """Write a camera anew over its file; gives the files that were written.

        Raises:
            ManagedElsewhere: The file holds more than this camera, or is broken or a link.
        """
        self._demand_alone(camera, file, content)
        if content.problems:
            raise ManagedElsewhere(camera.id, file)
        named = self._keep(camera, secret, token) if secret else camera
        self._disk.write(file, render(named), PUBLIC)
        return {file, secret_file(camera.name)}

    def delete(self, camera: Camera, file: str, content: Content) -> AbstractSet[str]:
        """Remove a camera's file; its Secret is then nobody's.

        Raises:
            ManagedElsewhere: The file holds more than this camera, or is a link.
        """
        self._demand_alone(camera, file, content)
        self._disk.remove(file)
        return {file}

    def tidy(self, contents: Mapping[str, Content], named: AbstractSet[str]) -> AbstractSet[str]:
        """Remove the Secrets that the API made and no camera names; gives the files changed.

        Args:
            contents: What each file says.
            named: Names of the Secrets that cameras name.
        """
        changed = set()
        for file, content in contents.items():
            names = {secret.metadata.name for secret in content.secrets}
            if not content.managed or content.problems or named >= names:
                continue
            there = secrets_in(self._disk.read(file).data)
            kept = [secret for name, secret in there.items() if name in named]
            if kept:
                self._disk.write(file, render_secrets(*kept), PRIVATE)
            else:
                self._disk.remove(file)
            changed.add(file)
        return changed

    def _keep(self, camera: Camera, values: Mapping[str, str], token: str) -> Camera:
        """Write the values as one more own Secret, and point the camera at it."""
        file = secret_file(camera.name)
        there = secrets_in(self._disk.read(file).data) if self._disk.exists(file) else {}
        if not all(secret.managed for secret in there.values()):
            raise ManagedElsewhere(camera.id, file)
        name = f"{camera.name[: _MAX_NAME - len(token) - 1]}-{token}"
        self._disk.write(file, render_secrets(*there.values(), own_secret(name, values)), PRIVATE)
        return replace(camera, spec=referring(camera.spec, name, values))

    def _demand_alone(self, camera: Camera, file: str, content: Content) -> None:
        alone = len(content.cameras) == 1 and content.documents <= 1 and not content.secrets
        if not alone or self._disk.is_link(file):
            raise ManagedElsewhere(camera.id, file)


def secret_file(name: str) -> str:
    """The file of the Secret that the API makes for a camera."""
    return f"{name}{_SECRET}.yaml"
