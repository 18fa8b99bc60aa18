"""The cameras that README and guides speak of, at the very addresses, paths and logins of theirs.

A program, so that it can be begun in another network, where these addresses are free; it prints one
line when they are served, and ends when its standard input does.
"""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from ingest_simulator.camera import Auth, SimulatedCamera
from ingest_simulator.simulator import Simulator

PORT: Final = 554
READY: Final = "ready"


def _camera(path: str, username: str = "", password: str = "") -> SimulatedCamera:
    auth = Auth.DIGEST_MD5 if username else Auth.NONE
    return SimulatedCamera(name=path, auth=auth, username=username, password=password)


CAMERAS: Final[Mapping[str, SimulatedCamera]] = {
    "192.168.1.100": _camera("stream1", "admin", "password"),
    "192.168.1.101": _camera("stream2"),
    "10.0.0.7": _camera("stream2", "viewer", "p@ss w/ord"),
    "10.0.0.8": _camera("stream2", "viewer", "n3w p@ss"),
}

WORKER: Final = "10.0.0.5"  # of the machine on which docs/guide/kubernetes.md runs a worker


async def serve() -> None:
    async with AsyncExitStack() as stack:
        for address, camera in CAMERAS.items():
            await stack.enter_async_context(at := Simulator(address, PORT))
            await at.add(camera)
        print(READY, flush=True)  # noqa: T201 - a program's own output
        await asyncio.to_thread(sys.stdin.read)


def take_addresses() -> None:
    """Give this network the addresses of the documents."""
    for address in (*CAMERAS, WORKER):
        subprocess.run(["ip", "address", "replace", f"{address}/32", "dev", "lo"], check=True)


if __name__ == "__main__":
    take_addresses()
    asyncio.run(serve())
