"""Hollow workers: the whole control side of real ones, a hundred in a process, and no capture.

A session of theirs is connected at once and brings no frame: so every assignment costs what it
costs a real worker (watch, Lease, report), and nothing else. `python -m bench.hollow` takes lines
of JSON on its standard input: `{"stop": "default-3"}` freezes that worker's Lease.
"""

import argparse
import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry

from ingest_core import logs, names
from ingest_core.errors import CaptureError, Failure
from ingest_core.kube import access as kube_access
from ingest_core.kube.client import Api
from ingest_core.kube.lease import LeaseHolder
from ingest_worker.assigned import AssignedCameras
from ingest_worker.deadline import OPEN, Deadline, Fence
from ingest_worker.feed import Feed
from ingest_worker.kube_registry import KubeWorkerRegistry
from ingest_worker.ring import Codec
from ingest_worker.rtsp import Target
from ingest_worker.settings import WorkerSettings
from ingest_worker.stamp import StreamClock
from ingest_worker.worker import Worker

H264: Final = Codec("h264", b"")
LEASE_SECONDS: Final = 10
RENEW_SECONDS: Final = 3


class Order(msgspec.Struct, frozen=True):
    """What the bench wants."""

    stop: str


class Began(msgspec.Struct, frozen=True):
    """Every Lease is held; or that one is renewed no more."""

    workers: int


class HollowSession:
    """Connected as soon as it starts, and until it is stopped: see `capture.Opened`."""

    def __init__(
        self,
        target: Target,  # noqa: ARG002 - a real session's
        feed: Feed,
        clock: StreamClock,  # noqa: ARG002 - a real session's
        *,
        showed: Callable[[], None],
        ended: Callable[[CaptureError], None],
        fence: Fence = OPEN,
    ) -> None:
        self.deadline = Deadline(1e9, fence)
        self.opened: float | None = 0.0
        self.first: float | None = 0.0
        self._feed = feed
        self._showed = showed
        self._ended = ended

    def start(self) -> None:
        self._feed.connected(H264, (640, 360))
        self._showed()

    def stop(self) -> None:
        self._ended(self.timed_out())

    def timed_out(self) -> CaptureError:
        return CaptureError(Failure.STALLED, "it was hollow")


async def run(kubeconfig: str, namespace: str, count: int) -> None:
    access = await kube_access.load(kubeconfig)
    leases: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as held:
        for number in range(count):
            name = f"default-{number}"
            api = await held.enter_async_context(Api(access, namespace))  # as each has its own
            lease = LeaseHolder(
                api,
                name,
                f"{name}_1",
                duration=LEASE_SECONDS,
                renew=RENEW_SECONDS,
                manager=names.WORKER_MANAGER,
                patient=False,
                labels={
                    names.LABEL_POOL: "default",
                    names.LABEL_COMPONENT: names.WORKER,
                    names.LABEL_MANAGED_BY: names.APP,
                },
            )
            cameras = AssignedCameras(api, name)
            worker = Worker(
                name,
                KubeWorkerRegistry(api, cameras),
                WorkerSettings(),
                offer=lambda _: None,
                metrics=CollectorRegistry(),
                tasks=tasks,
                term=lambda lease=lease: lease.term,  # type: ignore[misc]
                settle=RENEW_SECONDS,
                open_=HollowSession,
            )
            leases[name] = tasks.create_task(lease.run())
            tasks.create_task(cameras.run())
            await lease.held.wait()
            worker.start()
        _say(count)
        orders: asyncio.Queue[bytes] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        threading.Thread(target=_read, args=(loop, orders), daemon=True).start()
        while line := await orders.get():
            leases[msgspec.json.decode(line, type=Order).stop].cancel()
            _say(1)
        raise SystemExit  # whoever gave orders is gone


def _read(loop: asyncio.AbstractEventLoop, orders: asyncio.Queue[bytes]) -> None:
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(orders.put_nowait, line)
    loop.call_soon_threadsafe(orders.put_nowait, b"")


def _say(count: int) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(Began(count)) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="hollow", description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--workers", type=int, required=True)
    given = parser.parse_args()
    logs.configure("warning", "console")
    asyncio.run(run(given.kubeconfig, given.namespace, given.workers))


if __name__ == "__main__":
    main()
