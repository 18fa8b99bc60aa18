"""Which camera has which fault when: the course of a soak, drawn beforehand. Pure.

A third of the cameras never has one: whatever they lose is lost by the system. Not drawn are
refusals of a login: a worker leaves such a camera alone for up to ten minutes, so that it is not
locked out, and a soak would end before it is asked again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from ingest_simulator.faults import Fault, FaultKind

QUIET_SECONDS: Final = (10.0, 90.0)  # in which a camera is well
FAULT_SECONDS: Final = (5.0, 30.0)

_OF_NEW_SESSIONS: Final = frozenset(
    {
        FaultKind.REFUSE,
        FaultKind.HANG,
        FaultKind.STATUS,
        FaultKind.REDIRECT,
        FaultKind.SDP,
        FaultKind.NO_PARAMETER_SETS,
        FaultKind.B_FRAMES,
        FaultKind.AUDIO,
    }
)
"""A session that plays does not meet them."""

FAULTS: Final = (
    *(
        Fault(kind=kind)
        for kind in FaultKind
        if kind not in (FaultKind.STATUS, FaultKind.REDIRECT, FaultKind.SDP, FaultKind.DEAD_UDP)
    ),
    *(Fault(kind=FaultKind.STATUS, status=status) for status in (404, 453, 500, 503)),
    Fault(kind=FaultKind.SDP, sdp="v=0\r\nm=video 0 RTP/AVP nonsense\r\n"),
    Fault(kind=FaultKind.REDIRECT, location="rtsp://127.0.0.1:1/nobody"),
)


@dataclass(frozen=True, slots=True)
class Act:
    """At `at` seconds after the start a camera has a fault from now on, or none.

    Attributes:
        cut: Its sessions are ended, so that whoever had it comes back into the fault.
    """

    at: float
    camera: str
    fault: Fault | None
    cut: bool = False


def victims(cameras: Sequence[str]) -> list[str]:
    """Those that have faults; the others never have one."""
    return [camera for number, camera in enumerate(sorted(cameras)) if number % 3]


def course(cameras: Sequence[str], seconds: float, chance: Random) -> list[Act]:
    """What happens when, in order; at `seconds` every camera is well, or about to be."""
    acts = [act for camera in victims(cameras) for act in _life(camera, seconds, chance)]
    return sorted(acts, key=lambda act: act.at)


def _life(camera: str, seconds: float, chance: Random) -> Iterator[Act]:
    at = chance.uniform(0, QUIET_SECONDS[1])
    while (until := at + chance.uniform(*FAULT_SECONDS)) < seconds:
        fault = chance.choice(FAULTS)
        cut = chance.random() < 0.5
        yield Act(at, camera, fault, cut=cut or fault.kind in _OF_NEW_SESSIONS)
        yield Act(until, camera, None)
        at = until + chance.uniform(*QUIET_SECONDS)
