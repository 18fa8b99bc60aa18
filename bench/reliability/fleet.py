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
_WEIGHT: Final = 16  # thousandths of a worker's budget
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


def kind(number: int) -> SessionKind:
    """Every third camera is Exclusive."""
    return "Exclusive" if number % _THIRD == 0 else "Shared"


def cameras(urls: Iterable[str]) -> tuple[dict[str, SessionKind], str]:
    """What to call the cameras of these URLs, and the manifest of all of them."""
    kinds: dict[str, SessionKind] = {}
    items = []
    for number, url in enumerate(urls):
        name = url.rpartition("/")[2]
        kinds[name] = kind(number)
        items.append(
            {
                "apiVersion": names.API_VERSION,
                "kind": "Camera",
                "metadata": {"name": name},
                "spec": {
                    "poolRef": {"name": POOL},
                    "weight": _WEIGHT,
                    "source": {"rtsp": {"url": url, "session": kinds[name]}},
                },
            }
        )
    return kinds, json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
