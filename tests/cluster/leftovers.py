"""What is in a namespace once everything has settled: whatever else there is was left behind.

All of it may be asked for again and again until it has settled: a handover may be under way at any
time, and garbage collection takes a while.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ingest_core.names import OPERATOR_LEASE
from tests.cluster.client import Client
from tests.cluster.kubelet import COLLECTED
from tests.cluster.world import World, account

KINDS: Final = (*COLLECTED, ("api/v1", "pods"), ("apis/coordination.k8s.io/v1", "leases"))


async def strays(cluster: World, made: Iterable[str]) -> list[str]:
    """A sentence for each Camera that runs where it is not assigned, or is no more and runs.

    Args:
        cluster: Whose Cameras all have a worker.
        made: All Cameras that ever were.
    """
    cameras = await cluster.cameras()
    assigned = {(name, one["status"]["assignment"]["worker"]) for name, one in cameras.items()}
    running = {
        (camera, worker)
        for worker, pod in cluster.kubelet.pods.items()
        for camera in await cluster.live(pod)
    }
    left = [f"{one} runs, and should not" for one in sorted(running - assigned)]
    left += [f"{one} does not run" for one in sorted(assigned - running)]
    for name in sorted({*made} - cameras.keys()):
        if any(one.closed is None for one in await cluster.simulator.sessions(name)):
            left.append(f"{name} is read, and is no more")
    return left


async def remains(cluster: World) -> list[str]:
    """A sentence for each kind of object of which there are too many or too few."""
    accounts = [account("operator", number) for number in range(len(cluster.operators))]
    accounts += [account("gateway", number) for number in range(len(cluster.gateways))]
    cameras = (await cluster.cameras()).values()
    there = await asyncio.to_thread(present, cluster.server.admin, cluster.namespace)
    return differences(there, wanted(accounts, cluster.kubelet.pods, cameras))


def present(admin: Client, namespace: str) -> dict[str, set[str]]:
    """Names of all objects of each kind that any program of ours makes, or has made for it."""
    found: dict[str, set[str]] = {}
    for group, plural in KINDS:
        items = admin.get(f"/{group}/namespaces/{namespace}/{plural}")["items"]
        found[plural] = {one["metadata"]["name"] for one in items}
    return found


def wanted(
    accounts: Iterable[str], pods: Iterable[str], cameras: Iterable[Any]
) -> dict[str, set[str]]:
    """The same, of one pool `default` whose Secrets fit into one Role. Pure.

    Args:
        accounts: Of the programs that are not workers.
        pods: Names.
        cameras: As they are.
    """
    workers, roles = {*pods}, {*accounts, "default-worker", "default-secrets-0"}
    return {
        "secrets": {
            one["spec"]["source"]["rtsp"]["credentialsSecretRef"]["name"]
            for one in cameras
            if "credentialsSecretRef" in one["spec"]["source"]["rtsp"]
        },
        "services": {"default"},
        "serviceaccounts": {*accounts, "default-worker"},
        "statefulsets": {"default"},
        "poddisruptionbudgets": {"default"},
        "rolebindings": roles,
        "roles": roles,
        "pods": workers,
        "leases": {*workers, OPERATOR_LEASE},
    }


def differences(there: Mapping[str, set[str]], should: Mapping[str, set[str]]) -> list[str]:
    """A sentence for each kind of which there are too many or too few. Pure."""
    return [
        f"{plural}: too many {sorted(names - should[plural])}, "
        f"missing {sorted(should[plural] - names)}"
        for plural, names in there.items()
        if names != should[plural]
    ]
