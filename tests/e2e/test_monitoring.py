"""A release as a real Prometheus sees it, set up by the Prometheus Operator from the chart."""

import json
import re
from collections.abc import Iterator
from typing import Final

import pytest
import yaml

from bench.reliability.real import SimulatedCameras
from ingest_core import metrics
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.faults import Fault, FaultKind
from tests.cluster.command_line import CommandLine
from tests.cluster.go_commands import Unavailable
from tests.cluster.nodes import monitoring
from tests.cluster.nodes.cluster import Cluster
from tests.cluster.nodes.installation import CHART
from tests.e2e.prometheus import Alert, Prometheus
from tests.e2e.site import Site
from tests.e2e.states import address, until

VALUES: Final = {
    "monitoring": {
        "serviceMonitor": {"enabled": True, "interval": "1s"},
        "podMonitor": {"enabled": True, "interval": "1s"},
        "prometheusRule": {
            "enabled": True,
            "alertLabels": {"team": "video"},
            "staleSeconds": 5,
            "for": {"CameraDown": "5s", "CameraFramesStale": "5s"},
        },
    }
}
CAMERA: Final = """\
apiVersion: camera-ingest.io/v1alpha1
kind: Camera
metadata: {{name: {name}}}
spec:
  source:
    rtsp: {{url: "rtsp://simulator:8554/{name}", stallTimeoutSeconds: 300}}
"""
CUT, STALLED = OURS = ("gate", "hall")

# Of these a program has a series only once it happened, since it started.
ONCE_HAPPENED: Final = {
    metrics.CAMERA_DISCONNECTS.name,
    metrics.CAMERA_DROPS.name,
    metrics.CAMERA_MOVES.name,
    metrics.HTTP_SECONDS.name,  # of a call of the API, which the dashboard asks for
}


@pytest.fixture(scope="module")
def prometheus(
    cameras: CommandLine, site: Site, nodes: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    try:
        images = monitoring.images(tmp_path_factory.mktemp("images"))
    except Unavailable as error:
        pytest.skip(str(error))
    for image in images:
        nodes.load(image)
    monitoring.install_operator(site.admin)
    with site.with_values(cameras.namespace, VALUES):
        monitoring.install_prometheus(site.admin)
        yield Prometheus(monitoring.address(site.admin))


@pytest.fixture
def simulator(cameras: CommandLine) -> Iterator[SimulatedCameras]:
    """It has two cameras more, which are nobody else's; gone afterwards."""
    simulator = SimulatedCameras(f"http://{address(cameras, 'simulator')}:8555", OURS)
    for name in OURS:
        simulator.add(SimulatedCamera(name=name))
    manifests = "---\n".join(CAMERA.format(name=name) for name in OURS)
    cameras.kubectl("apply", "--filename=-", stdin=manifests)
    ready = ("--for=condition=Ready", "--timeout=120s")
    cameras.kubectl("wait", *ready, *(f"camera/{name}" for name in OURS))
    yield simulator
    cameras.kubectl("delete", "camera", *OURS)
    for name in OURS:
        simulator.remove(name)


def test_every_operator_gateway_and_worker_of_a_release_is_a_target_that_is_up(
    prometheus: Prometheus, cameras: CommandLine
) -> None:
    programs = "app.kubernetes.io/component in (operator, gateway, worker)"
    pods = {*cameras.kubectl("get", "pods", "--selector", programs, "--output=name").split()}

    up = f'up{{namespace="{cameras.namespace}"}} == 1'

    assert len(pods) == 6
    until(lambda: {f"pod/{one['pod']}" for one in prometheus.series(up)}, lambda seen: seen == pods)


def test_every_rule_of_the_chart_is_evaluated(prometheus: Prometheus) -> None:
    alerts = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())

    until(prometheus.rules, lambda seen: seen == {one["alert"]: "ok" for one in alerts})


def test_every_panel_of_the_dashboard_has_data_but_for_what_did_not_happen(
    prometheus: Prometheus, cameras: CommandLine
) -> None:
    queries = [*dashboard(cameras.namespace)]

    def empty() -> set[str]:
        without = {query for query in queries if not prometheus.series(query)}
        return {query for query in without if not any(name in query for name in ONCE_HAPPENED)}

    until(empty, lambda queries: not queries)


def test_of_what_dashboard_and_alerts_ask_for_everything_is_told(prometheus: Prometheus) -> None:
    files = [(CHART / "files" / name).read_text() for name in ("dashboard.json", "alerts.yaml")]
    asked = re.findall(rf"\b{metrics.PREFIX}\w+", "".join(files))
    families = {re.sub("_(total|bucket)$", "", name) for name in asked}

    until(lambda: families - prometheus.families(), lambda missing: not missing)


@pytest.mark.parametrize("program", ["operator", "worker", "gateway"])
def test_each_program_serves_the_metrics_that_the_catalogue_says(
    prometheus: Prometheus, program: metrics.Program
) -> None:
    said = {one.name.removesuffix("_total") for one in metrics.CATALOGUE if program in one.programs}

    def ours() -> set[str]:
        return {one for one in prometheus.families_of(program) if one.startswith(metrics.PREFIX)}

    until(ours, lambda seen: seen == said)


def test_alerts_fire_while_a_camera_is_cut_or_stalls_and_are_over_when_it_is_back(
    prometheus: Prometheus, cameras: CommandLine, simulator: SimulatedCameras
) -> None:
    cut, stalled = ({"namespace": cameras.namespace, "camera": name} for name in OURS)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    runbooks = values["monitoring"]["prometheusRule"]["runbookUrl"]

    simulator.fault(CUT, Fault(FaultKind.REFUSE))
    simulator.cut(CUT)
    simulator.fault(STALLED, Fault(FaultKind.STALL))

    until(lambda: prometheus.firing(stalled), lambda seen: {*seen} == {"CameraFramesStale"})
    told = until(lambda: prometheus.firing(cut), lambda seen: {*seen} == {"CameraDown"})
    assert told["CameraDown"] == Alert(
        {"alertname": "CameraDown", "severity": "warning", "team": "video", **cut},
        {
            "summary": f"Camera {CUT} brings no frames.",
            "runbook_url": f"{runbooks}CameraDown.md",
        },
    )

    for name in OURS:
        simulator.fault(name, None)

    until(lambda: {*prometheus.firing(stalled), *prometheus.firing(cut)}, lambda left: not left)
    up = f'camera_ingest_camera_up{{namespace="{cameras.namespace}"}} == 1'
    assert {*OURS} <= {one["camera"] for one in prometheus.series(up)}


def dashboard(namespace: str) -> Iterator[str]:
    """The queries of its panels, as Grafana asks them for a namespace."""
    shown = json.loads((CHART / "files" / "dashboard.json").read_text())
    for panel in shown["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$namespace", namespace)
            yield query.replace("$__rate_interval", "1m")
