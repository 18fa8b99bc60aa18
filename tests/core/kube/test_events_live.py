"""What we tell is what people read by `kubectl describe`."""

import asyncio
import contextlib
import re
from pathlib import Path

from ingest_core import lenient
from ingest_core.kube.events import Recorder
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera
from tests.cluster.plugin import Kubectl
from tests.fakes.real_api import Account, manifest

LONG = "a" * 199 + "-" + "b" * 53


async def test_people_read_it_under_its_object_with_how_often_it_was(
    account: Account, kubectl: Kubectl, tmp_path: Path
) -> None:
    codes: list[str] = []
    news = asyncio.Event()

    def called(_verb: str, resource: str, code: str, _took: float, /) -> None:
        if resource == "events":
            codes.append(code)
            news.set()

    dropped: list[None] = []
    async with account.api(tmp_path, called=called) as api:
        made = [
            lenient.decode(
                await api.create(CAMERAS, manifest(name, cameraId=name[:9]), manager="test"), Camera
            )
            for name in ("lobby", LONG)
        ]
        recorder = Recorder(
            api, "camera-ingest-operator", "pod-0", drop=lambda: dropped.append(None)
        )
        running = asyncio.create_task(recorder.run())
        for number in range(3):
            message = f"worker default-0 is gone ({number})"
            recorder.tell(CAMERAS, made[0].metadata, "Warning", "WorkerLost", message)
        recorder.tell(CAMERAS, made[1].metadata, "Normal", "Assigned", "ü" * 2000)
        async with asyncio.timeout(30):
            while len(codes) < 4:
                news.clear()
                await news.wait()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert codes == ["201", "200", "200", "201"]
    assert not dropped
    told = (await asyncio.to_thread(kubectl, "describe", "camera", "lobby")).stdout
    assert re.search(
        r"Warning +WorkerLost +.*x3 over.* +camera-ingest-operator +worker default-0 is gone \(2\)",
        told,
    )
    told = (await asyncio.to_thread(kubectl, "describe", "camera", LONG)).stdout
    assert "Assigned" in told
