"""Clips, encoded once: in memory while cameras use them, on disk between runs.

Promises: a clip is drawn and encoded in a thread, once however many ask; a file is written whole
or not at all; a file that cannot be read is a clip not yet made; memory holds at most `capacity`
clips and the disk at most `_MAX_DISK` bytes (the least used go, they can be made again).
"""

import asyncio
import hashlib
import inspect
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import msgspec

from ingest_simulator import encode, jpeg, payload, rtp, scenes, sdp
from ingest_simulator.camera import Codec
from ingest_simulator.encode import AccessUnit, Clip, ClipSpec

_MAX_DISK = 512 * 1024 * 1024
_CONCURRENT = 2


@dataclass(frozen=True, slots=True)
class ReadyFrame:
    """A frame as it is sent. presented: its place in the order of the scene."""

    packets: rtp.Prepared
    keyframe: bool
    presented: int
    octets: int


@dataclass(frozen=True, slots=True)
class ReadyClip:
    """delay: frames by which sending lags behind what the scene shows (B-frames)."""

    spec: ClipSpec
    frames: tuple[ReadyFrame, ...]
    parameter_sets: tuple[bytes, ...]
    delay: int


def directory(environment: Mapping[str, str]) -> Path:
    """Where clips are kept between runs."""
    cache = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "/tmp")) / ".cache"  # noqa: S108 - a machine without homes; the files hold nothing secret
    return Path(cache) / "camera-ingest" / "clips"


class Clips:
    """Owned by one simulator; used from its event loop only."""

    def __init__(self, folder: Path, *, capacity: int = 64) -> None:
        self._folder = folder
        self._capacity = capacity
        self._making: OrderedDict[ClipSpec, asyncio.Task[ReadyClip]] = OrderedDict()
        self._closing = threading.Event()
        self._turn = asyncio.Semaphore(_CONCURRENT)

    async def get(self, spec: ClipSpec) -> ReadyClip:
        """The clip; to be cancelled without harm to others who wait for it."""
        return await asyncio.shield(self._task(spec))

    def ready(self, spec: ClipSpec) -> ReadyClip | None:
        """The clip if it is there; else it is begun and None says: ask again."""
        task = self._task(spec)
        return task.result() if task.done() else None

    async def close(self) -> None:
        """Forget everything; who still draws is stopped and waited for."""
        self._closing.set()
        tasks = list(self._making.values())
        self._making.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _task(self, spec: ClipSpec) -> asyncio.Task[ReadyClip]:
        task = self._making.get(spec)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = asyncio.create_task(self._make(spec), name="clip")
            self._making[spec] = task
            self._evict()
        self._making.move_to_end(spec)
        return task

    def _evict(self) -> None:
        for spec in [spec for spec, task in self._making.items() if task.done()]:
            if len(self._making) <= self._capacity:
                return
            del self._making[spec]

    async def _make(self, spec: ClipSpec) -> ReadyClip:
        async with self._turn:
            return await asyncio.to_thread(_load, self._folder, spec, self._closing.is_set)


def _load(folder: Path, spec: ClipSpec, unwanted: Callable[[], bool]) -> ReadyClip:
    path = folder / f"{_key(spec)}.clip"
    clip: Clip | None = None
    with suppress(OSError, msgspec.DecodeError):
        clip = msgspec.msgpack.decode(path.read_bytes(), type=Clip)
        os.utime(path)
    if clip is None:
        clip = encode.encode(spec, unwanted)
        # A cache that cannot be written only costs time.
        with suppress(OSError):
            _write(path, msgspec.msgpack.encode(clip))
    return make_ready(spec, clip)


def make_ready(spec: ClipSpec, clip: Clip) -> ReadyClip:
    """Cut every frame into packets. Pure."""
    kind = sdp.PAYLOAD_TYPE[spec.codec]
    frames: list[ReadyFrame] = []
    for unit in clip.units:
        payloads = _payloads(spec.codec, unit)
        frames.append(
            ReadyFrame(
                packets=rtp.prepare(payloads, kind),
                keyframe=unit.keyframe,
                presented=unit.presented,
                octets=sum(map(len, payloads)),
            )
        )
    sets = encode.parameter_sets(spec.codec, clip.units[0])
    return ReadyClip(spec, tuple(frames), sets, clip.delay)


def _payloads(codec: Codec, unit: AccessUnit) -> list[bytes]:
    match codec:
        case Codec.H264:
            return payload.h264(unit.units, rtp.PAYLOAD_LIMIT)
        case Codec.H265:
            return payload.h265(unit.units, rtp.PAYLOAD_LIMIT)
        case Codec.MJPEG:
            return payload.mjpeg(jpeg.parse(unit.units[0]), rtp.PAYLOAD_LIMIT)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _prune(path.parent)


def _prune(folder: Path) -> None:
    seen = sorted(((s := p.stat()).st_mtime, s.st_size, p) for p in folder.glob("*.clip"))
    excess = sum(size for _, size, _ in seen) - _MAX_DISK
    for _, size, path in seen:
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= size


def _key(spec: ClipSpec) -> str:
    """Of the clip and of all the code that draws and encodes it."""
    digest = hashlib.sha256(msgspec.json.encode(spec))
    digest.update(f"{encode.REVISION} {encode.LIBRARIES}".encode())
    for module in sorted(_drawing(scenes, set()), key=lambda module: module.__name__):
        digest.update(inspect.getsource(module).encode())
    return digest.hexdigest()


def _drawing(module: ModuleType, found: set[ModuleType]) -> set[ModuleType]:
    """This module and those of the simulator that it imports, however deep."""
    found.add(module)
    for value in list(vars(module).values()):
        used = inspect.getmodule(value)
        if used and used not in found and used.__name__.startswith("ingest_simulator."):
            _drawing(used, found)
    return found
