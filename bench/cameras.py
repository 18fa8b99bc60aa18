"""The simulator in a process of its own, driven over its control API."""

import contextlib
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import structs

from bench.processes import BenchError, Child, python, running
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.control import CameraView, FramesView
from ingest_simulator.main import FirstLine
from ingest_simulator.session import SentFrame

T = TypeVar("T")

SMALL: Final = SimulatedCamera(name="small", width=640, height=360, fps=5, gop=10, bitrate=256_000)
"""640x360 at five frames a second: most cameras' second stream."""
LARGE: Final = SimulatedCamera(
    name="large", width=1920, height=1080, fps=15, gop=30, bitrate=2_910_000
)
"""1080p at 15 frames a second; the encoder is told what makes it 3 Mb/s in fact."""
_CLIPS: Final = 4  # different ones, in turn
_PLAYING_SECONDS: Final = 20.0


class Cameras:
    """The simulator's cameras. Times are Unix seconds."""

    def __init__(self, process: Child, control: str) -> None:
        self.process = process
        self._control = f"http://{control}/cameras"

    def add(self, camera: SimulatedCamera, count: int, prefix: str = "c") -> list[str]:
        """Serve so many of this kind; their URLs."""
        urls = []
        for number in range(count):
            one = structs.replace(camera, name=f"{prefix}{number}", seed=number % _CLIPS)
            request = urllib.request.Request(self._control, msgspec.json.encode(one))
            urls.append(self._call(request, CameraView).url)
        return urls

    def sent(self) -> Mapping[str, int]:
        """Frames that each camera sent so far, by its name."""
        return {each.name: each.frames_sent for each in self._list()}

    def frames(self, name: str) -> Sequence[SentFrame]:
        """A camera's last frames, at most 2,000."""
        return self._call(f"{self._control}/{name}/frames", FramesView).frames

    def await_players(self, count: int) -> None:
        """Wait until so many sessions play.

        Raises:
            BenchError: They do not.
        """
        deadline = time.monotonic() + _PLAYING_SECONDS
        while (playing := sum(each.playing for each in self._list())) < count:
            if time.monotonic() > deadline:
                raise BenchError(f"{playing} of {count} sessions play")
            time.sleep(0.1)

    def _list(self) -> list[CameraView]:
        return self._call(self._control, list[CameraView])

    def _call(self, request: str | urllib.request.Request, type_: type[T]) -> T:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return msgspec.json.decode(answer.read(), type=type_)


@contextlib.contextmanager
def simulated(core: int | None = None) -> Iterator[Cameras]:
    """A simulator without a camera yet."""
    command = python("ingest_simulator.main", "--cameras", "0", "--json")
    command += ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
    with running(command, core=core) as process:
        first = process.hear(FirstLine)
        assert first.control is not None
        yield Cameras(process, first.control)
