"""The example of docs/guide/simulator.md, run as it stands there."""

import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.guide import fences


async def test_the_guides_example_serves_a_camera_breaks_it_and_heals_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (example,) = fences("docs/guide/simulator.md", "python")
    body = textwrap.indent(f"{example.text}return url\n", "    ")
    scope: dict[str, Any] = {}
    exec(f"async def example():\n{body}", scope)
    url = await scope["example"]()
    assert url.startswith("rtsp://127.0.0.1:")
    assert url.endswith("/lobby")
