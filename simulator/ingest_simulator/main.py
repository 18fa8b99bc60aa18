"""`camera-ingest simulator`: serve N cameras by URL until told to stop.

The only module of the simulator that reads the command line. A password comes from the environment
and is never printed.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import msgspec
from aiohttp import web

from ingest_simulator import control
from ingest_simulator.camera import Auth, Codec, SimulatedCamera, Transport
from ingest_simulator.scenes import SCENES
from ingest_simulator.simulator import Simulator

PASSWORD_VARIABLE = "CAMERA_INGEST_SIMULATOR_PASSWORD"
DESCRIPTION = "Serve synthetic RTSP cameras, with faults on demand, until told to stop."
MAX_CAMERAS = 1000
_FAILED, _MISUSED = 1, 2


class CannotListenError(Exception):
    """An address is taken, or none of this machine's; says which, and for what it was wanted."""


class Served(msgspec.Struct, frozen=True):
    """One camera of the first line."""

    name: str
    url: str


class FirstLine(msgspec.Struct, frozen=True):
    """What `--json` prints first: where everything is, with the real ports."""

    listen: str
    control: str | None
    cameras: tuple[Served, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--cameras", type=int, default=8, metavar="N", help="how many (default %(default)s)")
    add(
        "--listen",
        type=_endpoint,
        default=("127.0.0.1", 8554),
        metavar="HOST:PORT",
        help="where RTSP is served; port 0 takes a free one (default 127.0.0.1:8554)",
    )
    add(
        "--control",
        type=_endpoint,
        metavar="HOST:PORT",
        help="where the HTTP control API is served (default: nowhere)",
    )
    add("--codec", type=Codec, choices=list(Codec), default=Codec.H264)
    add("--scene", choices=SCENES, default="object")
    add("--size", type=_size, default=(640, 360), metavar="WxH", help="default 640x360")
    add("--fps", type=int, default=5, help="default %(default)s")
    add("--gop", type=int, help="frames from keyframe to keyframe (default: two seconds)")
    add("--bitrate", type=int, default=256_000, help="bits per second (default %(default)s)")
    add("--b-frames", type=int, default=0, help="most consecutive B-frames (default 0)")
    add("--audio", action="store_true", help="a second track, PCMU")
    add("--transport", type=Transport, choices=list(Transport), default=Transport.ANY)
    add("--auth", type=Auth, choices=list(Auth), default=Auth.NONE)
    add("--username", default="admin", help=f"the password comes from {PASSWORD_VARIABLE}")
    add("--own-port", action="store_true", help="a listener per camera instead of one for all")
    add(
        "--distinct",
        type=int,
        default=4,
        metavar="N",
        help="how many different clips the cameras show (default %(default)s)",
    )
    add("--json", action="store_true", help="print where everything is as one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Until SIGINT, SIGTERM or SIGHUP. Returns the exit code."""
    try:
        cameras = [_camera(arguments, number) for number in range(_count(arguments))]
    except ValueError as error:
        return _fail(str(error), _MISUSED)
    try:
        asyncio.run(_serve(arguments, cameras))
    except CannotListenError as error:
        return _fail(str(error), _FAILED)
    return 0


def main() -> int:
    """As a program of its own: `python -m ingest_simulator.main`."""
    parser = argparse.ArgumentParser(prog="camera-ingest simulator", description=DESCRIPTION)
    add_arguments(parser)
    return run(parser.parse_args())


def _count(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.cameras <= MAX_CAMERAS or arguments.distinct < 1:
        raise ValueError(f"--cameras must be 0..{MAX_CAMERAS} and --distinct 1 or more")
    count: int = arguments.cameras
    return count


def _camera(arguments: argparse.Namespace, number: int) -> SimulatedCamera:
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if arguments.auth is not Auth.NONE and not password:
        raise ValueError(f"--auth needs a password in {PASSWORD_VARIABLE}")
    return SimulatedCamera(
        name=f"cam{number + 1}",
        scene=arguments.scene,
        seed=number % arguments.distinct,
        codec=arguments.codec,
        width=arguments.size[0],
        height=arguments.size[1],
        fps=arguments.fps,
        gop=arguments.gop or 2 * arguments.fps,
        bitrate=arguments.bitrate,
        b_frames=arguments.b_frames,
        audio=arguments.audio,
        transport=arguments.transport,
        auth=arguments.auth,
        username=arguments.username,
        password=password,
        own_port=arguments.own_port,
    )


async def _serve(arguments: argparse.Namespace, cameras: list[SimulatedCamera]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        with _listening("RTSP", arguments.listen):
            simulator = await stack.enter_async_context(Simulator(*arguments.listen))
        stopped = asyncio.create_task(stop.wait(), name="stop")
        preparing = asyncio.create_task(_prepare(simulator, cameras), name="prepare")
        await asyncio.wait({stopped, preparing}, return_when=asyncio.FIRST_COMPLETED)
        if not preparing.done():
            preparing.cancel()
            await asyncio.wait({preparing})
            return
        served = preparing.result()
        runner = web.AppRunner(control.application(simulator), access_log=None)
        await runner.setup()
        try:
            where = await _open_control(runner, arguments.control)
            listen = _text(arguments.listen[0], simulator.port)
            _announce(FirstLine(listen, where, served), as_json=arguments.json)
            await stopped
        finally:
            await runner.cleanup()


async def _prepare(simulator: Simulator, cameras: list[SimulatedCamera]) -> tuple[Served, ...]:
    sys.stderr.write("Drawing and encoding what the cameras will show …\n")
    async with asyncio.TaskGroup() as tasks:
        adding = [tasks.create_task(simulator.add(camera)) for camera in cameras]
    pairs = zip(cameras, adding, strict=True)
    return tuple(Served(camera.name, task.result()) for camera, task in pairs)


async def _open_control(runner: web.AppRunner, where: tuple[str, int] | None) -> str | None:
    if where is None:
        return None
    with _listening("the control API", where):
        await web.TCPSite(runner, *where).start()
    port: int = runner.addresses[0][1]
    return _text(where[0], port)


@contextmanager
def _listening(what: str, where: tuple[str, int]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CannotListenError(f"cannot listen on {_text(*where)} for {what}: {reason}") from None


def _announce(line: FirstLine, *, as_json: bool) -> None:
    if as_json:
        text = msgspec.json.encode(line).decode()
    else:
        text = "\n".join(camera.url for camera in line.cameras)
        if line.control:
            text += f"\nControl: http://{line.control}/cameras"
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"camera-ingest simulator: {message}\n")
    return code


def _endpoint(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - 16 bits
        raise argparse.ArgumentTypeError("must be HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError("must be WIDTHxHEIGHT")
    return int(width), int(height)


def _text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
