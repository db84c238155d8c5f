"""What this process tells of itself while it works: log lines, and traces and metrics sent away.

Belongs here: from settings to ``telemetry``, once where a process starts. Does not belong here:
anything that is told. Without an address to send to, nothing of OpenTelemetry's SDK is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from animatize_assets.settings import Settings
from animatize_assets.telemetry.logs import PACKAGE, logging_as

Role = Literal["command", "run", "service", "code_server"]
"""What a process is: a command of the command line, a run of Dagster's, the web service, what
answers Dagster's daemon when it asks our sensors."""

SERVER_LOGGERS = ("uvicorn.error",)
"""Of the web server; each request has a line of ours or none."""


@contextmanager
def process_telemetry(settings: Settings, role: Role) -> Iterator[None]:
    """Log, trace and count as the settings say within the block; at its end send what is left.

    One block may be within another, a run within the command that executes it: the outer one's
    settings hold.
    """
    loggers = (PACKAGE, *SERVER_LOGGERS) if role == "service" else (PACKAGE,)
    with logging_as(settings.log_format, loggers=loggers):
        if settings.otlp_endpoint is None:
            yield
            return
        from animatize_assets.telemetry.export import export_to, flush  # noqa: PLC0415

        export_to(settings.otlp_endpoint, role=role, temporality=settings.otlp_temporality)
        try:
            yield
        finally:
            flush()
