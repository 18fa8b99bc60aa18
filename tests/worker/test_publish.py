"""Publishing to real Redis servers: healthy, killed, stopped, full, guarded, clustered, moved."""

import asyncio
import contextlib
import inspect
import json
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import hiredis
import pytest
import redis.asyncio
import structlog
from prometheus_client import CollectorRegistry
from redis import crc, exceptions

from ingest_core.events import CameraConnected, Event, FrameIngested, event
from ingest_worker import publish
from ingest_worker.delivery import Answer, Reason
from ingest_worker.links import slot
from ingest_worker.publisher import Outage, Publisher
from ingest_worker.redis_url import InvalidRedisUrl
from tests.fakes import redis_server
from tests.fakes.redis_server import HOST, RedisServer

SOON = 20.0  # seconds after which a test that waits for an event has failed
SOURCE = "camera-ingest/default-0/1763801000123"
PASSWORD = "p@:/?#%, é&=p"


@dataclass
class Cameras:
    """Makes events, numbered by camera as the worker does."""

    numbers: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    offered: int = 0

    def frame(self, camera: str) -> Event:
        number = self._next(camera)
        fact = FrameIngested(
            camera_id=camera, timestamp=1.0, source="rtsp", keyframe=False, bytes=1, frame=number
        )
        return event(fact, source=SOURCE, epoch=1, sequence=number)

    def connected(self, camera: str) -> Event:
        fact = CameraConnected(
            camera_id=camera,
            timestamp=1.0,
            width=640,
            height=360,
            codec="h264",
            downtime_seconds=None,
        )
        return event(fact, source=SOURCE, epoch=1, sequence=self._next(camera))

    def _next(self, camera: str) -> int:
        self.offered += 1
        self.numbers[camera] += 1
        return self.numbers[camera]


class Listener:
    """A subscriber of redis-py's own, to all cameras."""

    def __init__(self, client: Any) -> None:
        self._subscription = client.pubsub()
        self.received: list[dict[str, Any]] = []

    async def begin(self) -> None:
        await self._subscription.psubscribe("camera:*")
        await self._subscription.get_message(timeout=SOON)

    async def until(self, camera: str, sequence: int) -> None:
        """Read until that event is there."""
        async with asyncio.timeout(SOON):
            while not any(
                got["subject"] == camera and got["sequence"] >= sequence for got in self.received
            ):
                message = await self._subscription.get_message(
                    ignore_subscribe_messages=True, timeout=SOON
                )
                if message is not None:
                    self.received.append(json.loads(message["data"]))

    def sequences(self, camera: str) -> list[int]:
        return [got["sequence"] for got in self.received if got["subject"] == camera]

    def distinct(self) -> int:
        return len({(got["source"], got["id"]) for got in self.received})


@contextlib.asynccontextmanager
async def listening(url: str, **options: Any) -> AsyncIterator[tuple[Any, Listener]]:
    async with redis.asyncio.Redis.from_url(url, protocol=2, **options) as client:
        listener = Listener(client)
        await listener.begin()
        try:
            yield client, listener
        finally:
            await listener._subscription.aclose()


class Heard:
    """What was logged, and a way to wait for a line."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self._more = asyncio.Event()

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
        self.lines.append(dict(line))
        self._more.set()
        raise structlog.DropEvent

    async def until(self, event: str, reason: str) -> None:
        async with asyncio.timeout(SOON):
            while not any((x["event"], x.get("reason")) == (event, reason) for x in self.lines):
                self._more.clear()
                await self._more.wait()


@contextlib.contextmanager
def hearing() -> Iterator[Heard]:
    heard = Heard()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[heard])
    try:
        yield heard
    finally:
        structlog.configure(processors=before)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def total(self, name: str) -> dict[str, float]:
        """Of a counter: label → value, without zeros."""
        return {
            next(iter(sample.labels.values())): sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == f"camera_ingest_{name}" and sample.value
        }

    def published(self) -> float:
        return sum(self.total("events_published_total").values())

    def dropped(self) -> dict[str, float]:
        return self.total("events_dropped_total")


@contextlib.asynccontextmanager
async def running(url: str, **options: Any) -> AsyncIterator[tuple[Publisher, Metrics]]:
    metrics = Metrics()
    chosen = {"seconds": 0.5, "max_delay": 0.05, **options}
    publisher = publish.publisher(url, registry=metrics.registry, **chosen)
    task = asyncio.create_task(publisher.run(), name="publish")
    before = asyncio.all_tasks()
    try:
        yield publisher, metrics
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        left = {each for each in asyncio.all_tasks() - before if "serve" not in str(each)}
        assert not left, "no task is left behind, but the played server's"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server.running(tmp_path) as server:
        yield server


async def test_a_subscriber_sees_every_number_in_order_when_nothing_is_wrong(
    server: RedisServer,
) -> None:
    cameras = Cameras()
    names = [f"cam{n}" for n in range(4)]
    batches = {name: [cameras.frame(name) for _ in range(250)] for name in names}
    async with listening(server.url) as (_, listener), running(server.url) as (publisher, metrics):

        def offer(name: str) -> None:
            for each in batches[name]:
                publisher.offer(each)

        threads = [threading.Thread(target=offer, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        for name in names:
            await listener.until(name, 250)
            assert listener.sequences(name) == list(range(1, 251))
        assert await publisher.drain(SOON)
    assert metrics.published() == cameras.offered == len(listener.received)
    assert metrics.dropped() == {}


async def test_all_but_frames_are_replayable_and_the_last_state_expires(
    server: RedisServer,
) -> None:
    cameras = Cameras()
    async with listening(server.url) as (client, _), running(server.url) as (publisher, _metrics):
        for each in (cameras.connected("a"), cameras.frame("a"), cameras.connected("a")):
            publisher.offer(each)
        assert await publisher.drain(SOON)
        replayed = [json.loads(f[b"event"]) for _, f in await client.xrange("camera-events")]
        assert [each["sequence"] for each in replayed] == [1, 3]
        assert json.loads(await client.get("camera:a:state"))["sequence"] == 3
        assert 0 < await client.ttl("camera:a:state") <= 7 * 24 * 3600


async def test_a_unix_socket_does_as_well(server: RedisServer) -> None:
    cameras = Cameras()
    async with (
        listening(server.url) as (_, listener),
        running(f"unix://{server.socket}") as (publisher, _),
    ):
        publisher.offer(cameras.frame("a"))
        await listener.until("a", 1)


async def test_a_redis_that_was_killed_is_used_again_within_five_seconds_of_its_return(
    server: RedisServer,
) -> None:
    cameras = Cameras()
    async with running(server.url, max_frames=50, seconds=publish.SECONDS, max_delay=1.0) as (
        publisher,
        metrics,
    ):
        async with listening(server.url) as (_, listener):
            publisher.offer(cameras.connected("a"))
            await listener.until("a", 1)
            assert await publisher.drain(SOON)
        server.kill()
        for _ in range(200):
            publisher.offer(cameras.frame("a"))
        publisher.offer(cameras.connected("a"))
        server.start()
        assert await publisher.drain(5.0)
        async with listening(server.url) as (client, _):
            ((_, fields),) = await client.xrange("camera-events")
            assert json.loads(fields[b"event"])["sequence"] == 202
    assert metrics.dropped() == {Reason.OVERFLOW: 150}
    assert metrics.published() + 150 == cameras.offered


async def test_a_stopped_redis_holds_nobody_up_and_loses_only_what_is_counted(
    server: RedisServer,
) -> None:
    cameras = Cameras()
    async with (
        listening(server.url) as (_, listener),
        running(server.url, seconds=0.1, max_frames=50) as (publisher, metrics),
    ):
        publisher.offer(cameras.frame("a"))
        await listener.until("a", 1)
        server.pause()
        with hearing() as heard:
            publisher.offer(cameras.frame("a"))
            await heard.until("redis_unavailable", Outage.TIMEOUT)
        for _ in range(100):
            publisher.offer(cameras.frame("a"))
        server.resume()
        assert await publisher.drain(SOON)
        await listener.until("a", 102)
    received = listener.sequences("a")
    firsts = list(dict.fromkeys(received))
    assert firsts == sorted(firsts), "without the doubles, the order is kept"
    dropped = metrics.dropped()
    assert dropped == {Reason.OVERFLOW: 50, Reason.UNANSWERED: 1}
    assert metrics.published() + 51 == cameras.offered
    lost = cameras.offered - listener.distinct()
    assert 50 <= lost <= 51, "the unanswered one may have arrived"


async def test_a_full_redis_costs_the_replay_and_neither_the_subscribers_nor_the_link(
    server: RedisServer,
) -> None:
    cameras = Cameras()
    async with (
        listening(server.url) as (client, listener),
        running(server.url) as (publisher, metrics),
    ):
        await client.config_set("maxmemory", 1)
        publisher.offer(cameras.connected("a"))
        publisher.offer(cameras.frame("a"))
        await listener.until("a", 2)
        assert await publisher.drain(SOON)
        assert metrics.dropped() == {Reason.OOM: 1}
        await client.config_set("maxmemory", 0)
        publisher.offer(cameras.connected("a"))
        await listener.until("a", 3)
        assert await publisher.drain(SOON)
        assert await client.xlen("camera-events") == 1
    assert metrics.published() == 2


async def test_an_acl_user_publishes_and_what_is_denied_is_counted(server: RedisServer) -> None:
    cameras = Cameras()
    url = f"redis://{quote('an@user')}:{quote(PASSWORD, safe='')}@{HOST}:{server.port}"
    rules = ("on", f">{PASSWORD}", "resetchannels", "&camera:*", "+publish", "+auth")
    async with listening(server.url) as (client, listener):
        await client.execute_command("ACL", "SETUSER", "an@user", *rules)
        with hearing() as heard:
            async with running(url) as (publisher, metrics):
                publisher.offer(cameras.connected("a"))
                publisher.offer(cameras.frame("a"))
                await listener.until("a", 2)
                assert await publisher.drain(SOON)
                assert metrics.dropped() == {Reason.DENIED: 1}
                await client.execute_command(
                    "ACL", "SETUSER", "an@user", "~camera*", "+xadd", "+set", "+xtrim"
                )
                publisher.offer(cameras.connected("a"))
                assert await publisher.drain(SOON)
                assert metrics.published() == 2
    assert not [line for line in heard.lines if line["event"] == "redis_unavailable"]
    assert {"event": "events_dropped", "reason": "denied", "count": 1} in heard.lines


@pytest.mark.parametrize("login", ["", "default:wrong-secret@"])
async def test_a_wrong_login_is_told_without_being_shown_and_a_later_grant_is_used(
    server: RedisServer, login: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cameras = Cameras()
    async with listening(server.url) as (client, listener):
        await client.config_set("requirepass", "another-secret")
        with hearing() as heard:
            async with running(f"redis://{login}{HOST}:{server.port}") as (publisher, _):
                publisher.offer(cameras.frame("a"))
                await heard.until("redis_unavailable", Outage.AUTHENTICATION)
                said = repr(vars(publisher)) + str(heard.lines) + "".join(capsys.readouterr())
                assert "secret" not in said
                await client.config_set("requirepass", "wrong-secret" if login else "")
                await listener.until("a", 1)


async def test_tls_is_checked_against_the_ca_of_the_url(tmp_path: Path) -> None:
    made = redis_server.certificates(tmp_path)
    port = redis_server.free_port()
    options = (
        *("--tls-port", str(port), "--tls-auth-clients", "yes"),
        *("--tls-cert-file", str(made.certificate), "--tls-key-file", str(made.key)),
        *("--tls-ca-cert-file", str(made.ca)),
    )
    url = f"rediss://{HOST}:{port}"
    ours = f"cert_file={made.certificate}&key_file={made.key}"
    cameras = Cameras()
    with redis_server.running(tmp_path, *options) as server:
        async with (
            listening(server.url) as (_, listener),
            running(f"{url}?ca_file={made.ca}&{ours}") as (publisher, _),
        ):
            publisher.offer(cameras.frame("a"))
            await listener.until("a", 1)
        with hearing() as heard:
            async with running(url):
                await heard.until("redis_unavailable", Outage.TLS)


def test_a_ca_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    url = f"rediss://u:secret@host?ca_file={tmp_path}/absent.pem"
    with pytest.raises(InvalidRedisUrl, match="ca_file") as caught:
        publish.publisher(url, registry=CollectorRegistry())
    assert "secret" not in str(caught.value)


async def test_a_cluster_takes_all_events_and_its_slots_may_move(tmp_path: Path) -> None:
    cameras = Cameras()
    names = [f"cam{n}" for n in range(12)]
    with redis_server.cluster(tmp_path) as nodes:
        url = f"redis+cluster://{HOST}:{nodes[0].port},{HOST}:{nodes[1].port}"
        by_port = {node.port: node for node in nodes}
        async with (
            contextlib.AsyncExitStack() as stack,
            listening(nodes[2].url) as (_, listener),
            running(url) as (publisher, metrics),
        ):
            clients: dict[int, Any] = {
                port: await stack.enter_async_context(
                    redis.asyncio.Redis.from_url(node.url, protocol=2)
                )
                for port, node in by_port.items()
            }
            for name in names:
                publisher.offer(cameras.connected(name))
            assert await publisher.drain(SOON)
            for name in names:
                await listener.until(name, 1)
            moving = "camera:cam3:state"
            taker = await _start_moving(clients, moving)
            publisher.offer(cameras.connected("new-there"))
            publisher.offer(cameras.connected("cam3"))  # ASK: its key went already
            assert await publisher.drain(SOON)
            await _finish_moving(clients, moving, taker)
            publisher.offer(cameras.connected("cam3"))  # MOVED
            publisher.offer(cameras.connected("cam3"))  # straight to its new node
            assert await publisher.drain(SOON)
            kept: Any = await clients[taker].get(moving)
            assert json.loads(kept)["sequence"] == 4
            lengths = [await _length(client) for client in clients.values()]
            assert sorted(lengths) == [0, 0, cameras.offered]
    assert metrics.dropped() == {}
    assert metrics.published() == cameras.offered


async def _length(client: Any) -> int:
    try:
        return int(await client.xlen("camera-events"))
    except exceptions.MovedError:
        return 0


async def _start_moving(clients: dict[int, Any], key: str) -> int:
    """Begin to move a key's slot, and move its key; returns the port of the taker."""
    ids = {port: (await c.execute_command("CLUSTER MYID")).decode() for port, c in clients.items()}
    moving = slot(key.encode())
    for port, client in clients.items():
        with contextlib.suppress(exceptions.MovedError):
            await client.get(key)
            giver = port
    taker = next(port for port in clients if port != giver)
    await clients[taker].execute_command("CLUSTER SETSLOT", moving, "IMPORTING", ids[giver])
    await clients[giver].execute_command("CLUSTER SETSLOT", moving, "MIGRATING", ids[taker])
    await clients[giver].execute_command("MIGRATE", HOST, taker, key, 0, 5000)
    return taker


async def _finish_moving(clients: dict[int, Any], key: str, taker: int) -> None:
    node = (await clients[taker].execute_command("CLUSTER MYID")).decode()
    for client in (clients[taker], *clients.values()):  # the taker first
        await client.execute_command("CLUSTER SETSLOT", slot(key.encode()), "NODE", node)


async def test_sentinels_are_asked_again_when_the_master_has_moved(tmp_path: Path) -> None:
    cameras = Cameras()
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(redis_server.running(tmp_path)) for _ in "12")
        watch = f"sentinel monitor main {HOST} {first.port} 1\n"
        sentinel = stack.enter_context(redis_server.running(tmp_path, sentinel_config=watch))
        dead = redis_server.free_port()
        url = f"redis+sentinel://{HOST}:{dead},{HOST}:{sentinel.port}/main/0"
        async with (
            listening(second.url) as (_, listener),
            listening(first.url) as (old, was),
            redis.asyncio.Redis.from_url(sentinel.url, protocol=2) as client,
            running(url, heartbeat=0.05) as (publisher, metrics),
        ):
            guard: Any = client  # execute_command has no types
            publisher.offer(cameras.frame("a"))
            await was.until("a", 1)
            await guard.execute_command("SENTINEL", "REMOVE", "main")
            await guard.execute_command("SENTINEL", "MONITOR", "main", HOST, second.port, 1)
            # Demoted with its connections left alone; frames alone would never find out.
            await old.execute_command("REPLICAOF", HOST, redis_server.free_port())
            while "a" not in {got["subject"] for got in listener.received}:
                publisher.offer(cameras.frame("a"))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await listener.until("a", 1)
            publisher.offer(cameras.connected("a"))
            await listener.until("a", cameras.offered)
            assert await publisher.drain(SOON)
    assert metrics.dropped() == {}
    assert metrics.published() == cameras.offered


@contextlib.asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[str]:
    """A server that says the same to each command, or nothing; a cluster's only node."""
    port = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands = hiredis.Reader()
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                commands.feed(data)
                while answer is not None and (command := commands.gets()) is not False:
                    slots = b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:%d\r\n" % port
                    writer.write(slots if command[0] == b"CLUSTER" else answer)
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as listening_server:
        port = listening_server.sockets[0].getsockname()[1]
        yield f"redis://{HOST}:{port}"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", Outage.NOT_READY),
        (b"-READONLY You can't write against a read only replica.\r\n", Outage.NOT_READY),
        (b"-MASTERDOWN Link with MASTER is down\r\n", Outage.NOT_READY),
        (b"-NOAUTH Authentication required.\r\n", Outage.AUTHENTICATION),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Outage.PROTOCOL),
        (None, Outage.TIMEOUT),
    ],
)
@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
async def test_a_server_that_is_not_ready_is_told_and_not_published_to(
    answer: bytes | None, expected: Outage, scheme: str
) -> None:
    cameras = Cameras()
    async with answering(answer) as url:
        with hearing() as heard:
            async with running(url.replace("redis", scheme, 1), seconds=0.05) as (
                publisher,
                metrics,
            ):
                publisher.offer(cameras.connected("a"))
                await heard.until("redis_unavailable", expected)
                assert not [line for line in heard.lines if line["event"] == "redis_connected"]
    assert metrics.dropped() == {Reason.SHUTDOWN: 1}


REDIS_ERRORS = [
    found
    for _, found in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(found, Exception) and found.__module__ == exceptions.__name__
]


@pytest.mark.parametrize("kind", REDIS_ERRORS, ids=lambda kind: kind.__name__)
def test_every_exception_of_redis_has_a_meaning(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    assert publish.outage(error) in Outage
    assert isinstance(publish.verdict(error), Answer | Reason)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (exceptions.ConnectionError, Outage.UNREACHABLE),
        (exceptions.MaxConnectionsError, Outage.UNREACHABLE),
        (exceptions.TimeoutError, Outage.TIMEOUT),
        (exceptions.AuthenticationError, Outage.AUTHENTICATION),
        (exceptions.AuthorizationError, Outage.AUTHENTICATION),
        (exceptions.NoPermissionError, Outage.AUTHENTICATION),
        (exceptions.BusyLoadingError, Outage.NOT_READY),
        (exceptions.MasterDownError, Outage.NOT_READY),
        (exceptions.InvalidResponse, Outage.PROTOCOL),
        (ConnectionRefusedError, Outage.UNREACHABLE),
        (TimeoutError, Outage.TIMEOUT),
    ],
)
def test_the_type_of_an_error_says_what_is_wrong_with_redis(
    kind: type[Exception], expected: Outage
) -> None:
    assert publish.outage(kind.__new__(kind)) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (exceptions.OutOfMemoryError, Reason.OOM),
        (exceptions.NoPermissionError, Reason.DENIED),
        (exceptions.ReadOnlyError, Answer.LATER),
        (exceptions.ClusterDownError, Answer.LATER),
        (exceptions.TryAgainError, Answer.LATER),
        (exceptions.MovedError, Answer.LATER),
        (exceptions.ResponseError, Reason.REJECTED),
    ],
)
def test_the_type_of_an_answer_says_what_becomes_of_an_event(
    kind: type[Exception], expected: Answer | Reason
) -> None:
    assert publish.verdict(kind.__new__(kind)) is expected


@pytest.mark.parametrize("camera", ["a", "cam_001", "A-b.c", "0" * 63])
def test_the_slot_of_a_key_is_that_of_redis(camera: str) -> None:
    key = f"camera:{camera}:state".encode()
    assert slot(key) == crc.key_slot(key)
