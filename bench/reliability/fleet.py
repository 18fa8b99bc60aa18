"""What is measured: an installation of the chart, a pool of three workers, 60 simulated cameras.

Each of the nodes has one worker, and any worker has room for all cameras. Loads are evened out at
once and to within three cameras, so that the next repetition can begin.
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
# Thousandths of a worker's budget. A rebalance takes the heaviest first: so a node that comes back
# gets Exclusive cameras, too, and they do not all end up on the node that is never hit.
_WEIGHTS: Final[Mapping[SessionKind, int]] = {"Shared": 16, "Exclusive": 17}
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
    """Of the chart. What is not here is as it is by default."""
    return {
        "pool": {
            "spec": {
                "replicas": WORKERS,
                "rebalance": {"maxMovesPerMinute": 600, "skewPercent": _SKEW_PERCENT},
                "worker": {"affinity": _ONE_A_NODE},
            }
        },
        "redis": {"bundled": {"enabled": True}},
    }


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
    items = [_camera(name, url, found[name]) for name, url in by_name.items()]
    return found, json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _camera(name: str, url: str, session: SessionKind) -> dict[str, Any]:
    spec = {
        "poolRef": {"name": POOL},
        "weight": _WEIGHTS[session],
        "source": {"rtsp": {"url": url, "session": session}},
    }
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Camera",
        "metadata": {"name": name},
        "spec": spec,
    }
