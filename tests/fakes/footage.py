"""Small pictures, as cameras send them: JPEGs of one colour or of noise, and H.264 with PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext

from ingest_worker.picture import Decoder, Picture
from ingest_worker.ring import Codec, Frame


@cache
def jpeg(width: int = 64, height: int = 48, level: int = 128, seed: int | None = None) -> bytes:
    """One grey level, or noise when there is a seed."""
    picture = np.full((height, width, 3), level, np.uint8)
    if seed is not None:
        picture = np.random.default_rng(seed).integers(0, 256, picture.shape, np.uint8)
    done, encoded = cv2.imencode(".jpg", picture)
    assert done
    return encoded.tobytes()


def pixels(encoded: bytes) -> npt.NDArray[np.uint8]:
    """(height, width, 3) of a JPEG."""
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def level(picture: Picture) -> int:
    """The grey level of a picture that has only one."""
    return round(float(np.mean(picture.luma())))


@cache
def h264(
    count: int = 8,
    *,
    keyframe_every: int = 8,
    b_frames: int = 0,
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
) -> tuple[Frame, ...]:
    """Frames in the order of decoding; picture n has the luma `level_of(n)` everywhere.

    Sequences are 1, 2, 3 … in the order of decoding, timestamps 0.1 s apart.
    """
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.framerate = pixel_format, Fraction(10)
    encoder.time_base = Fraction(1, 10)
    encoder.gop_size, encoder.max_b_frames, encoder.thread_count = keyframe_every, b_frames, 1
    encoder.options = {
        "preset": "veryfast",
        "qp": "4",
        "x264-params": f"b-adapt=0:scenecut=0:bframes={b_frames}:log-level=none",
    }
    packets = []
    for index in range(count):
        plain = np.full((size[1], size[0], 3), level_of(index), np.uint8)
        picture = av.VideoFrame.from_ndarray(plain, "rgb24").reformat(format=pixel_format)
        picture.pts = index
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    codec = Codec("h264")
    return tuple(
        Frame(number, number / 10, packet.is_keyframe, bytes(packet), codec)
        for number, packet in enumerate(packets, start=1)
    )


def level_of(index: int) -> int:
    """Of the picture with this index in the order of showing, before its range is made video's."""
    return 30 + 20 * (index % 10)


def decoded(decoder: Decoder, frames: Sequence[Frame]) -> list[Picture]:
    """Every picture that comes out of these frames."""
    return [picture for frame in frames for picture in decoder.decode(frame)]
