"""Draw a scene and encode it, once: a clip that loops. Blocking; for a thread.

The only module of the simulator that knows PyAV. Promises: the first unit of a clip is a keyframe,
every keyframe carries its parameter sets, and nothing is in it that a camera would not send (no
encoder's signature, no access unit delimiter, no filler).
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from typing import cast

import av
import msgspec
import numpy as np

from ingest_simulator import nal, scenes
from ingest_simulator.camera import Codec, SimulatedCamera

REVISION = 1
"""Grows with each change here that changes what a clip holds."""

LIBRARIES = repr(sorted(av.library_versions.items()))

_NEUTRAL = 128
_TINT = 14


class ClipSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that a clip depends on."""

    scene: str
    seed: int
    codec: Codec
    width: int
    height: int
    fps: int
    gop: int
    bitrate: int
    b_frames: int
    seconds: int

    @classmethod
    def of(cls, camera: SimulatedCamera) -> "ClipSpec":
        return cls(
            scene=camera.scene,
            seed=camera.seed,
            codec=camera.codec,
            width=camera.width,
            height=camera.height,
            fps=camera.fps,
            gop=camera.gop,
            bitrate=camera.bitrate,
            b_frames=camera.b_frames,
            seconds=camera.clip_seconds,
        )


class AccessUnit(msgspec.Struct, frozen=True, array_like=True):
    """One encoded frame.

    units: NAL units without start codes; for MJPEG the one JPEG. presented: its place in the order
    of the scene, which is not the order of the clip when there are B-frames. Each lasts one frame.
    """

    units: tuple[bytes, ...]
    keyframe: bool
    presented: int


class Clip(msgspec.Struct, frozen=True, array_like=True):
    units: tuple[AccessUnit, ...]

    @property
    def delay(self) -> int:
        """Frames by which the encoder held back, at most, what it had seen."""
        return max(unit.presented - at for at, unit in enumerate(self.units))


class UnwantedError(Exception):
    """The clip is no longer asked for."""


def encode(spec: ClipSpec, unwanted: Callable[[], bool] = lambda: False) -> Clip:
    """Takes as long as drawing takes: hand it to a thread.

    Raises UnwantedError within one frame of `unwanted` turning true.
    """
    coder = _coder(spec)
    units = tuple(
        AccessUnit(
            units=_kept(spec.codec, bytes(packet)),
            keyframe=packet.is_keyframe,
            presented=cast("int", packet.pts),
        )
        for frame in chain(_frames(spec, unwanted), [None])
        for packet in coder.encode(frame)
    )
    return Clip(units)


def parameter_sets(codec: Codec, unit: AccessUnit) -> tuple[bytes, ...]:
    """Those of a keyframe, one of each kind, in decoding order; none for MJPEG."""
    if codec is Codec.MJPEG:
        return ()
    if codec is Codec.H264:
        found = {nal.h264_type(unit): unit for unit in reversed(unit.units)}
        return found[nal.H264.SPS], found[nal.H264.PPS]
    found = {nal.h265_type(unit): unit for unit in reversed(unit.units)}
    return found[nal.H265.VPS], found[nal.H265.SPS], found[nal.H265.PPS]


def _coder(spec: ClipSpec) -> av.VideoCodecContext:
    name = {Codec.H264: "libx264", Codec.H265: "libx265", Codec.MJPEG: "mjpeg"}[spec.codec]
    coder = cast("av.VideoCodecContext", av.CodecContext.create(name, "w"))
    coder.width, coder.height = spec.width, spec.height
    coder.time_base = Fraction(1, spec.fps)
    coder.framerate = Fraction(spec.fps)
    coder.gop_size = spec.gop
    coder.thread_count = 1  # more of them cut each picture into slices
    if spec.codec is Codec.MJPEG:
        coder.pix_fmt = "yuvj420p"
        # RFC 2435 has receivers assume the default tables.
        coder.options = {"huffman": "default", "qmin": "5", "qmax": "5"}
        return coder
    coder.pix_fmt = "yuv420p"
    coder.bit_rate = spec.bitrate
    coder.max_b_frames = spec.b_frames
    if spec.codec is Codec.H264:
        coder.options = {
            "preset": "veryfast",
            "refs": "1",
            "sc_threshold": "0",
            "x264-params": f"bframes={spec.b_frames}:keyint={spec.gop}:min-keyint={spec.gop}",
        }
    else:
        coder.options = {
            "preset": "ultrafast",
            "x265-params": (
                f"log-level=none:info=0:open-gop=0:scenecut=0:ref=1:repeat-headers=1:pools=none:"
                f"frame-threads=1:bframes={spec.b_frames}:b-adapt=0:"
                f"keyint={spec.gop}:min-keyint={spec.gop}"
            ),
        }
    return coder


def _frames(spec: ClipSpec, unwanted: Callable[[], bool]) -> Iterator[av.VideoFrame]:
    scene = scenes.make(
        spec.scene, width=spec.width, height=spec.height, fps=spec.fps, seed=spec.seed
    )
    planes = np.empty((spec.height * 3 // 2, spec.width), np.uint8)
    chroma = planes[spec.height :].reshape(2, -1)
    # A gentle colour of its own, so that pictures of many cameras can be told apart.
    tint = np.random.default_rng(spec.seed).integers(-_TINT, _TINT + 1, 2)
    chroma[:] = (_NEUTRAL + tint)[:, None]
    pixels = "yuvj420p" if spec.codec is Codec.MJPEG else "yuv420p"
    for index in range(spec.seconds * spec.fps or scene.period):
        if unwanted():
            raise UnwantedError
        planes[: spec.height] = scene.luma(index)
        frame = av.VideoFrame.from_ndarray(planes, format=pixels)
        frame.pts = index
        frame.time_base = Fraction(1, spec.fps)
        yield frame


def _kept(codec: Codec, data: bytes) -> tuple[bytes, ...]:
    if codec is Codec.MJPEG:
        return (data,)
    if codec is Codec.H264:
        dropped = {nal.H264.SEI, nal.H264.AUD, nal.H264.FILLER}
        return tuple(unit for unit in nal.split(data) if nal.h264_type(unit) not in dropped)
    unwanted = {nal.H265.SEI_PREFIX, nal.H265.SEI_SUFFIX, nal.H265.AUD}
    return tuple(unit for unit in nal.split(data) if nal.h265_type(unit) not in unwanted)
