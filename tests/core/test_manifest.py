"""Every rule has a manifest that keeps it and one that breaks it, told by field."""

import pytest

from ingest_core.errors import InvalidManifest, Problem
from ingest_core.manifest import parse, parse_camera
from ingest_core.model import Camera, CameraSpec, Decode
from tests.fakes.manifest_differences import DIFFERENT, QUOTED, Different
from tests.fakes.manifests import BAD, GOOD, RTSP, SECRET, Bad, manifest


def broken(raw: object) -> tuple[Problem, ...]:
    with pytest.raises(InvalidManifest) as caught:
        parse_camera(raw)
    return caught.value.problems


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_a_manifest_that_keeps_a_rule_is_a_camera(path: str, value: object) -> None:
    assert isinstance(parse_camera(manifest(path, value)), Camera)


@pytest.mark.parametrize("bad", BAD)
def test_a_manifest_that_breaks_a_rule_says_field_value_and_rule(bad: Bad) -> None:
    (problem,) = broken(manifest(bad.path, bad.value))
    assert (problem.field, problem.value) == (bad.field, bad.shown)
    assert bad.rule in problem.rule
    assert SECRET not in str(problem).lower()


@pytest.mark.parametrize("one", DIFFERENT)
def test_what_the_api_server_judges_otherwise_is_judged_as_listed(one: Different) -> None:
    raw = manifest(one.path, one.value)
    if one.standalone:
        parse_camera(raw)
    else:
        broken(raw)


@pytest.mark.parametrize(("path", "value"), QUOTED)
def test_what_the_api_server_quotes_is_not_quoted_here(path: str, value: str) -> None:
    assert SECRET not in str(broken(manifest(path, value)))


def test_a_key_that_is_no_string_as_only_yaml_can_have_is_refused() -> None:
    (problem,) = broken(manifest("metadata.labels", {1: "a"}))
    assert (problem.field, problem.rule) == ("metadata.labels", "every key must be a string")


def test_a_push_camera_with_every_option_is_a_camera() -> None:
    options = {
        "tokenSecretRef": {"name": "t", "key": "token"},
        "maxFrameBytes": 1024,
        "maxFPS": 120,
    }
    camera = parse_camera(manifest("spec.source", {"push": options}))
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


def test_a_part_of_a_manifest_is_told_from_its_root() -> None:
    with pytest.raises(InvalidManifest, match=r"^spec.weight: must be >= 1 \(found 0\)$"):
        parse({"source": {"push": {}}, "weight": 0}, CameraSpec, root="spec")
