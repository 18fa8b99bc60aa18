"""What one file of the directory says: its Cameras, its Secrets, and what is wrong with it. Pure.

A document that breaks a rule disturbs no other document; a file that cannot be read as YAML gives
the documents before the place where it breaks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import yaml

from ingest_core.errors import InvalidManifest, Problem
from ingest_core.manifest import parse_camera
from ingest_core.model import Camera, CameraStatus, Metadata
from ingest_standalone.secrets_file import Secret, parse_secret
from ingest_standalone.yaml_documents import BadYaml, documents

FILE: Final = "(file)"


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One thing that is wrong; `document` counts from 1, 0 is the file as a whole."""

    file: str
    document: int
    problem: Problem


@dataclass(frozen=True, slots=True)
class Content:
    """What a file says.

    Attributes:
        cameras: Valid ones, in order.
        secrets: Names of the Secrets.
        managed: Were all of its documents made by the API, as Secrets?
        documents: How many there are, valid or not.
        problems: What is wrong, in order.
        digest: Of its bytes and its owner's mode; equal ones say the same.
    """

    cameras: tuple[Camera, ...] = ()
    secrets: tuple[str, ...] = ()
    managed: bool = False
    documents: int = 0
    problems: tuple[FileProblem, ...] = ()
    digest: bytes = b""

    def keeping(self, before: "Content | None") -> "Content":
        """With the cameras that it gave before, where it does not give them now and is broken.

        So an edit that breaks a rule changes nothing, as the API server would have refused it.
        """
        if before is None or not self.problems:
            return self
        names = {camera.name for camera in self.cameras}
        kept = tuple(camera for camera in before.cameras if camera.name not in names)
        return replace(self, cameras=self.cameras + kept)


def unreadable(file: str, reason: str) -> Content:
    """A file whose bytes cannot be had."""
    return Content(problems=(FileProblem(file, 0, Problem(FILE, None, reason)),))


def read(file: str, data: bytes, *, private: bool, digest: bytes = b"") -> Content:
    """Read a file.

    Args:
        file: Its name, for problems.
        data: Its bytes.
        private: May only its owner, who is us, read it? A Secret must be in such a file.
        digest: Goes into the content.
    """
    cameras: list[Camera] = []
    secrets: list[Secret] = []
    problems: list[FileProblem] = []
    count = 0
    try:
        for count, raw in enumerate(documents(data), 1):
            try:
                _take(raw, cameras, secrets, private=private)
            except InvalidManifest as error:
                problems += [FileProblem(file, count, problem) for problem in error.problems]
    except BadYaml as error:
        count += 1
        problems.append(FileProblem(file, count, Problem("(document)", None, str(error))))
    return Content(
        cameras=tuple(cameras),
        secrets=tuple(secret.metadata.name for secret in secrets),
        managed=bool(secrets) and count == len(secrets) and all(one.managed for one in secrets),
        documents=count,
        problems=tuple(problems),
        digest=digest,
    )


def secrets_in(data: bytes) -> dict[str, Secret]:
    """The valid Secrets of a file, by name; the first of a name counts."""
    found: dict[str, Secret] = {}
    try:
        for raw in documents(data):
            try:
                if isinstance(raw, Mapping) and raw.get("kind") == "Secret":
                    secret = parse_secret(raw)
                    found.setdefault(secret.metadata.name, secret)
            except InvalidManifest:
                continue
    except BadYaml:
        pass
    return found


def render(camera: Camera) -> bytes:
    """The bytes of a file that holds this camera: what the user said, and nothing of its status."""
    metadata = Metadata(
        name=camera.name,
        labels=camera.metadata.labels,
        annotations=camera.metadata.annotations,
    )
    said = msgspec.structs.replace(camera, metadata=metadata, status=CameraStatus())
    raw = msgspec.to_builtins(said)
    del raw["status"]
    order = ("apiVersion", "kind", "metadata", "spec")
    return yaml.safe_dump({key: raw[key] for key in order}, sort_keys=False).encode()


def _take(raw: object, cameras: list[Camera], secrets: list[Secret], *, private: bool) -> None:
    if isinstance(raw, Mapping) and raw.get("kind") == "Secret":
        if not private:
            rule = "a file with a Secret must be its owner's and for nobody else: chmod 600"
            raise InvalidManifest(Problem(FILE, None, rule))
        secrets.append(parse_secret(raw))
    else:
        cameras.append(parse_camera(raw))
