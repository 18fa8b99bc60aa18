"""The image of this checkout, built once for the session."""

import pytest

from tests.cluster.go_commands import Unavailable
from tests.image import builder
from tests.image.builder import Image


@pytest.fixture(scope="session")
def image() -> Image:
    try:
        return builder.image()
    except Unavailable as error:
        pytest.skip(str(error))
