"""What the documents tell a person to type at a cluster, typed as it stands there, on real pods.

They all install the release `cameras` in the namespace `cameras`, and remove it, CRDs included. So
these tests are in a group before all others (conftest.py), and only nodes of our own see them.
The documents' addresses are those of simulated cameras beside the nodes.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.chart import foreign_crds
from tests.cluster.binaries import CONTOUR
from tests.cluster.go_commands import Unavailable
from tests.cluster.go_modules import downloaded
from tests.cluster.guide import PROGRAMS, commands, fences
from tests.cluster.nodes import ingress, monitoring
from tests.cluster.nodes.cluster import Cluster
from tests.cluster.nodes.images import OF_GUIDES
from tests.cluster.shell import Shell
from tests.cluster.typist import Typist, typing
from tests.e2e import guides
from tests.e2e.site import Site
from tests.fakes import guide_network

HELM_PAGE: Final = "docs/guide/helm.md"
KUBERNETES_PAGE: Final = "docs/guide/kubernetes.md"
KIND_PAGE: Final = "docs/guide/kind.md"
SUCCEEDED: Final = r"Phase:\s+Succeeded"
IMAGES: Final = "{.spec.template.spec.containers[*].image}"
CHART_PAGE: Final = "charts/camera-ingest/README.md"
JPEG: Final = b"\xff\xd8"
READY: Final = "kubectl -n cameras wait --for=condition=Ready --timeout=120s camera/lobby"
REMOVE: Final = """
helm -n cameras uninstall cameras --ignore-not-found
kubectl -n cameras delete pods --all --grace-period=1
kubectl delete namespace cameras --ignore-not-found
kubectl delete --ignore-not-found -f crds/
"""  # a worker of whose cameras nobody relieves it would take its time
OF_REDIS: Final = (
    '{range .spec.template.spec.containers[0].env[?(@.name=="CAMERA_INGEST_REDIS_URL")]}'
    "{.valueFrom.secretKeyRef.name}/{.valueFrom.secretKeyRef.key}{end}"
)
SECONDS: Final = 180.0


@pytest.fixture(scope="module")
def beside() -> Iterator[None]:
    with guide_network.cameras_here():
        yield


@pytest.fixture
def guide(
    request: pytest.FixtureRequest, site: Site, nodes: Cluster, beside: None, tmp_path: Path
) -> Iterator[Typist]:
    shell = guides.shell(site, tmp_path)
    try:
        with typing(request, shell) as typist:
            yield typist
    finally:
        shell.run(REMOVE)


@pytest.fixture
def prometheus_kinds(site: Site) -> Iterator[None]:
    """The kinds of the Prometheus Operator are known; without it nobody reads them."""
    try:
        folder = downloaded(monitoring.MODULE)
    except Unavailable as error:
        pytest.skip(str(error))
    of_files = [f"--filename={folder / file}" for file in foreign_crds.FILES[monitoring.MODULE]]
    site.admin.kubectl("apply", "--server-side", *of_files)
    yield
    site.admin.kubectl("delete", *of_files)


@pytest.fixture
def contour_images(nodes: Cluster, tmp_path: Path) -> None:
    """Every node has them; all that is installed with them can be had, too."""
    try:
        ingress.build()
    except Unavailable as error:
        pytest.skip(f"{error}; python -m tests.cluster.nodes.ingress makes it beforehand")
    for image in ingress.images(tmp_path):
        nodes.load(image)


@pytest.mark.usefixtures("prometheus_kinds")
@pytest.mark.types(CHART_PAGE)
@pytest.mark.types(
    HELM_PAGE, "Try it", "Run it", "Upgrade", "Remove it", "Without rights in the cluster"
)
def test_the_guide_of_helm_tries_runs_upgrades_and_removes_a_release(
    guide: Typist,
) -> None:
    shell = guide.shell
    guide.type("kubectl create namespace")
    guide.type("kubectl label")
    installed = guide.type("helm -n cameras install")
    assert re.search(SUCCEEDED, guide.type("helm -n cameras test"))
    assert "lobby" in shell.run(told(installed))
    shell.run(READY)
    with guide.begin("kubectl -n cameras port-forward", "Forwarding from"):
        guide.type("curl -f -o lobby.jpg")
    assert (shell.directory / "lobby.jpg").read_bytes().startswith(JPEG)

    (values,) = fences(HELM_PAGE, "yaml")
    (shell.directory / "values.yaml").write_text(values.text)
    guide.type("kubectl -n cameras create secret generic redis")
    guide.type("helm -n cameras upgrade --install")
    await_text(
        shell, f"kubectl -n cameras get statefulset default -o jsonpath='{OF_REDIS}'", "redis/url"
    )
    shell.run("kubectl -n cameras rollout status --timeout=3m statefulset/default")
    shell.run(READY)
    kinds = "ingress,horizontalpodautoscaler,servicemonitor,podmonitor,prometheusrule,networkpolicy"
    made = shell.run(f"kubectl -n cameras get {kinds} -o name")
    for kind in kinds.split(","):
        assert f"{kind}." in made

    assert "STATUS: deployed" in guide.type("helm -n cameras upgrade")

    guide.type("helm -n cameras uninstall")
    await_text(shell, "kubectl -n cameras get campool,pods -o name | wc -l", "0")
    stay = shell.run("kubectl -n cameras get camera/lobby secret/redis -o name").split()
    assert stay == ["camera.camera-ingest.io/lobby", "secret/redis"]
    guide.type("kubectl delete namespace")
    guide.type("kubectl delete crd")
    everything = shell.run("kubectl get crd,namespace,clusterrole,clusterrolebinding -o name")
    left = [name for name in everything.split() if "camera" in name]
    assert left == []

    guide.type("kubectl apply --server-side")
    shell.run("kubectl create namespace cameras")
    guide.type("helm -n cameras install")
    guide.type("kubectl delete -f docs/guide/cluster-roles.yaml")
    for program in ("operator", "gateway"):
        shell.run(f"kubectl -n cameras rollout status deployment/cameras-camera-ingest-{program}")


@pytest.mark.types("README.md", "Run it on Kubernetes")
def test_the_readme_leads_from_an_empty_cluster_to_a_camera(guide: Typist) -> None:
    shell = guide.shell
    guide.type("kubectl create namespace")
    guide.type("helm -n cameras install")
    assert re.search(SUCCEEDED, guide.type("helm -n cameras test"))
    (_, lobby) = fences("README.md", "yaml")
    (shell.directory / "lobby.yaml").write_text(lobby.text)
    guide.type("kubectl -n cameras apply")
    shell.run(READY)
    assert guides.shown_connected(guide.type("kubectl -n cameras get"), "lobby")


@pytest.mark.types(
    KUBERNETES_PAGE,
    *("Set up without Helm", "A worker without pods", "What a Camera says"),
    *("Everyday", "Remove it"),
)
@pytest.mark.types("docs/guide/http-api.md", "On Kubernetes")
def test_the_guide_of_kubernetes_runs_operator_and_gateway_as_processes(guide: Typist) -> None:
    shell = guide.shell
    (pool, camera) = fences(KUBERNETES_PAGE, "yaml")
    (shell.directory / "pool.yaml").write_text(pool.text)
    (shell.directory / "camera.yaml").write_text(camera.text)
    guide.type("kubectl apply --server-side")
    guide.type("kubectl create namespace")
    guide.type("camera-ingest rbac")
    with (
        guide.begin("camera-ingest operator", "leading"),
        guide.begin("camera-ingest gateway", "gateway_started"),
    ):
        guide.type("kubectl -n cameras apply -f FILE", FILE="pool.yaml")
        guide.type("kubectl -n cameras create secret generic lobby-login")
        shell.run("kubectl -n cameras apply -f camera.yaml")
        shell.run(READY)
        assert guides.shown_connected(guide.type("kubectl -n cameras get cameras"), "lobby")
        assert re.search(r" 640 +360 +h264 ", guide.type("kubectl -n cameras get cam -o wide"))
        assert "h264, 640x360" in guide.type("kubectl -n cameras describe cam lobby")
        assert "url" in guide.type("kubectl explain camera.spec.source.rtsp")
        guide.type("curl -f -o lobby.jpg")
        assert (shell.directory / "lobby.jpg").read_bytes().startswith(JPEG)

        pools = "kubectl -n cameras get campool default"
        workers = f"{pools} -o jsonpath='{{.status.workers}}'"
        await_text(shell, workers, "3")
        with guide.begin("camera-ingest worker", "worker_started"):
            await_text(shell, workers, "4")

        assert "default-0" in guide.type("kubectl -n cameras get pods")
        assert "WorkersReady" in guide.type("kubectl -n cameras describe campool")
        leader = guide.type("kubectl -n cameras get lease camera-ingest-operator")
        assert re.search(r"^camera-ingest-operator +\w+", leader, re.MULTILINE)

        guide.type("kubectl -n cameras scale campool default --replicas=5")
        await_text(shell, f"{pools} -o jsonpath='{{.status.replicas}}'", "5")
        guide.type("kubectl -n cameras delete campool NAME", NAME="default")
        reason = "kubectl -n cameras get cam lobby -o jsonpath='{.status.conditions[*].reason}'"
        await_text(shell, reason, ".*PoolNotFound.*")
        shell.run("kubectl -n cameras apply -f pool.yaml")
        shell.run(READY)

        guide.type("kubectl -n cameras delete camera --all")
        assert "default" in guide.type("kubectl -n cameras delete camerapool --all")
        await_text(shell, "kubectl -n cameras get pods -o name | wc -l", "0")
        guide.type("kubectl -n cameras get pods")
    guide.type("kubectl -n cameras get leases")
    guide.type("camera-ingest rbac")
    guide.type("kubectl delete -f crds/")


@pytest.mark.usefixtures("contour_images")  # before the guide, which is typed whole or not at all
@pytest.mark.types(KIND_PAGE)
def test_the_guide_of_kind_leads_to_an_ingress_faults_and_another_image(
    guide: Typist, nodes: Cluster, tmp_path: Path
) -> None:
    shell = guide.shell
    # As kind publishes the port of a node on this machine.
    address = nodes.nodes["n1"].address
    (tmp_path / ".curlrc").write_text(f'connect-to = "localhost:80:{address}:80"\n')

    assert guide.type("kubectl get nodes").count(" Ready ") == len(nodes.nodes)
    guide.type_from("kubectl apply", *contour())
    guide.type("kubectl -n projectcontour rollout status deployment/contour")
    guide.type("kubectl -n projectcontour rollout status daemonset/envoy")
    guide.type("kubectl create namespace")
    guide.type("kubectl label")
    guide.type("helm -n cameras install")
    guide.type("kubectl -n cameras rollout status deployment/cameras-camera-ingest-operator")
    guide.type("kubectl -n cameras rollout status deployment/cameras-camera-ingest-gateway")
    assert re.search(SUCCEEDED, guide.type("helm -n cameras test"))

    guide.type("kubectl -n cameras apply")
    guide.type("kubectl -n cameras wait")
    cameras = guide.type("kubectl -n cameras get cameras")
    assert guides.shown_connected(cameras, "lobby")
    assert guides.shown_connected(cameras, "yard")
    assert re.search(r"^door .* WaitingForPush ", cameras, re.MULTILINE)
    asked = "curl -sS -o answer -w '%{http_code}' http://localhost/api/cameras || true"
    await_text(shell, asked, "200")  # Envoy learns of an Ingress within moments
    guide.type("curl -f -o lobby.jpg")
    assert (shell.directory / "lobby.jpg").read_bytes().startswith(JPEG)
    assert guide.type("curl -f http://localhost/api/ingest/push/door").strip() == '{"sequence":1}'
    assert "/api/cameras" in guide.type("curl -s http://localhost/")
    with guide.begin("kubectl -n cameras exec", "frame.ingested") as events:
        with guide.begin("kubectl -n cameras port-forward", "Forwarding from"):
            guide.type("curl -X PUT")
            assert '"reason":"Stalled"' in events.wait_for("camera.disconnected")
            guide.type("curl -X DELETE")
        shell.run(READY)

    guide.type("helm -n cameras upgrade")
    tag = OF_GUIDES[1].rpartition(":")[2]
    for program in ("operator", "gateway"):
        deployment = f"deployment/cameras-camera-ingest-{program}"
        shell.run(f"kubectl -n cameras rollout status --timeout=3m {deployment}")
        images = f"kubectl -n cameras get {deployment} -o jsonpath='{IMAGES}'"
        assert shell.run(images) == f"camera-ingest:{tag}"

    guide.type("kubectl -n cameras delete")
    guide.type("helm -n cameras uninstall")
    assert shell.run("kubectl -n cameras get cameras,deployments -o name") == ""


def contour() -> tuple[str, str]:
    """What the guide takes from a site, and the same file of the same version as Go has it."""
    (url,) = re.findall(
        r"https://\S+", " ".join(one.text for one in commands(KIND_PAGE, "A cluster"))
    )
    _, version, file = url.partition(f"/{CONTOUR.version}/")
    assert version, f"another version than {CONTOUR.version}: {url}"
    return url, str(downloaded(ingress.MODULE) / file)


def told(notes: str) -> str:
    """The commands that an installation's notes tell a person to type, with what they are given."""
    one = rf"^(?:{'|'.join(map(re.escape, PROGRAMS))}) [^\n]*"
    found = re.finditer(rf"{one}<<END\n.*?\nEND$|{one}$", notes, re.MULTILINE | re.DOTALL)
    return "\n".join(command[0] for command in found)


def await_text(shell: Shell, command: str, pattern: str) -> None:
    """Return when all that a command prints is of this pattern."""
    deadline = time.monotonic() + SECONDS
    while not re.fullmatch(pattern, said := shell.run(command).strip()):
        assert time.monotonic() < deadline, f"{command} does not print {pattern}: {said}"
        time.sleep(0.2)
