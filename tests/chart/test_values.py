"""Values: a typing error is refused, and every value that the chart has can be given."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.foreign_crds import foreign_crds
from tests.chart.rendering import FOLDER, Chart, Refused, Values, leaves, of_kind
from tests.chart.switches import merged
from tests.cluster.go_commands import Unavailable
from tools import chart as made

VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())
SCHEMA = json.loads((FOLDER / "values.schema.json").read_text())


def resolved(one: dict[str, Any]) -> dict[str, Any]:
    name = one.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = SCHEMA["definitions"][name] if name else one
    return found


def closed(one: dict[str, Any], path: str = "") -> Iterator[str]:
    """Paths of objects with properties that take others, too."""
    one = resolved(one)
    if "properties" in one and one.get("additionalProperties") is not False:
        yield path
    for key, inner in one.get("properties", {}).items():
        yield from closed(inner, f"{path}.{key}")


def mentioned(one: dict[str, Any], path: str = "") -> Iterator[str]:
    """Paths of every value that the schema knows by name."""
    for key, below in one.get("properties", {}).items():
        inner = resolved(below)
        yield from mentioned(inner, f"{path}{key}.")
        if "properties" not in inner and key != "global":
            yield f"{path}{key}"


def named(one: Any, name: str) -> Iterator[dict[str, Any]]:
    """Schemas of every property of this name, anywhere in a CRD."""
    if isinstance(one, dict):
        if isinstance(found := one.get("properties", {}).get(name), dict):
            yield found
        for inner in one.values():
            yield from named(inner, name)
    elif isinstance(one, list):
        for inner in one:
            yield from named(inner, name)


def test_the_schema_knows_every_value_and_no_other() -> None:
    free = {"requests", "limits", "claims", "spec", "labels"}  # as in Kubernetes, or the user's
    known = {path for path in mentioned(SCHEMA) if not free & set(path.split("."))}
    there = {path for path, _ in leaves(VALUES) if not free & set(path.split("."))}
    assert there == known


def test_the_schema_of_a_pool_is_the_crds() -> None:
    assert (FOLDER / "values.schema.json").read_text() == made.schema(), "run: make docs"


def test_the_schema_takes_nothing_that_it_does_not_know() -> None:
    assert SCHEMA["additionalProperties"] is False
    assert list(closed(SCHEMA)) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replicas": 3}, "'replicas' not allowed"),
        ({"gateway": {"replcas": 3}}, "'replcas' not allowed"),
        ({"operator": {"lease": {"duration": 3}}}, "'duration' not allowed"),
        ({"operator": {"env": [{"nam": "x"}]}}, "'nam' not allowed"),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"redis": {"url": "http://redis"}}, "redis.url must begin with redis://"),
        ({"redis": {"url": "redis://"}}, "redis.url must begin with redis://"),
        ({"operator": {"lease": {"renewSeconds": 4}}}, "lease.renewSeconds .* .found 4 and 8"),
        (
            {"gateway": {"autoscaling": {"enabled": True, "minReplicas": 11}}},
            "gateway.autoscaling.minReplicas",
        ),
        (
            {"pool": {"autoscaling": {"kind": "ScaledObject", "minReplicas": 11}}},
            "pool.autoscaling.minReplicas",
        ),
        (
            {"pool": {"enabled": False, "autoscaling": {"kind": "ScaledObject"}}},
            "pool.autoscaling.kind",
        ),
        ({"gateway": {"drainSeconds": 30}}, "gateway.drainSeconds .* .found 30 and 30"),
        ({"gateway": {"service": {"nodePort": 30080}}}, "gateway.service.nodePort"),
        (
            {"networkPolicy": {"enabled": True, "redis": [{"podSelector": {}}]}},
            "networkPolicy.redis needs networkPolicy.cameras",
        ),
        *(
            (
                {"monitoring": {name: {"enabled": True}}, "networkPolicy": {"enabled": True}},
                f"networkPolicy.metricsFrom must say where Prometheus is, with monitoring.{name},",
            )
            for name in ("serviceMonitor", "podMonitor")
        ),
        (
            {"gateway": {"service": {"externalTrafficPolicy": "Local"}}},
            "gateway.service.externalTrafficPolicy must be empty with type ClusterIP",
        ),
        (
            {"gateway": {"service": {"type": "NodePort", "loadBalancerClass": "example.com/lb"}}},
            "gateway.service.loadBalancerClass must be empty with type NodePort",
        ),
        (
            {"gateway": {"service": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}}},
            "gateway.service.loadBalancerSourceRanges must be empty with type ClusterIP",
        ),
        ({"gateway": {"ingress": {"enabled": True, "hosts": []}}}, "gateway.ingress.hosts"),
        (
            {"pool": {"autoscaling": {"kind": "HorizontalPodAutoscaler", "minReplicas": 0}}},
            "pool.autoscaling.minReplicas must be at least 1",
        ),
        (
            {"operator": {"serviceAccount": {"create": False}}},
            "operator.serviceAccount.name must say",
        ),
        ({"gateway": {"service": {"port": 0}}}, "/gateway/service/port"),
        ({"runAsUser": 0}, "/runAsUser"),
        ({"runAsUser": "nobody"}, "/runAsUser"),
        ({"networkPolicy": {"dnsPorts": []}}, "/networkPolicy/dnsPorts"),
        ({"networkPolicy": {"apiServerPorts": []}}, "/networkPolicy/apiServerPorts"),
        ({"pool": {"autoscaling": {"kind": "VPA"}}}, "/pool/autoscaling/kind"),
        ({"pool": {"spec": {"worker": {"weigthCapacity": 500}}}}, "'weigthCapacity' not allowed"),
        ({"pool": {"spec": {"worker": {"env": [{"nam": "x"}]}}}}, "'nam' not allowed"),
        ({"pool": {"spec": {"replicas": -1}}}, "/pool/spec/replicas"),
        ({"monitoring": {"podMonitor": {"interval": "15"}}}, "/monitoring/podMonitor/interval"),
        (
            {"monitoring": {"prometheusRule": {"for": {"CameraDown": "30m1h"}}}},
            "/monitoring/prometheusRule/for/CameraDown",
        ),
    ],
)
def test_a_value_that_is_wrong_is_refused_by_its_path(
    chart: Chart, values: Values, told: str
) -> None:
    with pytest.raises(Refused, match=told):
        chart.text(values)


def test_a_value_that_a_release_before_did_not_have_is_the_default(chart: Chart) -> None:
    """As `helm upgrade --reuse-values` leaves it out."""
    base = {"redis": {"url": "redis://redis"}, "networkPolicy": {"cameras": [{"podSelector": {}}]}}
    lacking = {
        "runAsUser": None,
        "networkPolicy": dict.fromkeys(("dnsPorts", "redisPorts", "apiServerPorts", "redisFrom")),
        "monitoring": {"prometheusRule": {"for": None}},
    }
    enabled = {"enabled": True}
    on = merged(base, {"networkPolicy": enabled, "monitoring": {"prometheusRule": enabled}})
    assert chart.text(merged(on, lacking)) == chart.text(on)


@pytest.mark.parametrize("release", ["my.cams", "7cams"])
def test_a_release_whose_name_no_service_can_have_needs_another(chart: Chart, release: str) -> None:
    with pytest.raises(Refused, match=f"fullnameOverride must be given: .*{release}, is not so"):
        chart.text({}, release=release)
    chart.text({"fullnameOverride": "cams"}, release=release)


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_a_service_is_given_what_its_type_takes(chart: Chart, kind: str) -> None:
    given = {"type": kind, **({} if kind == "ClusterIP" else {"externalTrafficPolicy": "Local"})}
    service = of_kind(chart.render({"gateway": {"service": given}}), "Service")["gateway"]
    assert given.items() <= service["spec"].items()


@pytest.mark.parametrize("scheme", ["reds", "unix", "redis:", "redis+sentinal"])
def test_a_password_in_a_url_that_is_refused_is_not_shown(chart: Chart, scheme: str) -> None:
    with pytest.raises(Refused) as refused:
        chart.text({"redis": {"url": f"{scheme}://u:hunter2@redis:6379"}})
    assert "redis.url" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("duration", ["15s", "1h30m", "1d", "1w", "0"])
def test_a_duration_of_prometheus_is_given_as_it_is(chart: Chart, duration: str) -> None:
    monitor = {"enabled": True, "interval": duration}
    rule = {"enabled": True, "for": {"CameraDown": duration}}
    monitoring = {"serviceMonitor": monitor, "podMonitor": monitor, "prometheusRule": rule}
    made = chart.render({"monitoring": monitoring})
    for one in of_kind(made, "ServiceMonitor").values():
        assert [asked["interval"] for asked in one["spec"]["endpoints"]] == [duration]
    for one in of_kind(made, "PodMonitor").values():
        assert [asked["interval"] for asked in one["spec"]["podMetricsEndpoints"]] == [duration]
    (group,) = of_kind(made, "PrometheusRule")["alerts"]["spec"]["groups"]
    (down,) = [one for one in group["rules"] if one["alert"] == "CameraDown"]
    assert down["for"] == duration


def test_a_duration_is_what_the_prometheus_operator_takes() -> None:
    try:
        crds = [one for one in foreign_crds() if one["spec"]["group"] == "monitoring.coreos.com"]
    except Unavailable as error:
        pytest.skip(str(error))
    patterns = {
        schema["pattern"]
        for crd in crds
        for name in ("interval", "scrapeTimeout", "for")
        for schema in named(crd, name)
        if "pattern" in schema
    }
    assert patterns == {SCHEMA["definitions"]["duration"]["pattern"]}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"redis": {"url": "redis://a", "existingSecret": "b"}},
            "at most one of existingSecret, url",
        ),
        (
            {
                "pool": {
                    "spec": {"autoscaling": {"maxReplicas": 3}},
                    "autoscaling": {"kind": "ScaledObject"},
                }
            },
            "one of spec.autoscaling, autoscaling.kind",
        ),
        ({"gateway": {"httpRoute": {"enabled": True}}}, "name the Gateway"),
    ],
)
def test_values_that_contradict_each_other_are_refused(
    chart: Chart, values: Values, told: str
) -> None:
    with pytest.raises(Refused, match=told):
        chart.text(values)


def test_a_users_variable_takes_the_place_of_the_charts(chart: Chart) -> None:
    env = [{"name": "CAMERA_INGEST_LISTEN", "value": ":9000"}]
    pod = of_kind(chart.render({"operator": {"env": env}}), "Deployment")["operator"]["spec"]
    named = pod["template"]["spec"]["containers"][0]["env"]
    assert [one["value"] for one in named if one["name"] == "CAMERA_INGEST_LISTEN"] == [":9000"]
    assert len({one["name"] for one in named}) == len(named)


def test_a_pool_may_be_scaled_from_nothing_by_what_is_told_without_workers(chart: Chart) -> None:
    trigger = {"type": "External", "external": {"metric": {"name": "cameras"}}}
    by = {"kind": "HorizontalPodAutoscaler", "minReplicas": 0, "triggers": [trigger]}
    scaler = of_kind(chart.render({"pool": {"autoscaling": by}}), "HorizontalPodAutoscaler")
    (made,) = scaler.values()
    assert made["spec"]["minReplicas"] == 0


def test_a_pool_that_others_scale_is_not_scaled_back_by_an_upgrade(chart: Chart) -> None:
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        pools = of_kind(chart.render({"pool": {"autoscaling": {"kind": kind}}}), "CameraPool")
        assert "replicas" not in pools["pool"]["spec"]
    assert "replicas" in of_kind(chart.render({}), "CameraPool")["pool"]["spec"]
