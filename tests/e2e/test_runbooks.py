"""What the runbooks tell a person to type when an alert fires, typed at the suite's release."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.command_line import CommandLine, Failed
from tests.cluster.typist import Typist, typing
from tests.e2e import guides
from tests.e2e.site import Site
from tests.e2e.states import until

HERE: Final = "cameras"
WORKER: Final = "default-0"

HEAVY: Final = """
apiVersion: camera-ingest.io/v1alpha1
kind: Camera
metadata: {name: heavy}
spec: {weight: 64000, source: {push: {}}}
"""
WRONG: Final = """
apiVersion: camera-ingest.io/v1alpha1
kind: CameraPool
metadata: {name: wrong}
spec:
  replicas: 1
  worker:
    affinity:
      nodeAffinity:
        requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}
"""
GONE: Final = """
apiVersion: v1
kind: Node
metadata: {name: gone}
"""


@pytest.fixture
def guide(
    request: pytest.FixtureRequest, site: Site, cameras: CommandLine, tmp_path: Path
) -> Iterator[Typist]:
    assert cameras.namespace == HERE
    with typing(request, guides.shell(site, tmp_path)) as typist:
        yield typist


@pytest.mark.types("docs/guide/runbooks/CameraDown.md")
def test_of_a_camera_that_is_down_one_sees_why(guide: Typist) -> None:
    shown = guide.type("kubectl -n NAMESPACE get camera NAME", NAMESPACE=HERE, NAME="lobby")
    assert guides.shown_connected(shown, "lobby")
    told = guide.type("kubectl -n NAMESPACE describe camera", NAMESPACE=HERE, NAME="lobby")
    assert "Connected" in told
    assert "lobby" in guide.type("kubectl -n NAMESPACE get cameras -o custom", NAMESPACE=HERE)
    assert '"event"' in guide.type("kubectl -n NAMESPACE logs POD", NAMESPACE=HERE, POD=WORKER)
    with pytest.raises(Failed, match="AuthenticationFailed"):
        guide.type(
            "kubectl -n NAMESPACE exec",
            NAMESPACE=HERE,
            POD=WORKER,
            URL="rtsp://simulator:8554/cam1",  # without its login
        )


@pytest.mark.types("docs/guide/runbooks/CameraOperatorNoLeader.md")
def test_of_operators_without_a_leader_one_sees_their_pods_lease_and_log(guide: Typist) -> None:
    pods = guide.type("kubectl -n NAMESPACE get pods", NAMESPACE=HERE)
    assert pods.count("cameras-camera-ingest-operator-") == 2
    assert "holderIdentity: " in guide.type("kubectl -n NAMESPACE get lease", NAMESPACE=HERE)
    assert "leading" in guide.type("kubectl -n NAMESPACE logs -l", NAMESPACE=HERE)
    assert "camerapools" in guide.type("kubectl apply --server-side -f crds/")
    told = guide.type("kubectl -n NAMESPACE describe pod", NAMESPACE=HERE, POD=WORKER)
    assert "Events:" in told


@pytest.mark.types("docs/guide/runbooks/CameraPoolCapacityExhausted.md")
def test_of_a_pool_without_room_one_sees_the_cameras_that_wait(
    guide: Typist, cameras: CommandLine
) -> None:
    with applied(cameras, HEAVY):
        seen = ("get", "camera", "heavy", "--output=jsonpath={.status.conditions[*].reason}")
        until(lambda: cameras.kubectl(*seen), lambda said: "CapacityExhausted" in said)
        pool = guide.type("kubectl -n NAMESPACE get campool", NAMESPACE=HERE, POOL="default")
        assert re.search(r"^default +\w+ +\d+ +\d+ +1 ", pool, re.MULTILINE)  # UNASSIGNED
        waiting = guide.type("kubectl -n NAMESPACE get cameras", NAMESPACE=HERE)
        assert [line.split()[0] for line in waiting.splitlines()] == ["heavy"]
    assert WORKER in guide.type("kubectl -n NAMESPACE get pods", NAMESPACE=HERE)
    guide.type("kubectl -n NAMESPACE describe pod", NAMESPACE=HERE, POD=WORKER)
    replicas = cameras.kubectl("get", "campool", "default", "--output=jsonpath={.spec.replicas}")
    scaled = guide.type("kubectl -n NAMESPACE scale", NAMESPACE=HERE, POOL="default", N=replicas)
    assert "scaled" in scaled


@pytest.mark.types("docs/guide/runbooks/CameraReconcileErrors.md")
def test_what_the_api_server_refuses_of_a_pool_the_operators_log_quotes(
    guide: Typist, cameras: CommandLine
) -> None:
    with applied(cameras, WRONG):
        operators = ("logs", "--selector=app.kubernetes.io/component=operator", "--tail=200")
        until(lambda: cameras.kubectl(*operators), lambda said: "nodeSelectorTerms" in said)
        shown = guide.type("kubectl -n NAMESPACE logs", NAMESPACE=HERE)
        assert "nodeSelectorTerms" in shown


@pytest.mark.types("docs/guide/runbooks/CameraUnassigned.md")
def test_of_cameras_without_a_worker_one_sees_their_pool_and_its_pods(guide: Typist) -> None:
    assert "default" in guide.type(
        "kubectl -n NAMESPACE get campool", NAMESPACE=HERE, POOL="default"
    )
    assert WORKER in guide.type("kubectl -n NAMESPACE get pods", NAMESPACE=HERE)
    guide.type("kubectl -n NAMESPACE describe pod", NAMESPACE=HERE, POD=WORKER)


@pytest.mark.types("docs/guide/runbooks/CameraWorkerLost.md")
def test_of_a_worker_that_is_lost_one_sees_its_pod_lease_and_node(
    guide: Typist, site: Site
) -> None:
    assert WORKER in guide.type("kubectl -n NAMESPACE get pods", NAMESPACE=HERE)
    assert WORKER in guide.type("kubectl -n NAMESPACE get leases", NAMESPACE=HERE)
    assert " Ready " in guide.type("kubectl get nodes")
    guide.type("kubectl -n NAMESPACE describe pod", NAMESPACE=HERE, POD=WORKER)
    site.admin.kubectl("apply", "--filename=-", stdin=GONE)
    assert "deleted" in guide.type("kubectl delete node", NODE="gone")


@pytest.mark.types("docs/guide/runbooks/CameraWorkerMissing.md")
def test_of_a_worker_that_does_not_come_back_one_sees_its_pod(guide: Typist) -> None:
    assert WORKER in guide.type("kubectl -n NAMESPACE get pods", NAMESPACE=HERE)
    guide.type("kubectl -n NAMESPACE describe pod", NAMESPACE=HERE, POD=WORKER)


@contextmanager
def applied(by: CommandLine, manifest: str) -> Iterator[None]:
    """It is there until the block ends."""
    by.kubectl("apply", "--filename=-", stdin=manifest)
    try:
        yield
    finally:
        by.kubectl("delete", "--filename=-", stdin=manifest)
