"""Pixels: frames into pictures with FFmpeg's decoders, pictures into JPEGs with libjpeg-turbo.

A decoder here is given bytes and never a name, so nothing that a camera sends can make FFmpeg open
anything. Foreign errors end here: what cannot be decoded is counted, or is a FrameUndecodable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from ingest_core.errors import FrameUndecodable
from ingest_worker.jpeg import MAX_PIXELS
from ingest_worker.picture import Picture
from ingest_worker.ring import Codec, Frame

DECODABLE: Final = ("h264", "hevc", "mjpeg")
_IN_FLIGHT: Final = 64  # frames that a decoder may hold back; 16 is H.264's own limit


@dataclass(frozen=True, slots=True)
class AvPicture:
    """A picture in FFmpeg's memory, as decoded."""

    frame: Frame
    video: VideoFrame

    @property
    def size(self) -> tuple[int, int]:
        return self.video.width, self.video.height

    def luma(self) -> npt.NDArray[np.uint8]:
        """The first plane as it is, for every 8-bit YUV format; else a converted copy."""
        video = self.video
        name = video.format.name
        if not name.startswith(("yuv", "gray", "nv")) or video.format.components[0].bits != 8:  # noqa: PLR2004 - bits of a byte
            video = VideoReformatter().reformat(video, format="gray")
        plane = video.planes[0]
        shape, strides = (video.height, video.width), (plane.line_size, 1)
        return np.ndarray(shape, np.uint8, memoryview(plane), strides=strides)

    def bgr(self, width: int) -> npt.NDArray[np.uint8]:
        height = max(1, round(self.video.height * width / self.video.width))
        scaled = VideoReformatter().reformat(self.video, width, height, "bgr24")
        return np.asarray(scaled.to_ndarray(), np.uint8)


class AvDecoder:
    """FFmpeg's decoder of one codec, in the thread that calls it. See picture.Decoder."""

    def __init__(self, codec: Codec) -> None:
        """Start the decoder.

        Raises:
            FrameUndecodable: There is no decoder for it, or it refuses the parameter sets.
        """
        if codec.name not in DECODABLE:
            raise FrameUndecodable(f"no decoder for {codec.name}")
        self.errors = 0
        self._flight: dict[int, Frame] = {}
        try:
            context = CodecContext.create(codec.name, "r")
            assert isinstance(context, VideoCodecContext)
            context.thread_count = 1
            context.thread_type = "NONE"
            context.options = {"max_pixels": str(MAX_PIXELS)}
            if codec.extradata:
                context.extradata = codec.extradata
            context.open()
        except (FFmpegError, UnknownCodecError, ValueError):
            raise FrameUndecodable(f"the decoder of {codec.name} does not start") from None
        self._context = context

    def decode(self, frame: Frame) -> Sequence[Picture]:
        """Pictures that this frame completes; what is refused or corrupt is counted in `errors`."""
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = frame.sequence
        packet.is_keyframe = frame.keyframe
        self._flight[frame.sequence] = frame
        if len(self._flight) > _IN_FLIGHT:
            del self._flight[next(iter(self._flight))]
        try:
            decoded = self._context.decode(packet)
        except FFmpegError:
            self.errors += 1
            return ()
        return self._pictures(decoded)

    @property
    def profile(self) -> str | None:
        """The codec's profile as FFmpeg names it, once something was decoded."""
        return self._context.profile

    def flush(self) -> Sequence[Picture]:
        """Pictures that were held back; the decoder is at its end after this."""
        try:
            return self._pictures(self._context.decode(None))
        except FFmpegError:
            return ()

    def _pictures(self, decoded: list[VideoFrame]) -> list[Picture]:
        pictures: list[Picture] = []
        for video in decoded:
            source = None if video.pts is None else self._flight.pop(video.pts, None)
            if video.is_corrupt or source is None:
                self.errors += 1
            else:
                pictures.append(AvPicture(source, video))
        return pictures


def decode_last(group: Sequence[Frame]) -> Picture:
    """The picture of a group's last frame, decoded from the group's keyframe on.

    Raises:
        FrameUndecodable: It does not come out.
    """
    decoder = AvDecoder(group[0].codec)
    wanted = group[-1].sequence
    for frame in group:
        for picture in decoder.decode(frame):
            if picture.frame.sequence == wanted:
                return picture
    for picture in decoder.flush():
        if picture.frame.sequence == wanted:
            return picture
    raise FrameUndecodable(f"frame {wanted} cannot be decoded")


def jpeg(picture: Picture, width: int, quality: int) -> bytes:
    """A picture as JPEG, `width` pixels wide.

    Raises:
        FrameUndecodable: It cannot be encoded.
    """
    return _encode(picture.bgr(width), quality)


def scaled_jpeg(data: bytes, width: int | None, quality: int) -> bytes:
    """A JPEG encoded anew, at most `width` pixels wide.

    Raises:
        FrameUndecodable: `data` is not a picture after all.
    """
    pixels = _decoded(data, cv2.IMREAD_COLOR)
    if pixels is None:
        raise FrameUndecodable("the pushed JPEG cannot be decoded")
    if width is None or width >= pixels.shape[1]:
        return _encode(pixels, quality)
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    scaled = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return _encode(np.asarray(scaled, np.uint8), quality)


def jpeg_luma(data: bytes, width: int, least: int) -> npt.NDArray[np.uint8] | None:
    """Brightness of a JPEG, decoded at the smallest of 1/1 to 1/8 that is `least` wide or more.

    Scaling in the DCT costs a fraction of decoding (libjpeg's `scale_denom`). None: no picture.
    """
    flags = (
        (8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
        (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
        (2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
    )
    flag = next((flag for by, flag in flags if width // by >= least), cv2.IMREAD_GRAYSCALE)
    flag |= cv2.IMREAD_IGNORE_ORIENTATION  # `width`, like a region's, is that of the header
    return _decoded(data, flag)


def _decoded(data: bytes, flags: int) -> npt.NDArray[np.uint8] | None:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _encode(pixels: npt.NDArray[np.uint8], quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise FrameUndecodable("the picture cannot be encoded")
    return encoded.tobytes()
