"""Every rule has a manifest that keeps it and one that breaks it, told by field."""

from typing import Any

import pytest

from ingest_core.errors import InvalidManifest, Problem
from ingest_core.manifest import parse, parse_camera
from ingest_core.model import Camera, CameraSpec, Decode

SECRET = "hunter2"
RTSP = "spec.source.rtsp"
POINT = {"xPermille": 0, "yPermille": 1000}


def manifest(path: str = "", value: object = None, *, push: bool = False) -> dict[str, Any]:
    """A valid manifest with one field set, or taken out with `...`."""
    raw: dict[str, Any] = {
        "apiVersion": "camera-ingest.io/v1alpha1",
        "kind": "Camera",
        "metadata": {"name": "lobby"},
        "spec": {"source": {"push": {}} if push else {"rtsp": {"url": "rtsps://10.0.0.7/x"}}},
    }
    *parents, last = path.split(".")
    here = raw
    for name in parents:
        here = here.setdefault(name, {})
    if value is ...:
        del here[last]
    elif path:
        here[last] = value
    return raw


def broken(raw: object) -> tuple[Problem, ...]:
    with pytest.raises(InvalidManifest) as caught:
        parse_camera(raw)
    return caught.value.problems


def mask(**changed: object) -> list[dict[str, object]]:
    return [{"name": "tree", "polygon": [POINT] * 3, **changed}]


GOOD: tuple[tuple[str, object], ...] = (
    ("metadata.name", "a"),
    ("metadata.name", "lobby-2.north"),
    ("metadata.labels", {"a": "b"}),
    ("metadata.annotations", {"a": {"b": 1}}),
    ("metadata.managedFields", []),
    ("spec.cameraId", "cam_001.A-z"),
    ("spec.cameraId", "x" * 63),
    ("spec.poolRef", {"name": "big"}),
    (f"{RTSP}.url", "rtsp://camera"),
    (f"{RTSP}.url", "rtsp://cam_1.local:554/a/b?c=d&e=%40"),
    (f"{RTSP}.url", "rtsp://[fe80::1]:65535/x"),
    (f"{RTSP}.transport", "UDP"),
    (f"{RTSP}.session", "Exclusive"),
    (f"{RTSP}.credentialsSecretRef", {"name": "login", "usernameKey": "u", "passwordKey": "p"}),
    (f"{RTSP}.tls", {"insecureSkipVerify": True}),
    (f"{RTSP}.tls", {"caSecretRef": {"name": "ca", "key": "ca.crt"}}),
    (f"{RTSP}.connectTimeoutSeconds", 300),
    (f"{RTSP}.stallTimeoutSeconds", 1),
    ("spec.decode", "Keyframes"),
    ("spec.buffer", {"seconds": 300, "maxBytes": 65536}),
    ("spec.motion", {"enabled": False, "sensitivity": 0, "minAreaPermille": 1}),
    ("spec.motion", {"sensitivity": 100, "minAreaPermille": 500, "cooldownSeconds": 3600}),
    ("spec.motion.masks", mask()),
    ("spec.weight", 64000),
    ("spec.suspend", True),
)

BAD: tuple[tuple[str, object, str, str | None, str], ...] = (
    ("apiVersion", ..., "apiVersion", None, "is required"),
    ("kind", ..., "kind", None, "is required"),
    ("apiVersion", "v1", "apiVersion", '"v1"', "must be one of camera-ingest.io/v1alpha1"),
    ("kind", "Pod", "kind", '"Pod"', "must be one of Camera"),
    ("colour", 1, "colour", None, "there is no such field"),
    ("metadata", ..., "metadata", None, "is required"),
    ("metadata.name", ..., "metadata.name", None, "is required"),
    ("metadata.name", "Lobby", "metadata.name", '"Lobby"', "must be 1 to 253 of"),
    ("metadata.name", "a\n", "metadata.name", '"a\\n"', "must be 1 to 253 of"),
    ("metadata.name", "a/b", "metadata.name", '"a/b"', "must be 1 to 253 of"),
    ("metadata.name", "x" * 64, "metadata.name", f'"{"x" * 64}"', "give spec.cameraId"),
    ("metadata.labels", {"a": 1}, "metadata.labels[...]", None, "must be a string"),
    ("metadata.labels", {1: "a"}, "metadata.labels", None, "every key must be a string"),
    ("spec", ..., "spec", None, "is required"),
    ("spec.colour", 1, "spec.colour", None, "there is no such field"),
    ("spec.cameraId", "cam 1", "spec.cameraId", '"cam 1"', "must be 1 to 63 of"),
    ("spec.cameraId", "x" * 64, "spec.cameraId", f'"{"x" * 64}"', "must be 1 to 63 of"),
    ("spec.cameraId", "..", "spec.cameraId", '".."', "no URL can name"),
    ("spec.poolRef", {"name": "A"}, "spec.poolRef.name", '"A"', "must be 1 to 253 of"),
    ("spec.source", ..., "spec.source", None, "is required"),
    ("spec.source", {}, "spec.source", "neither", "must have exactly one of rtsp, push"),
    ("spec.source.push", {}, "spec.source", "both", "must have exactly one of rtsp, push"),
    (f"{RTSP}.url", ..., f"{RTSP}.url", None, "is required"),
    (f"{RTSP}.url", "rtsp", f"{RTSP}.url", None, "must be of length >= 8"),
    (f"{RTSP}.url", "rtsp://h/" + "x" * 2048, f"{RTSP}.url", None, "must be of length <= 2048"),
    (f"{RTSP}.url", "camera.local/x", f"{RTSP}.url", None, "must be a URL"),
    (f"{RTSP}.url", "http://camera/x", f"{RTSP}.url", None, "scheme must be rtsp or rtsps"),
    (f"{RTSP}.url", "file://h/etc/passwd", f"{RTSP}.url", None, "scheme must be"),
    (f"{RTSP}.url", "rtsp:///x/y/z", f"{RTSP}.url", None, "must name a host"),
    (f"{RTSP}.url", "rtsp://h:0/x", f"{RTSP}.url", None, "a port of 1 to 65535"),
    (f"{RTSP}.url", "rtsp://h:65536/", f"{RTSP}.url", None, "a port of 1 to 65535"),
    (f"{RTSP}.url", "rtsp://[::1/x", f"{RTSP}.url", None, "must name a host"),
    (f"{RTSP}.url", "rtsp://a,b/x/y", f"{RTSP}.url", None, "must name a host"),
    (f"{RTSP}.url", "rtsp://-a/x/y", f"{RTSP}.url", None, "must name a host"),
    (f"{RTSP}.url", "rtsp://h/x y", f"{RTSP}.url", None, "spaces or control characters"),
    (f"{RTSP}.url", "rtsp://h/x\x00", f"{RTSP}.url", None, "spaces or control characters"),
    (f"{RTSP}.url", f"rtsp://u:{SECRET}@h/x", f"{RTSP}.url", None, "must not hold a login"),
    (f"{RTSP}.url", f"rtsp://u:1/{SECRET}@h/x", f"{RTSP}.url", None, "an @ after the host"),
    (f"{RTSP}.url", 5, f"{RTSP}.url", None, "must be a string, not a whole number"),
    (f"{RTSP}.transport", "SCTP", f"{RTSP}.transport", '"SCTP"', "must be one of TCP, UDP"),
    (f"{RTSP}.session", "Own", f"{RTSP}.session", '"Own"', "must be one of Exclusive, Shared"),
    (f"{RTSP}.password", SECRET, f"{RTSP}.password", None, "there is no such field"),
    (f"{RTSP}.credentialsSecretRef", {}, f"{RTSP}.credentialsSecretRef.name", None, "is required"),
    (
        f"{RTSP}.credentialsSecretRef",
        {"name": SECRET.upper()},
        f"{RTSP}.credentialsSecretRef.name",
        None,
        "must be 1 to 253 of",
    ),
    (f"{RTSP}.connectTimeoutSeconds", 0, f"{RTSP}.connectTimeoutSeconds", "0", "must be >= 1"),
    (f"{RTSP}.stallTimeoutSeconds", 301, f"{RTSP}.stallTimeoutSeconds", "301", "must be <= 300"),
    ("spec.decode", "Some", "spec.decode", '"Some"', "must be one of All, Keyframes"),
    ("spec.decode", f"rtsp://a b:{SECRET}", "spec.decode", "a URL or a login", "must be one of"),
    ("spec.decode", f"admin:{SECRET}@h", "spec.decode", "a URL or a login", "must be one of"),
    ("spec.buffer", {"seconds": 0}, "spec.buffer.seconds", "0", "must be >= 1"),
    ("spec.buffer", {"seconds": 301}, "spec.buffer.seconds", "301", "must be <= 300"),
    ("spec.buffer", {"maxBytes": 1}, "spec.buffer.maxBytes", "1", "must be >= 65536"),
    ("spec.buffer", {"maxBytes": 1 << 31}, "spec.buffer.maxBytes", str(1 << 31), "must be <= "),
    ("spec.motion.sensitivity", 101, "spec.motion.sensitivity", "101", "must be <= 100"),
    ("spec.motion.sensitivity", -1, "spec.motion.sensitivity", "-1", "must be >= 0"),
    ("spec.motion.minAreaPermille", 0, "spec.motion.minAreaPermille", "0", "must be >= 1"),
    ("spec.motion.cooldownSeconds", 0, "spec.motion.cooldownSeconds", "0", "must be >= 1"),
    ("spec.motion.masks", mask(name=""), "spec.motion.masks[0].name", None, "of length >= 1"),
    ("spec.motion.masks", mask() * 2, "spec.motion.masks[1].name", '"tree"', "another mask"),
    ("spec.motion.masks", mask() * 17, "spec.motion.masks", None, "must be of length <= 16"),
    (
        "spec.motion.masks",
        mask(polygon=[POINT]),
        "spec.motion.masks[0].polygon",
        None,
        "must be of length >= 3",
    ),
    (
        "spec.motion.masks",
        mask(polygon=[POINT, POINT, {"xPermille": 1001, "yPermille": 0}]),
        "spec.motion.masks[0].polygon[2].xPermille",
        "1001",
        "must be <= 1000",
    ),
    ("spec.weight", 0, "spec.weight", "0", "must be >= 1"),
    ("spec.weight", 64001, "spec.weight", "64001", "must be <= 64000"),
    ("spec.weight", "100", "spec.weight", None, "must be a whole number, not a string"),
    ("spec.weight", 1.5, "spec.weight", None, "must be a whole number, not a number"),
    ("spec.suspend", "no", "spec.suspend", None, "must be true or false, not a string"),
    ("spec.suspend", None, "spec.suspend", None, "must be true or false, not null"),
)

PUSH_BAD: tuple[tuple[str, object, str, str | None, str], ...] = (
    ("maxFrameBytes", 1023, "maxFrameBytes", "1023", "must be >= 1024"),
    ("maxFrameBytes", 1 << 30, "maxFrameBytes", str(1 << 30), "must be <= 33554432"),
    ("maxFPS", 0, "maxFPS", "0", "must be >= 1"),
    ("maxFPS", 121, "maxFPS", "121", "must be <= 120"),
    ("tokenSecretRef", {"name": "t"}, "tokenSecretRef.key", None, "is required"),
    ("tokenSecretRef", {"name": "t", "key": "/"}, "tokenSecretRef.key", None, "must be 1 to 253"),
)


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_a_manifest_that_keeps_a_rule_is_a_camera(path: str, value: object) -> None:
    assert isinstance(parse_camera(manifest(path, value)), Camera)


@pytest.mark.parametrize(("path", "value", "field", "shown", "rule"), BAD)
def test_a_manifest_that_breaks_a_rule_says_field_value_and_rule(
    path: str, value: object, field: str, shown: str | None, rule: str
) -> None:
    (problem,) = broken(manifest(path, value))
    assert (problem.field, problem.value) == (field, shown)
    assert rule in problem.rule
    assert SECRET not in str(problem).lower()


@pytest.mark.parametrize(("path", "value", "field", "shown", "rule"), PUSH_BAD)
def test_a_push_source_that_breaks_a_rule_says_field_value_and_rule(
    path: str, value: object, field: str, shown: str | None, rule: str
) -> None:
    (problem,) = broken(manifest(f"spec.source.push.{path}", value, push=True))
    assert (problem.field, problem.value) == (f"spec.source.push.{field}", shown)
    assert rule in problem.rule


def test_a_push_camera_with_every_option_is_a_camera() -> None:
    options = {
        "tokenSecretRef": {"name": "t", "key": "token"},
        "maxFrameBytes": 1024,
        "maxFPS": 120,
    }
    camera = parse_camera(manifest("spec.source.push", options, push=True))
    assert camera.spec.source.push is not None
    assert camera.spec.source.push.max_fps == 120


def test_what_is_left_out_has_its_default() -> None:
    camera = parse_camera(manifest())
    assert (camera.id, camera.name, camera.epoch) == ("lobby", "lobby", 0)
    assert (camera.spec.decode, camera.spec.weight) == (Decode.ALL, 100)


def test_an_id_of_its_own_takes_the_place_of_the_name() -> None:
    assert parse_camera(manifest("spec.cameraId", "cam_001")).id == "cam_001"


def test_every_problem_of_what_fields_say_together_is_told() -> None:
    raw = manifest(f"{RTSP}.url", f"http://u:{SECRET}@/x")
    raw["spec"]["source"]["rtsp"]["tls"] = {}
    assert [problem.field for problem in broken(raw)] == [f"{RTSP}.url"] * 3 + [f"{RTSP}.tls"]


@pytest.mark.parametrize("raw", [None, [], "Camera", 5, 1.5, True])
def test_what_is_no_mapping_is_no_manifest(raw: object) -> None:
    (problem,) = broken(raw)
    assert (problem.field, problem.rule) == ("(document)", "must be a mapping")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.source", f"rtsp://u:{SECRET}@h"),
        ("spec.source.rtsp", f"rtsp://u:{SECRET}@h"),
        ("spec.source.rtsp.url", {"password": SECRET}),
        ("spec.source.rtsp.transport", f"rtsp://u:{SECRET}@h"),
        ("spec.decode", f"rtsp://u:{SECRET}@h"),
        ("spec.motion.masks", [f"rtsp://u:{SECRET}@h"]),
        ("metadata.name", f"rtsp://u:{SECRET}@h"),
        ("kind", f"rtsp://u:{SECRET}@h"),
        ("spec.weight", [SECRET]),
    ],
)
def test_a_login_in_the_wrong_place_is_never_quoted(path: str, value: object) -> None:
    assert SECRET not in str(broken(manifest(path, value)))


def test_a_value_is_cut_short() -> None:
    (problem,) = broken(manifest("spec.decode", "x" * 10_000))
    assert problem.value is not None
    assert len(problem.value) == 80


@pytest.mark.parametrize(
    "name",
    [
        f"url:rtsp://a:{SECRET}@h",
        f"password:{SECRET}",
        f"a`b {SECRET}",
        f"x` - at `$.{SECRET}",
        f"x` - at `$ {SECRET}",
        "a" * 64,
        "",
        " ",
        f"a\n{SECRET}",
    ],
)
def test_an_unknown_field_that_may_be_a_value_is_not_named(name: str) -> None:
    raw = manifest()
    raw["spec"]["source"]["rtsp"][name] = None
    (problem,) = broken(raw)
    assert (problem.field, problem.value) == (RTSP, None)
    assert "unknown field" in problem.rule
    assert SECRET not in str(problem)


@pytest.mark.parametrize(
    "url",
    [
        f"rtsp://h/user=admin&password={SECRET}&channel=1",
        f"rtsp://h/x?user=admin&PWD={SECRET}",
        f"rtsp://h/x?passwd={SECRET}",
        f"rtsp://h/x?Pass={SECRET}",
        f"rtsp://h/x?p%61ssword%3D{SECRET}",
    ],
)
def test_a_password_in_the_path_or_the_query_is_refused_and_not_quoted(url: str) -> None:
    (problem,) = broken(manifest(f"{RTSP}.url", url))
    assert (problem.field, problem.value) == (f"{RTSP}.url", None)
    assert "password in its path or query" in problem.rule
    assert SECRET not in str(problem)


def test_a_part_of_a_manifest_is_told_from_its_root() -> None:
    with pytest.raises(InvalidManifest, match=r"^spec.weight: must be >= 1 \(found 0\)$"):
        parse({"source": {"push": {}}, "weight": 0}, CameraSpec, root="spec")
