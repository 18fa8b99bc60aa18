"""A body becomes a spec and a Secret, and a camera becomes a body again: as values."""

from typing import Any

import pytest
from msgspec.structs import replace

from ingest_core.errors import InvalidManifest
from ingest_core.live import Live
from ingest_core.manifest import parse
from ingest_core.model import (
    CONNECTED,
    READY,
    Camera,
    CameraStatus,
    Condition,
    Metadata,
    RtspSource,
)
from ingest_gateway.bodies import CameraBody, said, view, wanted

URL = "rtsp://10.0.0.7/x"
SECRET = "hunter2"


def body(**fields: object) -> CameraBody:
    return parse({"id": "lobby", "source_type": "rtsp", "source_url": URL, **fields}, CameraBody)


def push(**fields: object) -> CameraBody:
    return parse({"id": "door", "source_type": "http_push", **fields}, CameraBody)


def camera(of: CameraBody, name: str = "lobby", *conditions: Condition) -> Camera:
    return Camera(
        metadata=Metadata(name=name),
        spec=wanted(of, name).spec,
        status=CameraStatus(conditions=conditions),
    )


def test_the_shortest_body_is_a_camera_with_every_default() -> None:
    want = wanted(body(), "lobby")
    assert want.spec.source.rtsp == RtspSource(url=URL)
    assert (want.spec.camera_id, dict(want.secret)) == (None, {})


def test_an_id_that_is_no_name_is_kept_in_the_spec() -> None:
    assert wanted(body(id="cam_001"), "cam-001-x").spec.camera_id == "cam_001"


@pytest.mark.parametrize(
    "fields",
    [
        {"source_url": "rtsp://admin:p%40ss@10.0.0.7/x"},
        {"username": "admin", "password": "p@ss"},
    ],
)
def test_a_login_leaves_the_url_and_goes_into_the_secret(fields: dict[str, str]) -> None:
    want = wanted(body(**fields), "lobby")
    assert want.spec.source.rtsp is not None
    assert want.spec.source.rtsp.url == URL
    assert want.secret == {"username": "admin", "password": "p@ss"}


def test_a_token_goes_into_the_secret() -> None:
    assert wanted(push(token=SECRET), "door").secret == {"token": SECRET}


def test_every_option_of_a_spec_is_in_reach() -> None:
    spec = {
        "source": {"rtsp": {"transport": "UDP", "session": "Exclusive"}},
        "buffer": {"seconds": 30},
        "motion": {"enabled": False},
        "suspend": True,
    }
    want = wanted(body(spec=spec), "lobby").spec
    assert want.source.rtsp == RtspSource(url=URL, transport="UDP", session="Exclusive")
    assert (want.buffer.seconds, want.motion.enabled, want.suspend) == (30, False, True)


@pytest.mark.parametrize(
    ("of", "field"),
    [
        (body(source_url=None), "source_url"),
        (body(source_url="http://h/x/y"), "source_url"),
        (body(source_url=f"rtsp://u:1/{SECRET}@h"), "source_url"),
        (body(source_url="rtsp://u:%0a@h"), "source_url"),
        (body(username="u"), "password"),
        (body(password=SECRET), "username"),
        (body(source_url=f"rtsp://a:{SECRET}@h", username="u", password="p"), "username"),
        (body(token=SECRET), "token"),
        (body(spec={"source": {"rtsp": {"url": URL}}}), "spec.source.rtsp.url"),
        (body(spec={"source": {"push": {}}}), "spec.source.push"),
        (body(spec={"source": URL}), "spec.source"),
        (body(spec={"source": {"rtsp": URL}}), "spec.source.rtsp"),
        (body(spec={"cameraId": "other"}), "spec.cameraId"),
        (body(spec={"colour": 1}), "spec.colour"),
        (body(spec={"weight": 0}), "spec.weight"),
        (body(spec={"source": {"rtsp": {"tls": {}}}}), "spec.source.rtsp.tls"),
        (push(source_url=URL), "source_url"),
        (push(username="u", password="p"), "username"),
        (push(spec={"source": {"rtsp": {}}}), "spec.source.rtsp"),
        (push(spec={"source": {"push": {"url": URL}}}), "spec.source.push.url"),
        (push(spec={"source": {"push": {"maxFPS": 0}}}), "spec.source.push.maxFPS"),
    ],
)
def test_what_does_not_go_together_is_told_by_the_bodys_own_field(
    of: CameraBody, field: str
) -> None:
    with pytest.raises(InvalidManifest) as caught:
        wanted(of, of.id)
    assert caught.value.problems[0].field == field
    assert SECRET not in str(caught.value)


def test_what_is_said_of_a_camera_makes_the_same_camera() -> None:
    spec = {"source": {"rtsp": {"transport": "UDP"}}, "weight": 7}
    there = camera(body(id="cam_001", spec=spec), "cam-001-x")
    again = parse(said(there), CameraBody)
    assert wanted(again, "cam-001-x").spec == there.spec


def test_a_view_tells_ready_with_its_reason_and_what_the_worker_sees() -> None:
    live = Live(camera_id="lobby", worker="w", epoch=1, connected=True, reason="Connected")
    conditions = (
        Condition(type=CONNECTED, status="True", reason="Connected"),
        Condition(type=READY, status="False", reason="Stalled", message="no frames for 10 s"),
    )
    told = view(camera(body(), "lobby", *conditions), live).status
    assert (told.ready, told.reason, told.message) == (False, "Stalled", "no frames for 10 s")
    assert (told.live, told.conditions) == (live, conditions)
    ready = replace(conditions[1], status="True")
    assert view(camera(body(), "lobby", ready), None).status.ready


def test_a_camera_of_which_nobody_spoke_is_pending() -> None:
    told = view(camera(body()), None)
    assert (told.status.ready, told.status.reason, told.status.live) == (False, "Pending", None)
    assert (told.source_url, told.source_type, told.spec) == (URL, "rtsp", {"source": {"rtsp": {}}})


def test_a_pushed_camera_has_no_url() -> None:
    told = view(camera(push(), "door"), None)
    assert (told.source_url, told.source_type) == (None, "http_push")


def test_neither_a_body_nor_what_it_wants_prints_a_login() -> None:
    of = body(username="admin", password=SECRET)
    assert SECRET not in f"{of!r}{wanted(of, 'lobby')!r}"


@pytest.mark.parametrize("field", ["username", "password"])
def test_a_login_holds_no_control_characters(field: str) -> None:
    fields: dict[str, Any] = {"username": "u", "password": "p", field: "a\x00"}
    with pytest.raises(InvalidManifest, match=f"{field}.*must not hold control characters"):
        body(**fields)


@pytest.mark.parametrize("token", ["", " lead", "a b", "a\nb", "sch\xf6n", "x" * 257])
def test_a_token_is_what_a_header_can_hold(token: str) -> None:
    with pytest.raises(InvalidManifest, match="token") as refused:
        push(token=token)
    assert not token or token not in str(refused.value)
