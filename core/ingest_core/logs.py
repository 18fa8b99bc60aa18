"""Logs: one structured line an event, JSON or for a terminal, never a credential.

Events are snake_case constants, facts are keywords. `once_a_second` folds what may come in bursts.
"""

import logging
import sys
from collections.abc import Callable
from typing import Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ingest_core.credentials import redact

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


def configure(level: LogLevel, format_: LogFormat, stream: TextIO = sys.stderr) -> None:
    """Set up structlog, and let the standard library's loggers speak through it."""
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if format_ == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_urls,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared)
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


def _redact_urls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact(value)
    return event


class Folded:
    """Counts what happens in bursts and lets one line a second through, with the count."""

    _PERIOD: Final = 1.0

    def __init__(self, write: Callable[[int], None]) -> None:
        self._write = write
        self._count = 0
        self._next = float("-inf")

    def add(self, now: float, count: int = 1) -> None:
        """Count `count` happenings at monotonic time `now`; maybe write a line."""
        self._count += count
        if now >= self._next:
            self._next = now + self._PERIOD
            count, self._count = self._count, 0
            self._write(count)
