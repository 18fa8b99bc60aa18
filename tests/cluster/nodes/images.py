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
        tests.cluster.go_commands.Unavailable: A program is not on this machine.
        builder.Unavailable: Our image cannot be built here.
    """
    directory.mkdir(exist_ok=True)
    pause, redis = archives.images(directory)
    values = _read(CHART / "values.yaml")
    released = f"{values['image']['repository']}:{_read(CHART / 'Chart.yaml')['appVersion']}"
    return (
        Image(pause, archives.PAUSE_IMAGE),
        Image(redis, archives.REDIS_IMAGE, (values["redis"]["bundled"]["image"],)),
        Image(builder.image().archive, builder.NAME, (released, MADE_BY_HAND)),
    )


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
