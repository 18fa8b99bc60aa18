"""What is measured: an installation of the chart, a pool of three workers, 60 simulated cameras.

Each of the nodes has one worker, and any worker has room for all cameras. Loads are evened out
between two repetitions, fast and to within some cameras. While one is judged they are not, unless
it is about that: a move of an Exclusive camera costs frames, and nobody could tell which cost what.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bench.reliability.result import SessionKind
from ingest_core import names

RELEASE: Final = "cameras"
POOL: Final = names.DEFAULT_POOL
OPERATOR: Final = f"{RELEASE}-camera-ingest-operator"
REDIS: Final = f"{RELEASE}-camera-ingest-redis"

OPERATORS: Final = 2
WORKERS: Final = 3
FPS: Final = 5
CAMERAS: Final = 60
_THIRD: Final = 3
_WEIGHT: Final = 16  # thousandths of a worker's budget
_MOVES: Final = 600  # a minute
_SKEW_PERCENT: Final = 5  # of the budget: three cameras

_ONE_A_NODE: Final = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchLabels": {names.LABEL_COMPONENT: names.WORKER}},
            }
        ]
    }
}


def values() -> Mapping[str, Any]:
    """Of the chart. What is not here is as an `Installation` has it by default."""
    return {
        "pool": {
            "spec": {
                "replicas": WORKERS,
                "rebalance": {"maxMovesPerMinute": 0, "skewPercent": _SKEW_PERCENT},
                "worker": {"affinity": _ONE_A_NODE},
            }
        }
    }


def rebalance(*, on: bool) -> str:
    """A merge patch of the pool."""
    return json.dumps({"spec": {"rebalance": {"maxMovesPerMinute": _MOVES if on else 0}}})


def annotation(value: str) -> str:
    """A merge patch of the pool which makes other pods of its workers."""
    return json.dumps({"spec": {"worker": {"podAnnotations": {"turn": value}}}})


def leads(*, to_redis: bool) -> str:
    """A merge patch of Redis's Service: it leads there, or nowhere."""
    component = "redis" if to_redis else "nobody"
    return json.dumps({"spec": {"selector": {names.LABEL_COMPONENT: component}}})


def kinds(cameras: Iterable[str]) -> dict[str, SessionKind]:
    """One of each three is Exclusive, and not of each three the same."""
    return {
        name: "Exclusive" if (number + number // _THIRD) % _THIRD == 0 else "Shared"
        for number, name in enumerate(sorted(cameras))
    }


def cameras(urls: Iterable[str]) -> tuple[dict[str, SessionKind], str]:
    """The cameras of these URLs, and the manifest of all of them."""
    by_name = {url.rpartition("/")[2]: url for url in urls}
    found = kinds(by_name)
    weights = _weights(found)
    items = [_camera(name, url, found[name], weights[name]) for name, url in by_name.items()]
    return found, json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _weights(kinds: Mapping[str, SessionKind]) -> Mapping[str, int]:
    """All the same, but that every other Exclusive camera is a little heavier.

    A rebalance takes the heaviest first, and Shared ones before Exclusive ones. So a worker that
    is new gets both; else all Exclusive cameras would end up on the node that is never hit.
    """
    heavy = [name for name, kind in kinds.items() if kind == "Exclusive"][::2]
    return {name: _WEIGHT + (name in heavy) for name in kinds}


def _camera(name: str, url: str, session: SessionKind, weight: int) -> dict[str, Any]:
    spec = {
        "poolRef": {"name": POOL},
        "weight": weight,
        "source": {"rtsp": {"url": url, "session": session}},
    }
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Camera",
        "metadata": {"name": name},
        "spec": spec,
    }
