"""What this machine's kernel counts for pods on its nodes: nothing runs in them to take it.

Of a pod that is gone there is nothing: None.
"""

from functools import cache
from pathlib import Path

import psutil

from bench.reliability.cluster import NotWell
from bench.reliability.real import first_process
from tests.cluster.footprint import Footprint, footprint
from tests.cluster.nodes.machine import CGROUPS


def memory(uid: str) -> int | None:
    """Bytes of anonymous memory of all its processes."""
    said = _read("memory", uid, "memory.stat")
    return None if said is None else int(dict(map(str.split, said.splitlines()))["total_rss"])


def cpu(uid: str) -> float | None:
    """Seconds of CPU since it began."""
    said = _read("cpuacct", uid, "cpuacct.usage")
    return None if said is None else int(said) / 1e9


def holds(uid: str) -> Footprint | None:
    """What its first process holds."""
    try:
        return footprint(first_process(uid), 0)
    except (NotWell, OSError, psutil.NoSuchProcess):
        return None


def _read(hierarchy: str, uid: str, file: str) -> str | None:
    try:
        return (_cgroup(hierarchy, uid) / file).read_text()
    except OSError:
        return None


@cache  # to find it is to walk through those of the whole machine
def _cgroup(hierarchy: str, uid: str) -> Path:
    for found in (CGROUPS / hierarchy).rglob(f"pod{uid}"):
        return found
    raise FileNotFoundError(f"no cgroup of the pod {uid} is here")
