"""Which Secret is a camera's own cannot be made up by who may change the Camera only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingest_core import names
from ingest_core.manifest import parse
from ingest_core.model import Camera, CameraSpec, Metadata, RtspSource, Source
from ingest_core.objects import referring
from ingest_gateway.own_secret import kept, manifest, name_of, own_secret

SPEC = CameraSpec(source=Source(rtsp=RtspSource(url="rtsp://10.0.0.7/x")))
LOGIN = {"username": "u", "password": "p"}


def claiming(name: str, secret: object) -> Camera:
    annotations = {names.ANNOTATION_OWN_SECRET: secret}
    return Camera(metadata=Metadata(name=name, annotations=annotations), spec=SPEC)


@pytest.mark.parametrize(
    "secret",
    [
        "lobby-0123abcd0",
        "lobby-0123ABCD",
        "lobby-login",
        "lobby",
        "door-0123abcd",
        "lobby-x-0123abcd",
        "",
        5,
    ],
)
def test_only_a_name_that_was_made_for_this_camera_counts(secret: object) -> None:
    assert own_secret(claiming("lobby", "lobby-0123abcd")) == "lobby-0123abcd"
    assert own_secret(claiming("lobby", secret)) is None


def test_a_camera_without_the_annotation_has_none() -> None:
    assert own_secret(Camera(metadata=Metadata(name="lobby"), spec=SPEC)) is None


def test_it_is_kept_as_long_as_the_spec_names_it() -> None:
    camera = claiming("lobby", "lobby-0123abcd")
    assert kept(camera) is None
    named = replace(camera, spec=referring(SPEC, "lobby-0123abcd", LOGIN))
    assert kept(named) == "lobby-0123abcd"


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}\.?[a-z0-9]){0,20}", fullmatch=True))
def test_every_camera_gets_a_name_that_a_secret_can_have_and_that_is_known_again(name: str) -> None:
    camera = name[:253].rstrip("-.")
    secret = name_of(camera, "0123abcd")
    assert parse({"name": secret}, Metadata).name == secret
    assert own_secret(claiming(camera, secret)) == secret


def test_the_secret_goes_when_its_camera_goes() -> None:
    camera = replace(claiming("lobby", ""), metadata=Metadata(name="lobby", uid="1-2"))
    made = manifest("lobby-0123abcd", camera, LOGIN)
    (owner,) = made["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "camera-ingest.io/v1alpha1",
        "kind": "Camera",
        "name": "lobby",
        "uid": "1-2",
    }
    assert (made["type"], made["stringData"]) == ("Opaque", LOGIN)
