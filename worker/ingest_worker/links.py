"""The three ways to Redis: one server, the server that Sentinels name, the nodes of a cluster.

Promises that no call waits longer than the dialler's `seconds` for any one server, and that a link
opens onto a server which takes writes: one that is loading, or was demoted, does not open.
"""

import asyncio
import binascii
from collections.abc import AsyncIterator, Iterable, Iterator, MutableSequence, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from ingest_worker.delivery import STREAM, Answer, Request, Retention, Verdict, pack, probe
from ingest_worker.publisher import Outage, RedisUnavailable
from ingest_worker.redis_url import Address, RedisTarget

_SENTINEL_SECONDS: Final = 1.0  # several may be dead, and events wait meanwhile
_SLOTS: Final = 16384


@dataclass(frozen=True, slots=True)
class Refused:
    """What Redis answered instead of doing what it was asked.

    Attributes:
        elsewhere: The node of the cluster that would do it.
        asking: Whether that node does it only when it is told that it was asked for (ASK).
    """

    verdict: Verdict
    elsewhere: Address | None = None
    asking: bool = False


class Wire(Protocol):
    """A connection to one server, logged in. `drop` may be called at any time, again and again."""

    async def send(self, packed: bytes) -> None: ...
    async def answer(self) -> Any: ...
    async def drop(self) -> None: ...


class Dialler(Protocol):
    """Opens wires; raises RedisUnavailable."""

    @property
    def seconds(self) -> float: ...
    async def server(self, address: Address | None) -> Wire: ...
    async def sentinel(self, address: Address, seconds: float) -> Wire: ...


def slot(key: bytes) -> int:
    """The slot of a key without braces, as camera ids are: CRC16 (XMODEM) of it."""
    return binascii.crc_hqx(key, 0) % _SLOTS


class Server:
    """One server: everything goes over one wire."""

    def __init__(self, target: RedisTarget, dialler: Dialler, retention: Retention) -> None:
        self._target = target
        self._dialler = dialler
        self._probe = probe(retention)
        self._wire: Wire | None = None

    async def open(self) -> None:
        self._wire = await self._dialler.server(await self._address())
        await self.check()

    async def _address(self) -> Address | None:
        return next(iter(self._target.addresses), None)

    async def check(self) -> None:
        _refuse_later(await _ask(self._opened(), self._dialler.seconds, self._probe))

    async def exchange(
        self, requests: Sequence[Request], verdicts: MutableSequence[Verdict]
    ) -> None:
        wire = self._opened()
        async with _within(self._dialler.seconds):
            await wire.send(b"".join([request.packed for request in requests]))
            for index in range(len(requests)):
                verdicts[index] = _verdict(await wire.answer())

    async def close(self) -> None:
        if self._wire is not None:
            await self._wire.drop()
            self._wire = None

    def _opened(self) -> Wire:
        if self._wire is None:
            raise RedisUnavailable(Outage.UNREACHABLE)
        return self._wire


class Sentinels(Server):
    """The server that the Sentinels call the master; asked anew for each connection."""

    def __init__(self, target: RedisTarget, dialler: Dialler, retention: Retention) -> None:
        super().__init__(target, dialler, retention)
        self._sentinels = list(target.addresses)

    async def _address(self) -> Address:
        service = (self._target.service or "").encode()
        question = pack(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", service)
        seconds = min(_SENTINEL_SECONDS, self._dialler.seconds)
        found = Outage.UNREACHABLE
        for sentinel in tuple(self._sentinels):
            try:
                wire = await self._dialler.sentinel(sentinel, seconds)
                try:
                    answer = await _ask(wire, seconds, question)
                finally:
                    await wire.drop()
            except RedisUnavailable as error:
                found = error.outage
                continue
            match answer:
                case [bytes(host), bytes(port)] if port.isdigit():
                    self._sentinels.remove(sentinel)  # the next time, ask first who knew
                    self._sentinels.insert(0, sentinel)
                    return host.decode(errors="replace"), int(port)
            found = Outage.NO_MASTER
        raise RedisUnavailable(found)


class Cluster:
    """A wire to each node that is needed; PUBLISH, which any node takes, goes to the stream's.

    MOVED and ASK are followed. A lost node ends the link; the next `open` asks anew for the slots,
    of the primaries last seen and of the nodes that the URL names.
    """

    def __init__(self, target: RedisTarget, dialler: Dialler, retention: Retention) -> None:
        self._dialler = dialler
        self._seeds = target.addresses
        self._nodes = list(target.addresses)
        self._probe = probe(retention)
        self._wires: dict[Address, Wire] = {}
        self._owners: dict[int, Address] = {}
        self._home = slot(STREAM)

    async def open(self) -> None:
        self._owners = await self._ask_for_slots()
        await self.check()

    async def check(self) -> None:
        wire = await self._wire(self._owner(self._home))
        _refuse_later(await _ask(wire, self._dialler.seconds, self._probe))

    async def exchange(
        self, requests: Sequence[Request], verdicts: MutableSequence[Verdict]
    ) -> None:
        shares: dict[Address, list[int]] = {}
        for index, request in enumerate(requests):
            owner = self._owner(self._home if request.key is None else slot(request.key))
            shares.setdefault(owner, []).append(index)
        wires = {address: await self._wire(address) for address in shares}
        redirected: list[tuple[int, Refused]] = []
        async with _within(self._dialler.seconds):
            for address, share in shares.items():
                await wires[address].send(b"".join([requests[index].packed for index in share]))
            for address, share in shares.items():
                for index in share:
                    answer = await wires[address].answer()
                    if isinstance(answer, Refused) and answer.elsewhere:
                        host, port = answer.elsewhere
                        node = (host or address[0], port)  # it may not know its own name
                        redirected.append((index, replace(answer, elsewhere=node)))
                    else:
                        verdicts[index] = _verdict(answer)
        for index, refused in redirected:
            verdicts[index] = await self._follow(requests[index], refused)

    async def close(self) -> None:
        while self._wires:
            _, wire = self._wires.popitem()
            await wire.drop()

    async def _follow(self, request: Request, refused: Refused) -> Verdict:
        if refused.elsewhere is None or request.key is None:
            return refused.verdict
        wire = await self._wire(refused.elsewhere)
        if refused.asking:
            await _ask(wire, self._dialler.seconds, pack(b"ASKING"))
        else:
            self._owners[slot(request.key)] = refused.elsewhere
        return _verdict(await _ask(wire, self._dialler.seconds, request.packed))

    def _owner(self, slot_: int) -> Address:
        owner = self._owners.get(slot_)
        if owner is None:
            raise RedisUnavailable(Outage.NOT_READY)
        return owner

    async def _wire(self, address: Address) -> Wire:
        if address not in self._wires:
            self._wires[address] = await self._dialler.server(address)
        return self._wires[address]

    async def _ask_for_slots(self) -> dict[int, Address]:
        found = Outage.UNREACHABLE
        for node in tuple(self._nodes):
            try:
                wire = await self._wire(node)
                answer = await _ask(wire, self._dialler.seconds, pack(b"CLUSTER", b"SLOTS"))
                if isinstance(answer, list):
                    owners = dict(_owners(answer, node))
                    self._nodes = list(dict.fromkeys([*owners.values(), *self._seeds]))
                    return owners
                found = Outage.NOT_CLUSTER
            except RedisUnavailable as error:
                found = error.outage
            except (TypeError, ValueError, AttributeError):
                found = Outage.PROTOCOL
            await self.close()
        raise RedisUnavailable(found)


def _owners(answer: Iterable[Any], asked: Address) -> Iterator[tuple[int, Address]]:
    """CLUSTER SLOTS → slot and primary; a node that does not know its own name is the asked one."""
    for first, last, (host, port, *_), *_replicas in answer:
        address = (host.decode() if host else asked[0], int(port))
        for owned in range(first, min(last, _SLOTS - 1) + 1):
            yield owned, address


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise RedisUnavailable(Outage.TIMEOUT) from None


async def _ask(wire: Wire, seconds: float, packed: bytes) -> Any:
    async with _within(seconds):
        await wire.send(packed)
        return await wire.answer()


def _verdict(answer: object) -> Verdict:
    return answer.verdict if isinstance(answer, Refused) else Answer.TAKEN


def _refuse_later(answer: object) -> None:
    """A probe that is denied, or refused for good, says nothing against the commands to come."""
    if _verdict(answer) is Answer.LATER:
        raise RedisUnavailable(Outage.NOT_READY)
