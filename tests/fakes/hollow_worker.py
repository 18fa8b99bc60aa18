"""A worker on a real API server that is nothing but its word: a Lease, and what it says of Cameras.

It decides as real workers do (`ingest_worker.handover`), and connects in no time. For tests of
whoever gives cameras to workers.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Never
from uuid import uuid4

from ingest_core import names
from ingest_core.errors import ApiRefused, ApiUnavailable
from ingest_core.kube.client import Api
from ingest_core.kube.lease import LeaseHolder
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera
from ingest_worker.assigned import AssignedCameras
from ingest_worker.handover import Duty, duty, may_report

NOW: Final = "2026-11-22T09:00:00Z"
_RETRY_SECONDS: Final = 0.2


class HollowWorker:
    """See `hollow_worker`.

    Attributes:
        captured: Epoch, by name of each camera that it captures.
        disturbed: Was it lost, or asked to be relieved? Whatever follows from that is no fault.
    """

    def __init__(self, api: Api, name: str, *, duration: int, renew: float, mute: bool) -> None:
        self.name = name
        self._mute = mute
        self.captured: dict[str, int] = {}
        self.disturbed = False
        self._api = api
        self._task: asyncio.Task[Never] | None = None
        self._cameras = AssignedCameras(api, name)
        self._lease = LeaseHolder(
            api,
            name,
            f"{name}_{uuid4().hex}",
            duration=duration,
            renew=renew,
            manager=names.WORKER_MANAGER,
            patient=False,
            labels={
                names.LABEL_POOL: name.rpartition("-")[0],
                names.LABEL_MANAGED_BY: names.APP,
                names.LABEL_COMPONENT: names.WORKER,
            },
        )

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def lose(self) -> None:
        """It is gone, and lets go of nothing."""
        self.disturbed = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._task = None

    async def end(self) -> None:
        """It lets go of its Lease."""
        await self.lose()
        await self._lease.release()

    def drain(self) -> None:
        """Ask to be relieved."""
        self.disturbed = True
        self._lease.annotate(names.ANNOTATION_DRAINING, "true")

    async def _run(self) -> Never:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._lease.run())
            if not self._mute:
                tasks.create_task(self._cameras.run())
                tasks.create_task(self._follow())
        raise AssertionError("it never ends")

    async def _follow(self) -> Never:
        async with self._cameras.changes() as changes:
            async for changed in changes:
                await asyncio.gather(*map(self._look, changed))
        raise AssertionError("changes never end")

    async def _look(self, name: str) -> None:
        camera = self._cameras.cameras.get(name)
        if camera is None:
            self.captured.pop(name, None)
            return
        captured = self.captured.get(name, camera.epoch) < camera.epoch
        asked = duty(camera, self.name, captured=captured, yielding_for=0)
        if asked is Duty.CAPTURE and self.captured.get(name) != camera.epoch:
            self.captured[name] = camera.epoch
            if may_report(camera, self.name, connected=True):
                said = {"worker": self.name, "epoch": camera.epoch, "connectedTime": NOW}
                await self._say(camera, said, names.WORKER_MANAGER)
        elif asked not in (Duty.CAPTURE, Duty.YIELD):
            self.captured.pop(name, None)
        if asked is Duty.RELEASE:
            await self._say(camera, {"releasedEpoch": camera.epoch}, names.RELEASE_MANAGER)

    async def _say(self, camera: Camera, stream: dict[str, Any], manager: str) -> None:
        body = {
            "apiVersion": names.API_VERSION,
            "kind": CAMERAS.kind,
            "metadata": {"name": camera.name},
            "status": {"stream": stream},
        }
        while True:
            try:
                await self._api.apply(
                    CAMERAS, camera.name, body, manager=manager, subresource="status"
                )
            except ApiUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)
            except ApiRefused:  # it is another one's by now: the watch tells
                return
            else:
                return


@asynccontextmanager
async def hollow_worker(
    api: Api, name: str, *, duration: int = 3, renew: float = 1, mute: bool = False
) -> AsyncIterator[HollowWorker]:
    """A worker that lives until the block ends; its pool is the one that its name says.

    Args:
        api: The server, and the namespace.
        name: Its name.
        duration: Of its Lease.
        renew: Seconds between renewals.
        mute: It lives, and does and says nothing.
    """
    worker = HollowWorker(api, name, duration=duration, renew=renew, mute=mute)
    worker.start()
    try:
        yield worker
    finally:
        await worker.lose()
