"""A release from nothing to nothing: install, cameras, upgrade under load, uninstall, remove.

Nothing is to be left at the end, the CRDs included, and with these go the Cameras of every release.
So it comes before every other test of the suite (conftest.py), when no other release is there: what
is there before it is a cluster that has never heard of us. Each fixture is one step of that life,
made from the one before; each test says what held in it.
"""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Final

import pytest

from bench.reliability import heard, truth
from ingest_core.names import ANNOTATION_VERSION
from tests.cluster.binaries import HELM
from tests.cluster.command_line import CommandLine
from tests.cluster.nodes.cluster import Cluster
from tests.cluster.nodes.images import NEXT
from tests.cluster.nodes.installation import Installation
from tests.e2e import gate, states, upgrade
from tests.e2e.site import Site
from tests.e2e.upgrade import Upgrade, Watched

NAMESPACE: Final = "life"
GATELESS: Final = "gateless"
OURS: Final = "camera-ingest"  # is in the key of whatever we define
DEFINITIONS: Final = ("cameras.camera-ingest.io", "camerapools.camera-ingest.io")
OLDER: Final = "0.0.1"
NEWER: Final = "99.0.0"
FPS: Final = 5
WORKERS: Final = 2
ENDING_SECONDS: Final = 40.0  # in which all end; who waits for his cameras to be moved needs 60
COMPLAINT_SECONDS: Final = 330.0  # in which `helm test` ends: it gives a pod 300
OBJECTS: Final = "/registry/"  # in etcd
ABOUT_NODES: Final = ("/registry/events/default/", "/registry/leases/kube-node-lease/")

WATCHED: Final = Watched({"lobby": "cam1", "yard": "cam2"}, gate.NAME, gate.TOKEN)
VALUES: Final = {"pool": {"spec": {"replicas": WORKERS}}}
NO_GATEWAY: Final = {
    "runAsUser": "platform",
    "gateway": {"replicas": 0},
    "operator": {"replicas": 1},
    "pool": {"enabled": False},
    "redis": {},
}


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """What is there after `helm uninstall`.

    Attributes:
        seconds: Until the last pod of the release was gone.
        lease_seconds: For which a worker is somebody who says nothing more.
        cameras: Names.
        definitions: Names of CRDs.
    """

    seconds: float
    lease_seconds: int
    cameras: frozenset[str]
    definitions: frozenset[str]


@pytest.fixture(scope="module")
def empty(nodes: Cluster) -> frozenset[str]:
    """What the store has when nothing of ours is there."""
    stored = _stored(nodes)
    assert not any(OURS in key for key in stored), "somebody was here before"
    return stored


@pytest.fixture(scope="module")
def release(site: Site, empty: frozenset[str]) -> Installation:
    """One that runs, with cameras of RTSP and one that is pushed to."""
    installation = site.installation(NAMESPACE, VALUES)
    installation.make_namespace()
    installation.install()
    installation.add_cameras()
    installation.by.kubectl("delete", "camera", "door")  # nobody pushes to it
    installation.by.kubectl("apply", "--filename=-", stdin=gate.MANIFEST)
    return installation


@pytest.fixture(scope="module")
def gateless(site: Site, release: Installation) -> Installation:
    """One without a gateway, which found one definition of an older release, one of a newer."""
    for name, version in zip(DEFINITIONS, (OLDER, NEWER), strict=True):
        release.by.kubectl(
            "annotate", "--overwrite", "crd", name, f"{ANNOTATION_VERSION}={version}"
        )
    gateless = site.installation(GATELESS, NO_GATEWAY)
    gateless.make_namespace()
    gateless.install()
    return gateless


@pytest.fixture(scope="module")
def complaint(gateless: Installation) -> Iterator["subprocess.Popen[str]"]:
    """`helm test` of a release without gateway, under way: it gives everybody a minute."""
    with gateless.by.begin(
        str(HELM.built()), f"--namespace={GATELESS}", "test", gateless.release
    ) as test:
        try:
            yield test
        finally:
            test.kill()  # nothing to one that has ended


@pytest.fixture(scope="module")
def upgraded(release: Installation) -> Upgrade:
    return upgrade.upgrade(release, WATCHED, NEXT, WORKERS)


@pytest.fixture(scope="module")
def uninstalled(release: Installation, upgraded: Upgrade) -> Uninstalled:
    by = release.by
    lease: int = states.get(by, "lease", "default-0")["spec"]["leaseDurationSeconds"]
    began = time.monotonic()
    by.helm("uninstall", release.release)
    states.until(lambda: upgrade.images(by), lambda pods: not pods)
    seconds = time.monotonic() - began
    return Uninstalled(seconds, lease, _names(by, "cameras"), _names(by, "crds"))


@pytest.fixture(scope="module")
def left(
    site: Site, nodes: Cluster, empty: frozenset[str], uninstalled: Uninstalled
) -> frozenset[str]:
    """What the store has at last that it did not have at first."""
    site.admin.kubectl("delete", "namespace", NAMESPACE, GATELESS, "--ignore-not-found")
    site.admin.kubectl("delete", "crd", *DEFINITIONS)
    # What the API server registers of them it takes back a moment after.
    return states.until(lambda: _stored(nodes) - empty, lambda found: not found)


def test_an_installation_brings_an_older_definition_up_to_date_and_leaves_a_newer_one(
    gateless: Installation,
) -> None:
    said = [states.get(gateless.by, "crd", name)["metadata"]["annotations"] for name in DEFINITIONS]

    assert [one[ANNOTATION_VERSION] for one in said] == [metadata.version(OURS), NEWER]


@pytest.mark.usefixtures("complaint")
def test_helm_test_finds_a_release_that_runs_well(release: Installation) -> None:
    said = release.by.helm("test", release.release)

    assert "Phase:          Succeeded" in said


def test_an_upgrade_moves_every_camera_and_loses_no_frame_of_it(upgraded: Upgrade) -> None:
    for camera in WATCHED.read:
        events = upgraded.events[camera]
        assert len({one.source for one in events}) > 1, f"{camera} was not moved"
        sent = truth.outcome(upgraded.sessions[camera], (), upgraded.window, FPS)
        assert sent.lost == 0, upgraded.sessions[camera]
        assert heard.missing(events) == 0, events


def test_every_frame_that_a_device_pushed_during_an_upgrade_was_told_of_once(
    upgraded: Upgrade,
) -> None:
    taken = [asked for asked in upgraded.pushes if asked.status == 202]
    told = [one for one in upgraded.events[WATCHED.pushed] if one.captured is not None]

    assert len(told) == len(taken) > 0
    assert len({(one.source, one.epoch, one.sequence) for one in told}) == len(told)


def test_every_request_during_an_upgrade_is_answered_as_at_any_other_time(
    upgraded: Upgrade,
) -> None:
    asked = [*upgraded.pushes, *upgraded.reads]

    assert [one for one in asked if one.status not in (200, 202)] == []


def test_after_an_upgrade_every_pod_is_of_the_new_image(
    release: Installation, upgraded: Upgrade
) -> None:
    tags = {pod: image.rpartition(":")[2] for pod, image in upgrade.images(release.by).items()}

    assert set(tags.values()) == {NEXT}, tags


def test_helm_test_says_whom_it_could_not_ask(
    site: Site, complaint: "subprocess.Popen[str]"
) -> None:
    said, _ = complaint.communicate(timeout=COMPLAINT_SECONDS)

    pod = f"cameras-{OURS}-test"
    assert complaint.returncode != 0
    assert pod in said
    why = site.within(GATELESS).kubectl("logs", pod)
    assert why.startswith(f"http://cameras-{OURS}-gateway:80/readyz: "), why


def test_what_is_uninstalled_leaves_cameras_and_definitions(uninstalled: Uninstalled) -> None:
    assert uninstalled.cameras == {*WATCHED.read, WATCHED.pushed}
    assert uninstalled.definitions >= {*DEFINITIONS}


def test_workers_that_are_uninstalled_wait_for_no_longer_than_their_lease_lasts(
    uninstalled: Uninstalled,
) -> None:
    assert uninstalled.seconds < uninstalled.lease_seconds + ENDING_SECONDS


def test_without_namespace_and_definitions_nothing_of_ours_is_left(left: frozenset[str]) -> None:
    assert left == frozenset()


def _names(by: CommandLine, kind: str) -> frozenset[str]:
    lines = by.kubectl("get", kind, "--output=name").splitlines()
    return frozenset(line.partition("/")[2] for line in lines)


def _stored(nodes: Cluster) -> frozenset[str]:
    """The key of every object of every kind, but for Events and Leases of nodes."""
    keys = (key.decode() for key, _ in nodes.control_plane.server.etcd.everything())
    return frozenset(
        key for key in keys if key.startswith(OBJECTS) and not key.startswith(ABOUT_NODES)
    )
