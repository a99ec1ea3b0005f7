"""``supertune doctor``: what may be wrong on this machine, and the remedy."""

from __future__ import annotations

import os
import platform

import typer

from supertune.cli import machine
from supertune.cli.machine import Check
from supertune.cli.options import Command, Json, NoColor, Quiet, Verbose, example, terminal
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal

app = typer.Typer(add_completion=False)
_STYLE = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_VARIABLES = (
    "SUPERTUNE_CACHE",
    "SUPERTUNE_CACHE_LIMIT",
    "SUPERTUNE_OFFLINE",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
)


@app.command(cls=Command, epilog=example("supertune doctor", "supertune doctor --json"))
def doctor(
    ctx: typer.Context,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Check versions, cache, disk, network and devices, with the remedy for each."""
    from supertune import __version__

    speaker = terminal(ctx)
    checks: list[Check] = []
    with Progress(speaker) as progress:
        for check in machine.examine():
            progress(f"look at {check.name}", len(checks), None)
            checks.append(check)
            _line(speaker, check)
    failed = [check for check in checks if check.status == "fail"]
    first = next((check for check in (*failed, *checks) if check.remedy), None)
    steps = [first.remedy] if failed and first else ["supertune demo"]
    speaker.result(
        {
            "ok": not failed,
            "supertune": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
            "checks": [check.as_dict() for check in checks],
            "next": steps,
        }
    )
    speaker.next(steps)
    if failed:
        raise typer.Exit(1)


def _line(terminal: Terminal, check: Check) -> None:
    from rich.text import Text

    line = Text.assemble(
        (f"{check.status:4}  ", _STYLE[check.status]), (check.name, "bold"), f"  {check.message}"
    )
    terminal.show(line)
    if check.remedy:
        terminal.command(f"    {check.remedy}")
