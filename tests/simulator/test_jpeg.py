import cv2
import numpy as np
import pytest

from ingest_simulator import jpeg
from ingest_simulator.jpeg import UnsendableJpegError

PICTURE = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)


def coded(*options: int, height: int = 48) -> bytes:
    return bytes(cv2.imencode(".jpg", PICTURE[:height], list(options))[1])


def test_a_plain_jpeg_gives_its_parts() -> None:
    data = coded()
    picture = jpeg.parse(data)
    assert (picture.kind, picture.width, picture.height) == (1, 64, 48)
    assert [len(table) for table in picture.tables] == [64, 64]
    assert data.endswith(picture.scan + b"\xff\xd9")


def test_what_a_receiver_cannot_know_is_refused() -> None:
    for options in (
        (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        (cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ):
        with pytest.raises(UnsendableJpegError):
            jpeg.parse(coded(*options))
    with pytest.raises(UnsendableJpegError):
        jpeg.parse(coded(height=41))


def test_a_jpeg_cut_anywhere_is_refused_or_has_a_scan() -> None:
    data = coded()
    begin = data.index(b"\xff\xda")
    for end in range(begin):
        with pytest.raises(UnsendableJpegError):
            jpeg.parse(data[:end])
