"""Who may talk to whom: what each program needs, and nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.rendering import Chart, Object, Values, of_kind
from tests.chart.switches import merged

Labels = dict[str, str]

PROMETHEUS: Labels = {"app": "prometheus"}
STRANGER: Labels = {"app": "stranger"}
READER: Labels = {"app": "reader"}
CAMERAS = [{"podSelector": {"matchLabels": {"app": "camera"}}}]
VALUES = {
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"podSelector": {"matchLabels": PROMETHEUS}}],
        "cameras": CAMERAS,
    },
    "redis": {"bundled": {"enabled": True}},
}


def ours(component: str) -> Labels:
    return {"app.kubernetes.io/name": "camera-ingest", "app.kubernetes.io/component": component}


def selects(selector: Object, labels: Labels) -> bool:
    wanted: Labels = selector.get("matchLabels", {})
    others = selector.get("matchExpressions", [])
    assert {one["operator"] for one in others} <= {"NotIn"}
    return wanted.items() <= labels.items() and not any(
        labels.get(one["key"]) in one["values"] for one in others
    )


def allows(rules: list[Object], side: str, peer: Labels, port: int) -> bool:
    """Whether one of the rules lets a peer of this namespace pass."""
    return any(
        ("ports" not in rule or port in {one["port"] for one in rule["ports"]})
        and (side not in rule or any(is_peer(one, peer) for one in rule[side]))
        for rule in rules
    )


def is_peer(one: Object, labels: Labels) -> bool:
    return "podSelector" in one and selects(one["podSelector"], labels)


def passes(policies: list[Object], source: Labels, target: Labels, port: int) -> bool:
    """As a network plugin decides it: policies add up, and one that selects a pod isolates it."""
    return one_way(policies, "Egress", source, target, port) and one_way(
        policies, "Ingress", target, source, port
    )


def one_way(policies: list[Object], way: str, pod: Labels, peer: Labels, port: int) -> bool:
    concerned = [
        one for one in policies if way in one["policyTypes"] and selects(one["podSelector"], pod)
    ]
    side = "to" if way == "Egress" else "from"
    return not concerned or any(
        allows(one.get(way.lower(), []), side, peer, port) for one in concerned
    )


@pytest.fixture(scope="module")
def policies(chart: Chart) -> list[Object]:
    made = of_kind(chart.render(VALUES), "NetworkPolicy").values()
    return [one["spec"] for one in made]


NEEDED: list[tuple[Labels, Labels, int]] = [
    (STRANGER, ours("gateway"), 8000),  # as an Ingress: who may is `gatewayFrom`
    (ours("gateway"), ours("worker"), 8080),
    (ours("worker"), ours("redis"), 6379),
    (ours("worker"), {"app": "camera"}, 554),
    (ours("test"), ours("gateway"), 8000),
    (ours("test"), ours("operator"), 8081),
    (PROMETHEUS, ours("operator"), 8081),
    (PROMETHEUS, ours("gateway"), 8000),
    (PROMETHEUS, ours("worker"), 8080),
    *((ours(name), {}, port) for name in ("operator", "gateway", "worker") for port in (443, 53)),
]
COMPONENTS = ("operator", "gateway", "worker", "redis", "test")


@pytest.mark.parametrize(("source", "target", "port"), NEEDED)
def test_what_is_needed_passes(
    policies: list[Object], source: Labels, target: Labels, port: int
) -> None:
    assert passes(policies, source, target, port)


def pairs() -> Iterator[tuple[Labels, Labels, int]]:
    ports = (22, 6379, 8000, 8080, 8081)
    peers = [*map(ours, COMPONENTS), STRANGER, {"app": "camera"}, PROMETHEUS]
    yield from ((a, b, port) for a in peers for b in peers for port in ports)


def test_nothing_else_passes_between_pods(policies: list[Object]) -> None:
    foreign: list[Any] = [STRANGER, PROMETHEUS, {"app": "camera"}]
    to_gateway = [(peer, ours("gateway"), 8000) for peer in foreign]
    cameras = [(ours("worker"), {"app": "camera"}, port) for *_, port in pairs()]
    allowed = [*NEEDED, *to_gateway, *cameras]
    passing = [
        one
        for one in pairs()
        if passes(policies, *one) and not (one[0] in foreign and one[1] in foreign)
    ]
    assert [one for one in passing if one not in allowed] == []


def test_without_cameras_a_worker_may_reach_them_wherever_they_are(chart: Chart) -> None:
    made = of_kind(chart.render({"networkPolicy": {"enabled": True}}), "NetworkPolicy")
    assert made["worker"]["spec"]["egress"] == [{}]


def redis_rules(chart: Chart, values: Values) -> list[Object]:
    """What lets workers reach ports of Redis."""
    on = {"networkPolicy": {"enabled": True, "cameras": CAMERAS}}
    made = of_kind(chart.render(merged(on, values)), "NetworkPolicy")["worker"]["spec"]
    return [
        one for one in made["egress"] if 6379 in {port["port"] for port in one.get("ports", [])}
    ]


def test_workers_reach_the_redis_of_a_pool_of_its_own(chart: Chart) -> None:
    own = {"pool": {"spec": {"worker": {"redisUrlSecretRef": {"name": "its", "key": "url"}}}}}
    there = {"networkPolicy": {"redis": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}}
    ports = [{"port": port, "protocol": "TCP"} for port in (6379, 26379)]
    given = {"ports": ports, "to": there["networkPolicy"]["redis"]}
    assert redis_rules(chart, {}) == []
    assert redis_rules(chart, own) == [{"ports": ports}]
    assert redis_rules(chart, merged(own, {"pool": {"enabled": False}})) == []
    assert redis_rules(chart, merged(own, there)) == [given]
    assert redis_rules(chart, there) == [given]  # of pools that the chart did not make

    bundled = redis_rules(chart, {"redis": {"bundled": {"enabled": True}}})
    assert len(bundled) == 1
    assert redis_rules(chart, merged({"redis": {"bundled": {"enabled": True}}}, there)) == [
        *bundled,
        given,
    ]


def test_who_reads_events_reaches_the_bundled_redis_where_it_is_let_in(chart: Chart) -> None:
    more = {"networkPolicy": {"redisFrom": [{"podSelector": {"matchLabels": READER}}]}}
    for values, reaches in ((VALUES, False), (merged(VALUES, more), True)):
        made = of_kind(chart.render(values), "NetworkPolicy").values()
        policies = [one["spec"] for one in made]
        assert passes(policies, READER, ours("redis"), 6379) == reaches
        assert passes(policies, ours("worker"), ours("redis"), 6379)
        assert not passes(policies, STRANGER, ours("redis"), 6379)


def test_the_job_of_an_upgrade_is_under_its_own_policy_and_under_no_other(chart: Chart) -> None:
    """Those of the release before are in force still, when it has taken its own with it."""
    made = of_kind(chart.render(VALUES, "--is-upgrade"), "NetworkPolicy")
    own = made["crds"]
    assert "helm.sh/hook" in own["metadata"]["annotations"]
    job = own["spec"]["podSelector"]["matchLabels"]
    lasting = [one["spec"] for name, one in made.items() if name != "crds"]
    assert passes(lasting, job, {}, 6443)

    every = [*lasting, own["spec"]]
    assert passes(every, job, {}, 6443)
    assert passes(every, job, {}, 53)
    assert not passes(every, job, STRANGER, 8080)
    assert not passes(every, STRANGER, job, 8080)
    unnamed = {"app.kubernetes.io/name": "camera-ingest"}
    assert not passes(every, unnamed, {}, 6443)


def test_a_program_listens_where_its_policy_lets_others_in(chart: Chart) -> None:
    objects = chart.render(VALUES)
    made = of_kind(objects, "NetworkPolicy")
    for component in ("operator", "gateway", "redis"):
        (container,) = of_kind(objects, "Deployment")[component]["spec"]["template"]["spec"][
            "containers"
        ]
        (port,) = container["ports"]
        (rule,) = made[component]["spec"]["ingress"]
        assert [one["port"] for one in rule["ports"]] == [port["containerPort"]]
