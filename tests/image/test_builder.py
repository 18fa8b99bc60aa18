"""Where the image cannot be built, it is said why."""

from pathlib import Path

import pytest

from tests.cluster.go_commands import Unavailable
from tests.image import builder


def test_an_image_that_cannot_be_built_is_unavailable_as_any_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="buildah"):
        builder.image()
    assert builder.reason_to_build() is None
