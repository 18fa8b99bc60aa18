"""`camera-ingest demo`: see it work, on a machine that has no camera.

Simulated cameras, added through the HTTP API as a user would, and the standalone program itself.
Everything lives in one temporary directory and one process, and is gone after Ctrl-C.
"""

import asyncio
import contextlib
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Never

import aiohttp
import cv2
from aiohttp import web
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live as LiveDisplay
from rich.table import Table

from ingest_core import logs
from ingest_core.credentials import Credentials, join_userinfo
from ingest_core.http import Listen, serve
from ingest_core.live import Live
from ingest_core.signals import stop_of_signals
from ingest_simulator import scenes
from ingest_simulator.camera import Auth, Codec, SimulatedCamera
from ingest_simulator.faults import Fault, FaultKind
from ingest_simulator.simulator import Simulator
from ingest_standalone.program import Running, running
from ingest_standalone.settings import StandaloneSettings

_LISTEN: Final = Listen("127.0.0.1", 8000)
_ANY: Final = Listen("127.0.0.1", 0)
_LOGIN: Final = Credentials("viewer", "p@ss w/ord")
_PUSHED: Final = "gate"
_PUSH_FPS: Final = 4
_FLAKY_SECONDS: Final = 8.0  # after which the camera that keeps failing fails again
_REFRESH_SECONDS: Final = 0.5
_PLAIN_SECONDS: Final = 5.0  # between tables that go to a file


@dataclass(frozen=True, slots=True)
class Shown:
    """A camera of the demo: what it is there for, and how it is simulated."""

    about: str
    camera: SimulatedCamera
    fault: Fault | None = None


CAMERAS: Final = (
    Shown("H.264", SimulatedCamera(name="lobby", codec=Codec.H264, fps=10)),
    Shown("H.265 rain", SimulatedCamera(name="yard", codec=Codec.H265, scene="rain", fps=5)),
    Shown("MJPEG", SimulatedCamera(name="cam_003", codec=Codec.MJPEG, seed=3, fps=5)),
    Shown(
        "login",
        SimulatedCamera(
            name="vault",
            seed=4,
            auth=Auth.DIGEST_MD5,
            username=_LOGIN.username,
            password=_LOGIN.password,
        ),
    ),
    Shown(
        "failing",
        SimulatedCamera(name="flaky", seed=5),
        Fault(kind=FaultKind.RST, after=_FLAKY_SECONDS),
    ),
)


class _Console(Console):
    """Lets the command end when its reader has gone; Rich would exit in the midst of a task."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


async def run(listen: Listen | None, seconds: float | None) -> int:
    """Run until Ctrl-C, or for so long; the exit status.

    Args:
        listen: Of the HTTP API; None: the usual address, or a free port where it is taken.
        seconds: After which it ends by itself.

    Raises:
        CannotListen: The address is taken, or none of this machine's.
        BrokenPipeError: Nobody reads any more what it prints.
    """
    logs.configure("error", "console")
    console = _Console()
    stop = stop_of_signals()
    loop = asyncio.get_running_loop()
    stopped = loop.create_task(stop.wait(), name="stop")
    demo = loop.create_task(_demo(console, listen, seconds), name="demo")
    await asyncio.wait({stopped, demo}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if demo.cancel():
        console.print("Stopping …")
    await asyncio.wait({demo})
    if not demo.cancelled():
        demo.result()
    console.print("Stopped; nothing is left behind.")
    return 0


async def _demo(console: Console, listen: Listen | None, seconds: float | None) -> None:
    if listen is not None:
        async with serve(web.Application(), listen):  # said before, not after, the drawing
            pass
    with tempfile.TemporaryDirectory(prefix="camera-ingest-demo-") as directory:
        folder = Path(directory)
        async with Simulator(cache=folder / "clips") as simulator:
            await _draw(console, simulator)
            console.print("Starting Redis and the standalone program …")
            settings = StandaloneSettings(
                cameras=str(folder / "cameras"), listen=str(listen or _LISTEN)
            )
            otherwise = _ANY if listen is None else None
            async with (
                running(settings, otherwise=otherwise) as program,
                asyncio.TaskGroup() as tasks,
            ):
                if listen is None and program.addresses[0] != _LISTEN:
                    console.print(f"{_LISTEN} is taken, so the demo took a free port.")
                base = f"http://{program.addresses[0]}"
                await _add_cameras(base, simulator)
                pushing = tasks.create_task(_push(base), name="push")
                _say_where(console, base, folder)
                await _show(console, program, seconds)
                pushing.cancel()


async def _draw(console: Console, simulator: Simulator) -> None:
    console.print("Drawing and encoding the simulated cameras (some seconds):")
    for shown in CAMERAS:
        began = time.monotonic()
        await simulator.add(shown.camera)
        if shown.fault is not None:
            simulator.fault(shown.camera.name, shown.fault)
        took = time.monotonic() - began
        console.print(f"  {shown.camera.name:8} {shown.about:10} {took:4.1f} s", highlight=False)


async def _add_cameras(base: str, simulator: Simulator) -> None:
    async with aiohttp.ClientSession(base, raise_for_status=True) as http:
        bodies: list[dict[str, Any]] = [{"id": _PUSHED, "source_type": "http_push"}]
        for shown in CAMERAS:
            name = shown.camera.name
            login = None if shown.camera.auth is Auth.NONE else _LOGIN
            url = join_userinfo(simulator.url(name), login)
            bodies.append({"id": name, "source_type": "rtsp", "source_url": url})
        for body in bodies:
            async with http.post("/api/cameras", json=body):
                pass


async def _push(base: str) -> Never:
    """Be the device that pushes: a picture every quarter of a second."""
    scene = scenes.make("object", width=640, height=360, fps=_PUSH_FPS, seed=7)
    index = 0
    async with aiohttp.ClientSession(base) as http:
        while True:
            picture = await asyncio.to_thread(scene.luma, index)
            jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
            form = aiohttp.FormData()
            form.add_field("frame_file", jpeg, filename="frame.jpg", content_type="image/jpeg")
            form.add_field("timestamp", str(time.time()))
            # What fails is not said again: the next picture is as good.
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.post(f"/api/ingest/push/{_PUSHED}", data=form):
                    pass
            index += 1
            await asyncio.sleep(1 / _PUSH_FPS)


def _say_where(console: Console, base: str, folder: Path) -> None:
    console.print(
        f"\n[bold]Running.[/bold] The same calls work against a real installation:\n"
        f"  curl {base}/api/cameras\n"
        f"  curl -f -o latest.jpg {base}/api/cameras/lobby/frame/latest\n"
        f"  curl {base}/metrics\n"
        f"  manifests, to edit or add to by hand: {folder / 'cameras'}\n"
        f"Ctrl-C stops it.\n",
        highlight=False,
        soft_wrap=True,
    )


async def _show(console: Console, program: Running, seconds: float | None) -> None:
    """Show the table, for so long or until cancelled."""
    loop = asyncio.get_running_loop()
    until = math.inf if seconds is None else loop.time() + seconds
    period = _REFRESH_SECONDS if console.is_terminal else _PLAIN_SECONDS
    with LiveDisplay(console=console, auto_refresh=False) as display:
        while (left := until - loop.time()) > 0:
            table = _table(program.worker.live(program.registry.cameras.values()))
            if console.is_terminal:
                display.update(table, refresh=True)
            else:
                console.print(table)
            await asyncio.sleep(min(period, left))


def _table(cameras: Mapping[str, Live]) -> Table:
    about = {shown.camera.name: shown.about for shown in CAMERAS} | {_PUSHED: "pushed"}
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("camera", "what", "state", "reason"):
        table.add_column(heading, no_wrap=True)
    for heading in ("fps", "frame age", "motion"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, live in sorted(cameras.items()):
        table.add_row(
            *_row(name, about.get(name, ""), live), style=None if live.connected else "red"
        )
    return table


def _row(name: str, about: str, live: Live) -> Sequence[str]:
    age = live.frame_age_seconds
    return (
        name,
        about,
        "connected" if live.connected else "down",
        "" if live.connected else str(live.reason),
        f"{live.fps:.1f}",
        "none yet" if age is None else f"{age:.2f} s",
        "moving" if live.moving else f"{live.motion_events} seen",
    )
