"""Bring CustomResourceDefinitions up to date: what a Job of the chart does, as Helm never would.

By server-side apply, so that doing it twice is doing it once, and what nobody said is left alone.
They are the whole cluster's: an older release must not take away what a newer one beside it needs.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
import yaml

from ingest_core import names
from ingest_core.errors import ApiConflict, ApiNotFound
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

_TRIES: Final = 20
_PAUSE_SECONDS: Final = 0.5
_RELEASE: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")

Definition = Mapping[str, Any]


def release(definition: Definition) -> tuple[int, ...] | None:
    """The release that it says it is of, as numbers: empty if none; None: none that is known."""
    said = _said(definition)
    if said is None:
        return ()
    found = _RELEASE.fullmatch(said)
    return tuple(map(int, found.groups())) if found else None


def _said(definition: Definition) -> str | None:
    annotations: Mapping[str, str] = definition.get("metadata", {}).get("annotations") or {}
    return annotations.get(names.ANNOTATION_VERSION)


def read(directory: Path) -> Iterator[Definition]:
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
            if not release(one):
                raise ValueError(f"{file}: {names.ANNOTATION_VERSION} must be a release: 1.2.3")
            yield one


async def apply(directory: Path) -> Mapping[str, str]:
    """Apply them all, except those that are there from a newer release.

    What is wrong in a file is found before anything is changed.

    Returns:
        Of each name, what became of it, as the end of a sentence.

    Raises:
        ValueError, OSError: As `read`.
        ApiUnavailable, ApiRefused: As `Api.apply`.
    """
    definitions = tuple(read(directory))
    async with Api(await access.load()) as api:
        return {str(one["metadata"]["name"]): await bring(api, one) for one in definitions}


async def bring(api: Api, ours: Definition) -> str:
    """Apply one, unless what is there is newer. Returns and raises as `apply`.

    What somebody else changes meanwhile is looked at again. Where nothing is, the last one wins.
    """
    tries = _TRIES
    while True:
        there = await _stored(api, ours["metadata"]["name"])
        if kept := _newer(there, ours):
            return kept
        try:
            await _replace(api, there, ours)
        except ApiConflict:
            tries -= 1
            if not tries:
                raise
        else:
            return "is up to date"
        await asyncio.sleep(_PAUSE_SECONDS)


def _newer(there: Definition, ours: Definition) -> str:
    """Why what is there stays, as the end of a sentence; empty: it does not."""
    of_there, of_ours = release(there), release(ours)
    if of_there is None:
        return f"stays: its release, {_said(there)!r}, is none that this one can read"
    if of_ours is not None and of_there > of_ours:
        return f"stays as release {_said(there)} has it, which is newer than {_said(ours)}"
    return ""


async def _replace(api: Api, there: Definition, ours: Definition) -> None:
    """Raises ApiConflict where it is another one by now, or about to go."""
    name, metadata = ours["metadata"]["name"], there["metadata"]
    if "deletionTimestamp" in metadata:
        raise ApiConflict(HTTPStatus.CONFLICT, "Conflict", f"{name} is being deleted")
    seen = {"resourceVersion": metadata.get("resourceVersion", "")}
    body = {**ours, "metadata": {**ours["metadata"], **seen}}
    await api.apply(CRDS, name, body, manager=MANAGER)


async def _stored(api: Api, name: str) -> Definition:
    try:
        found: Definition = msgspec.json.decode(await api.get(CRDS, name))
    except ApiNotFound:
        return {"metadata": {}}
    return found
