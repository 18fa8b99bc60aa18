"""What a namespace says of its cameras, and waiting for what it is to say."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tests.cluster.command_line import CommandLine, Failed

_SECONDS: Final = 180.0

Status = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hold:
    """Who captures a camera, and since when without a break: equal, if nothing happened to it.

    Attributes:
        worker: By its assignment, of `epoch`.
        pod: Its uid.
        holder: Of the worker's Lease.
        connected: When the session began.
    """

    worker: str
    epoch: int
    pod: str
    holder: str
    connected: str


def holds(by: CommandLine, *cameras: str) -> Mapping[str, Hold]:
    """How each camera is held now.

    Raises:
        Failed: One of them is not captured at the moment.
    """
    return {name: _hold(by, name) for name in cameras}


def status(by: CommandLine, camera: str) -> Status:
    """Of a Camera; empty: nobody has looked at it."""
    found: Status = get(by, "camera", camera).get("status", {})
    return found


def reason(by: CommandLine, camera: str, condition: str = "Ready") -> str:
    """Why a Camera is as it is, in one word; empty: nobody has said."""
    there = status(by, camera).get("conditions", ())
    return next((str(one["reason"]) for one in there if one["type"] == condition), "")


def get(by: CommandLine, kind: str, name: str) -> Any:
    return json.loads(by.kubectl("get", kind, name, "--output=json"))


def items(by: CommandLine, kind: str, *options: str) -> Any:
    """All of a kind in the namespace, or those that options of `kubectl get` choose."""
    return json.loads(by.kubectl("get", kind, *options, "--output=json"))["items"]


def address(by: CommandLine, service: str) -> str:
    """Of a Service, within the cluster."""
    found: str = get(by, "service", service)["spec"]["clusterIP"]
    return found


def until(look: Callable[[], T], wanted: Callable[[T], bool], seconds: float = _SECONDS) -> T:
    """What one sees, as soon as it is what is wanted; what is not there yet is looked for again."""
    deadline = time.monotonic() + seconds
    while True:
        seen: object
        try:
            found = look()
            if wanted(found):
                return found
            seen = found
        except Failed as error:
            seen = error
        assert time.monotonic() < deadline, f"not what is wanted: {seen}"
        time.sleep(0.2)


def _hold(by: CommandLine, camera: str) -> Hold:
    there = status(by, camera)
    assignment, stream = there.get("assignment", {}), there.get("stream", {})
    worker, connected = assignment.get("worker"), stream.get("connectedTime")
    if None in {worker, connected} or stream["worker"] != worker:
        raise Failed(f"{camera} is not captured: {there}")
    pod = get(by, "pod", worker)["metadata"]["uid"]
    holder = get(by, "lease", worker)["spec"]["holderIdentity"]
    return Hold(worker, assignment["epoch"], pod, holder, connected)
