"""What the gateway needs of the workers: to answer for a camera, and to say how it is."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from aiohttp import web

from ingest_core.live import Live
from ingest_core.model import Camera


class Workers(Protocol):
    """The workers, however far away: in this process, or behind a network."""

    async def answer(self, request: web.Request, camera: Camera, tail: str) -> web.StreamResponse:
        """Let the worker that captures `camera` answer, as under `/cameras/{id}/{tail}`.

        Args:
            request: Its query, headers and body are the worker's to read.
            camera: It exists.
            tail: `frame/latest`, `frames`, `frames/12` or `push`.

        Raises:
            IngestError: What the worker refuses.
        """

    async def live(self, cameras: Sequence[Camera]) -> Mapping[str, Live]:
        """How these cameras are now, by id; one whose worker cannot be asked is absent."""
