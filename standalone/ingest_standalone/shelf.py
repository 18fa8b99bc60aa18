"""Put the files side by side: which Camera, which Secret counts, and what is wrong. Pure.

Names and ids are unique over the directory: the first by file name has it, the other is a problem.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ingest_core.errors import Problem
from ingest_core.model import Camera
from ingest_standalone.manifest_files import Content, FileProblem
from ingest_standalone.secrets_file import Secret


@dataclass(frozen=True, slots=True)
class Shelf:
    """What all files say together.

    Attributes:
        cameras: By name.
        files: File of each camera, by the camera's name.
        secrets: By name.
        places: File of each Secret, by the Secret's name.
        exposed: Why a Secret is refused that others can read, by its name.
        problems: By file; files without any are absent.
    """

    cameras: Mapping[str, Camera]
    files: Mapping[str, str]
    secrets: Mapping[str, Secret]
    places: Mapping[str, str]
    exposed: Mapping[str, str]
    problems: Mapping[str, tuple[FileProblem, ...]]


def shelve(contents: Mapping[str, Content]) -> Shelf:
    """Arrange the contents by file."""
    cameras: dict[str, Camera] = {}
    files: dict[str, str] = {}
    ids: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    places: dict[str, str] = {}
    exposed: dict[str, str] = {}
    problems: dict[str, tuple[FileProblem, ...]] = {}
    for file, content in sorted(contents.items()):
        found = list(content.problems)
        for number, camera in zip(content.numbers, content.cameras, strict=True):
            taken = _taken(camera, files, ids)
            if taken is not None:
                found.append(FileProblem(file, number, taken))
                continue
            cameras[camera.name] = camera
            files[camera.name] = ids[camera.id] = file
        for number, secret in zip(content.secret_numbers, content.secrets, strict=True):
            name = secret.metadata.name
            if name in secrets:
                rule = f"is the name of another Secret, in {places[name]}"
                found.append(FileProblem(file, number, Problem("metadata.name", name, rule)))
            else:
                secrets[name], places[name] = secret, file
        exposed |= content.exposed
        if found:
            problems[file] = tuple(found)
    return Shelf(cameras, files, secrets, places, exposed, problems)


def _taken(camera: Camera, files: Mapping[str, str], ids: Mapping[str, str]) -> Problem | None:
    if camera.name in files:
        rule = f"is the name of another camera, in {files[camera.name]}"
        return Problem("metadata.name", camera.name, rule)
    if camera.id in ids:
        rule = f"is the id of another camera, in {ids[camera.id]}"
        return Problem("spec.cameraId", camera.id, rule)
    return None
