"""The adapter to Redis, and the only module that imports `redis`: connections, AUTH, RESP, errors.

Of redis-py it takes the connection with hiredis' parser. Its clients, pools and pipelines cost
twice as much per event (docs/design/events.md), retry behind one's back and start tasks of their
own.

Promises that whatever goes wrong with Redis comes out as `RedisUnavailable` or as `Refused`, by the
type of what redis-py raised, and in our words: neither the login nor Redis's own text. Never
retries: `publisher` does.
"""

import asyncio
import ssl
from typing import Any, Final

from prometheus_client import CollectorRegistry
from redis import exceptions
from redis.asyncio.connection import AbstractConnection, Connection, UnixDomainSocketConnection

from ingest_core.credentials import Credentials
from ingest_worker import links
from ingest_worker.delivery import Answer, Reason, Retention, Verdict
from ingest_worker.links import Refused
from ingest_worker.publisher import Link, Outage, Publisher, RedisUnavailable
from ingest_worker.redis_url import Address, InvalidRedisUrl, RedisTarget, parse

SECONDS: Final = 2.0

_OUTAGES: Final[dict[type[BaseException], Outage]] = {
    exceptions.AuthenticationError: Outage.AUTHENTICATION,
    exceptions.AuthenticationWrongNumberOfArgsError: Outage.AUTHENTICATION,
    exceptions.AuthorizationError: Outage.AUTHENTICATION,
    exceptions.ExternalAuthProviderError: Outage.AUTHENTICATION,
    exceptions.NoPermissionError: Outage.AUTHENTICATION,
    exceptions.BusyLoadingError: Outage.NOT_READY,
    exceptions.ReadOnlyError: Outage.NOT_READY,
    exceptions.ClusterError: Outage.NOT_READY,
    exceptions.AskError: Outage.NOT_READY,
    exceptions.TryAgainError: Outage.NOT_READY,
    exceptions.ConnectionError: Outage.UNREACHABLE,
    exceptions.TimeoutError: Outage.TIMEOUT,
    TimeoutError: Outage.TIMEOUT,
    ssl.SSLError: Outage.TLS,
    OSError: Outage.UNREACHABLE,
    Exception: Outage.PROTOCOL,
}
_VERDICTS: Final[dict[type[BaseException], Verdict]] = {
    exceptions.OutOfMemoryError: Reason.OOM,
    exceptions.NoPermissionError: Reason.DENIED,
    exceptions.ReadOnlyError: Answer.LATER,
    exceptions.ClusterError: Answer.LATER,
    exceptions.AskError: Answer.LATER,
    exceptions.TryAgainError: Answer.LATER,
    Exception: Reason.REJECTED,
}


def publisher(
    redis_url: str,
    *,
    registry: CollectorRegistry,
    seconds: float = SECONDS,
    retention: Retention | None = None,
    **options: Any,
) -> Publisher:
    """A publisher for the Redis of a URL (forms: `redis_url`).

    Args:
        redis_url: Where Redis is; may hold a password.
        registry: Where its metrics go.
        seconds: Longest wait for an answer of Redis.
        retention: How much of the past Redis keeps.
        options: Further arguments of `Publisher`.

    Raises:
        InvalidRedisUrl: Which rule the URL breaks; quotes nothing of it.
    """
    kept = retention or Retention()
    way = link(parse(redis_url), kept, seconds)
    return Publisher(way, retention=kept, registry=registry, **options)


def link(target: RedisTarget, retention: Retention, seconds: float = SECONDS) -> Link:
    """The way to a target; opens nothing yet.

    Raises:
        InvalidRedisUrl: A certificate or a key cannot be read.
    """
    dialler = Dialler(target, seconds)
    if target.kind == "cluster":
        return links.Cluster(target, dialler, retention)
    if target.kind == "sentinel":
        return links.Sentinels(target, dialler, retention)
    return links.Server(target, dialler, retention)


def outage(error: BaseException) -> Outage:
    """What a foreign error means for the connection, by its type."""
    if isinstance(error.__context__, ssl.SSLError):
        return Outage.TLS  # redis-py wraps it as a ConnectionError
    return next(_OUTAGES[kind] for kind in type(error).__mro__ if kind in _OUTAGES)


def verdict(error: BaseException) -> Verdict:
    """What an error that Redis answered means for one command, by its type."""
    return next(_VERDICTS[kind] for kind in type(error).__mro__ if kind in _VERDICTS)


class _Wire(AbstractConnection):
    """A connection that can be dropped at once, even when its peer reads nothing any more."""

    transport: asyncio.WriteTransport | None = None

    async def _connect(self) -> None:
        # redis-py types it not, and the next class in line is the one that connects
        await super()._connect()  # type: ignore[no-untyped-call,safe-super]
        if self._writer is not None:
            self.transport = self._writer.transport

    async def send(self, packed: bytes) -> None:
        """Send commands. Raises RedisUnavailable."""
        try:
            await self.send_packed_command(packed, check_health=False)
        except Exception as error:
            raise RedisUnavailable(outage(error)) from error

    async def answer(self) -> Any:
        """The next answer; `Refused` when Redis refuses the command. Raises RedisUnavailable."""
        try:
            return await self.read_response()
        except exceptions.AskError as redirect:  # MOVED is one of them
            moved = isinstance(redirect, exceptions.MovedError)
            return Refused(Answer.LATER, redirect.node_addr, asking=not moved)
        except exceptions.ResponseError as refusal:
            return Refused(verdict(refusal))
        except Exception as error:
            raise RedisUnavailable(outage(error)) from error

    async def drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()  # close() would wait until a stopped peer has read everything
        await self.disconnect(nowait=True)


class _UnixWire(_Wire, UnixDomainSocketConnection):
    pass


class _TcpWire(_Wire, Connection):
    def __init__(self, *, context: ssl.SSLContext | None, **options: Any) -> None:
        super().__init__(**options)
        self._context = context

    def _connection_arguments(self) -> dict[str, Any]:
        return {**super()._connection_arguments(), "ssl": self._context}


class Dialler:
    """Opens connections to the servers of one target, each within `seconds`."""

    def __init__(self, target: RedisTarget, seconds: float) -> None:
        """Reads the certificates; raises InvalidRedisUrl when they cannot be read."""
        self._target = target
        self._context = _tls(target) if target.tls else None
        self.seconds = seconds

    async def server(self, address: Address | None) -> _Wire:
        """Connect to a server and log in; None is the unix socket. Raises RedisUnavailable."""
        target = self._target
        return await self._dial(address, target.credentials, target.database, self.seconds)

    async def sentinel(self, address: Address, seconds: float) -> _Wire:
        """Connect to a Sentinel, with the login if it is for them too. Raises RedisUnavailable."""
        login = self._target.credentials if self._target.sentinel_auth else None
        return await self._dial(address, login, 0, seconds)

    async def _dial(
        self, address: Address | None, login: Credentials | None, database: int, seconds: float
    ) -> _Wire:
        options: dict[str, Any] = {
            "username": login.username or None if login else None,
            "password": login.password if login else None,
            "db": database,
            "protocol": 2,
            "socket_timeout": None,  # one timeout a batch, in `links`, instead of one a reply here
            "socket_connect_timeout": seconds,
        }
        wire: _Wire
        if address is None:
            wire = _UnixWire(path=self._target.path or "", **options)
        else:
            host, port = address
            wire = _TcpWire(context=self._context, host=host, port=port, **options)
        try:
            async with asyncio.timeout(seconds):
                await wire.connect()  # type: ignore[no-untyped-call] # redis-py types it not
        except Exception as error:
            # Blanket: what a hostile Redis makes its client raise must not end the worker.
            await wire.drop()
            raise RedisUnavailable(outage(error)) from error
        except BaseException:
            await wire.drop()
            raise
        return wire


def _tls(target: RedisTarget) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=target.ca_file)
        if target.cert_file:
            context.load_cert_chain(target.cert_file, target.key_file)
    except OSError:
        raise InvalidRedisUrl("ca_file, cert_file, key_file are PEM files one can read") from None
    return context
