"""A pod says where it serves, and whether it still will."""

from typing import Any

import pytest

from ingest_core import lenient
from ingest_core.kube.pods import Pod

HTTP = {"name": "http", "containerPort": 8080, "protocol": "TCP"}


def pod(status: dict[str, Any] | None = None, **parts: Any) -> Pod:
    ports = parts.pop("ports", [HTTP])
    raw = {
        "metadata": {"name": "default-0", **parts},
        "spec": {"containers": [{"name": "side", "image": "x"}, {"name": "w", "ports": ports}]},
        "status": status or {},
    }
    return lenient.convert(raw, Pod)


def test_its_address_is_its_own_and_its_named_port() -> None:
    assert pod({"podIP": "10.0.0.7"}).address() == ("10.0.0.7", 8080)
    other = pod({"podIP": "::1"}, ports=[{"name": "metrics", "containerPort": 1}, HTTP])
    assert other.address("metrics") == ("::1", 1)


@pytest.mark.parametrize(
    ("status", "ports"),
    [({}, [HTTP]), ({"podIP": "10.0.0.7"}, []), ({"podIP": "10.0.0.7"}, [{"containerPort": 1}])],
)
def test_without_an_address_or_the_port_there_is_none(
    status: dict[str, Any], ports: list[dict[str, Any]]
) -> None:
    assert pod(status, ports=ports).address() is None


@pytest.mark.parametrize(
    ("phase", "ended"),
    [("", False), ("Pending", False), ("Running", False), ("Succeeded", True), ("Failed", True)],
)
def test_it_has_ended_when_it_says_so(phase: str, *, ended: bool) -> None:
    assert pod({"phase": phase}).ended is ended


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ([], False),
        ([{"type": "Ready", "status": "False"}], False),
        ([{"type": "Initialized", "status": "True"}], False),
        ([{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}], True),
    ],
)
def test_it_is_ready_when_its_probe_says_so(
    conditions: list[dict[str, str]], *, ready: bool
) -> None:
    assert pod({"conditions": conditions}).ready is ready


def test_one_that_was_told_to_end_still_serves() -> None:
    ending = pod({"podIP": "10.0.0.7"}, deletionTimestamp="2026-11-22T09:00:00Z")
    assert ending.terminating
    assert ending.address() is not None
    assert ending.name == "default-0"
    assert not pod().terminating
