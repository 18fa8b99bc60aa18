"""Frames into pictures and pictures into JPEGs, whatever is in them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_core.errors import FrameUndecodable
from ingest_worker import render
from ingest_worker.render import AvDecoder, AvPicture, decode_last
from ingest_worker.ring import Codec, Frame
from tests.fakes import footage

H264 = Codec("h264")


def limited(index: int) -> int:
    """The luma of a picture's grey level: video's range is 16 to 235."""
    return round(16 + footage.level_of(index) * 219 / 255)


def shown(frames: tuple[Frame, ...]) -> list[tuple[int, int]]:
    """Sequence and luma of every picture, in the order in which they come out."""
    decoder = AvDecoder(H264)
    pictures = [*footage.decoded(decoder, frames), *decoder.flush()]
    assert decoder.errors == 0
    return [(picture.frame.sequence, footage.level(picture)) for picture in pictures]


def test_pictures_come_with_the_frame_that_they_were_decoded_from() -> None:
    frames = footage.h264(8)
    assert [sequence for sequence, _ in shown(frames)] == list(range(1, 9))
    assert [luma for _, luma in shown(frames)] == [
        pytest.approx(limited(index), abs=1) for index in range(8)
    ]


def test_with_b_frames_every_picture_still_carries_its_own_frame() -> None:
    frames = footage.h264(10, keyframe_every=10, b_frames=2)
    pictures = shown(frames)
    assert [luma for _, luma in pictures] == [
        pytest.approx(limited(index), abs=2) for index in range(10)
    ]
    sequences = [sequence for sequence, _ in pictures]
    assert sorted(sequences) == list(range(1, 11))
    assert sequences != sorted(sequences), "the clip has no B-frames: the test proves nothing"


def test_with_b_frames_any_frame_of_a_group_is_decoded_as_itself() -> None:
    frames = footage.h264(10, keyframe_every=10, b_frames=2)
    expected = dict(shown(frames))
    for end in range(1, len(frames) + 1):
        picture = decode_last(frames[:end])
        assert picture.frame is frames[end - 1]
        assert footage.level(picture) == expected[end]


def test_a_group_that_lacks_its_keyframe_becomes_no_picture() -> None:
    with pytest.raises(FrameUndecodable, match="frame 8 cannot be decoded"):
        decode_last(footage.h264(8)[1:])


def test_a_group_of_garbage_becomes_no_picture() -> None:
    group = (Frame(1, 0.0, True, b"\x00\x00\x00\x01" + bytes(50), H264),)
    with pytest.raises(FrameUndecodable):
        decode_last(group)


@pytest.mark.parametrize("name", ["mpeg4", "rawvideo", "no such codec", ""])
def test_only_what_cameras_send_is_decoded(name: str) -> None:
    with pytest.raises(FrameUndecodable, match="no decoder"):
        AvDecoder(Codec(name))


def test_corrupt_bytes_are_counted_and_the_next_group_decodes() -> None:
    decoder = AvDecoder(H264)
    frames = footage.h264(16)
    assert footage.decoded(decoder, frames[:2])
    garbage = Frame(100, 0.0, False, b"\x00\x00\x00\x01\x65" + b"\xa5" * 200, H264)
    decoder.decode(garbage)
    assert decoder.errors >= 1
    pictures = footage.decoded(decoder, frames[8:])
    assert [picture.frame.sequence for picture in pictures][-4:] == [13, 14, 15, 16]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2000), st.binary(max_size=20)), max_size=4)
)
def test_damaged_frames_never_raise_and_never_swap_pictures(
    damage: list[tuple[int, int, bytes]],
) -> None:
    frames = list(footage.h264(8, b_frames=1))
    for index, at, data in damage:
        frame = frames[index]
        damaged = frame.data[:at] + data + frame.data[at + len(data) :]
        frames[index] = Frame(frame.sequence, frame.timestamp, frame.keyframe, damaged, H264)
    decoder = AvDecoder(H264)
    pictures = [*footage.decoded(decoder, frames), *decoder.flush()]
    sequences = [picture.frame.sequence for picture in pictures]
    assert len(set(sequences)) == len(sequences)
    assert all(picture.frame in frames for picture in pictures)
    assert all(picture.size == (64, 48) for picture in pictures if not damage)


def test_a_decoder_that_never_gives_a_picture_holds_few_frames() -> None:
    decoder = AvDecoder(H264)
    for frame in footage.h264(8)[1:] * 40:
        decoder.decode(Frame(frame.sequence + 1000, 0.0, False, frame.data, H264))
    for sequence in range(500):
        decoder.decode(Frame(sequence, 0.0, False, b"\x00\x00\x00\x01\x09\x10", H264))
    assert len(decoder._flight) <= 64


def av_picture(pixel_format: str = "yuv420p", size: tuple[int, int] = (64, 48)) -> AvPicture:
    frames = footage.h264(1, pixel_format=pixel_format, size=size)
    picture = decode_last(frames)
    assert isinstance(picture, AvPicture)
    return picture


def test_luma_is_a_view_of_the_decoded_picture() -> None:
    picture = av_picture(size=(90, 50))
    luma = picture.luma()
    assert luma.shape == (50, 90)
    assert luma.strides == (picture.video.planes[0].line_size, 1)
    assert not luma.flags.owndata
    again = picture.luma()
    assert luma.ctypes.data == again.ctypes.data, "two looks see the same memory"
    assert np.ptp(luma) <= 2
    assert luma.mean() == pytest.approx(limited(0), abs=1)


def test_luma_of_ten_bits_is_made_eight() -> None:
    picture = av_picture("yuv420p10le")
    assert picture.video.format.name == "yuv420p10le"
    luma = picture.luma()
    assert luma.dtype == np.uint8
    assert luma.shape == (48, 64)
    assert np.ptp(luma) <= 2
    assert limited(0) - 15 <= luma.mean() <= limited(0) + 3


def test_luma_outlives_the_picture_that_it_was_read_from() -> None:
    luma = av_picture("yuv420p10le").luma()
    assert luma.sum() > 0


@pytest.mark.parametrize(("width", "size"), [(64, (48, 64)), (32, (24, 32)), (16, (12, 16))])
def test_a_jpeg_is_as_wide_as_asked_for_with_the_aspect_kept(
    width: int, size: tuple[int, int]
) -> None:
    pixels = footage.pixels(render.jpeg(av_picture(), width, 90))
    assert pixels.shape == (*size, 3)
    assert pixels.mean() == pytest.approx(footage.level_of(0), abs=3)


def test_a_picture_of_one_column_still_has_a_row() -> None:
    assert av_picture(size=(640, 16)).bgr(16).shape == (1, 16, 3)


@pytest.mark.parametrize(
    ("width", "size"), [(None, (48, 64)), (64, (48, 64)), (999, (48, 64)), (32, (24, 32))]
)
def test_a_pushed_jpeg_is_made_smaller_and_never_larger(
    width: int | None, size: tuple[int, int]
) -> None:
    assert footage.pixels(render.scaled_jpeg(footage.jpeg(), width, 80)).shape == (*size, 3)


def test_a_lower_quality_is_smaller() -> None:
    noise = footage.jpeg(seed=1)
    assert len(render.scaled_jpeg(noise, None, 10)) < len(render.scaled_jpeg(noise, None, 90))


@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xd9", b"\xff\xd8\xff", b"no picture"])
def test_what_only_looked_like_a_jpeg_is_undecodable(data: bytes) -> None:
    with pytest.raises(FrameUndecodable):
        render.scaled_jpeg(data, None, 80)
    assert render.jpeg_luma(data, 64, 16) is None


def test_nothing_at_all_is_undecodable() -> None:
    with pytest.raises(FrameUndecodable):
        render.scaled_jpeg(b"", None, 80)
    assert render.jpeg_luma(b"", 64, 16) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 3000), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_jpeg_becomes_a_picture_or_is_undecodable(damage: list[tuple[int, int]]) -> None:
    data = bytearray(footage.jpeg(seed=2))
    size = data.index(b"\xff\xc0") + 5  # the size is bounded elsewhere, before this
    for at, value in damage:
        if not size <= at < size + 4:
            data[at % len(data)] = value
    try:
        made = render.scaled_jpeg(bytes(data), 32, 80)
    except FrameUndecodable:
        return
    assert footage.pixels(made).shape[1] <= 64
    luma = render.jpeg_luma(bytes(data), 64, 16)
    assert luma is None or luma.ndim == 2


@pytest.mark.parametrize(
    ("width", "decoded"), [(320, 320), (640, 320), (1280, 320), (2560, 320), (1000, 500)]
)
def test_brightness_is_decoded_at_the_least_scale_that_will_do(width: int, decoded: int) -> None:
    luma = render.jpeg_luma(footage.jpeg(width, 96), width, 320)
    assert luma is not None
    assert luma.shape[1] == decoded


def test_brightness_is_as_its_header_says_even_when_a_device_was_held_upright() -> None:
    orientation = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01"  # one entry:
    orientation += b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"  # a quarter turn
    exif = b"\xff\xe1" + (len(orientation) + 6).to_bytes(2, "big") + orientation + bytes(4)
    plain = footage.jpeg(640, 360)
    turned = plain[:2] + exif + plain[2:]
    seen = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    assert seen.shape == (640, 360, 3), "the header is not read as turned: the test proves nothing"
    luma = render.jpeg_luma(turned, 640, 320)
    assert luma is not None
    assert luma.shape == (180, 320)
