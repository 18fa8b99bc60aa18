"""The images of a cluster of ours, by the very names that the chart and the guides give them.

So what a guide says can be typed as it stands: nothing is pulled, and nothing is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.nodes import archives
from tests.cluster.nodes.installation import CHART
from tests.image import builder

MADE_BY_HAND: Final = "docker.io/library/camera-ingest:latest"  # `make image`
OF_GUIDES: Final = (  # of docs/guide/kubernetes.md, and of the upgrade of docs/guide/kind.md
    "registry.example/camera-ingest:1",
    "docker.io/library/camera-ingest:v2",
)
NEXT: Final = "next"  # a tag of ours beside the release's, to upgrade to


@dataclass(frozen=True, slots=True)
class Image:
    """An archive, and what a node calls its image.

    Attributes:
        name: As the archive has it.
        aliases: Further names.
    """

    archive: Path
    name: str
    aliases: tuple[str, ...] = ()


def images(directory: Path) -> Sequence[Image]:
    """Ours, built if need be, and what every cluster needs; archives are written to a directory.

    Raises:
        tests.cluster.go_commands.Unavailable: A program is not on this machine, or our image cannot
            be built here.
    """
    directory.mkdir(exist_ok=True)
    pause, redis = archives.images(directory)
    values = _read(CHART / "values.yaml")
    repository = values["image"]["repository"]
    tags = (_read(CHART / "Chart.yaml")["appVersion"], NEXT)
    ours = (*(f"{repository}:{tag}" for tag in tags), MADE_BY_HAND, *OF_GUIDES)
    return (
        Image(pause, archives.PAUSE_IMAGE),
        Image(redis, archives.REDIS_IMAGE, (values["redis"]["bundled"]["image"],)),
        Image(builder.image().archive, builder.NAME, ours),
    )


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
