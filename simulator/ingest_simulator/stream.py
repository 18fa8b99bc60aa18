"""One playing session: every frame at its time, for as long as the fault of the hour allows.

Real time is kept by the slot, one per frame since PLAY: a late frame is sent at once and the next
ones are on time again. RTP time counts the same slots, so that it goes on across the clip's loop.
"""

import asyncio
import enum
import itertools
import time
from collections.abc import Callable
from random import Random

from ingest_simulator import audio, faults
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.clips import Clips, ReadyClip, ReadyFrame
from ingest_simulator.encode import ClipSpec
from ingest_simulator.faults import RTP_CLOCK, Fault, FaultKind
from ingest_simulator.live import LiveCamera
from ingest_simulator.session import SentFrame, Session
from ingest_simulator.track import Track

_REPORT_SECONDS = 5
_DISTURBING = {FaultKind.LOSE, FaultKind.CORRUPT, FaultKind.GARBAGE}


class End(enum.StrEnum):
    """How a stream ends by itself."""

    FIN = "fin"
    RST = "rst"


class Stream:
    """`fault` tells the fault of now; `camera` is the one that this session was promised."""

    def __init__(
        self,
        *,
        live: LiveCamera,
        session: Session,
        camera: SimulatedCamera,
        clip: ReadyClip,
        clips: Clips,
        video: Track | None,
        sound: Track | None,
        fault: Callable[[], Fault | None],
    ) -> None:
        self._live, self._session, self._camera = live, session, camera
        self._clip, self._clips = clip, clips
        self._video, self._sound = video, sound
        self._ask = fault
        self._origin = 0  # the slot in which the clip's first frame is due
        first = fault()
        if first is not None and first.kind is FaultKind.NO_PARAMETER_SETS:
            self._origin = -_within_a_group(clip)
        self._fault: Fault | None = None
        self._chance = Random()  # noqa: S311 - which packet is hit, not a secret
        self._onset: int | None = None
        self._await_keyframe = False
        self._sounds = 0

    @property
    def first_ticks(self) -> int:
        """RTP time of the first video frame, of the track's base."""
        return self._ticks(self._place(0)[1])

    async def run(self) -> End:
        """Until cancelled or ended by a fault. Raises SlowReaderError."""
        now = asyncio.get_running_loop().time
        begin, wall = now(), time.time()
        self._session.playing = wall
        since, frames = begin, 0
        for slot in itertools.count():
            await asyncio.sleep(max(0.0, begin + slot / self._camera.fps - now()))
            fault = self._ask()
            if fault is not self._fault:
                self._fault, self._onset = fault, None
                since, frames = now(), self._session.frames
                self._chance.seed(fault.seed if fault else 0)
            if fault and not faults.begun(fault, now() - since, self._session.frames - frames):
                fault = None
            if fault and fault.kind in (FaultKind.FIN, FaultKind.RST):
                return End(fault.kind.value)
            if slot % (_REPORT_SECONDS * self._camera.fps) == 0:
                self._report(wall, slot)
            self._choose_clip(slot, fault)
            await self._slot(slot, wall, fault)
        raise AssertionError("slots have no end")

    async def _slot(self, slot: int, wall: float, fault: Fault | None) -> None:
        frame, place = self._place(slot)
        dead = fault is not None and (
            fault.kind is FaultKind.STALL
            or (fault.kind is FaultKind.DEAD_UDP and self._session.transport == "udp")
        )
        if dead:
            # What comes after a silence begins with a picture that can be decoded.
            self._await_keyframe = True
            self._sounds = self._sounds_due(slot)
            return
        if self._sound is not None:
            self._send_sound(self._sound, slot)
        if self._await_keyframe and not frame.keyframe:
            return
        self._await_keyframe = False
        if self._video is None:
            return
        ticks = self._ticks(place)
        if self._onset is None and fault is not None:
            self._onset = ticks
        if fault is not None and self._onset is not None:
            ticks = faults.timestamp(fault, ticks, self._onset)
        buffer: bytes | bytearray = self._video.frame(frame.packets, ticks)
        spans = frame.packets.spans
        if fault is not None and fault.kind in _DISTURBING:
            buffer, spans = faults.disturb(fault, buffer, spans, self._chance)
        if fault is not None and fault.kind is FaultKind.DRIBBLE:
            await self._dribble(self._video, buffer, fault)
        else:
            self._video.send(buffer, spans)
        captured = wall + (place - self._clip.delay) / self._camera.fps
        self._live.sent(
            self._session,
            SentFrame(
                session=self._session.number,
                index=frame.presented,
                timestamp=self._video.timestamp(ticks),
                captured=captured,
                sent=time.time(),
                keyframe=frame.keyframe,
            ),
        )

    async def _dribble(self, video: Track, buffer: bytes | bytearray, fault: Fault) -> None:
        """A byte at a time; the rest at once when the fault is healed meanwhile."""
        at = 0
        while at < len(buffer) and self._ask() is fault:
            video.send(buffer[at : at + 1], ((0, 1),))
            at += 1
            await asyncio.sleep(fault.interval)
        video.send(buffer[at:], ((0, len(buffer) - at),))

    def _place(self, slot: int) -> tuple[ReadyFrame, int]:
        """The frame due in this slot, and the slot that it shows."""
        loops, at = divmod(slot - self._origin, len(self._clip.frames))
        frame = self._clip.frames[at]
        return frame, self._origin + loops * len(self._clip.frames) + frame.presented

    def _ticks(self, place: int) -> int:
        return place * RTP_CLOCK // self._camera.fps

    def _choose_clip(self, slot: int, fault: Fault | None) -> None:
        """Change to the size that the fault asks for, and back, with a keyframe."""
        spec = ClipSpec.of(faults.resized(self._camera, fault))
        if spec == self._clip.spec:
            return
        clip = self._clips.ready(spec)
        if clip is not None:
            self._clip, self._origin = clip, slot

    def _sounds_due(self, slot: int) -> int:
        return slot * audio.RATE // (audio.SAMPLES * self._camera.fps)

    def _send_sound(self, sound: Track, slot: int) -> None:
        for number in range(self._sounds, self._sounds_due(slot)):
            packets = audio.PACKETS[number % len(audio.PACKETS)]
            sound.send(sound.frame(packets, number * audio.SAMPLES), packets.spans)
        self._sounds = self._sounds_due(slot)

    def _report(self, wall: float, slot: int) -> None:
        for track in (self._video, self._sound):
            if track is not None:
                seconds = (slot - self._clip.delay) / self._camera.fps
                track.report(
                    wall=wall + seconds,
                    ticks=round(seconds * track.clock),
                    name=self._camera.name,
                )


def _within_a_group(clip: ReadyClip) -> int:
    """A place in the clip from which no picture can be decoded before the next keyframe."""
    keyframes = [at for at, frame in enumerate(clip.frames) if frame.keyframe]
    return (keyframes[1] if len(keyframes) > 1 else len(clip.frames)) // 2
