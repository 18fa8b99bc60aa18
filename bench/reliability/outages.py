"""The outages that last for minutes: of the operator, of the API server, of Redis."""

from collections.abc import Mapping, Sequence
from signal import SIGKILL
from typing import Final

from bench.reliability import fleet, heard
from bench.reliability.heard import Heard
from bench.reliability.result import Account
from bench.reliability.stage import Stage
from bench.reliability.turn import Turn
from ingest_core import metrics

_MINUTE: Final = 60.0
_OUT: Final = 2.0  # s in which what waited is out, and heard


def operator_down(turn: Turn) -> None:
    """The operators are scaled to none; a worker's process is killed meanwhile; they return."""
    stage, victim = turn.stage, turn.fresh_worker()
    with turn.judged([victim]):
        stage.cluster.kubectl("scale", "deployment", fleet.OPERATOR, "--replicas=0")
        stage.until(lambda: _left(stage, "operator"))
        stage.cut([victim])
        stage.cluster.kill_in_pod(victim, SIGKILL)
        stage.clock.sleep(stage.minutes * _MINUTE)
        stage.cluster.kubectl(
            "scale", "deployment", fleet.OPERATOR, f"--replicas={fleet.OPERATORS}"
        )
        stage.cluster.kubectl("rollout", "status", f"deployment/{fleet.OPERATOR}", "--timeout=120s")
        stage.until_well()


def api_down(turn: Turn) -> None:
    """The API server is stopped, and started again.

    Whoever has an Exclusive camera lets go of it when its Lease has run out, as nobody could know
    that it still has it; so these are without frames for as long as the API server is away.
    """
    stage = turn.stage
    with turn.judged(turn.workers):
        stage.cluster.stop_api_server()
        try:
            stage.clock.sleep(stage.minutes * _MINUTE)
        finally:
            stage.cluster.start_api_server()
        stage.until_well()


def redis_down(turn: Turn) -> None:
    """Redis is scaled to none, and back; it keeps nothing.

    The subscriber is there before workers reach the new one (its Service has no endpoint for so
    long), and hears what they kept, some twelve seconds of it. Events that were numbered meanwhile
    are those that were heard and those that `camera_ingest_events_dropped_total` counts, or it is
    said here.
    """
    stage = turn.stage
    with turn.judged(turn.workers, listening=False):
        dropped = _dropped(turn)
        stage.cluster.kubectl("scale", "deployment", fleet.REDIS, "--replicas=0")
        stage.until(lambda: _left(stage, "redis"))
        before = stage.ears.heard()
        stage.ears.forget()
        _lead(stage, to_redis=False)
        stage.clock.sleep(stage.minutes * _MINUTE)
        stage.cluster.kubectl("scale", "deployment", fleet.REDIS, "--replicas=1")
        stage.until(lambda: _follow(stage))
        _lead(stage, to_redis=True)
        stage.until(lambda: _unheard(stage))
        stage.clock.sleep(_OUT)
        turn.account = _account(before, stage.ears.heard(), _dropped(turn) - dropped)


def _lead(stage: Stage, *, to_redis: bool) -> None:
    patch = fleet.leads(to_redis=to_redis)
    stage.cluster.kubectl("patch", "service", fleet.REDIS, "--type=merge", "--patch", patch)


def _left(stage: Stage, component: str) -> str:
    left = [one.name for one in stage.look().pods.get(component, ())]
    return f"still there: {', '.join(left)}" if left else ""


def _follow(stage: Stage) -> str:
    """Find where Redis is, and be there before the workers."""
    found = stage.look().redis
    if found is None or found.host is None:
        return "Redis has no address yet"
    stage.ears.follow(found.host)
    return "" if stage.ears.listening else "Redis does not answer yet"


def _unheard(stage: Stage) -> str:
    heard_of = stage.ears.heard()
    silent = [name for name in stage.kinds if not heard_of.get(name)]
    return f"no event of {', '.join(silent)}" if silent else ""


def _dropped(turn: Turn) -> int:
    meters = turn.stage.meters
    hosts = [one.host for one in turn.workers if one.host]
    return sum(meters.total(host, metrics.EVENTS_DROPPED.name) for host in hosts)


def _account(
    before: Mapping[str, Sequence[Heard]], after: Mapping[str, Sequence[Heard]], dropped: int
) -> Account:
    counts = [heard.since(before.get(camera, ()), found) for camera, found in after.items()]
    numbered, came = (sum(column) for column in zip(*counts, strict=True))
    return Account(numbered, came, dropped)
