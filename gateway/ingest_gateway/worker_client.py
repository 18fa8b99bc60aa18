"""Ask one worker over HTTP. Only here is aiohttp's client used; its errors end here.

Bounded: connections and waiting requests by worker, each wait by time. Nothing of an answer is
interpreted: no redirect is followed, nothing decompressed, no cookie kept.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict, MultiMapping
from prometheus_client import CollectorRegistry
from yarl import URL

from ingest_core import names
from ingest_core.errors import WorkerBusy, WorkerFailed, WorkerSilent, WorkerUnreachable
from ingest_core.metrics import WORKER_REQUESTS
from ingest_gateway.patience import Patience
from ingest_gateway.places import Places
from ingest_gateway.upload import Upload

CONNECT_SECONDS: Final = 2.0
CONNECTIONS: Final = 256  # to one worker, with answers that are on their way to slow clients
MOVED: Final = 421
_IDLE_SECONDS: Final = 15.0  # less than a worker keeps an idle connection: none is at its end
_ADDED_BY_AIOHTTP: Final = (hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE)
_NOWHERE: Final = (
    "there is no pod {worker!r} with an address and a port named {port!r}: it is starting, or it "
    "is gone, which heals by itself; a worker that runs outside of the cluster cannot be asked for "
    "frames"
)

Addresses = Callable[[str], tuple[str, int] | None]  # host and port of a worker, by its name


@dataclass(frozen=True, slots=True)
class Question:
    """A request as it goes to a worker.

    Attributes:
        method: Of HTTP.
        target: Path and query, as they go over the wire.
        headers: All of them.
        upload: The body, if any; it is asked for only once the worker wants it.
        seconds: In which the worker must answer, instead of the usual ones.
    """

    method: str
    target: str
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    upload: Upload | None = None
    seconds: float | None = None


class Answer:
    """An answer that has begun."""

    def __init__(
        self, worker: str, response: aiohttp.ClientResponse, seconds: float, cut: Callable[[], None]
    ) -> None:
        self._worker = worker
        self._response = response
        self._seconds = seconds
        self._cut = cut
        self.status = response.status
        self.headers: MultiMapping[str] = response.headers

    async def chunk(self) -> bytes:
        """What came of its body since; empty at its end.

        Raises:
            WorkerUnreachable, WorkerSilent: It broke, or stands still, before its end.
        """
        try:
            async with Patience(self._seconds):
                return await self._response.content.readany()
        except TimeoutError:
            self._cut()
            raise WorkerSilent(f"worker {self._worker!r} stopped in mid-answer") from None
        except (aiohttp.ClientError, OSError):
            self._cut()
            raise WorkerUnreachable(f"worker {self._worker!r} went away in mid-answer") from None


class WorkerClient:
    """One pool of connections for all workers; an async context manager.

    Args:
        addresses: Where a worker is now.
        seconds: In which a worker must begin to answer, and go on with it.
        exposition: Where its metric is registered.
    """

    def __init__(self, addresses: Addresses, seconds: float, exposition: CollectorRegistry) -> None:
        self._addresses = addresses
        self._seconds = seconds
        self._results = WORKER_REQUESTS.counter(exposition)
        self._places = Places()
        self._uploads = Places()  # of their own: who sends slowly keeps nobody from looking
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, limit_per_host=CONNECTIONS, keepalive_timeout=_IDLE_SECONDS
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_ADDED_BY_AIOHTTP,
            auto_decompress=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    @asynccontextmanager
    async def ask(self, worker: str, question: Question) -> AsyncIterator[Answer]:
        """The answer of a worker; what is not read of it when the block ends is left.

        Raises:
            WorkerFailed: One of its kinds.
            Exception: What went wrong on the sender's side of the body.
        """
        try:
            with (self._places if question.upload is None else self._uploads).place(worker):
                response = await self._begun(worker, question)
        except WorkerBusy:
            self._count("busy")
            raise
        except WorkerFailed as error:
            self._count("silent" if isinstance(error, WorkerSilent) else "unreachable")
            raise
        self._count("moved" if response.status == MOVED else "answered")
        async with response:
            yield Answer(worker, response, self._seconds, lambda: self._count("cut"))

    async def _begun(self, worker: str, question: Question) -> aiohttp.ClientResponse:
        address = self._addresses(worker)
        if address is None:
            raise WorkerUnreachable(_NOWHERE.format(worker=worker, port=names.HTTP_PORT))
        host, port = address
        base = URL.build(scheme="http", host=host, port=port)
        seconds = question.seconds or self._seconds
        try:
            async with Patience(seconds) as patience:
                return await self._sent(base, question, patience)
        except aiohttp.ConnectionTimeoutError:
            raise WorkerUnreachable(f"worker {worker!r} cannot be reached: timed out") from None
        except TimeoutError:
            raise WorkerSilent(f"worker {worker!r} did not answer for {seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            if question.upload is not None and question.upload.failure is not None:
                raise question.upload.failure from None
            raise WorkerUnreachable(f"worker {worker!r} cannot be reached: {_why(error)}") from None

    async def _sent(
        self, base: URL, question: Question, patience: Patience
    ) -> aiohttp.ClientResponse:
        """Send; once more where a connection of the pool ended before anything was sent by it."""
        upload = question.upload

        async def send() -> aiohttp.ClientResponse:
            return await self._session.request(
                question.method,
                base.join(URL(question.target, encoded=True)),
                headers=question.headers,
                data=None if upload is None else upload.chunks(patience),
                expect100=upload is not None,
                allow_redirects=False,
            )

        try:
            return await send()
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if upload is None or upload.begun:
                raise
        return await send()

    def _count(self, result: str) -> None:
        self._results.labels(result).inc()


def _why(error: Exception) -> str:
    """Enough for a person, and nothing of what was sent."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.strerror or type(error).__name__
    return (
        "it went away"
        if isinstance(error, aiohttp.ServerDisconnectedError)
        else type(error).__name__
    )
