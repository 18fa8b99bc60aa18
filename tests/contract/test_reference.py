"""The generated pages of docs/reference say what the code says."""

from collections.abc import Callable

import pytest

from tools import crd_reference, reference


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("settings", reference.settings_page),
        ("metrics", reference.metrics_page),
        ("events", reference.events_page),
        ("crds", crd_reference.page),
    ],
)
def test_a_generated_page_is_what_the_code_makes(page: str, made: Callable[[], str]) -> None:
    assert (reference.PAGES / f"{page}.md").read_text() == made(), "run: make docs"


def test_every_password_variable_and_every_command_is_on_the_settings_page() -> None:
    page = reference.settings_page()
    for said in ("CAMERA_INGEST_PASSWORD", "CAMERA_INGEST_SIMULATOR_PASSWORD"):
        assert f"`{said}`" in page
    for command in ("standalone", "demo", "simulator", "probe"):
        assert f"`camera-ingest {command}`" in page
