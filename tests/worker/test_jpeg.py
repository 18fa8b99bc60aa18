"""A JPEG's header: what is taken, what is refused by it, and never another error."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_worker import jpeg
from ingest_worker.jpeg import MAX_PIXELS, MAX_SIDE, MIN_SIDE, Header, NotJpeg
from tests.fakes import footage

WHOLE = footage.jpeg(64, 48, seed=1)


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def frame_header(
    width: int, height: int, *, marker: int = 0xC0, precision: int = 8, components: int = 3
) -> bytes:
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return segment(
        marker, bytes((precision,)) + size + bytes((components,)) + bytes(3 * components)
    )


def picture(*segments: bytes, tail: bytes = b"scan\xff\xd9") -> bytes:
    return b"\xff\xd8" + b"".join(segments) + segment(0xDA, bytes(8)) + tail


@pytest.mark.parametrize(("width", "height"), [(16, 16), (64, 48), (1920, 1080), (17, 999)])
def test_the_size_is_that_of_the_picture(width: int, height: int) -> None:
    assert jpeg.parse(footage.jpeg(width, height)) == Header(width, height)


def test_grey_and_progressive_pictures_are_taken() -> None:
    grey = np.zeros((48, 64), np.uint8)
    encoded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert jpeg.parse(encoded) == Header(64, 48)


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2])
def test_the_three_huffman_kinds_are_taken(marker: int) -> None:
    assert jpeg.parse(picture(frame_header(64, 48, marker=marker))) == Header(64, 48)


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_every_other_kind_is_refused(marker: int) -> None:
    with pytest.raises(NotJpeg, match="lossless, hierarchical or arithmetic"):
        jpeg.parse(picture(frame_header(64, 48, marker=marker)))


@pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC, 0xDB, 0xE0, 0xE1, 0xFE])
def test_what_is_no_frame_header_is_stepped_over(marker: int) -> None:
    odd = segment(marker, bytes(2))
    assert jpeg.parse(picture(odd, frame_header(64, 48))) == Header(64, 48)
    with pytest.raises(NotJpeg, match="no frame header before its scan"):
        jpeg.parse(picture(odd))


@pytest.mark.parametrize(
    ("width", "height", "taken"),
    [
        (MAX_SIDE, 16, True),
        (MAX_SIDE + 1, 16, False),
        (16, MAX_SIDE + 1, False),
        (8000, 4250, True),
        (8000, 4251, False),
        (65535, 65535, False),
        (MIN_SIDE, MIN_SIDE, True),
        (MIN_SIDE - 1, 64, False),
        (64, MIN_SIDE - 1, False),
        (0, 0, False),
    ],
)
def test_a_bomb_is_refused_by_its_header(width: int, height: int, taken: bool) -> None:  # noqa: FBT001 - a table's column
    data = picture(frame_header(width, height))
    if taken:
        assert jpeg.parse(data) == Header(width, height)
    else:
        with pytest.raises(NotJpeg, match=f"is {width} x {height} pixels"):
            jpeg.parse(data)


def test_the_table_above_reaches_the_bound_exactly() -> None:
    assert MAX_PIXELS == 8000 * 4250


def test_a_small_frame_header_does_not_hide_a_bomb_behind_it() -> None:
    with pytest.raises(NotJpeg, match="60000 x 60000"):
        jpeg.parse(picture(frame_header(64, 48), frame_header(60000, 60000)))
    with pytest.raises(NotJpeg, match="60000 x 60000"):
        jpeg.parse(picture(frame_header(60000, 60000), frame_header(64, 48)))


@pytest.mark.parametrize(("precision", "components"), [(12, 3), (8, 4), (8, 2), (8, 0), (16, 1)])
def test_only_grey_or_colour_of_eight_bits_is_taken(precision: int, components: int) -> None:
    header = frame_header(64, 48, precision=precision, components=components)
    with pytest.raises(NotJpeg, match=f"{components} components of {precision} bits"):
        jpeg.parse(picture(header))


def test_padding_and_restart_markers_between_segments_are_no_harm() -> None:
    assert jpeg.parse(picture(b"\xff\xff\xd0\xff\x01\xff", frame_header(64, 48))).width == 64


def test_what_devices_append_is_let_be_up_to_a_bound() -> None:
    assert jpeg.parse(WHOLE + bytes(4000)) == Header(64, 48)
    with pytest.raises(NotJpeg, match="no end marker"):
        jpeg.parse(WHOLE + bytes(5000))


def test_one_that_is_cut_short_is_refused_wherever_it_is_cut() -> None:
    for length in range(len(WHOLE) - 1):
        with pytest.raises(NotJpeg):
            jpeg.parse(WHOLE[:length])


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<html>", b"\xff\xd8\xff\xd9"],
)
def test_what_is_no_jpeg_is_refused(data: bytes) -> None:
    with pytest.raises(NotJpeg):
        jpeg.parse(data)


def test_a_frame_header_that_is_too_short_is_refused() -> None:
    with pytest.raises(NotJpeg, match="frame header"):
        jpeg.parse(picture(segment(0xC0, bytes(5))))


def test_a_segment_shorter_than_its_own_length_is_refused() -> None:
    with pytest.raises(NotJpeg, match="cut short in its header"):
        jpeg.parse(b"\xff\xd8\xff\xe0\x00\x01" + WHOLE[2:])


def test_endless_segments_end() -> None:
    with pytest.raises(NotJpeg, match="more than 512"):
        jpeg.parse(b"\xff\xd8" + segment(0xFE, b"") * 600 + WHOLE[2:])


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_raise_nothing_else(data: bytes) -> None:
    for raw in (data, b"\xff\xd8" + data, b"\xff\xd8\xff" + data + b"\xff\xd9"):
        with pytest.raises(NotJpeg):
            jpeg.parse(raw)


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8))
def test_a_damaged_jpeg_is_taken_within_bounds_or_refused(damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, value in damage:
        data[at] = value
    try:
        header = jpeg.parse(bytes(data))
    except NotJpeg:
        pass
    else:
        assert MIN_SIDE <= header.width <= MAX_SIDE
        assert MIN_SIDE <= header.height <= MAX_SIDE
        assert header.width * header.height <= MAX_PIXELS
