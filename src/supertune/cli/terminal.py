"""What a command says and where: results on stdout, everything else on stderr.

With ``--json`` stdout carries exactly one JSON object, the result or the error; whatever a
library prints goes to stderr.
"""

from __future__ import annotations

import json
import math
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from supertune.errors import SupertuneError

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130


@dataclass
class Terminal:
    """The options that say how to speak, and the two streams.

    ``verbose`` adds logs and tracebacks, ``quiet`` leaves only results and errors. ``goes_on`` is
    what a command that is interrupted has kept, if the same command goes on behind it.
    """

    json: bool = False
    verbose: bool = False
    quiet: bool = False
    color: bool = True
    goes_on: str = ""
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)

    @cached_property
    def out(self) -> Console:
        """Rich console for results. As wide as the window; 100 columns where there is none."""
        return self._console(self.stdout)

    @cached_property
    def err(self) -> Console:
        """Rich console for progress, notes and errors."""
        return self._console(self.stderr)

    def _console(self, stream: TextIO) -> Console:
        from rich.console import Console

        width = None if stream.isatty() else 100
        return Console(
            file=stream, no_color=None if self.color else True, highlight=False, width=width
        )

    @contextmanager
    def working(self) -> Iterator[None]:
        """While a command runs, a stray print of a library cannot reach the result's stream."""
        with redirect_stdout(self.stderr):
            yield

    def result(self, answer: Mapping[str, Any]) -> None:
        """The one JSON object of ``--json``; nothing without it."""
        if self.json:
            self.stdout.write(json.dumps(_plain(answer), ensure_ascii=False, indent=1) + "\n")
            self.stdout.flush()

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """A part of the result for people: on stdout, and only without ``--json``."""
        if not self.json:
            self.out.print(text, style=style, markup=False, soft_wrap=False)

    def show(self, renderable: Any) -> None:
        """Like `say` for a table."""
        if not self.json:
            self.out.print(renderable)

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Columns of plain text under their titles; the last column wraps."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for place, title in enumerate(titles):
            last = place == len(titles) - 1
            table.add_column(title, overflow="fold", no_wrap=place == 0, ratio=1 if last else None)
        for row in rows:
            table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
        self.show(table)

    def next(self, steps: Sequence[str]) -> None:
        """What to do with the result, one command or sentence a line; not under ``--quiet``."""
        if steps and not self.quiet:
            self.say()
            self.say("Next", style="bold")
            for step in steps:
                self.command(step)

    def command(self, text: str) -> None:
        """Something to be copied: never wrapped."""
        if not self.json:
            self.out.print(f"  {text}", markup=False, soft_wrap=True, style="cyan")

    def note(self, text: str) -> None:
        """Something about the run, on stderr; not under ``--quiet``."""
        if not self.quiet:
            self.err.print(text, markup=False, style="dim")

    # --- failures -------------------------------------------------------------------------

    def failure(self, error: SupertuneError, *, trace: bool = False) -> int:
        """Tell an error in the form asked for; returns the exit code.

        Args:
            trace: whether ``--verbose`` shows where the error came from.
        """
        if trace and self.verbose:
            self.stderr.write("".join(traceback.format_exception(error.__cause__ or error)))
        if self.json:
            self.result({"error": error.as_dict()})
            return error.exit_code
        self.err.print(f"Error: {error.message}", markup=False, style="bold red")
        for title in ("received", "allowed", "next"):
            if text := getattr(error, title):
                self._labelled(title.capitalize(), str(text))
        self.err.print(f"Code: {error.code}", markup=False, style="dim")
        return error.exit_code

    def _labelled(self, title: str, text: str) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        table.add_row(f"{title}:", Text(_shortened(text)))
        self.err.print(table)

    def interrupted(self, command: str) -> int:
        """Ctrl-C. Everything is written beside its place and renamed when it is whole.

        Args:
            command: what to call again.
        """
        message = "Interrupted. Nothing was left half-written; what was cached will be used again."
        if self.goes_on:
            message = f"Interrupted. {self.goes_on}; the same command goes on behind it."
        if self.json:
            stopped = SupertuneError("interrupted", message, next=command)
            self.result({"error": stopped.as_dict()})
        else:
            self.err.print(message, markup=False, style="yellow")
            self.err.print(f"  {command}", markup=False, soft_wrap=True, style="cyan")
        return INTERRUPTED


def _shortened(text: str, limit: int = 2000) -> str:
    """A cell of ten megabytes in a message helps nobody."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _plain(value: Any) -> Any:
    """NumPy numbers, tuples and paths as JSON has them; NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return str(value)
