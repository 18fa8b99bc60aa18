"""A camera's login is in its Secret and in the worker's memory, and nowhere else at all.

The real program is given logins that together hold every printable byte, right ones and wrong ones,
where they belong and where they do not; then everything that it said or wrote is searched.
"""

import asyncio
import base64
import io
import json
import re
import stat
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import psutil
import pytest
import redis.asyncio
import structlog

from ingest_core import logs
from ingest_core.credentials import Credentials, join_userinfo
from ingest_simulator.camera import Auth, SimulatedCamera
from ingest_simulator.simulator import Simulator
from tests.fakes.authority import authority
from tests.fakes.captured_camera import CapturedCamera, capturing
from tests.fakes.redis_server import RedisServer, running
from tests.fakes.standalone_program import Program, standalone

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
THIRDS = (PRINTABLE[:32], PRINTABLE[32:64], PRINTABLE[64:])
USER = "v" + PRINTABLE[1:15].replace(":", "")
WRONG = "Wr0ng-but-still-a-secret"
STRAY = "str@y/pass?word#1"
QUOTED = quote(STRAY, safe="")
CAMERA = SimulatedCamera(name="x", width=160, height=96, fps=10, gop=10, clip_seconds=2)


@dataclass(frozen=True)
class Guarded:
    """A camera that wants a login, and the one that it gets."""

    auth: Auth
    password: str
    given: str | None = None
    tls: bool = False
    reason: str = "Connected"


GUARDED = {
    **{f"basic-{n}": Guarded(Auth.BASIC, third) for n, third in enumerate(THIRDS)},
    **{f"digest-{n}": Guarded(Auth.DIGEST_MD5, third) for n, third in enumerate(THIRDS)},
    "tls": Guarded(Auth.DIGEST_MD5, THIRDS[0], tls=True),
    "wrong-basic": Guarded(Auth.BASIC, "right", WRONG, reason="AuthenticationFailed"),
    "wrong-digest": Guarded(Auth.DIGEST_MD5, "right", WRONG, reason="AuthenticationFailed"),
    # FFmpeg 8.1 knows MD5 alone: it does not even try, so the login is refused
    "sha256": Guarded(Auth.DIGEST_SHA256, THIRDS[1], reason="AuthenticationFailed"),
}
SECRETS = (*THIRDS, WRONG, STRAY)
BAD_BODIES: tuple[Mapping[str, Any], ...] = (
    {"id": "b1", "source_type": "rtsp", "source_url": f"rtsp://u:{STRAY}@h:554/x"},
    {"id": "b2", "source_type": "rtsp", "source_url": f"http://u:{QUOTED}@h/x"},
    {"id": "b3", "source_type": "rtsp", "source_url": [STRAY]},
    {"id": "b4", "source_type": "rtsp", "source_url": f"u:{STRAY}@h"},
    {"id": "b5", "source_type": "rtsp", "source_url": "rtsp://h/x", "password": STRAY},
    {"id": "b6", "source_type": "rtsp", "source_url": "rtsp://h", "password": {"x": STRAY}},
    {"id": "b7", "source_type": "rtsp", "source_url": "rtsp://h", "username": "u",
     "password": STRAY * 40},
    {"id": "b8", "source_type": "http_push", "password": STRAY, "username": STRAY},
    {"id": "b9", "source_type": "http_push", "token": [STRAY]},
    {"id": "b10", "source_type": "rtsp", "source_url": f"rtsp://h/x?{quote(STRAY)}@"},
    {"id": "b11", "source_type": "rtsp", "source_url": f"rtsp://u:{QUOTED}@h:99999/"},
    {"id": "b12", "source_type": "rtsp", "source_url": f"rtsp://u:{STRAY}\x01@h/"},
)  # fmt: skip


def spellings(password: str) -> Iterator[bytes]:
    """Every way in which something may say a password, or the better part of it."""
    for text in {password, password[: max(12, len(password) // 2)]}:
        yield text.encode()
        yield quote(text, safe="").encode()
        yield quote(text).encode()
        yield json.dumps(text)[1:-1].encode()
        yield repr(text)[1:-1].encode()
        login = join_userinfo("x://h", Credentials("", text))
        yield login.removeprefix("x://:").removesuffix("@h").encode()
    for text in (password, f"{USER}:{password}"):
        yield base64.b64encode(text.encode()).rstrip(b"=")[:-1]


def assert_nowhere(where: str, data: bytes) -> None:
    for password in SECRETS:
        for spelling in spellings(password):
            at = data.find(spelling)
            near = data[max(0, at - 200) : at] if at >= 0 else b""
            assert at < 0, f"{where} holds a password as {spelling!r} after {near!r}"


def test_the_search_finds_a_password_however_it_is_written() -> None:
    assert set("".join(THIRDS)) == set(PRINTABLE)
    for password in THIRDS:
        for said in (password, quote(password), json.dumps(password), repr(password)):
            with pytest.raises(AssertionError, match="holds a password"):
                assert_nowhere("a log", f"x {said} y".encode())


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_nothing_that_the_program_says_or_writes_holds_a_password(
    tmp_path: Path, log_format: str
) -> None:
    events: list[bytes] = []
    with running(tmp_path) as server:
        async with (
            asyncio.timeout(60),
            cameras(tmp_path) as urls,
            standalone(
                tmp_path / "cameras",
                *("--redis-url", server.url),
                log_format=log_format,
                log_level="debug",
            ) as program,
        ):
            hearing = asyncio.create_task(hear(server, events))
            await add(program, urls)
            await misuse(program)
            for name, one in GUARDED.items():
                view = await reason(program, name, one.reason)
                assert view["source_url"] == urls[name]
            await look(program)
            processes = [psutil.Process(program.pid)]
            processes += processes[0].children(recursive=True)
            for process in processes:
                assert_nowhere("an argument", " ".join(process.cmdline()).encode())
            assert_files_keep_it(tmp_path / "cameras", program.temporary)
            kept = await stored(server)
            hearing.cancel()
            assert await program.stop() == 0
    assert events
    assert kept
    assert b"camera_disconnected" in program.said
    assert_nowhere("the output", bytes(program.said))
    assert_nowhere("an answer", "\n".join(program.bodies).encode())
    assert_nowhere("an event", b"\n".join(events))
    assert_nowhere("Redis", kept)


@asynccontextmanager
async def cameras(tmp_path: Path) -> AsyncIterator[Mapping[str, str]]:
    """URLs of the guarded cameras, without their logins."""
    context = authority(tmp_path / "ca").server("camera")
    async with Simulator() as plain, Simulator(tls=context) as secure:
        yield {
            name: await (secure if one.tls else plain).add(
                msgspec.structs.replace(
                    CAMERA, name=name, auth=one.auth, username=USER, password=one.password
                )
            )
            for name, one in GUARDED.items()
        }


async def add(program: Program, urls: Mapping[str, str]) -> None:
    """Half of them with the login in the URL, half with it beside."""
    for number, (name, one) in enumerate(GUARDED.items()):
        login = Credentials(USER, one.given or one.password)
        body: dict[str, Any] = {"id": name, "source_type": "rtsp"}
        if number % 2:
            body |= {"source_url": urls[name], "username": USER, "password": login.password}
        else:
            coded = f"{quote(USER, safe='')}:{quote(login.password, safe='')}"
            body["source_url"] = urls[name].replace("://", f"://{coded}@")
        if one.tls:
            tls = {"insecureSkipVerify": True}
            body["spec"] = {"source": {"rtsp": {"tls": tls}}}
        status, _ = await program.call("POST", "/api/cameras", body)
        assert status == 201


async def misuse(program: Program) -> None:
    """Say passwords where they do not belong."""
    for body in BAD_BODIES:
        status, _ = await program.call("POST", "/api/cameras", body)
        assert status in (400, 422), body["id"]
        if body["id"] == "b8":
            continue  # as a patch of a camera that is captured it is right
        patch = {key: value for key, value in body.items() if key not in ("id", "source_type")}
        status, _ = await program.call("PATCH", "/api/cameras/digest-0", patch)
        assert status in (400, 422), body["id"]
    raw = f'{{"id": "b", "source_url": "rtsp://u:{STRAY}@h", '.encode()
    kind = {"Content-Type": "application/json"}
    assert (await program.call("POST", "/api/cameras", raw, **kind))[0] in (400, 422)
    for path in (f"/api/cameras/{quote(STRAY, safe='')}", f"/{quote(STRAY)}"):
        await program.call("GET", path)
        program.bodies.pop()  # what a client asks for by name is said back to it
    basic = "Basic " + base64.b64encode(f"{USER}:{THIRDS[0]}".encode()).decode()
    await program.call("GET", "/api/cameras", Authorization=basic)


async def reason(program: Program, camera: str, wanted: str) -> Mapping[str, Any]:
    """Wait until a camera is in this state; its view."""
    while True:
        _, view = await program.call("GET", f"/api/cameras/{camera}")
        live = view["status"]["live"]
        if live and live["reason"] == wanted:
            return dict(view)
        await asyncio.sleep(0.02)  # over HTTP nobody tells


async def look(program: Program) -> None:
    """Ask for everything that there is to read."""
    for path in ("/", "/metrics", "/api/cameras", "/api/cameras/digest-0/frames", "/healthz"):
        assert (await program.call("GET", path))[0] == 200
    for path in ("/api/cameras/wrong-basic/frame/latest", "/api/cameras/sha256/frames/1"):
        assert (await program.call("GET", path))[0] in (404, 410, 503)


def assert_files_keep_it(directory: Path, temporary: Path) -> None:
    """Only files that nobody else can read hold a password."""
    secrets = 0
    for path in (one for root in (directory, temporary) for one in root.rglob("*")):
        if path.is_file():
            if path.name.endswith(".secret.yaml"):
                secrets += 1
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
            else:
                assert_nowhere(str(path), path.read_bytes())
    assert secrets == len(GUARDED)


async def hear(server: RedisServer, events: list[bytes]) -> None:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        channel = client.pubsub()
        await channel.psubscribe("*")
        async for message in channel.listen():
            if message["type"] == "pmessage":
                event = message["channel"] + message["data"]
                events.append(event)


async def stored(server: RedisServer) -> bytes:
    """Everything that Redis keeps."""
    parts: list[bytes] = []
    async with redis.asyncio.Redis.from_url(server.url) as client:
        async for key in client.scan_iter():
            kind = await client.type(key)
            held = await (client.xrange(key) if kind == b"stream" else client.get(key))
            parts += [key, repr(held).encode(), *flat(held)]
    return b"\n".join(parts)


def flat(value: object) -> Iterable[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from flat(list(pair))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from flat(one)


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_the_traceback_of_a_crash_holds_no_password(log_format: logs.LogFormat) -> None:
    written = io.StringIO()
    before = structlog.get_config()
    url = "rtsp://h/x"

    def crash(*arguments: Any, **_: Any) -> Any:
        login = arguments[0].credentials
        raise RuntimeError(f"{arguments} {join_userinfo(url, login)}")

    logs.configure("debug", log_format, written)
    try:
        camera = CapturedCamera(url, credentials=Credentials(USER, THIRDS[2]), open_=crash)
        async with capturing(camera):
            assert (await camera.failed()).reason == "Crashed"
    finally:
        structlog.configure(**before)
    assert re.search("Traceback|RuntimeError", written.getvalue())
    assert_nowhere("a traceback", written.getvalue().encode())
    assert_nowhere("a state", repr(camera.states).encode())
