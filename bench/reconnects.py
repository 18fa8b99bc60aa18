"""A thousand reconnects of one camera: what they leave behind in threads, descriptors and memory.

Run: `PYTHONPATH=. .venv/bin/python bench/reconnects.py` (45 s). The camera ends each session after
its first frame, and chance says that there is nothing to wait for.
"""

import asyncio
import time

from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.faults import Fault, FaultKind
from ingest_simulator.simulator import Simulator
from tests.fakes.captured_camera import CapturedCamera, capturing
from tests.fakes.usage import usage

RECONNECTS, WARM_UP = 1000, 1500  # by then ring, arenas and the simulator's memory are full
CAMERA = SimulatedCamera(name="cam", width=160, height=96, fps=100, gop=10, clip_seconds=2)


async def main() -> None:
    async with Simulator() as simulator:
        captured = CapturedCamera(await simulator.add(CAMERA))
        simulator.fault("cam", Fault(FaultKind.FIN, after_frames=1))
        async with capturing(captured):
            await captured.until(lambda: captured.feed.sessions >= WARM_UP, 120)
            captured.forget()
            before, began = usage(), time.monotonic()
            done = WARM_UP + RECONNECTS
            await captured.until(lambda: captured.feed.sessions >= done, 240)
            took = time.monotonic() - began
            captured.forget()
            after = usage()
    grown = (after.memory - before.memory) / 2**20
    print(
        f"{RECONNECTS} reconnects in {took:.1f} s ({1000 * took / RECONNECTS:.1f} ms each): "
        f"threads {before.threads} -> {after.threads}, descriptors {before.descriptors} -> "
        f"{after.descriptors}, memory {grown:+.1f} MiB"
    )
    assert after.threads <= before.threads + 2
    assert after.descriptors <= before.descriptors + 4
    assert grown < 4  # MiB


if __name__ == "__main__":
    asyncio.run(main())
