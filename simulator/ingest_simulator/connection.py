"""One RTSP connection: requests in order, answers as the camera and its fault have them.

Promises: whatever the client sends is bounded and never disturbs another connection; a client that
shows no sign of life for the camera's session timeout is cut off.
"""

import asyncio
import secrets
import time
from random import Random
from typing import TYPE_CHECKING

from ingest_simulator import auth, faults, messages, reading, sdp, wire
from ingest_simulator.faults import Fault, FaultKind, Hang, Refusal, Reset
from ingest_simulator.live import LiveCamera
from ingest_simulator.messages import BadRequestError, Method, RefusedError, Request
from ingest_simulator.output import SlowReaderError
from ingest_simulator.presentation import Headers, Presentation, Site
from ingest_simulator.stream import End, Stream

if TYPE_CHECKING:
    from ingest_simulator.session import Session

REALM = "Camera Ingest Simulator"
_IDLE_SECONDS = 60
_FAREWELL_SECONDS = 1.0
_PUBLIC = ("Public", ", ".join(Method))


class _OverError(Exception):
    """The connection ends from this side. The argument says why."""


class Connection:
    def __init__(
        self,
        site: Site,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        only: LiveCamera | None = None,
    ) -> None:
        """`only`: the camera whose own port this is."""
        self._site, self._reader, self._writer = site, reader, writer
        self._opened = time.time()
        self._nonce = secrets.token_hex(16)
        self._live: LiveCamera | None = None
        self._session: Session | None = None
        self._own_fault: Fault | None = None
        self._presentation: Presentation | None = None
        self._stream: asyncio.Task[None] | None = None
        self._said_all = False
        self._tasks: asyncio.TaskGroup
        if only is not None:
            self._belong(only)

    async def serve(self) -> None:
        """Until the client leaves, is cut off, or the simulator cancels."""
        end = "closed"
        try:
            async with asyncio.TaskGroup() as self._tasks:
                end = await self._converse()
                if self._stream is not None:
                    self._stream.cancel()
        finally:
            if self._live is not None and self._session is not None:
                self._live.close(self._session, time.time(), end)
            self._writer.close()

    async def _converse(self) -> str:
        try:
            fault = self._fault()
            if fault is not None and fault.kind is FaultKind.SILENT:
                await self._hang()
            while True:
                patience = self._live.camera.session_timeout if self._live else _IDLE_SECONDS
                async with asyncio.timeout(patience):
                    message = await reading.read(self._reader)
                if message is None:
                    return "client"
                if isinstance(message, Request):
                    await self._take(message)
        except TimeoutError:
            return "timeout"
        except ConnectionError:
            return "client"
        except _OverError as over:
            return str(over)
        except BadRequestError:
            self._writer.write(messages.answer(400, "0"))
            return "bad request"

    async def _take(self, request: Request) -> None:
        try:
            await self._respond(request)
        except RefusedError as refused:
            await self._answer(request, refused.headers, status=refused.status)

    async def _respond(self, request: Request) -> None:
        if request.method == Method.OPTIONS and request.url == "*":
            await self._answer(request, [_PUBLIC])
            return
        presentation, track = self._locate(request)
        await self._interfere(request)
        if request.method != Method.OPTIONS:
            self._authenticate(request)
        match request.method:
            case Method.OPTIONS:
                await self._answer(request, [_PUBLIC])
            case Method.DESCRIBE:
                base = messages.base(request.url) + "/"
                headers = [("Content-Base", base), ("Content-Type", "application/sdp")]
                await self._answer(request, headers, await presentation.describe())
            case Method.SETUP:
                number = sdp.VIDEO_TRACK if track is None else track
                await self._answer(request, presentation.set_up(request, number))
            case Method.PLAY:
                told, stream = await presentation.play(request)
                await self._answer(request, told)
                if stream is not None:
                    self._stream = self._tasks.create_task(self._run(stream), name="stream")
            case Method.TEARDOWN:
                await self._answer(request)
                raise _OverError("teardown")
            case Method.GET_PARAMETER | Method.SET_PARAMETER:
                await self._answer(request)
            case _:
                raise RefusedError(501, [_PUBLIC])

    def _locate(self, request: Request) -> tuple[Presentation, int | None]:
        """What the URL names; the first one is this connection's for good."""
        target = messages.parse_target(request.url)
        live = self._site.find(target.name)
        if live is None or (self._live is not None and live is not self._live):
            raise RefusedError(404)
        if self._session is None:
            self._belong(live)
        if self._presentation is None:
            assert self._session is not None
            kind = target.fault or faults.named(target.query)
            try:
                self._own_fault = faults.parse(kind, target.query) if kind else None
                self._presentation = Presentation(
                    self._site, live, self._session, self._writer.transport, self._fault
                )
            except ValueError as error:
                raise RefusedError(400) from error
        return self._presentation, target.track

    def _belong(self, live: LiveCamera) -> None:
        self._live = live
        host, port = self._writer.get_extra_info("peername")[:2]
        self._session = live.open(
            f"{host}:{port}", self._opened, lambda: wire.reset(self._writer.transport)
        )

    def _fault(self) -> Fault | None:
        return self._own_fault or (self._live.fault if self._live else None)

    async def _interfere(self, request: Request) -> None:
        match faults.interference(self._fault(), request.method):
            case Reset():
                wire.reset(self._writer.transport)
                raise _OverError("refused")
            case Hang():
                await self._hang()
            case Refusal(status=401):
                raise RefusedError(401, [self._challenge()])
            case Refusal(status, location):
                raise RefusedError(status, [("Location", location)] if location else [])

    async def _hang(self) -> None:
        await reading.discard(self._reader)
        raise _OverError("client")

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization")
        if not auth.admits(self._guard(), given, request.method, request.url):
            raise RefusedError(401, [self._challenge()])

    def _challenge(self) -> tuple[str, str]:
        return "WWW-Authenticate", auth.challenge(self._guard())

    def _guard(self) -> auth.Guard:
        assert self._live is not None
        camera = self._live.camera
        return auth.Guard(
            kind=camera.auth,
            realm=REALM,
            nonce=self._nonce,
            qop=camera.qop,
            username=camera.username,
            password=camera.password,
        )

    async def _run(self, stream: Stream) -> None:
        assert self._session is not None
        try:
            end = await stream.run()
        except SlowReaderError:
            self._session.end = "slow reader"
            wire.reset(self._writer.transport)
            return
        self._session.end = end.value
        if end is End.FIN and self._writer.can_write_eof():
            self._writer.write_eof()
            self._said_all = True
            await asyncio.sleep(_FAREWELL_SECONDS)
        wire.reset(self._writer.transport)

    async def _answer(
        self, request: Request, headers: Headers = (), body: bytes = b"", *, status: int = 200
    ) -> None:
        if self._said_all:
            return
        data = messages.answer(status, request.sequence, headers, body)
        fault = self._fault()
        if fault is not None and fault.kind is FaultKind.GARBAGE and fault.method == request.method:
            data = faults.garbage(Random(fault.seed)) + data  # noqa: S311 - noise, not a secret
        if fault is not None and fault.kind is FaultKind.DRIBBLE and faults.begun(fault, 0, 0):
            await wire.dribble(self._writer, data, fault.interval)
        else:
            self._writer.write(data)
