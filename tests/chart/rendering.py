"""The chart as `helm template` renders it: values in, objects out."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "charts" / "camera-ingest"
NAMESPACE = "cameras"
RELEASE = "cams"

Object = dict[str, Any]
Values = Mapping[str, Any]


class Refused(Exception):
    """Helm does not render this; the text says why."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Our chart, and the Helm that renders it."""

    helm: Path

    def text(self, values: Values, *options: str, release: str = RELEASE) -> str:
        """What would be applied, hooks included.

        Raises:
            Refused: The values, most often by their schema.
        """
        command: list[str | Path] = [self.helm, "template", release, FOLDER, "-f", "-", *options]
        if not any(option.startswith("--namespace") for option in options):
            command.append(f"--namespace={NAMESPACE}")
        done = subprocess.run(
            command, input=json.dumps(values), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout

    def render(self, values: Values, *options: str) -> tuple[Object, ...]:
        """The same, object by object. Raises as `text`."""
        return tuple(filter(None, yaml.safe_load_all(self.text(values, *options))))


def of_kind(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """Those of one kind, by their component's label; each component has one of a kind at most."""
    found = [one for one in objects if one["kind"] == kind]
    named = {one["metadata"]["labels"]["app.kubernetes.io/component"]: one for one in found}
    assert len(named) == len(found)
    return named


def pod_specs(objects: tuple[Object, ...]) -> Iterator[Object]:
    """Every pod's, bare or of a template."""
    for one in objects:
        if one["kind"] == "Pod":
            yield one["spec"]
        elif "template" in one.get("spec", {}):
            yield one["spec"]["template"]["spec"]


def leaves(values: Values, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is no mapping, or an empty one, with its path."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
