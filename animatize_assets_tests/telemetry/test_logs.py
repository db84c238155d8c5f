"""Log lines carry their trace, in both forms, and a process keeps its own handlers."""

from __future__ import annotations

import json
import logging
from datetime import datetime

import pytest

from animatize_assets.telemetry.logs import LogFormat, logging_as
from animatize_assets.telemetry.tracing import current_span_id, current_trace_id, span
from animatize_assets_tests.telemetry.spans import watched

NAME = "animatize_assets.somewhere"
_log = logging.getLogger(NAME)


def test_json_lines_say_when_where_what_and_in_which_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with watched(), logging_as("json"):
        _log.warning("Before: %d of\n%d.", 1, 2)
        with span("work"):
            trace_id, span_id = current_trace_id(), current_span_id()
            try:
                dict[str, str]()["missing"]
            except KeyError:
                _log.exception("It failed.")
    plain, failed = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert set(plain) == {"timestamp", "level", "logger", "message"}
    assert (plain["level"], plain["logger"]) == ("WARNING", NAME)
    assert plain["message"] == "Before: 1 of\n2."
    assert datetime.fromisoformat(plain["timestamp"]).utcoffset() is not None
    assert (failed["trace_id"], failed["span_id"]) == (trace_id, span_id)
    assert "KeyError: 'missing'" in failed["exception"]


def test_text_lines_end_with_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    with watched(), logging_as("text"):
        _log.warning("Before.")
        with span("work"):
            _log.warning("Within.")
            trace_id = current_trace_id()
    assert capsys.readouterr().err.splitlines() == [
        f"WARNING {NAME}: Before.",
        f"WARNING {NAME}: Within. [trace {trace_id}]",
    ]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_block_within_another_writes_nothing_twice(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_as("json"), logging_as(form):
        _log.warning("Once.")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "Once."


def test_afterwards_the_loggers_are_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    package = logging.getLogger("animatize_assets")
    before = (list(package.handlers), package.level)
    with logging_as("json"):
        _log.info("Too little to tell.")
    assert (list(package.handlers), package.level) == before
    assert capsys.readouterr().err == ""
