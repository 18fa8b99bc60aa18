"""Camera, as a real API server has it: what it takes, what it refuses in which words, and keeps."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_core import names
from ingest_core.errors import InvalidManifest
from ingest_core.kube.resources import CAMERAS
from ingest_core.manifest import parse_camera
from tests.cluster.client import Client, Refused
from tests.cluster.plugin import Kubectl
from tests.fakes.manifest_differences import DIFFERENT, QUOTED, Different
from tests.fakes.manifests import BAD, GOOD, SECRET, URL, Bad, manifest
from tests.fakes.whole_objects import (
    CAMERA,
    CAMERA_STATUS,
    HEAD,
    PUSH,
    Object,
    defaulted,
    known,
    paths,
)


def try_to_create(admin: Client, raw: Object) -> Object:
    """What the API server would make of a manifest."""
    made: Object = admin.post(CAMERAS.path("default"), raw, dryRun="All", fieldValidation="Strict")
    return made


def refusal(admin: Client, raw: Object) -> str:
    with pytest.raises(Refused) as caught:
        try_to_create(admin, raw)
    return caught.value.message


def served(admin: Client, plural: str, part: str) -> set[str]:
    """Every field of `spec` or `status` that the API server knows."""
    name = f"{plural}.camera-ingest.io"
    crd = admin.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
    (version,) = crd["spec"]["versions"]
    return set(known(version["schema"]["openAPIV3Schema"]["properties"][part]))


# What is taken, and what is not.


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_what_standalone_takes_is_taken_and_means_the_same(
    admin: Client, path: str, value: object
) -> None:
    raw = manifest(path, value)
    made = try_to_create(admin, raw)
    assert parse_camera(made).spec == parse_camera(raw).spec


@pytest.mark.parametrize("bad", BAD)
def test_what_breaks_a_rule_is_refused_by_field_and_rule_and_no_password_is_quoted(
    admin: Client, bad: Bad
) -> None:
    said = refusal(admin, manifest(bad.path, bad.value))
    assert (bad.server_field or bad.field) in said
    assert bad.server in said
    assert SECRET not in said.lower()


@pytest.mark.parametrize("one", DIFFERENT)
def test_where_the_two_differ_is_listed(admin: Client, one: Different) -> None:
    assert one.standalone is not one.cluster, "then it belongs into the one table"
    raw = manifest(one.path, one.value)
    if one.cluster:
        try_to_create(admin, raw)
    else:
        refusal(admin, raw)


@pytest.mark.parametrize(("path", "value"), QUOTED)
def test_where_a_login_does_not_belong_and_is_quoted_is_listed(
    admin: Client, path: str, value: str
) -> None:
    assert SECRET in refusal(admin, manifest(path, value)), "then it belongs into the one table"


URLS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["rtsp://"] * 6 + ["rtsps://", "RTSP://", "rtsp:/", "http://", "", ":"]),
        st.sampled_from([""] * 6 + ["u@", "u:p@", "@", "a@b@", "[@"]),
        st.sampled_from(["h", "cam_1.local", "10.0.0.7", "-a", "a-", "a.", "h,h", "é", "", "_"])
        | st.sampled_from(["[::1]", "[1::2::3]", "[::", "[fe80::]", "[1:2:3:4:5:6:7:8]", "[]"]),
        st.sampled_from([""] * 4 + [":554", ":0", ":65535", ":65536", ":", ":00554", ":+1", ":٣"]),
        st.sampled_from(["", "/", "/x", "?a=b", "#f", "//", "/%", "\\", "/é"] * 2 + ["/@", "/ x"]),
        st.sampled_from(["", "", "pass", "PWD", "p%61ssword", "passw%6Frd", "%70wd", "password-"]),
        st.sampled_from(["", "", "=x", "%3D", "%3d1", "%253D", "@", "\x7f", "&"]),
    ),
)


@given(url=URLS)
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_any_url_both_say_the_same(admin: Client, url: str) -> None:
    raw = manifest(URL, url)
    try:
        parse_camera(raw)
    except InvalidManifest:
        assert URL in refusal(admin, raw)
    else:
        try_to_create(admin, raw)


def test_kubectl_does_not_show_a_login_that_is_refused(kubectl: Kubectl) -> None:
    text = f"""
        apiVersion: camera-ingest.io/v1alpha1
        kind: Camera
        metadata: {{name: lobby}}
        spec: {{source: {{rtsp: {{url: "rtsp://admin:{SECRET}@10.0.0.7/x"}}}}}}
    """
    for how in (("apply",), ("apply", "--server-side"), ("create",)):
        done = kubectl(*how, "-f", "-", stdin=text, check=False)
        assert done.returncode != 0
        assert "must not hold a login: put it into a Secret" in done.stderr
        assert SECRET not in done.stderr + done.stdout


# What is kept.


@pytest.mark.parametrize("source", [CAMERA["spec"]["source"], PUSH], ids=["rtsp", "push"])
def test_a_manifest_with_every_field_comes_back_as_it_went_in(
    admin: Client, namespace: str, source: Object
) -> None:
    raw = {**CAMERA, "spec": {**CAMERA["spec"], "source": source}}
    admin.post(CAMERAS.path(namespace), raw, fieldValidation="Strict")
    camera = CAMERAS.path(namespace, "lobby")
    put = {**admin.get(camera), "status": CAMERA_STATUS}
    admin.put(f"{camera}/status", put, fieldValidation="Strict")
    there = admin.get(camera)
    assert (there["spec"], there["status"]) == (raw["spec"], CAMERA_STATUS)


def test_every_field_there_is_was_among_them(admin: Client) -> None:
    spec = {*paths(CAMERA["spec"]), *paths({"source": PUSH})}
    assert spec == served(admin, "cameras", "spec")
    assert set(paths(CAMERA_STATUS)) == served(admin, "cameras", "status")


def test_what_is_left_out_has_its_default(admin: Client) -> None:
    assert try_to_create(admin, manifest())["spec"] == defaulted("rtsps://10.0.0.7/x")


def usual() -> Object:
    source = {
        "url": CAMERA["spec"]["source"]["rtsp"]["url"],
        "credentialsSecretRef": {"name": "lobby-login"},
    }
    return {**HEAD, "spec": {"source": {"rtsp": source}}}


# The bounds are on the object without and with `managedFields`, in which Kubernetes keeps who wrote
# what; a URL or masks of the largest size allowed would be larger still.
@pytest.mark.parametrize(
    ("raw", "kib_bare", "kib_stored"),
    [(usual(), 2, 3), (CAMERA, 2, 4)],
    ids=["usual", "every-field"],
)
def test_a_camera_is_small_when_all_have_written_what_they_write(
    admin: Client, namespace: str, raw: Object, kib_bare: int, kib_stored: int
) -> None:
    camera = CAMERAS.path(namespace, "lobby")
    admin.apply(camera, raw, manager="kubectl")
    assigned, connected, ready = CAMERA_STATUS["conditions"]
    written = {
        names.OPERATOR_MANAGER: {
            "assignment": CAMERA_STATUS["assignment"],
            "conditions": [assigned],
        },
        names.WORKER_MANAGER: {
            "observedGeneration": 3,
            "stream": CAMERA_STATUS["stream"],
            "conditions": [connected, ready],
        },
    }
    for manager, status in written.items():
        admin.apply(f"{camera}/status", {**HEAD, "status": status}, manager=manager)
    there = admin.get(camera)
    assert there["status"] == CAMERA_STATUS
    assert size(there) < kib_stored * 1024
    del there["metadata"]["managedFields"]
    assert size(there) < kib_bare * 1024


def size(there: Object) -> int:
    return len(json.dumps(there, separators=(",", ":")))


# What it looks like.


def test_cameras_are_found_by_worker_by_previous_worker_and_by_pool(
    admin: Client, namespace: str
) -> None:
    cameras = CAMERAS.path(namespace)
    for name, pool, said in (
        ("one", "big", {"worker": "w-0", "epoch": 1}),
        ("two", "big", {"worker": "w-1", "previous": "w-0", "epoch": 2}),
        ("three", "small", {"epoch": 3}),
    ):
        raw = manifest("spec.poolRef", {"name": pool})
        there = admin.post(cameras, {**raw, "metadata": {"name": name}})
        admin.put(f"{cameras}/{name}/status", {**there, "status": {"assignment": said}})

    def found(selector: str) -> set[str]:
        items = admin.get(cameras, fieldSelector=selector)["items"]
        return {one["metadata"]["name"] for one in items}

    assert found("status.assignment.worker=w-0") == {"one"}
    assert found("status.assignment.previous=w-0") == {"two"}
    assert found("status.assignment.worker=") == {"three"}
    assert found("spec.poolRef.name=big") == {"one", "two"}
    assert found("spec.poolRef.name=big,status.assignment.worker!=w-0") == {"two"}


def test_kubectl_shows_what_a_person_looks_for(
    admin: Client, namespace: str, kubectl: Kubectl
) -> None:
    there = admin.post(CAMERAS.path(namespace), CAMERA)
    admin.put(CAMERAS.path(namespace, "lobby", "status"), {**there, "status": CAMERA_STATUS})
    header, row = kubectl("get", "cam").stdout.splitlines()
    assert header.split() == ["NAME", "SOURCE", "POOL", "WORKER", "READY", "REASON", "AGE"]
    url = CAMERA["spec"]["source"]["rtsp"]["url"]
    shown = ["lobby", url, "outdoor", "outdoor-0", "False", "AuthenticationFailed"]
    assert row.split()[:-1] == shown
    header, row = kubectl("get", "cameras", "-o", "wide").stdout.splitlines()
    assert header.split()[7:] == ["WIDTH", "HEIGHT", "CODEC", "EPOCH", "MESSAGE"]
    assert row.split()[7:11] == ["1920", "1080", "h264", "4"]
    assert row.endswith(CAMERA_STATUS["conditions"][-1]["message"])
    assert kubectl("get", "camera-ingest", "-o", "name").stdout.split() == [
        "camera.camera-ingest.io/lobby"
    ]


def test_kubectl_explains_a_field(kubectl: Kubectl) -> None:
    said = kubectl("explain", "camera.spec.source.rtsp.stallTimeoutSeconds").stdout
    assert "FIELD: stallTimeoutSeconds <integer>" in said
    assert "a slow camera is never taken" in said
