"""What is done to the cluster, over and over: a table of small functions.

Each begins when all is well, judges once, and leaves what will be well again by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from signal import SIGKILL
from typing import Final

from bench.reliability import fleet, outages
from bench.reliability.figures import Budget
from bench.reliability.result import SessionKind
from bench.reliability.turn import Turn

_DRAIN_SECONDS: Final = 180


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of them.

    Attributes:
        title: For people.
        run: Do it once; its docstring says how.
        budgets: What must hold, by how many may read a camera.
        once: It takes minutes, so it is not repeated.
    """

    title: str
    run: Callable[[Turn], None]
    budgets: Mapping[SessionKind, Budget] = field(default_factory=dict)
    once: bool = False

    @property
    def how(self) -> str:
        text = self.run.__doc__
        assert text is not None, f"{self.title} does not say how"
        return " ".join(text.split())


def both(budget: Budget) -> Mapping[SessionKind, Budget]:
    return {"Shared": budget, "Exclusive": budget}


def shared(budget: Budget) -> Mapping[SessionKind, Budget]:
    return {"Shared": budget}


def worker_killed(turn: Turn) -> None:
    """SIGKILL to a worker's process; its container is started again in the same pod.

    The pod is a fresh one: a container that ends again within ten minutes waits for kubelet's
    back-off, 10 s and more, and its cameras move when the Lease has run out.
    """
    stage, victim = turn.stage, turn.fresh_worker()
    with turn.judged([victim]):
        stage.cut([victim])
        stage.cluster.kill_in_pod(victim, SIGKILL)
        stage.until_received()


def pod_deleted(turn: Turn) -> None:
    """`kubectl delete pod` of a worker, which hands its cameras over first."""
    stage, victim = turn.stage, turn.worker()
    with turn.judged([victim]):
        stage.cluster.kubectl("delete", "pod", victim.name)
        stage.until_well()


def node_killed(turn: Turn) -> None:
    """A node's power fails. It is switched on again once its cameras are with others."""
    stage, node = turn.stage, turn.node()
    victims = turn.on(node)
    with turn.judged(victims):
        stage.cut(victims)
        stage.cluster.crash(node)
        stage.until_placed(victims)
    stage.cluster.start(node)


def node_cut_off(turn: Turn) -> None:
    """A node's cable is drawn, and put back once its cameras are with others; judged to the end."""
    stage, node = turn.stage, turn.node()
    victims = turn.on(node)
    with turn.judged(victims):
        stage.cut(victims)
        stage.cluster.partition(node)
        try:
            stage.until_placed(victims)
        finally:
            stage.cluster.heal(node)
        stage.until_well()


def node_drained(turn: Turn) -> None:
    """`kubectl drain` of a node; `kubectl uncordon` when it is empty."""
    stage, node = turn.stage, turn.node()
    with turn.judged(turn.on(node)):
        try:
            options = ("--ignore-daemonsets", "--delete-emptydir-data")
            stage.cluster.kubectl("drain", node, *options, f"--timeout={_DRAIN_SECONDS}s")
            stage.until_placed(turn.on(node))
        finally:
            stage.cluster.kubectl("uncordon", node)
        stage.until_well()


def rolling_update(turn: Turn) -> None:
    """An annotation of the workers' pods is changed: they are replaced, one by one."""
    stage, before = turn.stage, {one.uid for one in turn.workers}

    def old() -> str:
        left = [one.name for one in stage.look().workers if one.uid in before]
        return f"not replaced: {', '.join(left)}" if left else ""

    with turn.judged(turn.workers):
        stage.patch_pool(fleet.annotation(f"{stage.clock.time():.3f}"))
        stage.until(old)
        stage.until_well()


def scaled(turn: Turn) -> None:
    """`kubectl scale` to one worker fewer, and back when it is gone: the new one is given cameras.

    That is the rebalance. Every move of both is judged.
    """
    stage, wanted = turn.stage, turn.stage.workers

    def too_many() -> str:
        left = len(stage.look().workers)
        return f"{left} workers are left" if left >= wanted else ""

    def scale(replicas: int) -> None:
        stage.cluster.kubectl("scale", "camerapool", fleet.POOL, f"--replicas={replicas}")

    with turn.judged(turn.workers):
        scale(wanted - 1)
        stage.until(too_many)
        stage.until_placed(())
        scale(wanted)
        stage.until_even()


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "worker-killed": Scenario("Worker process killed", worker_killed, both(Budget(p99=5.0))),
    "pod-deleted": Scenario("Pod deleted", pod_deleted),
    "node-killed": Scenario("Node killed", node_killed, both(Budget(p99=15.0))),
    "node-cut-off": Scenario("Node cut off and back", node_cut_off, both(Budget(p99=15.0))),
    "node-drained": Scenario("Node drained", node_drained, shared(Budget(lost=0))),
    "rolling-update": Scenario("Rolling update", rolling_update, shared(Budget(lost=0))),
    "scaled": Scenario("Scale-in and rebalance", scaled, shared(Budget(lost=0))),
    "operator-down": Scenario(
        "Operator down", outages.operator_down, both(Budget(others=0)), once=True
    ),
    "api-down": Scenario("API server down", outages.api_down, shared(Budget(lost=0)), once=True),
    "redis-down": Scenario("Redis down", outages.redis_down, both(Budget(lost=0)), once=True),
}
