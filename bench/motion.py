"""What motion costs, beside what decoding the same frame costs: `python bench/motion.py`.

Prints microseconds of CPU per analysed frame on one thread: the reduction of the luma plane, the
whole step while nothing and while somebody moves, decoding one H.264 frame, and motion's share of
decoding at the stream's rate. `cold` goes round as many cameras as one core carries, so that no
camera's background is still in a cache when its turn comes.
"""

import io
import statistics
import time
from collections.abc import Callable
from itertools import count, cycle

import av
import cv2
import numpy as np
import numpy.typing as npt

from ingest_simulator.scenes import Scene, make
from ingest_worker.motion import Detector, MotionConfig, reduction

Plane = npt.NDArray[np.uint8]
CAMERAS = 130
ANALYSED = 5
STREAMS = ((640, 360, 5, 400_000), (1920, 1080, 15, 3_000_000))


def microseconds(call: Callable[[], object], rounds: int = 7, calls: int = 60) -> float:
    """Median of `rounds` means of CPU time."""
    taken = []
    for _ in range(rounds):
        started = time.thread_time()
        for _ in range(calls):
            call()
        taken.append((time.thread_time() - started) / calls * 1e6)
    return statistics.median(taken)


def coded(scene: Scene, bit_rate: int, frames: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as sink:
        stream = sink.add_stream("libx264", rate=scene.fps)
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.bit_rate = bit_rate
        stream.options = {"preset": "veryfast", "g": str(2 * scene.fps), "bf": "0"}
        grey = np.full((scene.height // 2, scene.width), 128, np.uint8)
        for index in range(frames):
            planes = np.vstack([scene.luma(4 * scene.fps + index), grey])
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        sink.mux(stream.encode(None))
    return file.getvalue()


def decoding(clip: bytes, frames: int) -> float:
    """Microseconds of CPU to demux and decode one frame, on one thread."""

    def decode() -> None:
        with av.open(io.BytesIO(clip), "r") as source:
            source.streams.video[0].thread_count = 1
            assert len([frame.pts for frame in source.decode(video=0)]) == frames

    return microseconds(decode, rounds=3, calls=1) / frames


def stepping(scene: Scene, cameras: int, *, walk: bool = False) -> float:
    """Microseconds of one step of each camera in turn, all in the same quiet view or walk."""
    every = scene.fps // ANALYSED
    quiet = [scene.luma(index * every) for index in range(4)]
    pictures = [scene.luma(4 * scene.fps + i * every) for i in range(40)] if walk else quiet
    detectors = [Detector(MotionConfig()) for _ in range(cameras)]
    for index in range(20):
        for detector in detectors:
            detector.step(quiet[0], index / ANALYSED)
    turn = cycle((detector, luma) for luma in pictures for detector in detectors)
    times = count(20 * cameras)

    def step() -> None:
        detector, luma = next(turn)
        detector.step(luma, next(times) / cameras / ANALYSED)

    return microseconds(step, calls=max(80, 2 * cameras))


def reducing(luma: Plane, interpolation: int) -> float:
    height, width = luma.shape
    by = reduction(width, height)
    size = (width // by, height // by)
    small = np.empty(size[::-1], np.uint8)
    return microseconds(lambda: cv2.resize(luma, size, dst=small, interpolation=interpolation))


def main() -> None:
    cv2.setNumThreads(1)
    for width, height, fps, bit_rate in STREAMS:
        frames = 4 * fps
        still = make("still", width=width, height=height, fps=fps)
        walked = make("object", width=width, height=height, fps=fps)
        decode = decoding(coded(walked, bit_rate, frames), frames)
        quiet = stepping(still, 1)
        cold = stepping(still, CAMERAS)
        moving = stepping(walked, 1, walk=True)
        share = cold * min(fps, ANALYSED) / (decode * fps)
        print(f"{width}x{height} at {fps} fps")
        print(f"  decode                 {decode:8.0f} us")
        print(f"  reduce, bilinear       {reducing(still.luma(0), cv2.INTER_LINEAR):8.0f} us")
        print(f"  reduce, whole blocks   {reducing(still.luma(0), cv2.INTER_AREA):8.0f} us")
        print(f"  step, quiet            {quiet:8.0f} us")
        print(f"  step, quiet, cold      {cold:8.0f} us")
        print(f"  step, somebody walks   {moving:8.0f} us")
        print(f"  motion / decoding      {share:8.1%}")
    subtractors()


def subtractors() -> None:
    """OpenCV's own models on a picture that is reduced already, with their shadows off."""
    scene = make("still", width=320, height=180, fps=ANALYSED)
    luma = scene.luma(0)
    for name, create in (
        ("MOG2", cv2.createBackgroundSubtractorMOG2),
        ("KNN", cv2.createBackgroundSubtractorKNN),
    ):
        model, mask = create(detectShadows=False), np.empty_like(luma)
        pictures = cycle([scene.luma(index) for index in range(20)])
        cost = microseconds(lambda: model.apply(next(pictures), mask))  # noqa: B023 - called at once
        print(f"{name}, 320x180, foreground alone {cost:6.0f} us")


if __name__ == "__main__":
    main()
