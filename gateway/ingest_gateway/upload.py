"""A request's body on its way through: read as fast as the worker takes it, never held whole."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from ingest_core.http import BODY_SECONDS
from ingest_gateway.patience import Patience


class Upload:
    """Until `begun`, nothing of it was read, and another worker can be asked.

    Attributes:
        begun: Was any of it read?
        failure: Why it could not be read to its end: the sender's fault, not the worker's.
    """

    def __init__(self, request: web.Request, seconds: float = BODY_SECONDS) -> None:
        self._request = request
        self._seconds = seconds
        self.begun = False
        self.failure: Exception | None = None

    @property
    def length(self) -> int | None:
        """Bytes, where the sender says how many."""
        return self._request.content_length

    async def chunks(self, worker: Patience) -> AsyncIterator[bytes]:
        """The body; the patience with the worker stands still while the sender is waited for."""
        self.begun = True
        late = asyncio.get_running_loop().time() + self._seconds
        while True:
            worker.pause()
            try:
                async with asyncio.timeout_at(late):
                    chunk = await self._request.content.readany()
            except TimeoutError:
                self.failure = web.HTTPRequestTimeout(
                    text=f"the body took more than {self._seconds:g} s"
                )
                raise self.failure from None
            except Exception as error:
                self.failure = error
                raise
            worker.begin()
            if not chunk:
                return
            yield chunk
