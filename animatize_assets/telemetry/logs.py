"""What our log lines look like, with the trace that they belong to.

Belongs here: the two forms, and giving the package's loggers a handler for as long as a process
works. Does not belong here: which form is wanted, Dagster's own log (its processes take
``--log-format json`` themselves), what is logged.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

from animatize_assets.telemetry.tracing import current_span_id, current_trace_id

LogFormat = Literal["text", "json"]

PACKAGE = "animatize_assets"
"""The logger above all of ours."""


class TextLines(logging.Formatter):
    """For people: level, logger, message; the trace where there is one."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """Add the trace to the line that a traceback may follow."""
        line, trace_id = super().formatMessage(record), current_trace_id()
        return line if trace_id is None else f"{line} [trace {trace_id}]"


class JsonLines(logging.Formatter):
    """For machines: one JSON object a line. Fields that say nothing are left out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record; a value that is no JSON is told as text."""
        told: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "trace_id": current_trace_id(),
            "span_id": current_span_id(),
            "exception": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({name: value for name, value in told.items() if value is not None})


_FORMATTERS: dict[LogFormat, type[logging.Formatter]] = {"text": TextLines, "json": JsonLines}


@contextmanager
def logging_as(
    form: LogFormat, *, level: int = logging.WARNING, loggers: Sequence[str] = (PACKAGE,)
) -> Iterator[None]:
    """Write what is logged within the block to standard error, in that form.

    ``level``: from which on. A logger that has been given a handler, by a block around this one or
    by anybody else, keeps it alone.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FORMATTERS[form]())
    handler.setLevel(level)
    ours = [each for each in map(logging.getLogger, loggers) if not each.handlers]
    before = [each.level for each in ours]
    for each in ours:
        each.addHandler(handler)
        each.setLevel(min(level, each.getEffectiveLevel()))
    try:
        yield
    finally:
        for each, was in zip(ours, before, strict=True):
            each.removeHandler(handler)
            each.setLevel(was)
