"""How long a worker takes from the start of its program until a hundred cameras are connected."""

import time
from typing import Final

from bench.cameras import SMALL, simulated
from bench.line import Line
from bench.workers import working

CAMERAS: Final = 100


def measure() -> list[Line]:
    with simulated() as cameras:
        urls = cameras.add(SMALL, CAMERAS)
        began = time.time()
        with working() as worker:
            worker.look()
            ready = time.time()
            worker.add(urls)
            connected = worker.await_connected().connected
    last = max(connected.values())
    first = min(connected.values())
    detail = (
        f"{ready - began:.2f} s until the program runs, the first camera {first - ready:.2f} s "
        "after that; connected is with the first decoded picture"
    )
    what = f"from start to all of {CAMERAS} cameras connected"
    return [Line(what, last - began, "s", detail=detail)]
