"""Tell of frames that were not used: one line a second at the most, whatever the cameras do."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, Never

import structlog

from ingest_worker.feed import Feed

log: structlog.stdlib.BoundLogger = structlog.get_logger()

PERIOD_SECONDS: Final = 1.0
_NAMED: Final = 5  # cameras that a line names


async def tell(feeds: Callable[[], Iterable[Feed]]) -> Never:
    """Log what was dropped since the last line, by reason, until cancelled."""
    before: dict[tuple[str, str], int] = {}
    while True:
        await asyncio.sleep(PERIOD_SECONDS)
        now = {
            (feed.camera_id, reason): count
            for feed in feeds()
            for reason, count in feed.drops.copy().items()
        }
        new = {key: count - before.get(key, 0) for key, count in now.items()}
        before = now
        reasons, cameras = Counter[str](), Counter[str]()
        for (camera, reason), count in new.items():
            if count > 0:
                reasons[reason] += count
                cameras[camera] += count
        if reasons:
            worst = [camera for camera, _ in cameras.most_common(_NAMED)]
            log.warning("frames_dropped", reasons=dict(reasons), cameras=len(cameras), worst=worst)
