"""Which lines of a log somebody must look at."""

import pytest

from bench.soak.pods import is_grave


@pytest.mark.parametrize(
    ("line", "grave"),
    [
        ('{"level": "error", "event": "capture_crashed"}', True),
        ('{"level": "critical", "event": "x"}', True),
        ('{"level": "warning", "event": "an error of a camera"}', False),
        ('{"level": "warning", "event": "operator_begins_anew"}', True),
        ("Traceback (most recent call last):", True),
        ("Fatal Python error: Segmentation fault", True),
        ("[]", True),
        ("", False),
    ],
)
def test_a_line_that_somebody_must_look_at_is_seen(line: str, grave: bool) -> None:  # noqa: FBT001 - a table
    assert is_grave(line) is grave
