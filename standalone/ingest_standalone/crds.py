"""Bring CustomResourceDefinitions up to date: what the chart's upgrade runs, as Helm never does.

By server-side apply, so that doing it twice is doing it once, and what nobody said is left alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import yaml

from ingest_core import names
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


async def apply(directory: Path) -> tuple[str, ...]:
    """Apply them all; their names. What is wrong in a file is found before anything is changed.

    Raises:
        ValueError, OSError: As `read`.
        ApiUnavailable, ApiRefused: As `Api.apply`.
    """
    definitions = tuple(read(directory))
    applied = tuple(str(one["metadata"]["name"]) for one in definitions)
    async with Api(await access.load()) as api:
        for name, one in zip(applied, definitions, strict=True):
            await api.apply(CRDS, name, one, manager=MANAGER)
    return applied
