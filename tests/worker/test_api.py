"""The worker's frame API, asked over a real socket."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from ingest_core.errors import Failure
from ingest_core.http import Listen, serve
from ingest_core.metrics import RENDER_SECONDS
from ingest_core.model import Camera, PushSource, SecretRef
from ingest_core.problems import problems
from ingest_worker.api import FrameApi
from ingest_worker.feed import Feed
from ingest_worker.push import Push
from ingest_worker.render import AvDecoder
from ingest_worker.renderer import Renderer
from tests.fakes import footage
from tests.fakes.cameras import feed_of, push_camera, rtsp_camera
from tests.fakes.virtual_time import in_virtual_time

# aiohttp's own reader of forms uses what aiohttp deprecates, and warns of odd headers
pytestmark = [
    pytest.mark.filterwarnings("ignore:unread_data:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader"),
    pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionParam"),
]

MAX_FRAME = 20_000
JPEG = footage.jpeg()


class Api:
    """A worker with a push camera `door` and an RTSP camera `lobby`.

    `consumed`: how many bytes of each body had been read when it was answered.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, Feed] = {}
        self.pushes: dict[str, Push] = {}
        self.cameras: dict[str, Camera] = {}
        self.executor = ThreadPoolExecutor(1)
        seconds = RENDER_SECONDS.histogram(CollectorRegistry())
        renderer = Renderer(self.executor, self.executor, seconds)
        self.door = self.have(
            push_camera(source=PushSource(max_frame_bytes=MAX_FRAME, max_fps=120))
        )
        self.lobby = self.have(rtsp_camera())
        self.consumed: list[int] = []
        self._api = FrameApi(self.feeds, self.pushes, renderer)

    def have(self, camera: Camera) -> Feed:
        feed = self.feeds[camera.name] = feed_of(camera)
        self.cameras[camera.name] = camera
        if camera.spec.source.push is not None:
            self.pushes[camera.name] = Push(camera.spec.source.push, feed, self.executor)
        return feed

    def shows(self, *, age: float = 0.0, count: int = 5) -> None:
        """Let the lobby show H.264 that ends `age` seconds ago."""
        frames = footage.h264(count)
        decoder = AvDecoder(frames[0].codec)
        ended = time.time() - age
        for frame in frames:
            at = ended - (count - frame.sequence) / 10
            taken = self.lobby.take(
                frame.data, keyframe=frame.keyframe, timestamp=at, codec=frame.codec
            )
            for picture in decoder.decode(taken):
                self.lobby.show(picture.frame, picture)
                self.lobby.connected(frame.codec, picture.size)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        camera = self.cameras.get(request.match_info["camera"], rtsp_camera("unknown"))
        try:
            return await self._api.answer(request, camera, request.match_info["tail"])
        finally:
            self.consumed.append(request.content.total_bytes)


class Client:
    def __init__(self, api: Api, session: aiohttp.ClientSession, address: Listen) -> None:
        self.api = api
        self.session = session
        self.address = address

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, Any]:
        async with self.session.get(f"/cameras/{path}", headers=headers) as response:
            return response.status, await response.read(), response.headers

    async def problem(self, path: str) -> tuple[int, Any, Any]:
        async with self.session.get(f"/cameras/{path}") as response:
            assert response.content_type == "application/problem+json"
            return response.status, await response.json(content_type=None), response.headers

    async def push(
        self, data: Any, headers: dict[str, str] | None = None, camera: str = "door"
    ) -> tuple[int, Any]:
        url = f"/cameras/{camera}/push"
        async with self.session.post(url, data=data, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def raw(self, head: str, *body: bytes, read: bool = True) -> bytes:
        """Send bytes as they are; what came back until the server closed, or the first answer."""
        reader, writer = await asyncio.open_connection(self.address.host, self.address.port)
        try:
            writer.write(f"POST /cameras/door/push HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
            for chunk in body:
                writer.write(chunk)
                await writer.drain()
            return await reader.readuntil(b"\r\n\r\n") if read else b""
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()


@asynccontextmanager
async def serving() -> AsyncIterator[Client]:
    api = Api()
    app = web.Application(middlewares=[problems])
    app.router.add_route("*", "/cameras/{camera}/{tail:.*}", api.answer)
    async with (
        serve(app, Listen("127.0.0.1", 0)) as (address,),
        aiohttp.ClientSession(f"http://{address}") as session,
    ):
        yield Client(api, session, address)
    api.executor.shutdown()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving() as one:
        yield one


JPEG_TYPE = {"Content-Type": "image/jpeg"}


def form(*parts: tuple[str, bytes], boundary: str = "b", end: str = "--b--\r\n") -> bytes:
    """A form of named parts; the first header of a part is its name."""
    body = b""
    for name, content in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + end.encode()


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


async def test_the_latest_frame_comes_with_all_that_tells_how_fresh_it_is(client: Client) -> None:
    client.api.shows(age=1.5)
    status, body, headers = await client.get("lobby/frame/latest")
    newest = client.api.lobby.newest
    assert newest is not None
    assert status == 200
    assert footage.pixels(body).shape == (48, 64, 3)
    assert footage.pixels(body).mean() == pytest.approx(footage.level_of(4), abs=4)
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["X-Frame-Sequence"] == "5"
    assert float(headers["X-Frame-Timestamp"]) == pytest.approx(newest.frame.timestamp, abs=1e-5)
    assert headers["Age"] == "1"
    assert headers["ETag"] == '"7-1-5-0-0"'
    assert parsedate_to_datetime(headers["Last-Modified"]).timestamp() == int(
        newest.frame.timestamp
    )
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("known", ['"7-1-5-0-0"', 'W/"7-1-5-0-0"', '"x", "7-1-5-0-0"', "*"])
async def test_who_has_the_frame_already_is_told_so(client: Client, known: str) -> None:
    client.api.shows()
    status, body, headers = await client.get("lobby/frame/latest", {"If-None-Match": known})
    assert (status, body) == (304, b"")
    assert headers["ETag"] == '"7-1-5-0-0"'
    assert "X-Frame-Timestamp" in headers


@pytest.mark.parametrize("known", ['"7-1-4-0-0"', '"7-1-5-32-0"', "7-1-5-0-0x", ""])
async def test_who_has_another_frame_or_another_size_gets_this_one(
    client: Client, known: str
) -> None:
    client.api.shows()
    status, _, _ = await client.get("lobby/frame/latest", {"If-None-Match": known})
    assert status == 200


async def test_before_the_first_frame_there_is_none_and_why(client: Client) -> None:
    client.api.lobby.disconnected(Failure.UNREACHABLE, "No route to host")
    status, said, headers = await client.problem("lobby/frame/latest")
    assert (status, headers["Retry-After"]) == (503, "2")
    assert said["detail"] == "no frame yet: Unreachable. No route to host"


async def test_an_old_frame_is_never_served_as_if_it_were_live(client: Client) -> None:
    client.api.shows(age=11)
    status, said, headers = await client.problem("lobby/frame/latest")
    assert (status, headers["Retry-After"]) == (503, "2")
    assert "11.0 s old, more than 10 s" in said["detail"]
    assert "ETag" not in headers


async def test_who_knows_an_old_frame_is_not_told_that_it_is_still_good(client: Client) -> None:
    client.api.shows(age=11)
    status, _, _ = await client.get("lobby/frame/latest", {"If-None-Match": "*"})
    assert status == 503


@pytest.mark.parametrize(("max_age", "status"), [("60", 200), ("2", 503), ("3.5", 200), ("0", 503)])
async def test_how_old_a_frame_may_be_is_for_the_asker_to_say(
    client: Client, max_age: str, status: int
) -> None:
    client.api.shows(age=3)
    assert (await client.get(f"lobby/frame/latest?max_age={max_age}"))[0] == status


@pytest.mark.parametrize(
    ("query", "shape"), [("width=32", (24, 32)), ("width=8192", (48, 64)), ("quality=1", (48, 64))]
)
async def test_width_and_quality_are_as_asked_for(
    client: Client, query: str, shape: tuple[int, int]
) -> None:
    client.api.shows()
    _, body, headers = await client.get(f"lobby/frame/latest?{query}")
    assert footage.pixels(body).shape[:2] == shape
    assert headers["ETag"] != '"7-1-5-0-0"'


@pytest.mark.parametrize("call", ["lobby/frame/latest", "lobby/frames/5"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("width=15", "?width"),
        ("width=8193", "?width"),
        ("width=wide", "?width"),
        ("width=", "?width"),
        ("width=nan", "?width"),
        ("quality=0", "?quality"),
        ("quality=101", "?quality"),
        ("quality=inf", "?quality"),
    ],
)
async def test_what_is_out_of_bounds_is_refused_by_its_name(
    client: Client, call: str, query: str, field: str
) -> None:
    client.api.shows()
    status, said, _ = await client.problem(f"{call}?{query}")
    assert status == 422
    assert [problem["field"] for problem in said["errors"]] == [field]


@pytest.mark.parametrize("max_age", ["-1", "3601", "nan", "old"])
async def test_an_age_out_of_bounds_is_refused_by_its_name(client: Client, max_age: str) -> None:
    status, said, _ = await client.problem(f"lobby/frame/latest?max_age={max_age}")
    assert (status, said["errors"][0]["field"]) == (422, "?max_age")


async def test_the_ring_is_listed_oldest_first(client: Client) -> None:
    client.api.shows()
    status, body, headers = await client.get("lobby/frames")
    assert status == 200
    said = json.loads(body)
    assert (said["camera_id"], said["incarnation"], said["epoch"]) == ("lobby", 7, 1)
    assert [item["sequence"] for item in said["items"]] == [1, 2, 3, 4, 5]
    assert [item["keyframe"] for item in said["items"]] == [True, False, False, False, False]
    assert [item["bytes"] for item in said["items"]] == [
        len(frame.data) for frame in footage.h264(5)
    ]
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("sequence", [1, 3, 5])
async def test_any_frame_of_the_ring_is_decoded_from_its_keyframe(
    client: Client, sequence: int
) -> None:
    client.api.shows(age=30)
    status, body, headers = await client.get(f"lobby/frames/{sequence}")
    assert status == 200
    level = footage.level_of(sequence - 1)
    assert footage.pixels(body).mean() == pytest.approx(level, abs=4)
    assert headers["X-Frame-Sequence"] == str(sequence)
    assert headers["ETag"] == f'"7-1-{sequence}-0-0"'
    assert int(headers["Age"]) >= 30
    status, _, _ = await client.get(f"lobby/frames/{sequence}", {"If-None-Match": headers["ETag"]})
    assert status == 304


@pytest.mark.parametrize(
    "path",
    [
        "lobby/frames/6",
        "lobby/frames/0",
        "lobby/frames/99999999999999999999999",
        "lobby/frames/-1",
        "lobby/frames/five",
        "lobby/frames/5/more",
        "lobby/frames/\u0665",
        "lobby/frame",
        "lobby/",
    ],
)
async def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    client.api.shows()
    assert (await client.problem(path))[0] == 404


async def test_a_frame_that_does_not_decode_is_the_cameras_fault(client: Client) -> None:
    codec = footage.h264(1)[0].codec
    client.api.lobby.take(b"garbage", keyframe=True, timestamp=time.time(), codec=codec)
    status, said, _ = await client.problem("lobby/frames/1")
    assert (status, said["type"]) == (502, "urn:camera-ingest:problem:frame-undecodable")


@pytest.mark.parametrize("order", [1, -1])
async def test_a_form_is_taken_in_any_order_of_its_fields(client: Client, order: int) -> None:
    at = time.time() - 1
    parts = [("frame_file", JPEG), ("timestamp", f"{at:.9f}".encode())][::order]
    status, said = await client.push(form(*parts), FORM)
    assert (status, said) == (202, {"sequence": 1})
    (frame,) = client.api.door.held()
    assert frame.data == JPEG
    assert frame.timestamp == pytest.approx(at, abs=1e-6)


async def test_what_curl_and_other_clients_send_is_taken(client: Client) -> None:
    data = aiohttp.FormData()
    data.add_field("frame_file", JPEG, filename="frame.jpg", content_type="image/jpeg")
    data.add_field("timestamp", f"{time.time():.9f}\n")
    assert await client.push(data) == (202, {"sequence": 1})


async def test_a_form_without_a_timestamp_is_taken(client: Client) -> None:
    assert await client.push(form(("frame_file", JPEG)), FORM) == (202, {"sequence": 1})


async def test_a_body_that_is_the_picture_itself_is_taken(client: Client) -> None:
    at = time.time() - 2
    headers = {**JPEG_TYPE, "X-Timestamp": str(at)}
    assert await client.push(JPEG, headers) == (202, {"sequence": 1})
    assert client.api.door.held()[0].timestamp == pytest.approx(at, abs=1e-6)
    assert await client.push(JPEG, headers) == (202, {"sequence": 1})
    assert client.api.door.frames == 1


async def test_what_was_pushed_is_what_is_served(client: Client) -> None:
    await client.push(JPEG, JPEG_TYPE)
    status, body, headers = await client.get("door/frame/latest")
    assert (status, body) == (200, JPEG)
    assert headers["X-Frame-Sequence"] == "1"
    _, small, _ = await client.get("door/frame/latest?width=32")
    assert footage.pixels(small).shape == (24, 32, 3)


@pytest.mark.parametrize(
    "type_", ["image/png", "application/json", "multipart/mixed; boundary=b", "text/plain", "x"]
)
async def test_a_body_of_another_type_is_refused(client: Client, type_: str) -> None:
    status, said = await client.push(JPEG, {"Content-Type": type_})
    assert status == 415
    assert "image/jpeg" in said["detail"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (form(("timestamp", b"1763801000")), 422, "frame_file: the form has none"),
        (form(), 422, "frame_file: the form has none"),
        (form(("frame_file", JPEG), ("frame_file", JPEG)), 422, "one frame_file"),
        (form(("timestamp", b"1"), ("timestamp", b"1")), 422, "one timestamp"),
        (form(("frame_file", JPEG), ("note", b"hello")), 422, "'note'"),
        (form(("file", JPEG)), 422, "'file'"),
        (form(("frame_file", JPEG), ("timestamp", b"yesterday")), 422, "Unix seconds"),
        (form(("frame_file", JPEG), ("timestamp", b"nan")), 422, "Unix seconds"),
        (form(("frame_file", JPEG), ("timestamp", b"-1")), 422, "Unix seconds"),
        (form(("frame_file", JPEG), ("timestamp", b"\xff\xfe")), 422, "Unix seconds"),
        (form(("timestamp", b"1" * 65)), 413, "64 bytes"),
        (form(("frame_file", b"")), 422, "FF D8"),
        (form(("frame_file", b"GIF89a")), 422, "FF D8"),
        (form(("frame_file", JPEG), boundary="c", end="--c--"), 400, "no well-formed form"),
        (form(("frame_file", JPEG), end=""), 400, "no well-formed form"),
        (form(("frame_file", JPEG))[:100], 400, "no well-formed form"),
        (b"", 400, "no well-formed form"),
        (b"no form at all", 400, "no well-formed form"),
        (form(("_charset_", b"x" * 40), ("frame_file", JPEG)), 400, "no well-formed form"),
        (form(("_charset_", b"\xff\xff"), ("frame_file", JPEG)), 400, "no well-formed form"),
        (b"--b\r\n" + b"X: y\r\n" * 200 + b"\r\n\r\n--b--\r\n", 400, "no well-formed form"),
        (b"--b\r\nX: " + b"y" * 9000 + b"\r\n\r\n\r\n--b--\r\n", 400, "no well-formed form"),
        (b"--b\r\n\x00: y\r\n\r\n\r\n--b--\r\n", 400, "no well-formed form"),
        (
            b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n",
            422,
            "must not be multipart itself",
        ),
    ],
)
async def test_a_form_that_breaks_a_rule_is_refused_and_says_which(
    client: Client, body: bytes, status: int, says: str
) -> None:
    found, said = await client.push(body, FORM)
    assert found == status
    assert says in said["detail"]
    assert client.api.door.frames == 0


@pytest.mark.parametrize(
    "type_", ["multipart/form-data", "multipart/form-data; boundary=" + "b" * 99]
)
async def test_a_form_without_a_boundary_is_refused(client: Client, type_: str) -> None:
    assert (await client.push(form(("frame_file", JPEG)), {"Content-Type": type_}))[0] == 400


async def test_a_long_boundary_is_no_crash(client: Client) -> None:
    boundary = "b" * 70
    body = form(("_charset_", b"utf-8"), ("frame_file", JPEG), boundary=boundary, end="")
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    assert (await client.push(body + f"--{boundary}--\r\n".encode(), headers))[0] in (202, 400)


@pytest.mark.parametrize("at", ["soon", "", "inf", "0", "1e12"])
async def test_a_header_that_is_no_time_is_refused(client: Client, at: str) -> None:
    status, said = await client.push(JPEG, {**JPEG_TYPE, "X-Timestamp": at})
    assert (status, "Unix seconds" in said["detail"]) == (422, True)


async def test_frames_cannot_be_pushed_to_an_rtsp_camera(client: Client) -> None:
    assert (await client.push(JPEG, JPEG_TYPE, camera="lobby"))[0] == 409


@pytest.mark.parametrize("tail", ["frame/latest", "frames", "frames/1", "no such call"])
async def test_a_camera_that_this_worker_does_not_have_is_misdirected(
    client: Client, tail: str
) -> None:
    assert (await client.problem(f"elsewhere/{tail}"))[0] == 421
    assert (await client.push(JPEG, JPEG_TYPE, camera="elsewhere"))[0] == 421


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer s3cret", 202),
        ("bearer  s3cret ", 202),
        ("Bearer wrong", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
        ("Bearer", 401),
        (None, 401),
    ],
)
async def test_only_the_bearer_of_the_token_may_push(
    client: Client, authorization: str | None, status: int
) -> None:
    source = PushSource(token_secret_ref=SecretRef(name="s", key="token"))
    client.api.have(push_camera("guarded", source=source))
    client.api.pushes["guarded"].token = "s3cret"
    headers = {**JPEG_TYPE, **({"Authorization": authorization} if authorization else {})}
    assert (await client.push(JPEG, headers, camera="guarded"))[0] == status


async def test_a_token_that_is_not_utf8_is_refused(client: Client) -> None:
    source = PushSource(token_secret_ref=SecretRef(name="s", key="token"))
    client.api.have(push_camera("door", source=source))
    client.api.pushes["door"].token = "s3cret"
    head = "Content-Type: image/jpeg\r\nContent-Length: 0\r\nAuthorization: Bearer \udcff"
    reader, writer = await asyncio.open_connection(client.address.host, client.address.port)
    request = f"POST /cameras/door/push HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n"
    writer.write(request.encode(errors="surrogateescape"))
    answer = await reader.readuntil(b"\r\n")
    writer.close()
    assert b" 401 " in answer


async def test_over_the_rate_the_body_is_not_read(client: Client) -> None:
    client.api.have(push_camera("door", source=PushSource(max_fps=1)))
    assert (await client.push(JPEG, JPEG_TYPE))[0] == 202
    async with client.session.post("/cameras/door/push", data=JPEG, headers=JPEG_TYPE) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
    assert client.api.door.frames == 0


def chunked(data: bytes, size: int = 8192) -> list[bytes]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]


SLACK = 800_000  # what aiohttp and the sockets hold at most beside
HUGE = 4_000_000


ENDLESS = {
    "the picture itself": b"\xff\xd8" + bytes(HUGE),
    "file": form(("frame_file", bytes(HUGE))),
    "before the first part": b"preamble\r\n" * (HUGE // 10),
    "line": bytes(HUGE),
    "header": form(("frame_file", JPEG), end="") + b"--b\r\nX: " + b"y" * HUGE,
    "charset": form(("_charset_", b"utf-8" + bytes(HUGE))),
}


async def test_of_a_body_without_an_end_no_more_is_read_than_may_be_taken(client: Client) -> None:
    async def push(what: str, body: bytes) -> None:
        type_ = "image/jpeg" if what == "the picture itself" else FORM["Content-Type"]
        head = f"Content-Type: {type_}\r\nTransfer-Encoding: chunked"
        answer = await client.raw(head, *chunked(body))
        assert answer == b"" or answer.split()[1] in (b"413", b"400"), what

    await asyncio.gather(*(push(what, body) for what, body in ENDLESS.items()))
    assert len(client.api.consumed) == len(ENDLESS)
    assert min(client.api.consumed) > 0
    assert max(client.api.consumed) < MAX_FRAME + SLACK
    assert client.api.door.frames == 0


@pytest.mark.parametrize("type_", ["image/jpeg", "multipart/form-data; boundary=b"])
async def test_a_body_that_says_that_it_is_huge_is_refused_unread(
    client: Client, type_: str
) -> None:
    head = f"Content-Type: {type_}\r\nContent-Length: {10**12}"
    answer = await client.raw(head, b"--b\r\n")
    assert answer.split()[1] == b"413"
    assert client.api.consumed[0] <= 5


async def test_a_frame_of_exactly_the_limit_is_taken_in_both_ways(client: Client) -> None:
    data = JPEG[:-2] + bytes(MAX_FRAME - len(JPEG)) + JPEG[-2:]
    assert len(data) == MAX_FRAME
    assert (await client.push(data, JPEG_TYPE))[0] == 202
    assert (await client.push(form(("frame_file", data)), FORM))[0] == 202
    assert (await client.push(data + b"x", JPEG_TYPE))[0] == 413
    assert (await client.push(form(("frame_file", data + b"x")), FORM))[0] == 413


async def test_a_body_that_comes_byte_by_byte_is_taken(client: Client) -> None:
    body = form(("timestamp", b"12.5"), ("frame_file", JPEG))
    head = f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: {len(body)}"
    pieces = [body[at : at + 1] for at in range(120)]
    answer = await client.raw(head, *pieces, body[120:])
    assert answer.split()[1] == b"202"
    assert client.api.door.held()[0].data == JPEG


@pytest.mark.parametrize("type_", ["image/jpeg", "multipart/form-data; boundary=b"])
@in_virtual_time
async def test_a_body_that_never_ends_is_given_up_after_fifteen_seconds(type_: str) -> None:
    async with serving() as one:
        began = asyncio.get_running_loop().time()
        head = f"Content-Type: {type_}\r\nContent-Length: 5000"
        answer = await one.raw(head, form(("frame_file", JPEG))[:200])
        assert answer.split()[1] == b"408"
        assert asyncio.get_running_loop().time() - began == pytest.approx(15, abs=0.5)
        assert one.api.door.frames == 0


async def test_a_client_that_goes_away_in_the_middle_leaves_nothing_behind(client: Client) -> None:
    head = f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: 5000"
    await client.raw(head, form(("frame_file", JPEG))[:200], read=False)
    assert (await client.push(JPEG, JPEG_TYPE))[0] == 202
    assert client.api.door.frames == 1


pieces = st.sampled_from(
    [
        b"--b\r\n",
        b"--b--\r\n",
        b"--b",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b'Content-Disposition: form-data; name="frame_file"\r\n\r\n',
        b'Content-Disposition: form-data; name="timestamp"\r\n\r\n',
        b'Content-Disposition: form-data; name="_charset_"\r\n\r\n',
        b"Content-Disposition: form-data; name=\xff;;;=\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Type: multipart/mixed\r\n",
        b"Content-Encoding: gzip\r\n",
        JPEG,
        b"1763801000.5",
    ]
)
bodies = st.lists(pieces | st.binary(max_size=60), max_size=12).map(b"".join)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=bodies, type_=st.sampled_from([FORM, JPEG_TYPE]))
def test_whatever_is_pushed_is_taken_or_refused_and_never_a_crash(
    pushing: "Pushing", body: bytes, type_: dict[str, str]
) -> None:
    status, said = pushing.push(body, type_)
    assert status in (202, 400, 413, 422), said


class Pushing:
    """The client above for tests that are not coroutines themselves."""

    def __init__(self, runner: asyncio.Runner, client: Client) -> None:
        self._runner = runner
        self._client = client

    def push(self, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        push = self._client.api.pushes["door"]
        push._tokens = 1e6
        return self._runner.run(self._client.push(body, headers))


@pytest.fixture
def pushing() -> Any:
    with asyncio.Runner() as runner:
        context = serving()
        yield Pushing(runner, runner.run(context.__aenter__()))
        runner.run(context.__aexit__(None, None, None))
