"""Names of objects are derived from ids, the same every time, and do not meet."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.model import (
    CameraSpec,
    CredentialsRef,
    PushSource,
    RtspSource,
    SecretRef,
    Source,
    Tls,
)
from ingest_core.names import CAMERA_ID_PATTERN, OBJECT_NAME_PATTERN
from ingest_core.objects import foreign, object_name, referring, secrets_of

IDS = st.from_regex(CAMERA_ID_PATTERN.replace(r"\Z", "$"), fullmatch=True)
RTSP = CameraSpec(source=Source(rtsp=RtspSource(url="rtsp://h/x")))
PUSH = CameraSpec(source=Source(push=PushSource()))


@pytest.mark.parametrize("camera_id", ["lobby", "a", "cam-1", "0", "x" * 63])
def test_an_id_that_is_a_label_is_its_objects_name(camera_id: str) -> None:
    assert object_name(camera_id) == camera_id


@pytest.mark.parametrize(
    ("camera_id", "readable"),
    [
        ("cam_001", "cam-001-"),
        ("Lobby", "lobby-"),
        ("a.b", "a-b-"),
        ("_-_", "camera-"),
        ("lobby.secret", "lobby-secret-"),
    ],
)
def test_an_id_that_is_none_stays_readable(camera_id: str, readable: str) -> None:
    assert re.fullmatch(f"{readable}[0-9a-f]{{10}}", object_name(camera_id))


@given(IDS)
def test_every_id_has_a_name_that_an_object_may_have(camera_id: str) -> None:
    name = object_name(camera_id)
    assert re.match(OBJECT_NAME_PATTERN, name)
    assert len(name) <= 63
    assert "." not in name


@given(st.sets(IDS, min_size=2, max_size=20))
def test_different_ids_have_different_names(ids: set[str]) -> None:
    assert len({object_name(one) for one in ids}) == len(ids)


def test_ids_that_look_alike_have_different_names() -> None:
    alike = ["cam_1", "Cam_1", "cam.1", "CAM-1", "cam-1"]
    assert len({object_name(one) for one in alike}) == len(alike)


def test_a_spec_is_pointed_at_its_own_secret_by_what_the_secret_holds() -> None:
    rtsp = referring(RTSP, "own", ["username", "password"]).source.rtsp
    assert rtsp is not None
    assert rtsp.credentials_secret_ref == CredentialsRef(name="own")
    push = referring(PUSH, "own", ["token"]).source.push
    assert push is not None
    assert push.token_secret_ref == SecretRef(name="own", key="token")


@pytest.mark.parametrize(
    ("spec", "keys"), [(RTSP, ["token"]), (RTSP, ["username"]), (PUSH, ["username", "password"])]
)
def test_a_secret_that_a_source_has_no_use_for_changes_nothing(
    spec: CameraSpec, keys: list[str]
) -> None:
    assert referring(spec, "own", keys) == spec


def test_every_secret_that_a_spec_names_is_found() -> None:
    rtsp = RtspSource(
        url="rtsps://h/x",
        credentials_secret_ref=CredentialsRef(name="login"),
        tls=Tls(ca_secret_ref=SecretRef(name="ca", key="ca.crt")),
    )
    assert secrets_of(CameraSpec(source=Source(rtsp=rtsp))) == {"login", "ca"}
    assert secrets_of(referring(PUSH, "own", ["token"])) == {"own"}
    assert secrets_of(RTSP) == frozenset()


def test_over_the_api_a_camera_may_name_only_the_login_that_it_has_and_any_authority() -> None:
    login = referring(RTSP, "somebodys", ["username", "password"])
    token = referring(PUSH, "somebodys", ["token"])
    tls = Tls(ca_secret_ref=SecretRef(name="ca", key="ca.crt"))
    authority = CameraSpec(source=Source(rtsp=RtspSource(url="rtsps://h/x", tls=tls)))
    for spec in (login, token):
        (problem,) = foreign(spec, frozenset())
        assert problem.field.endswith("SecretRef.name")
        assert "somebodys" not in str(problem)
        assert foreign(spec, {"somebodys"}) == []
    assert foreign(authority, frozenset()) == []
