"""How a command speaks: tables and progress for people, or exactly one JSON document.

Belongs here: standard output and standard error. Does not belong here: what any command says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from animatize_assets.cli.entry import error_document

PIPE_WIDTH = 160
"""Columns when nobody looks: a pipe or a file has no width of its own."""


class Terminal:
    """Where one command prints. With ``as_json`` people hear nothing on standard output."""

    def __init__(self, out: TextIO, err: TextIO, *, as_json: bool, verbose: bool) -> None:
        self._out = out
        self._err = err
        self._people = _console(out)
        self._side = _console(err)
        self.as_json = as_json
        self.verbose = verbose

    def document(self, content: Mapping[str, object]) -> None:
        """Print the answer as the one JSON document; nothing without ``--json``."""
        if self.as_json:
            self._out.write(json.dumps(content, indent=2) + "\n")
            self._out.flush()

    def say(self, *answer: RenderableType) -> None:
        """Print a part of the answer for people: text or a table."""
        if not self.as_json:
            self._people.print(*answer)

    def say_unwrapped(self, *lines: str) -> None:
        """Print lines for people that they may want to copy, whatever their length."""
        if not self.as_json:
            self._people.print(*lines, sep="\n", soft_wrap=True)

    def note(self, *remark: RenderableType) -> None:
        """Print what is not the answer, on standard error."""
        self._side.print(*remark)

    def error(self, code: str, message: str) -> None:
        """Tell why a command did not do its work."""
        if self.as_json:
            self._out.write(error_document(code, message))
            self._out.flush()
        else:
            self._err.write(f"animatize: {message}\n")
            self._err.flush()

    @contextmanager
    def progress(self, unit: str) -> Iterator[Progress]:
        """Show a progress bar on standard error; silent when that is no terminal."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            console=self._side,
            transient=True,
            disable=not self._side.is_terminal,
        ) as bar:
            yield bar


def first_line(error: BaseException) -> str:
    """Return what an error says, without the statement or traceback that some append."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False)
