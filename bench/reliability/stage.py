"""Where scenarios play: a cluster and its cameras, to look at and to wait for.

It owns what outlives a repetition: the hosts that were cut off, as the simulator may believe in
their sessions for long after.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.reliability import fleet, sight, truth
from bench.reliability.cluster import Cameras, Clock, Cluster, Ears, Kubernetes, Meters, NotWell
from bench.reliability.result import SessionKind
from bench.reliability.sight import Pod, Sight
from bench.reliability.truth import Cut

PATIENCE: Final = 300.0  # s; beyond it, what was broken does not heal by itself
_LOOK: Final = 1.0  # s from one look to the next: each costs the machine that is measured


def look(cluster: Kubernetes) -> Sight:
    """Raises NotWell."""
    return sight.read(cluster.kubectl("get", "cameras,pods", "--output", "json"))


@dataclass(frozen=True, slots=True)
class Stage:
    """See the module.

    Attributes:
        kinds: Every camera, and how many may read it.
        workers: How many there are when all is well.
        fps: Of each camera.
        minutes: How long an outage lasts that is not over when all has moved.
        cuts: Every host that was cut off, since the cameras began.
    """

    cluster: Cluster
    cameras: Cameras
    ears: Ears
    meters: Meters
    clock: Clock
    kinds: Mapping[str, SessionKind]
    workers: int
    fps: int
    minutes: float
    cuts: list[Cut] = field(default_factory=list)

    def look(self) -> Sight:
        return look(self.cluster)

    def until(self, lacking: Callable[[], str]) -> None:
        """Wait until nothing is lacking. Raises NotWell."""
        deadline = self.clock.time() + PATIENCE
        while True:
            try:
                said = lacking()
            except NotWell as error:  # the API server may be on its way back
                said = str(error)
            if not said:
                return
            if self.clock.time() > deadline:
                raise NotWell(f"not within {PATIENCE:g} s: {said}")
            self.clock.sleep(_LOOK)

    def until_well(self) -> None:
        """Until every worker is Ready and every frame received."""
        self.until(lambda: sight.unwell(self.look(), self.workers) or self._silent())

    def until_even(self) -> Sight:
        """Let loads be evened out, until all is well and they are; then no more."""
        self.patch_pool(fleet.rebalance(on=True))

        def lacking() -> str:
            seen = self.look()
            return sight.unwell(seen, self.workers) or sight.uneven(seen) or self._silent()

        self.until(lacking)
        self.patch_pool(fleet.rebalance(on=False))
        return self.look()

    def until_placed(self, away: Iterable[Pod]) -> None:
        """Until every frame is received, by workers that are not away."""
        names = [worker.name for worker in away]
        self.until(lambda: self._silent() or sight.unplaced(self.look(), names))

    def until_received(self) -> None:
        """Until every frame is received, whatever Kubernetes says of it."""
        self.until(self._silent)

    def cut(self, workers: Iterable[Pod]) -> None:
        """What was being sent to them is received no more, from this instant on."""
        now = self.clock.time()
        self.cuts.extend(Cut(now, worker.host) for worker in workers if worker.host)

    def patch_pool(self, patch: str) -> None:
        self.cluster.kubectl("patch", "camerapool", fleet.POOL, "--type=merge", "--patch", patch)

    def _silent(self) -> str:
        now = self.clock.time()
        return truth.silent(self.cameras.sessions(), self.cuts, now)
