"""Alerts fire on what they are for, have their pages, and ask for metrics that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest_core import manifest, metrics
from ingest_core.pool import CameraPool
from ingest_gateway.routes import CALLS
from ingest_operator.manifests import manifests
from ingest_operator.plan import Reason
from ingest_operator.settings import OperatorSettings
from tests.chart.rendering import FOLDER, NAMESPACE, ROOT, Chart, Refused, Values, of_kind
from tests.chart.switches import RELABELINGS

HERE = Path(__file__).parent
GUIDE = ROOT / "docs" / "guide" / "helm.md"
ALERTS = {"prometheusRule": {"enabled": True, "runbookUrl": "https://runbooks.example.com/"}}
ALL = {
    "serviceMonitor": {"enabled": True},
    "podMonitor": {"enabled": True},
    "dashboard": {"enabled": True},
    **ALERTS,
}
NAMES = {one.name for one in metrics.CATALOGUE if one.kind != "histogram"} | {
    f"{one.name}_{part}"
    for one in metrics.CATALOGUE
    if one.kind == "histogram"
    for part in ("bucket", "sum", "count")
}


def rules(chart: Chart, more: Values | None = None) -> list[dict[str, Any]]:
    values = {"prometheusRule": {**ALERTS["prometheusRule"], **(more or {})}}
    made = of_kind(chart.render({"monitoring": values}), "PrometheusRule")["alerts"]
    (group,) = made["spec"]["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def waits(found: list[dict[str, Any]]) -> dict[str, str]:
    """How long each must last until it fires, by alert."""
    return {one["alert"]: one.get("for", "0s") for one in found}


def dashboard() -> Any:
    return json.loads((FOLDER / "files" / "dashboard.json").read_text())


def queries() -> Iterator[str]:
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def asked(expression: str) -> set[str]:
    """Metrics of ours that an expression names."""
    return set(re.findall(rf"\b{metrics.PREFIX}\w+", expression))


def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool: it is in Debian's package prometheus")
    return found


def test_every_alert_fires_on_what_it_is_for_and_on_nothing_else(
    chart: Chart, tmp_path: Path
) -> None:
    test = HERE / "alerts.test.yaml"
    tried = {
        one["alertname"]
        for case in yaml.safe_load(test.read_text())["tests"]
        for one in case["alert_rule_test"]
        if "exp_alerts" in one
    }
    made = rules(chart)
    assert tried == {one["alert"] for one in made}
    groups = {"groups": [{"name": "ours", "rules": made}]}
    (tmp_path / "rules.yaml").write_text(json.dumps(groups))
    text = f"rule_files: [rules.yaml]\n{test.read_text()}"
    (tmp_path / "alerts.test.yaml").write_text(text)
    command = [promtool(), "test", "rules", "alerts.test.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_leads_to_its_page_and_every_page_is_led_to(chart: Chart) -> None:
    pages = {page.name for page in (ROOT / "docs" / "guide" / "runbooks").glob("*.md")}
    urls = {one["annotations"]["runbook_url"] for one in rules(chart)}
    assert urls == {f"https://runbooks.example.com/{page}" for page in pages}
    for one in rules(chart):
        page = ROOT / "docs" / "guide" / "runbooks" / f"{one['alert']}.md"
        assert page.read_text().startswith(f"# {one['alert']}\n")


def test_alerts_ask_for_metrics_that_exist_and_for_those_of_this_installation_only(
    chart: Chart,
) -> None:
    for one in rules(chart):
        assert asked(one["expr"])
        assert asked(one["expr"]) <= NAMES
        assert one["expr"].count(f'namespace="{NAMESPACE}"') == one["expr"].count("{")


def test_a_camera_that_nobody_has_is_told_whatever_the_operators_reason(chart: Chart) -> None:
    told = {"CameraUnassigned": set[str](), "CameraPoolCapacityExhausted": set[str]()}
    for one in rules(chart):
        if one["alert"] in told:
            (reasons,) = re.findall(r'reason=~?"([\w|]+)"', one["expr"])
            told[one["alert"]] = set(reasons.split("|"))
    every = {value for name, value in vars(Reason).items() if name.isupper()}
    capacity, unassigned = told["CameraPoolCapacityExhausted"], told["CameraUnassigned"]
    assert capacity == {Reason.CAPACITY_EXHAUSTED}
    assert unassigned == every - capacity - {Reason.ASSIGNED}


def test_an_alert_takes_the_labels_that_are_given(chart: Chart) -> None:
    found = rules(chart, {"alertLabels": {"team": "video"}})
    assert {one["labels"]["team"] for one in found} == {"video"}


def test_an_alert_waits_for_as_long_as_is_given_and_the_others_for_as_long_as_ever(
    chart: Chart,
) -> None:
    given = {"CameraDown": "15m", "CameraEventsDropped": "30s"}
    assert waits(rules(chart, {"for": given})) == waits(rules(chart)) | given


def test_a_wait_of_an_alert_that_there_is_not_is_refused(chart: Chart) -> None:
    every = dict.fromkeys(waits(rules(chart)), "1m")
    assert waits(rules(chart, {"for": every})) == every
    with pytest.raises(Refused, match="'CameraDwon'"):
        rules(chart, {"for": {"CameraDwon": "1m"}})


def test_the_guide_says_when_each_alert_fires(chart: Chart) -> None:
    row = re.compile(r"^\| \[(\w+)\]\(.*\) \| (\w+) \| (\w+) \|$", re.MULTILINE)
    made = rules(chart)
    waited = waits(made)
    assert row.findall(GUIDE.read_text()) == [
        (one["alert"], one["labels"]["severity"], waited[one["alert"]]) for one in made
    ]


def test_the_dashboard_asks_for_metrics_that_exist(chart: Chart) -> None:
    expressions = list(queries())
    assert len(expressions) > 20
    for expression in expressions:
        assert asked(expression), expression
        assert asked(expression) <= NAMES
    made = of_kind(chart.render({"monitoring": ALL}), "ConfigMap")["dashboard"]
    assert json.loads(made["data"]["camera-ingest.json"]) == dashboard()


def test_the_dashboard_shows_calls_of_the_api_and_neither_probes_nor_workers() -> None:
    about = [one for one in queries() if metrics.HTTP_SECONDS.name in one]
    assert about
    for expression in about:
        (route,) = re.findall(r'route=~"([^"]+)"', expression)
        others = {"/", "/metrics", "/healthz", "/readyz"}
        shown = {call.path for call in CALLS if re.fullmatch(route, call.path)}
        assert shown == {call.path for call in CALLS} - others
        assert not re.fullmatch(route, "/cameras/{id}/frame/latest")  # of a worker


def test_the_dashboard_shows_the_event_loop_of_each_pod() -> None:
    (expression,) = [one for one in queries() if metrics.LOOP_LAG.name in one]
    assert "sum by (le, pod)" in expression


@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_a_service_monitor_finds_the_service_of_its_program(chart: Chart, component: str) -> None:
    objects = chart.render({"monitoring": ALL})
    monitor = of_kind(objects, "ServiceMonitor")[component]
    service = of_kind(objects, "Service")[component]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert wanted <= service["metadata"]["labels"].items()
    pods = of_kind(objects, "Deployment")[component]["spec"]["template"]
    assert service["spec"]["selector"].items() <= pods["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_targets_are_asked_as_is_given_and_as_prometheus_does_by_itself_else(chart: Chart) -> None:
    given = {"interval": "1m", "scrapeTimeout": "20s", "relabelings": RELABELINGS}
    for more, asked in ((given, given), ({}, {"interval": "15s"})):
        monitor = {"enabled": True, **more}
        values = {"serviceMonitor": monitor, "podMonitor": monitor}
        objects = chart.render({"monitoring": values})
        found = [
            *(one["spec"]["endpoints"] for one in of_kind(objects, "ServiceMonitor").values()),
            *(
                one["spec"]["podMetricsEndpoints"]
                for one in of_kind(objects, "PodMonitor").values()
            ),
        ]
        assert found == [[{"port": "http", "path": "/metrics", **asked}]] * 3


def test_the_pod_monitor_finds_the_workers_of_every_pool(chart: Chart) -> None:
    monitor = of_kind(chart.render({"monitoring": ALL}), "PodMonitor")["worker"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    wanted = monitor["spec"]["selector"]["matchLabels"]
    for name in ("default", "yard"):
        raw = {"metadata": {"name": name, "namespace": NAMESPACE, "uid": "1"}}
        pool = manifest.parse(raw, CameraPool)
        made = manifests(pool, OperatorSettings(), 1, (), 0)[-1].body["spec"]["template"]
        assert wanted.items() <= made["metadata"]["labels"].items()
        (container,) = made["spec"]["containers"]
        assert endpoint["port"] in {port["name"] for port in container["ports"]}
