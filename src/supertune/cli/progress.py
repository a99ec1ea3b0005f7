"""A live line on a terminal for whatever takes longer than two seconds."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from supertune.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Live
    from rich.progress import TaskID

PATIENCE = 2.0  # seconds


class Progress:
    """Called with (stage, done, total or None); shows the stage last heard of.

    Nothing is drawn in the first two seconds, under ``--quiet``, or where stderr is no terminal
    (there ``--verbose`` writes each stage once).
    """

    def __init__(self, terminal: Terminal, *, bytes_: bool = False) -> None:
        self._terminal = terminal
        self._bytes = bytes_
        self._drawn = terminal.stderr.isatty() and not terminal.quiet
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._timer: threading.Timer | None = None
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def __enter__(self) -> Progress:
        if self._drawn:
            self._timer = threading.Timer(PATIENCE, self._open)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._drawn = False
            if self._live is not None:
                self._live.stop()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        with self._lock:
            if stage != self._stage:
                self._stage = stage
                if self._terminal.verbose and not self._drawn:
                    self._terminal.note(f"{self.seconds:6.1f} s  {stage}")
                if self._live is not None and self._task is not None:
                    self._live.reset(self._task, description=stage, total=total)
            if self._live is not None and self._task is not None:
                self._live.update(self._task, completed=done, total=total)

    def _open(self) -> None:
        from rich import progress

        columns: list[progress.ProgressColumn] = [
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=24),
        ]
        if self._bytes:
            columns += [progress.DownloadColumn(), progress.TransferSpeedColumn()]
        else:
            columns.append(progress.MofNCompleteColumn())
        columns.append(progress.TimeElapsedColumn())
        with self._lock:
            if not self._drawn:
                return
            self._live = progress.Progress(*columns, console=self._terminal.err, transient=True)
            self._task = self._live.add_task(self._stage or "Starting", total=None)
            self._live.start()
