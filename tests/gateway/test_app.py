"""The gateway's calls, by a real client over a real socket."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client import Metric
from prometheus_client.registry import Collector

from ingest_core import metrics
from ingest_core.errors import FrameUnavailable
from ingest_core.live import Live
from ingest_core.model import Decode
from ingest_core.problems import URN
from ingest_gateway.routes import CALLS
from tests.gateway.conftest import JPEG, Gateway

PASSWORD = "pass%word"
CAM_001 = {
    "id": "cam_001",
    "source_type": "rtsp",
    "source_url": "rtsp://admin:pass%25word@192.168.1.100:554/stream1",
}
LOBBY = {"id": "lobby", "source_type": "rtsp", "source_url": "rtsp://10.0.0.7/x"}


async def call(
    gateway: Gateway, method: str, path: str, body: object = None, **options: Any
) -> tuple[int, Any]:
    if body is not None:
        options["json"] = body
    async with gateway.session.request(method, path, **options) as response:
        if response.content_type.endswith("json"):
            return response.status, await response.json(content_type=None)
        return response.status, await response.read()


async def test_a_camera_is_made_shown_listed_changed_and_removed(gateway: Gateway) -> None:
    async with gateway.session.post("/api/cameras", json=CAM_001) as response:
        made = await response.json()
        assert response.status == 201
        assert response.headers["Location"] == "/api/cameras/cam_001"
    assert (made["id"], made["source_type"]) == ("cam_001", "rtsp")
    assert made["source_url"] == "rtsp://192.168.1.100:554/stream1"
    assert made["name"].startswith("cam-001-")
    assert await call(gateway, "GET", "/api/cameras/cam_001") == (200, made)
    assert await call(gateway, "GET", "/api/cameras") == (200, {"items": [made], "continue": None})

    status, changed = await call(
        gateway, "PATCH", "/api/cameras/cam_001", {"spec": {"suspend": True}}
    )
    assert (status, changed["spec"]["suspend"]) == (200, True)
    assert changed["source_url"] == made["source_url"]
    assert await call(gateway, "DELETE", "/api/cameras/cam_001") == (204, b"")
    assert (await call(gateway, "GET", "/api/cameras/cam_001"))[0] == 404
    assert (await call(gateway, "DELETE", "/api/cameras/cam_001"))[0] == 404


async def test_a_login_is_kept_as_a_secret_and_never_said_again(gateway: Gateway) -> None:
    answers = [
        await call(gateway, "POST", "/api/cameras", CAM_001),
        await call(gateway, "POST", "/api/cameras", CAM_001),
        await call(gateway, "GET", "/api/cameras/cam_001"),
        await call(gateway, "PATCH", "/api/cameras/cam_001", {"spec": {"weight": 7}}),
        await call(gateway, "PATCH", "/api/cameras/cam_001", {"password": PASSWORD}),
    ]
    assert [status for status, _ in answers] == [201, 409, 200, 200, 422]
    assert "pass%" not in str(answers)
    assert list(gateway.registry.secrets.values()) == [{"username": "admin", "password": PASSWORD}]


async def test_a_patch_may_give_another_login(gateway: Gateway) -> None:
    await call(gateway, "POST", "/api/cameras", CAM_001)
    url = "rtsp://root:new@10.0.0.8/x"
    status, changed = await call(gateway, "PATCH", "/api/cameras/cam_001", {"source_url": url})
    assert (status, changed["source_url"]) == (200, "rtsp://10.0.0.8/x")
    assert list(gateway.registry.secrets.values()) == [{"username": "root", "password": "new"}]


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://10.66.6.6/x",
        "rtsps://192.168.1.100:554/stream1",
        "rtsp://192.168.1.100:5544/stream1",
    ],
)
async def test_a_stored_login_never_follows_a_camera_to_another_place(
    gateway: Gateway, url: str
) -> None:
    _, before = await call(gateway, "POST", "/api/cameras", CAM_001)
    path = "/api/cameras/cam_001"
    status, problem = await call(gateway, "PATCH", path, {"source_url": url})
    assert (status, problem["errors"][0]["field"]) == (422, "source_url")
    assert await call(gateway, "GET", path) == (200, before)
    without = {"spec": {"source": {"rtsp": {"credentialsSecretRef": None}}}}
    status, after = await call(gateway, "PATCH", path, {"source_url": url, **without})
    assert (status, after["source_url"]) == (200, url)
    assert gateway.registry.secrets == {}


async def test_a_login_stays_where_only_the_path_changes(gateway: Gateway) -> None:
    await call(gateway, "POST", "/api/cameras", CAM_001)
    patch = {"source_url": "rtsp://192.168.1.100/stream2"}  # 554 is RTSP's own port
    assert (await call(gateway, "PATCH", "/api/cameras/cam_001", patch))[0] == 200
    assert list(gateway.registry.secrets.values()) == [{"username": "admin", "password": PASSWORD}]


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"rtsp": {"credentialsSecretRef": {"name": "NAME"}}}, "rtsp.credentialsSecretRef.name"),
        (
            {"rtsp": {"tls": {"caSecretRef": {"name": "NAME", "key": "password"}}}},
            "rtsp.tls.caSecretRef.name",
        ),
        ({"push": {"tokenSecretRef": {"name": "NAME", "key": "password"}}}, "push.tokenSecretRef"),
    ],
)
async def test_the_login_of_another_camera_cannot_be_named(
    gateway: Gateway, source: dict[str, Any], field: str
) -> None:
    await call(gateway, "POST", "/api/cameras", CAM_001)
    (name,) = gateway.registry.secrets
    taking = msgspec.json.decode(msgspec.json.encode(source).replace(b"NAME", name.encode()))
    kind = {"source_type": "http_push"} if "push" in source else {"source_type": "rtsp"}
    url = {} if "push" in source else {"source_url": "rtsps://10.66.6.6/x"}
    mine = {"id": "mine", **kind, **url}
    status, problem = await call(
        gateway, "POST", "/api/cameras", mine | {"spec": {"source": taking}}
    )
    assert (status, problem["errors"][0]["field"].startswith(f"spec.source.{field}")) == (422, True)
    assert (await call(gateway, "POST", "/api/cameras", mine))[0] == 201
    status, _ = await call(gateway, "PATCH", "/api/cameras/mine", {"spec": {"source": taking}})
    assert status == 422


async def test_a_patch_takes_an_option_back_with_null(gateway: Gateway) -> None:
    await call(gateway, "POST", "/api/cameras", LOBBY | {"spec": {"weight": 7, "suspend": True}})
    patch = {"spec": {"weight": None}}
    _, changed = await call(
        gateway,
        "PATCH",
        "/api/cameras/lobby",
        patch,
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert changed["spec"] == {"source": {"rtsp": {}}, "suspend": True}


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"id": "other"}, "id"),
        ({"id": None}, "id"),
        ({"source_type": None}, "source_type"),
        ({"source_type": "http_push", "spec": {"source": None}}, "source_url"),
        ({"name": "x"}, "name"),
        ({"status": {}}, "status"),
        ({"spec": {"weight": 0}}, "spec.weight"),
        ({"spec": 5}, "spec"),
        ({"spec": {"source": {"rtsp": {"url": "rtsp://h"}}}}, "spec.source.rtsp.url"),
    ],
)
async def test_a_wrong_patch_is_a_422_and_changes_nothing(
    gateway: Gateway, patch: object, field: str
) -> None:
    _, before = await call(gateway, "POST", "/api/cameras", LOBBY)
    status, problem = await call(gateway, "PATCH", "/api/cameras/lobby", patch)
    assert (status, problem["errors"][0]["field"]) == (422, field)
    assert await call(gateway, "GET", "/api/cameras/lobby") == (200, before)


async def test_patches_at_the_same_time_all_hold(gateway: Gateway) -> None:
    await call(gateway, "POST", "/api/cameras", LOBBY)
    patches: list[dict[str, object]] = [
        {"spec": {"weight": 7}},
        {"spec": {"suspend": True}},
        {"spec": {"decode": "Keyframes"}},
    ]
    await asyncio.gather(
        *(call(gateway, "PATCH", "/api/cameras/lobby", patch) for patch in patches)
    )
    _, after = await call(gateway, "GET", "/api/cameras/lobby")
    assert after["spec"] | {"source": None} == {
        "source": None,
        "weight": 7,
        "suspend": True,
        "decode": "Keyframes",
    }


async def test_a_patch_goes_on_top_of_what_somebody_else_changed_meanwhile(
    gateway: Gateway,
) -> None:
    await call(gateway, "POST", "/api/cameras", LOBBY)
    gateway.registry.meanwhile = [{"weight": 7}, {"decode": Decode.KEYFRAMES}]
    status, after = await call(gateway, "PATCH", "/api/cameras/lobby", {"spec": {"suspend": True}})
    assert status == 200
    assert after["spec"] | {"source": None} == {
        "source": None,
        "weight": 7,
        "suspend": True,
        "decode": "Keyframes",
    }


async def test_a_patch_that_somebody_else_always_precedes_is_given_up(gateway: Gateway) -> None:
    await call(gateway, "POST", "/api/cameras", LOBBY)
    gateway.registry.meanwhile = [{"weight": weight} for weight in range(1, 4)]
    status, problem = await call(
        gateway, "PATCH", "/api/cameras/lobby", {"spec": {"suspend": True}}
    )
    assert (status, problem["type"]) == (409, f"{URN}camera-changed")


async def test_of_two_creations_at_the_same_time_one_is_a_conflict(gateway: Gateway) -> None:
    answers = await asyncio.gather(
        *(call(gateway, "POST", "/api/cameras", LOBBY) for _ in range(5))
    )
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409, 409]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "id"),
        (LOBBY | {"id": ""}, "id"),
        (LOBBY | {"id": "a/b"}, "id"),
        (LOBBY | {"id": "a" * 64}, "id"),
        (LOBBY | {"id": ".."}, "spec.cameraId"),
        (LOBBY | {"id": "a\u0000"}, "id"),
        (LOBBY | {"source_type": "ftp"}, "source_type"),
        (LOBBY | {"source_url": "file://h/etc/passwd"}, "source_url"),
        (LOBBY | {"source_url": 5}, "source_url"),
        (LOBBY | {"colour": "red"}, "colour"),
        (LOBBY | {"spec": {"colour": "red"}}, "spec.colour"),
        ([LOBBY], "(document)"),
    ],
)
async def test_a_wrong_camera_is_a_422_that_names_the_field(
    gateway: Gateway, body: object, field: str
) -> None:
    status, problem = await call(gateway, "POST", "/api/cameras", body)
    assert (status, problem["errors"][0]["field"]) == (422, field)
    assert not gateway.registry.cameras


async def test_a_body_without_its_type_is_a_415_that_says_how(gateway: Gateway) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, problem = await call(gateway, "POST", "/api/cameras", data=b"{}", headers=headers)
    assert status == 415
    assert "-H 'Content-Type: application/json'" in problem["detail"]


async def test_a_huge_body_is_a_413(gateway: Gateway) -> None:
    body = LOBBY | {"spec": {"x": "y" * 70_000}}
    assert (await call(gateway, "POST", "/api/cameras", body))[0] == 413


async def test_a_registry_that_is_down_is_a_503_that_says_when_to_come_again(
    gateway: Gateway,
) -> None:
    gateway.registry.down = True
    async with gateway.session.post("/api/cameras", json=LOBBY) as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "5"


async def test_the_list_comes_in_pages_by_id(gateway: Gateway) -> None:
    for number in (3, 1, 2):
        await call(gateway, "POST", "/api/cameras", LOBBY | {"id": f"cam_{number}"})
    _, first = await call(gateway, "GET", "/api/cameras?limit=2")
    assert [item["id"] for item in first["items"]] == ["cam_1", "cam_2"]
    path = f"/api/cameras?limit=2&continue={first['continue']}"
    _, second = await call(gateway, "GET", path)
    assert ([item["id"] for item in second["items"]], second["continue"]) == (["cam_3"], None)


async def test_of_several_cameras_with_one_id_the_list_has_the_oldest(gateway: Gateway) -> None:
    """On Kubernetes somebody may apply them; the others say DuplicateId there."""
    await call(gateway, "POST", "/api/cameras", LOBBY)
    there = gateway.registry.cameras["lobby"]
    for name, created in (("old", "2026-11-22T08:00:00Z"), ("young", "2026-11-22T09:00:00Z")):
        metadata = replace(there.metadata, name=name, creation_timestamp=created)
        spec = replace(there.spec, camera_id="door")
        gateway.registry._roll._put(replace(there, metadata=metadata, spec=spec))
    _, every = await call(gateway, "GET", "/api/cameras")
    assert [(one["id"], one["name"]) for one in every["items"]] == [
        ("door", "old"),
        ("lobby", "lobby"),
    ]


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "", "9" * 5000])
async def test_a_wrong_limit_is_a_400(gateway: Gateway, limit: str) -> None:
    assert (await call(gateway, "GET", f"/api/cameras?limit={limit}"))[0] == 400


async def test_a_camera_shows_what_its_worker_sees(gateway: Gateway) -> None:
    await call(gateway, "POST", "/api/cameras", LOBBY)
    gateway.workers.alive["lobby"] = Live(
        camera_id="lobby", worker="standalone", epoch=1, connected=True, reason="Connected", fps=15
    )
    _, shown = await call(gateway, "GET", "/api/cameras/lobby")
    assert shown["status"]["live"]["fps"] == 15
    _, every = await call(gateway, "GET", "/api/cameras")
    assert every["items"] == [shown]


@pytest.mark.parametrize(
    ("path", "tail"),
    [
        ("/api/cameras/lobby/frame/latest?width=320", "frame/latest"),
        ("/api/cameras/lobby/frames?width=320", "frames"),
        ("/api/cameras/lobby/frames/12?width=320", "frames/12"),
    ],
)
async def test_frames_are_answered_by_the_worker(gateway: Gateway, path: str, tail: str) -> None:
    await call(gateway, "POST", "/api/cameras", LOBBY)
    assert await call(gateway, "GET", path) == (200, JPEG)
    assert gateway.workers.asked == [("lobby", tail, "width=320")]


async def test_what_a_worker_refuses_is_a_problem(gateway: Gateway) -> None:
    await call(gateway, "POST", "/api/cameras", LOBBY)
    gateway.workers.error = FrameUnavailable("the newest frame is 9 s old", 2)
    async with gateway.session.get("/api/cameras/lobby/frame/latest") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "2")
        assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/cameras/{id}"),
        ("PATCH", "/api/cameras/{id}"),
        ("DELETE", "/api/cameras/{id}"),
        ("GET", "/api/cameras/{id}/frame/latest"),
        ("GET", "/api/cameras/{id}/frames"),
        ("GET", "/api/cameras/{id}/frames/1"),
        ("POST", "/api/ingest/push/{id}"),
    ],
)
@pytest.mark.parametrize("camera_id", ["nobody", "%2e%2e%2fx", "%00", "%ff", "x" * 5000])
async def test_an_unknown_camera_is_a_404_that_no_worker_sees(
    gateway: Gateway, method: str, path: str, camera_id: str
) -> None:
    status, problem = await call(gateway, method, path.replace("{id}", camera_id))
    assert status == 404
    assert problem["type"] == "urn:camera-ingest:problem:unknown-camera"
    assert len(problem["detail"]) < 400
    assert gateway.workers.asked == []


@pytest.mark.parametrize("sequence", ["x", "-1", "1.5", "%C2%B2", "%2e%2e%2fx"])
async def test_a_frame_that_has_no_number_is_a_404(gateway: Gateway, sequence: str) -> None:
    await call(gateway, "POST", "/api/cameras", LOBBY)
    assert (await call(gateway, "GET", f"/api/cameras/lobby/frames/{sequence}"))[0] == 404
    assert gateway.workers.asked == []


async def test_metrics_show_calls_by_template(gateway: Gateway) -> None:
    await call(gateway, "GET", "/api/cameras/nobody")
    status, text = await call(gateway, "GET", "/metrics")
    assert status == 200
    line = f'{metrics.HTTP_SECONDS.name}_count{{method="GET",route="/api/cameras/{{id}}"'
    assert line in text.decode()
    assert "nobody" not in text.decode()


@pytest.mark.parametrize(
    ("missing", "why"),
    [("synced", "cameras have not been read"), ("ready", "worker has not begun")],
)
async def test_it_is_ready_once_the_cameras_are_known_and_begun_with(
    gateway: Gateway, missing: str, why: str
) -> None:
    assert (await call(gateway, "GET", "/readyz"))[0] == 200
    setattr(gateway.registry if missing == "synced" else gateway, missing, False)
    async with gateway.session.get("/readyz") as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
        assert why in (await response.json(content_type="application/problem+json"))["detail"]
    assert (await call(gateway, "GET", "/healthz"))[0] == 200


async def test_cameras_that_were_not_read_yet_are_not_none(gateway: Gateway) -> None:
    gateway.registry.synced = False
    status, _ = await call(gateway, "GET", "/api/cameras")
    assert status == 503


class Slow(Collector):
    """Takes its time over a scrape: until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        self.begun.set()
        assert self.let_go.wait(5)
        return iter(())


async def test_a_scrape_that_takes_its_time_stops_no_other_call(gateway: Gateway) -> None:
    slow = Slow()
    gateway.exposition.register(slow)
    scrape = asyncio.create_task(call(gateway, "GET", "/metrics"))
    assert await asyncio.to_thread(slow.begun.wait, 5)
    assert (await call(gateway, "GET", "/healthz"))[0] == 200
    slow.let_go.set()
    assert (await scrape)[0] == 200


async def test_the_index_lists_every_call(gateway: Gateway) -> None:
    _, text = await call(gateway, "GET", "/")
    for each in CALLS:
        assert each.path in text.decode()
        assert each.summary in text.decode()


async def test_every_call_of_the_table_is_served(gateway: Gateway) -> None:
    for each in CALLS:
        path = each.path.replace("{id}", "lobby").replace("{sequence}", "1")
        async with gateway.session.options(path) as response:
            assert each.method in response.headers["Allow"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_quick_start_works_verbatim(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "frame.jpg").write_bytes(JPEG)
    quick_start = r"""
    set -e
    curl -sS -X POST http://localhost:8000/api/cameras -H 'Content-Type: application/json' -d '{
      "id": "cam_001",
      "source_type": "rtsp",
      "source_url": "rtsp://admin:password@192.168.1.100:554/stream1"}' -f >made.json
    curl -sS -f -X POST http://localhost:8000/api/ingest/push/cam_001 -F "frame_file=@frame.jpg" \
      -F "timestamp=$(date +%s.%N)" >pushed.json
    curl -sS -f http://localhost:8000/api/cameras/cam_001/frame/latest -o latest.jpg
    """.replace("http://localhost:8000", gateway.url)
    process = await asyncio.create_subprocess_exec("bash", "-c", quick_start, cwd=tmp_path)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert (tmp_path / "pushed.json").read_text() == '{"sequence": 1}'
    assert (tmp_path / "latest.jpg").read_bytes() == JPEG
    assert "password" not in (tmp_path / "made.json").read_text()
    assert gateway.workers.pushed == {"frame_file": "FileField", "timestamp": "str"}
