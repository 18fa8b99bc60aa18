"""A process that changes a directory of cameras as fast as it can, to be killed at any moment.

Run as a program it begins such a process again and again, kills each with SIGKILL after a random
while, and says on stdout how the directory read each time. Every camera's URL and password hold
the same number, so that a half-done change shows.
"""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Never

from ingest_core.model import CameraSpec, RtspSource, Source
from ingest_standalone.directory import DirectoryRegistry
from tests.fakes.camera_directory import files

NAMES = ("lobby", "door", "yard")


def spec(number: int) -> CameraSpec:
    return CameraSpec(source=Source(rtsp=RtspSource(url=f"rtsp://10.0.0.7/{number}")))


def login(number: int) -> dict[str, str]:
    return {"username": "admin", "password": str(number)}


async def change(path: Path, begun: int, seed: int) -> Never:
    """Create, replace and delete for ever; a byte on `begun` says that it has started."""
    draw = random.Random(seed)
    async with DirectoryRegistry(path) as registry:
        os.write(begun, b"!")
        while True:
            name, number = draw.choice(NAMES), draw.randrange(1_000_000)
            if name not in registry.cameras:
                await registry.create(name, spec(number), login(number))
            elif draw.random() < 0.7:
                await registry.replace(name, spec(number), login(number))
            else:
                await registry.delete(name)


async def whole(path: Path) -> tuple[int, int]:
    """Read the directory as a start would; gives its epoch and how many cameras there are.

    Raises:
        AssertionError: Something is half there.
    """
    async with DirectoryRegistry(path) as registry:
        assert not registry._shelf.problems, registry._shelf.problems
        epoch = 0
        for camera in registry.cameras.values():
            rtsp = camera.spec.source.rtsp
            assert rtsp is not None
            assert rtsp.credentials_secret_ref is not None
            password = await registry.secret(rtsp.credentials_secret_ref.name, "password")
            assert rtsp.url.endswith(f"/{password}"), (rtsp.url, password)
            epoch = camera.epoch
        wanted = {f"{name}{end}" for name in registry.cameras for end in (".yaml", ".secret.yaml")}
        assert set(files(path)) == wanted | {".epoch", ".lock"}
        return epoch, len(registry.cameras)


def main(path: Path, kills: int) -> None:
    draw = random.Random(kills)
    epochs = [0]
    for kill in range(kills):
        begun, begin = os.pipe()
        child = os.fork()
        if child == 0:
            asyncio.run(change(path, begin, kill))
        os.close(begin)
        assert os.read(begun, 1) == b"!"
        os.close(begun)
        time.sleep(draw.uniform(0.001, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        epoch, count = asyncio.run(whole(path))
        assert epoch > max(epochs) or count == 0, (epoch, epochs)
        epochs.append(epoch)
        sys.stdout.write(f"{count}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
