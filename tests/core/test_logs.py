"""Logs: one structured line an event, and never a login."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from ingest_core.logs import Folded, LogFormat, LogLevel, configure

SECRET = "hunter2"
URL = f"rtsp://admin:{SECRET}@192.0.2.1/stream"


class Written(io.StringIO):
    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What is configured is the whole process's."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def written(format_: LogFormat = "json", level: LogLevel = "info") -> Written:
    stream = Written()
    configure(level, format_, stream)
    return stream


def test_a_line_is_json_with_its_event_its_level_its_time_and_its_facts() -> None:
    stream = written()
    with structlog.contextvars.bound_contextvars(camera="door"):
        structlog.get_logger().info("camera_connected", frames=3)
    (line,) = stream.lines
    said = json.loads(line)
    assert said.pop("timestamp").endswith("Z")
    assert said == {"event": "camera_connected", "level": "info", "camera": "door", "frames": 3}


@pytest.mark.parametrize(
    ("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)]
)
def test_what_is_below_the_level_is_not_written(level: LogLevel, count: int) -> None:
    stream = written(level=level)
    log = structlog.get_logger()
    for write in (log.debug, log.info, log.warning, log.error):
        write("something_happened")
    assert len(stream.lines) == count


FORMATS: list[LogFormat] = ["json", "console"]


@pytest.mark.parametrize("format_", FORMATS)
def test_no_url_shows_its_login(format_: LogFormat) -> None:
    stream = written(format_)
    structlog.get_logger().error("failed", url=URL, message=f"could not open {URL}: refused")
    logging.getLogger("somebody.else").error("could not open %s", URL)
    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count("rtsp://***@192.0.2.1/stream") == 3


@pytest.mark.parametrize("format_", FORMATS)
def test_a_traceback_is_written_whole_and_without_a_login(format_: LogFormat) -> None:
    stream = written(format_)
    try:
        int(f"cannot open {URL}")
    except ValueError:
        structlog.get_logger().exception("capture_crashed")
        logging.getLogger("somebody.else").exception("it crashed")
    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count("Traceback (most recent call last)") == 2
    assert stream.getvalue().count("'cannot open rtsp://***@192.0.2.1/stream'") == 2


@pytest.mark.parametrize("format_", FORMATS)
def test_an_error_that_is_handed_over_is_written_with_its_traceback(format_: LogFormat) -> None:
    stream = written(format_)
    crash = ZeroDivisionError("a bug")
    structlog.get_logger().error("capture_crashed", exc_info=crash)
    assert "ZeroDivisionError: a bug" in stream.getvalue()


def test_libraries_speak_as_we_do_from_warning_on() -> None:
    stream = written(level="debug")
    logging.getLogger("somebody.else").info("chatter")
    logging.getLogger("somebody.else").warning("take care of %s", "this")
    (line,) = stream.lines
    said = json.loads(line)
    assert (said["event"], said["level"]) == ("take care of this", "warning")


def test_what_comes_in_bursts_is_one_line_a_second_with_its_count() -> None:
    lines: list[int] = []
    folded = Folded(lines.append)
    for tenth in range(25):
        folded.add(100 + tenth / 10)
    assert lines == [1, 10, 10]
    folded.add(110.0, count=5)
    assert lines == [1, 10, 10, 9]
