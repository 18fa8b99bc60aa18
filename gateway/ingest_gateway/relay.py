"""Pass an answer on as it comes. A broken one is cut, and never ends as if it were whole."""

import asyncio
from typing import Final

from aiohttp import web

from ingest_gateway import hop
from ingest_gateway.worker_client import Answer

CLIENT_SECONDS: Final = 30.0


async def relay(
    request: web.Request, answer: Answer, seconds: float = CLIENT_SECONDS
) -> web.StreamResponse:
    """Answer with what a worker answers.

    Args:
        request: Of the client.
        answer: Of the worker.
        seconds: In which the client must take a piece of it.

    Raises:
        WorkerFailed: The answer broke off; the client's connection is cut if it was begun with.
        ConnectionResetError: The client is gone, or takes nothing any more.
    """
    chunk = await answer.chunk()
    response = web.StreamResponse(status=answer.status, headers=hop.of_answer(answer.headers))
    await response.prepare(request)
    while chunk:
        try:
            async with asyncio.timeout(seconds):
                await response.write(chunk)
        except TimeoutError:
            raise ConnectionResetError("the client takes nothing any more") from None
        chunk = await answer.chunk()
    await response.write_eof()
    return response
