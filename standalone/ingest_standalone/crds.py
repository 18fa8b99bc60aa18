"""Bring CustomResourceDefinitions up to date: what a Job of the chart does, as Helm never would.

By server-side apply, so that doing it twice is doing it once, and what nobody said is left alone.
They are the whole cluster's: an older release must not take away what a newer one beside it needs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
import yaml
from packaging.version import InvalidVersion, Version

from ingest_core import names
from ingest_core.errors import ApiNotFound
from ingest_core.kube import access
from ingest_core.kube.client import Api
from ingest_core.kube.resources import Resource

MANAGER: Final = f"{names.APP}-crds"


@dataclass(frozen=True, slots=True)
class _OfCluster(Resource):
    """A kind whose objects are in no namespace."""

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        del namespace, subresource
        return f"/apis/{self.api_version}/{self.plural}/{quote(name, safe='')}"


CRDS: Final = _OfCluster(
    "CustomResourceDefinition", "customresourcedefinitions", "v1", "apiextensions.k8s.io"
)

_OLDEST: Final = Version("0")  # what does not say its release


def read(directory: Path) -> Iterator[dict[str, Any]]:
    """Each definition of a directory's *.yaml.

    Raises:
        ValueError: There is none, or something else.
        OSError: A file cannot be read.
    """
    files = sorted(directory.glob("*.yaml"))
    if not files:
        raise ValueError(f"{directory} has no *.yaml")
    for file in files:
        try:
            found = list(yaml.safe_load_all(file.read_text()))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{file} is no YAML") from error
        for one in found:
            if not isinstance(one, dict) or one.get("kind") != CRDS.kind:
                raise ValueError(f"{file} holds something else than a {CRDS.kind}")
            yield one


async def apply(directory: Path) -> Mapping[str, str]:
    """Apply them all, but what is there of a newer release already.

    What is wrong in a file is found before anything is changed.

    Returns:
        Of each name, what became of it, as the end of a sentence.

    Raises:
        ValueError, OSError: As `read`.
        ApiUnavailable, ApiRefused: As `Api.apply`.
    """
    definitions = {str(one["metadata"]["name"]): one for one in read(directory)}
    done = {}
    async with Api(await access.load()) as api:
        for name, one in definitions.items():
            ours, there = _version(one), await _stored(api, name)
            if there > ours:
                done[name] = f"stays as release {there} has it, which is newer than {ours}"
                continue
            await api.apply(CRDS, name, one, manager=MANAGER)
            done[name] = "is up to date"
    return done


async def _stored(api: Api, name: str) -> Version:
    """The release of what is there."""
    try:
        return _version(msgspec.json.decode(await api.get(CRDS, name)))
    except ApiNotFound:
        return _OLDEST


def _version(definition: Mapping[str, Any]) -> Version:
    annotations = definition["metadata"].get("annotations") or {}
    try:
        return Version(annotations[names.ANNOTATION_VERSION])
    except (KeyError, InvalidVersion):
        return _OLDEST
