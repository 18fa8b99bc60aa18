"""The simulator: cameras on one port by path, some with a port of their own; driven by calls.

Promises: an error that is a bug of the simulator comes out of `close`, not only into a log; after
`close` no socket, task or thread is left.
"""

import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from ingest_simulator import clips, faults
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.clips import Clips
from ingest_simulator.encode import ClipSpec
from ingest_simulator.faults import Fault, FaultKind
from ingest_simulator.live import LiveCamera
from ingest_simulator.output import UdpPorts
from ingest_simulator.port import Port
from ingest_simulator.session import SentFrame, SessionRecord

MAX_LOGGED_FRAMES = 2000


class UnknownCameraError(LookupError):
    """No camera of this name is served."""


class CameraExistsError(ValueError):
    """A camera of this name is served already."""


class Simulator:
    """Everything runs in the event loop in which it was started.

    Args:
        host: an IP address of this machine.
        port: 0 takes a free one; `port` tells it.
        cache: folder of encoded clips; by default below $XDG_CACHE_HOME.
        tls: serve rtsps with this context instead of rtsp.
        log_size: frames remembered per camera.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        cache: Path | None = None,
        tls: ssl.SSLContext | None = None,
        log_size: int = MAX_LOGGED_FRAMES,
    ) -> None:
        self.clips = Clips(cache or clips.directory(os.environ))
        self.udp: UdpPorts
        self._host, self._tls, self._log_size = host, tls, log_size
        self._main = Port(self, host, port, tls=tls)
        self._cameras: dict[str, LiveCamera] = {}
        self._own: dict[str, Port] = {}
        self._retired: list[Port] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def port(self) -> int:
        return self._main.number

    async def start(self) -> None:
        """Raises OSError when the port is taken."""
        self.udp = UdpPorts(self._host)
        try:
            self._main.open()
        except OSError:
            self.udp.close()
            raise

    async def close(self) -> None:
        """Raises ExceptionGroup of what went wrong unexpectedly in any connection."""
        failures: list[Exception] = []
        for port in (self._main, *self._own.values(), *self._retired):
            failures += await port.close()
        self._cameras.clear()
        self._own.clear()
        self.udp.close()
        await self.clips.close()
        if failures:
            raise ExceptionGroup("connections of the simulator crashed", failures)

    async def add(self, camera: SimulatedCamera) -> str:
        """Serve it, its clip made; returns its URL, without credentials.

        Raises CameraExistsError.
        """
        if camera.name in self._cameras:
            raise CameraExistsError(camera.name)
        live = LiveCamera(camera, log_size=self._log_size)
        self._cameras[camera.name] = live
        try:
            await self.clips.get(ClipSpec.of(camera))
        except BaseException:
            del self._cameras[camera.name]
            raise
        if camera.own_port:
            port = Port(self, self._host, 0, tls=self._tls, only=live)
            port.open()
            self._own[camera.name] = port
        return self.url(camera.name)

    def remove(self, name: str) -> None:
        """Forget it and cut off who watches."""
        self.disconnect(name)
        del self._cameras[name]
        if port := self._own.pop(name, None):
            port.shut()
            self._retired = [each for each in self._retired if not each.idle] + [port]

    def names(self) -> Sequence[str]:
        return tuple(self._cameras)

    def camera(self, name: str) -> SimulatedCamera:
        return self._live(name).camera

    def find(self, name: str) -> LiveCamera | None:
        return self._cameras.get(name)

    def fault(self, name: str, fault: Fault) -> None:
        """From now on, until `heal`; living sessions feel what can be felt in mid-stream.

        Raises UnknownCameraError; ValueError where this camera cannot have it.
        """
        live = self._live(name)
        for camera in (faults.variant(live.camera, fault), faults.resized(live.camera, fault)):
            self.clips.ready(ClipSpec.of(camera))
        self.heal(name)
        live.fault = fault
        if fault.kind is FaultKind.REFUSE and name in self._own:
            self._own[name].shut()

    def heal(self, name: str) -> None:
        self._live(name).fault = None
        if name in self._own:
            self._own[name].open()

    def current_fault(self, name: str) -> Fault | None:
        return self._live(name).fault

    def disconnect(self, name: str) -> None:
        """RST to every living session."""
        for session in tuple(self._live(name).living.values()):
            session.end = session.end or "disconnected"
            session.reset()

    def close_port(self, name: str | None = None) -> None:
        """Refuse connections, to the shared port or to a camera's own."""
        self._port(name).shut()

    def open_port(self, name: str | None = None) -> None:
        """Raises OSError when another program has taken it meanwhile."""
        self._port(name).open()

    def url(self, name: str) -> str:
        """Without credentials."""
        self._live(name)
        scheme = "rtsps" if self._tls else "rtsp"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{self._own.get(name, self._main).number}/{name}"

    def sessions(self, name: str) -> Sequence[SessionRecord]:
        """The oldest first."""
        return tuple(session.record() for session in self._live(name).history)

    def playing(self, name: str) -> int:
        """Living sessions that play."""
        living = self._live(name).living.values()
        return sum(session.playing is not None for session in living)

    def frames_sent(self, name: str) -> int:
        """Since the camera was added, by all its sessions."""
        return self._live(name).frames_sent

    def frames(self, name: str) -> Sequence[SentFrame]:
        """The last ones, the oldest first."""
        return tuple(self._live(name).log)

    def _live(self, name: str) -> LiveCamera:
        try:
            return self._cameras[name]
        except KeyError:
            raise UnknownCameraError(name) from None

    def _port(self, name: str | None) -> Port:
        if name is None:
            return self._main
        self._live(name)
        if name not in self._own:
            raise ValueError(f"{name} has no port of its own")
        return self._own[name]
