"""rtsps: whom a session believes, and that a dead wire below TLS cannot hold its thread."""

import asyncio
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ingest_core.errors import Failure
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.simulator import Simulator
from ingest_worker.login import system_authorities
from tests.fakes.authority import Authority, authority
from tests.fakes.captured_camera import CapturedCamera, capturing, eventually
from tests.fakes.relay import relay

CAMERA = SimulatedCamera(name="cam", width=160, height=96, fps=10, gop=10, clip_seconds=2)
SERVERS = ("right", "other-host", "expired")


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return authority(tmp_path / "ours")


async def test_only_a_certificate_of_the_given_authority_for_this_host_and_day_is_believed(
    ours: Authority, tmp_path: Path
) -> None:
    contexts = {
        "right": ours.server("right"),
        "other-host": ours.server("other-host", host="DNS:elsewhere.example"),
        "expired": ours.server("expired", days=-1),
    }
    theirs = str(authority(tmp_path / "theirs").certificate)
    beliefs = {
        "given": {"ca_file": str(ours.certificate)},
        "another": {"ca_file": theirs},
        "system": {"ca_file": system_authorities()},
        "nobody": {},
        "whatever": {"verify": False},
    }
    async with asyncio.timeout(40), AsyncExitStack() as stack:
        cameras: dict[tuple[str, str], CapturedCamera] = {}
        for server in SERVERS:
            simulator = await stack.enter_async_context(Simulator(tls=contexts[server]))
            url = await simulator.add(CAMERA)
            for belief, options in beliefs.items():
                name = f"{server}-{belief}"
                cameras[server, belief] = CapturedCamera(url, name=name, **options)  # type: ignore[arg-type]
        welcome = {("right", "given"), *((server, "whatever") for server in SERVERS)}
        async with capturing(*cameras.values()):
            for key, camera in cameras.items():
                if key in welcome:
                    await camera.connected()
                else:
                    state = await camera.failed(2)
                    assert (key, state.reason) == (key, Failure.UNREACHABLE)
                    assert "certificate" in state.message
        assert {key for key, camera in cameras.items() if camera.feed.sessions} == welcome


@pytest.mark.parametrize("transport", ["rtsp", "rtsps"])
async def test_a_wire_that_goes_dead_ends_the_session_and_its_thread(
    ours: Authority, transport: str
) -> None:
    tls = ours.server("right") if transport == "rtsps" else None
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(tls=tls))
        wire, url = await stack.enter_async_context(relay(await simulator.add(CAMERA)))
        camera = CapturedCamera(url, name="dead-wire", verify=False, connect_seconds=1.5)
        async with capturing(camera):
            await camera.connected()
            wire.cut()
            assert (await camera.failed(1)).reason is Failure.STALLED
            assert (await camera.failed(2)).reason is Failure.UNREACHABLE
        await eventually(lambda: not threads("dead-wire"))


def threads(camera: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == f"rtsp {camera}"]
