"""One command being done: its terminal, its work, and its errors told.

Belongs here: what every command shares while it runs. Does not belong here: any command.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from importlib import import_module
from typing import Any, TextIO

import click

from animatize_assets.cli.terminal import Terminal, first_line
from animatize_assets.errors import AnimatizeError, InvalidSetting
from animatize_assets.settings import Settings
from animatize_assets.workplace.process_telemetry import Role, process_telemetry


def perform(name: str, options: Mapping[str, Any], *, as_json: bool, verbose: bool) -> int:
    """Do the command ``name``: call the function of that name in its module; its exit code."""
    with _terminal(as_json=as_json, verbose=verbose) as terminal:
        return _told(terminal, lambda: _done(name, terminal, options))


def _done(name: str, terminal: Terminal, options: Mapping[str, Any]) -> int:
    command = getattr(import_module(f"animatize_assets.cli.{name}"), name)
    role: Role = "service" if name == "serve" else "command"
    with process_telemetry(Settings.read(), role):
        return int(command(terminal, **options))


def _told(terminal: Terminal, work: Callable[[], int]) -> int:
    try:
        return work()
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except InvalidSetting as error:
        terminal.error(error.code, error.message)
        return 2
    except AnimatizeError as error:
        terminal.error(error.code, error.message)
    except KeyboardInterrupt:
        terminal.error("canceled", "Canceled.")
    except BrokenPipeError:
        pass  # whoever read the answer has gone
    except OSError as error:
        terminal.error("storage_failed", _storage_sentence(error))
    except Exception as error:  # noqa: BLE001  # the last place that can still tell a person
        if terminal.verbose:
            terminal.note(traceback.format_exc())
        terminal.error(*_unexpected(error))
    return 1


def _storage_sentence(error: OSError) -> str:
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}. ANIMATIZE_DATA_DIR names the data folder."


def _unexpected(error: Exception) -> tuple[str, str]:
    """Code and sentence of an error that nobody raised on purpose."""
    said = first_line(error)
    if type(error).__module__.startswith(("sqlalchemy", "sqlite3")):
        return "storage_failed", (
            f"The database could not be used: {said}. Is the folder that ANIMATIZE_DATA_DIR names "
            "writable, and its disk not full? Does a server answer where "
            "ANIMATIZE_DATABASE_URL or ANIMATIZE_PERFORMANCE_DATABASE_URL names one?"
        )
    return "internal_error", f"{type(error).__name__}: {said} (--verbose shows where)"


@contextmanager
def _terminal(*, as_json: bool, verbose: bool) -> Iterator[Terminal]:
    """Keep the real standard output and error for the answer.

    Whatever a library prints goes to standard error. Both are duplicated, because Dagster points
    the process's own descriptors to a file while it captures the output of a step.
    """
    if not verbose:
        warnings.simplefilter("ignore")
    with ExitStack() as undo:
        out, err = sys.stdout, sys.stderr
        if _is_descriptor(out, 1) and _is_descriptor(err, 2):
            out = undo.enter_context(_duplicate(1, out))
            err = undo.enter_context(_duplicate(2, err))
            sys.stdout.flush()
            os.dup2(2, 1)
        else:
            undo.enter_context(redirect_stdout(err))
        yield Terminal(out, err, as_json=as_json, verbose=verbose)


def _is_descriptor(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError):
        return False


@contextmanager
def _duplicate(number: int, like: TextIO) -> Iterator[TextIO]:
    stream = os.fdopen(
        os.dup(number), "w", encoding=like.encoding, errors="backslashreplace", buffering=1
    )
    try:
        yield stream
    finally:
        with suppress(BrokenPipeError):  # closed all the same
            stream.close()
