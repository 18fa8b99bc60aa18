"""What one file of the directory says: its Cameras, its Secrets, and what is wrong with it. Pure.

A document that breaks a rule disturbs no other document; a file that cannot be read as YAML gives
the documents before the place where it breaks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeGuard

import msgspec
import yaml

from ingest_core.errors import InvalidManifest, Problem
from ingest_core.manifest import parse_camera
from ingest_core.model import Camera, CameraStatus, Metadata
from ingest_core.rules import show
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
        secrets: Valid ones, in order.
        numbers: The document of each camera, from 1; 0: kept from before.
        secret_numbers: The document of each Secret.
        exposed: Why a Secret is refused that others can read, by its name.
        managed: Were all of its documents made by the API, as Secrets?
        documents: How many there are, valid or not.
        problems: What is wrong, in order.
        digest: Of its bytes and its owner's mode; equal ones say the same.
    """

    cameras: tuple[Camera, ...] = ()
    secrets: tuple[Secret, ...] = ()
    numbers: tuple[int, ...] = ()
    secret_numbers: tuple[int, ...] = ()
    exposed: Mapping[str, str] = field(default_factory=dict)
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
        numbers = self.numbers + (0,) * len(kept)
        return replace(self, cameras=self.cameras + kept, numbers=numbers)


def unreadable(file: str, reason: str) -> Content:
    """A file whose bytes cannot be had."""
    return Content(problems=(FileProblem(file, 0, Problem(FILE, None, reason)),))


def read(file: str, data: bytes, *, exposed: str | None = None, digest: bytes = b"") -> Content:
    """Read a file.

    Args:
        file: Its name, for problems.
        data: Its bytes.
        exposed: Why it is no place for a Secret; None: only its owner, who is us, may read it.
        digest: Goes into the content.
    """
    cameras: list[Camera] = []
    secrets: list[Secret] = []
    numbers: list[int] = []
    secret_numbers: list[int] = []
    refused: dict[str, str] = {}
    problems: list[FileProblem] = []
    count = 0
    try:
        for count, raw in enumerate(documents(data), 1):
            try:
                if not _is_secret(raw):
                    cameras.append(_camera(raw))
                    numbers.append(count)
                elif exposed is None:
                    secrets.append(parse_secret(raw))
                    secret_numbers.append(count)
                else:
                    refused |= dict.fromkeys(_name_of(raw), f"{file} {exposed}")
                    rule = f"a file with a Secret {exposed}"
                    problems.append(FileProblem(file, count, Problem(FILE, None, rule)))
            except InvalidManifest as error:
                problems += [FileProblem(file, count, problem) for problem in error.problems]
    except BadYaml as error:
        count += 1
        problems.append(FileProblem(file, count, Problem("(document)", None, str(error))))
    return Content(
        cameras=tuple(cameras),
        secrets=tuple(secrets),
        numbers=tuple(numbers),
        secret_numbers=tuple(secret_numbers),
        exposed=refused,
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
                if _is_secret(raw):
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


def _camera(raw: object) -> Camera:
    kind = raw.get("kind") if isinstance(raw, Mapping) else None
    if isinstance(kind, str) and kind != "Camera":
        raise InvalidManifest(Problem("kind", show(kind), "only Camera and Secret are taken here"))
    return parse_camera(raw)


def _is_secret(raw: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(raw, Mapping) and raw.get("kind") == "Secret"


def _name_of(raw: Mapping[str, Any]) -> Iterator[str]:
    """The name that a Secret has, valid or not, if it has one."""
    metadata = raw.get("metadata")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("name"), str):
        yield metadata["name"]
