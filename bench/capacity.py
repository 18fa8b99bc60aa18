"""How many cameras of 640x360 at five frames a second, with motion, one core carries.

The worker has one core, the simulator another. A frame can be decoded once the next one begins,
because FFmpeg's parser holds it until then; it is late when it becomes the newest more than its own
interval after that. A frame that was sent and never shown is lost. Cameras are added step by step
until a frame is late or lost in two windows of a step: in one of them, something else may have had
the core.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.cameras import SMALL, Cameras, simulated
from bench.line import Budget, Line
from bench.processes import MEASURED_CORE, OTHER_CORE, busy
from bench.workers import Working, working
from ingest_simulator.session import SentFrame

BUDGET = 130
STEPS = (BUDGET, 150, 170, 190, 210, 230, 250, 270)
INTERVAL = 1 / SMALL.fps
_WINDOW_SECONDS = 8.0
_SETTLE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Window:
    """What was seen of all cameras in a while. Times are seconds."""

    cameras: int
    cpu: float
    others: float  # of the same core, what other programs had
    delays: Sequence[float]
    lost: int  # frames, and sessions that ended

    @property
    def good(self) -> bool:
        return self.lost == 0 and max(self.delays) <= INTERVAL

    @property
    def late(self) -> int:
        return sum(delay > INTERVAL for delay in self.delays)


def delays(
    sent: Sequence[SentFrame], shown: Sequence[float], begin: float, end: float
) -> tuple[list[float], int]:
    """From when each frame could be decoded until it was shown; and how many never were.

    Args:
        sent: All frames of a camera's one session, in order.
        shown: When each of them was shown, from the first on; those beyond its end were not yet.
        begin: Unix seconds; frames that could be decoded from then on count,
        end: and those that could be decoded a whole interval before this.
    """
    late, lost = [], 0
    for number, following in enumerate(sent[1:]):
        if not begin <= following.sent < end - INTERVAL:
            continue
        if number < len(shown):
            late.append(shown[number] - following.sent)
        else:
            lost += 1
    return late, lost


def window(cameras: Cameras, worker: Working) -> Window:
    """Watch for a while."""
    began, cpu, core = time.time(), worker.process.cpu, busy(MEASURED_CORE)
    time.sleep(_WINDOW_SECONDS)
    ended = time.time()
    share = (worker.process.cpu - cpu) / (ended - began)
    others = max(0.0, (busy(MEASURED_CORE) - core) / (ended - began) - share)
    broken = worker.look().lost
    found: list[float] = []
    for name in cameras.sent():
        late, missing = delays(cameras.frames(name), worker.shown[name], began, ended)
        found += late
        broken += missing
    return Window(worker.cameras, share, others, found, broken)


def steps(cameras: Cameras, worker: Working) -> Iterator[Window]:
    """A good window of each step, as far as it goes, and the bad one of the next."""
    for count in STEPS:
        worker.add(cameras.add(SMALL, count - worker.cameras, prefix=f"s{count}-"))
        worker.await_connected()
        time.sleep(_SETTLE_SECONDS)
        seen = window(cameras, worker)
        if not seen.good:
            seen = window(cameras, worker)
        yield seen
        if not seen.good:
            return


def measure() -> list[Line]:
    with simulated(OTHER_CORE) as cameras, working(core=MEASURED_CORE) as worker:
        windows = list(steps(cameras, worker))
    first, carried = windows[0], sum(each.good for each in windows)
    best = windows[carried - 1].cameras if carried else 0
    over = windows[-1]
    ended = (
        "the search ended there"
        if over.good
        else f"at {over.cameras}: {over.late} late and {over.lost} lost of {len(over.delays)}, "
        f"CPU {over.cpu:.0%}, other programs {over.others:.0%}"
    )
    worst = max(first.delays) * 1000
    mean = first.cpu / (first.cameras * SMALL.fps) * 1000
    return [
        Line(
            "640x360@5 with motion on one core, no frame late",
            best,
            "cameras",
            Budget(BUDGET, at_most=False),
            ended,
        ),
        Line(
            f"CPU of the core with {first.cameras} of them",
            100 * first.cpu,
            "%",
            detail=f"other programs {first.others:.0%}; {mean:.2f} ms a frame; "
            f"the slowest was shown {worst:.0f} ms after it could be decoded",
        ),
    ]
