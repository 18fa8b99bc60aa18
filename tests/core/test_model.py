"""The model: the manifest of the design in, and the same manifest out."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core import model
from ingest_core.errors import Failure
from ingest_core.model import (
    Assignment,
    Camera,
    CameraSpec,
    CameraStatus,
    ConnectedReason,
    Decode,
    Metadata,
    PushSource,
    RtspSource,
    Source,
)

DOCUMENTED: dict[str, Any] = {
    "apiVersion": "camera-ingest.io/v1alpha1",
    "kind": "Camera",
    "metadata": {"name": "lobby"},
    "spec": {
        "cameraId": "Lobby_1",
        "poolRef": {"name": "outdoor"},
        "source": {
            "rtsp": {
                "url": "rtsps://10.0.0.7:554/stream2",
                "transport": "UDP",
                "credentialsSecretRef": {
                    "name": "lobby-login",
                    "usernameKey": "user",
                    "passwordKey": "pass",
                },
                "tls": {
                    "caSecretRef": {"name": "ca", "key": "ca.crt"},
                    "insecureSkipVerify": True,
                },
                "session": "Exclusive",
                "connectTimeoutSeconds": 11,
                "stallTimeoutSeconds": 12,
            }
        },
        "decode": "Keyframes",
        "buffer": {"seconds": 11, "maxBytes": 1000000},
        "motion": {
            "enabled": False,
            "sensitivity": 51,
            "minAreaPermille": 3,
            "cooldownSeconds": 6,
            "masks": [
                {
                    "name": "tree",
                    "polygon": [
                        {"xPermille": 0, "yPermille": 1},
                        {"xPermille": 1000, "yPermille": 2},
                        {"xPermille": 3, "yPermille": 1000},
                    ],
                }
            ],
        },
        "weight": 101,
        "suspend": True,
    },
    "status": {"assignment": {"worker": "default-0", "previous": "default-2", "epoch": 4}},
}


def parsed(raw: object) -> Camera:
    return msgspec.convert(raw, Camera)


def spec(**changes: Any) -> dict[str, Any]:
    source = {"rtsp": {"url": "rtsp://192.0.2.1/"}}
    return {**DOCUMENTED, "spec": {"source": source, **changes}}


def test_a_manifest_with_every_field_comes_out_as_it_went_in() -> None:
    out = msgspec.json.encode(parsed(DOCUMENTED))
    assert msgspec.json.decode(out) == DOCUMENTED


def test_what_is_not_said_has_the_documented_default() -> None:
    camera = parsed(spec())
    rtsp = camera.spec.source.rtsp
    assert rtsp is not None
    assert (rtsp.transport, rtsp.session) == ("TCP", "Shared")
    assert (rtsp.connect_timeout_seconds, rtsp.stall_timeout_seconds) == (10, 10)
    assert camera.spec.pool_ref.name == "default"
    assert camera.spec.decode is Decode.ALL
    assert (camera.spec.buffer.seconds, camera.spec.buffer.max_bytes) == (10, 33554432)
    motion = camera.spec.motion
    assert (motion.enabled, motion.sensitivity, motion.min_area_permille) == (True, 50, 2)
    assert (motion.cooldown_seconds, motion.masks) == (5, ())
    assert (camera.spec.weight, camera.spec.suspend) == (100, False)
    push = msgspec.convert({}, PushSource)
    assert (push.max_frame_bytes, push.max_fps, push.token_secret_ref) == (8388608, 30, None)


def test_defaults_are_not_written() -> None:
    written = msgspec.to_builtins(parsed(spec()).spec)
    assert written == {"source": {"rtsp": {"url": "rtsp://192.0.2.1/"}}}


def test_the_rate_of_a_push_camera_is_spelled_as_documented() -> None:
    assert msgspec.to_builtins(PushSource(max_fps=5)) == {"maxFPS": 5}


def test_an_id_is_what_the_manifest_says_or_its_name() -> None:
    assert parsed(DOCUMENTED).id == "Lobby_1"
    assert parsed(spec()).id == "lobby"


def test_the_epoch_is_that_of_the_assignment_and_nothing_without_one() -> None:
    assert parsed(DOCUMENTED).epoch == 4
    camera = Camera(
        metadata=Metadata(name="a"),
        spec=CameraSpec(source=Source(rtsp=RtspSource(url="rtsp://a/"))),
    )
    assert camera.epoch == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"buffer": {"seconds": 0}},
        {"buffer": {"seconds": 301}},
        {"buffer": {"maxBytes": 65535}},
        {"motion": {"sensitivity": 101}},
        {"motion": {"minAreaPermille": 0}},
        {"motion": {"cooldownSeconds": 3601}},
        {"motion": {"masks": [{"name": "a", "polygon": []}]}},
        {"motion": {"masks": [{"name": "", "polygon": [{"xPermille": 0, "yPermille": 0}] * 3}]}},
        {
            "motion": {
                "masks": [{"name": "a", "polygon": [{"xPermille": 1001, "yPermille": 0}] * 3}]
            }
        },
        {"weight": 0},
        {"weight": 64001},
        {"weight": 1.5},
        {"cameraId": ""},
        {"cameraId": "a" * 64},
        {"cameraId": "a/b"},
        {"cameraId": "a\n"},
        {"poolRef": {"name": "Upper"}},
        {"decode": "None"},
        {"suspend": "yes"},
        {"typo": 1},
        {"source": {"rtsp": {"url": "rtsp://a/", "typo": 1}}},
        {"source": {"rtsp": {"url": "rtsp://" + "a" * 2048}}},
        {"source": {"rtsp": {"url": "rtsp://a/", "connectTimeoutSeconds": 301}}},
        {"source": {"push": {"maxFPS": 121}}},
        {"source": {"push": {"maxFrameBytes": 1023}}},
        {"source": {"push": {"maxFrameBytes": model.MAX_FRAME_BYTES + 1}}},
    ],
)
def test_what_one_field_may_not_be_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        parsed(spec(**bad))


def test_a_status_of_a_newer_writer_is_let_be() -> None:
    raw = {**DOCUMENTED, "status": {"novelty": 1, "assignment": {"worker": "w", "epoch": 2}}}
    assert parsed(raw).epoch == 2


def test_reasons_are_in_camel_case_and_none_means_two_things() -> None:
    reasons = [one.value for one in (*ConnectedReason, *Failure)]
    assert len(set(reasons)) == len(reasons)
    assert all(reason.isalpha() and reason[0].isupper() for reason in reasons)


@given(
    st.builds(
        CameraSpec,
        source=st.just(Source(push=PushSource())),
        weight=st.integers(1, 64000),
        suspend=st.booleans(),
        decode=st.sampled_from(Decode),
    ),
    st.integers(0, 2**31),
)
def test_whatever_is_written_is_read_back_the_same(given_spec: CameraSpec, epoch: int) -> None:
    camera = Camera(
        metadata=Metadata(name="a", generation=epoch),
        spec=given_spec,
        status=CameraStatus(assignment=Assignment(worker="w", epoch=epoch)),
    )
    assert msgspec.json.decode(msgspec.json.encode(camera), type=Camera) == camera
