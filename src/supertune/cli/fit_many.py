"""``supertune fit-many``: a model for each of many files, over one backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from supertune.cli import recipe_options as keys
from supertune.cli.options import (
    Command,
    Json,
    NoColor,
    Quiet,
    Threads,
    Verbose,
    example,
    spreading,
    terminal,
)
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal

app = typer.Typer(add_completion=False)


@app.command(
    cls=Command,
    epilog=example(
        "supertune fit-many tasks/*.csv -o models --method linear_probe",
        "supertune fit-many tasks/*.csv -o models --method lora --ray local --threads 1",
    ),
)
@spreading
def fit_many(
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Labelled rows of a task.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the model folders.")
    ] = Path("models"),
    text: keys.Text = None,
    label: keys.Label = None,
    task: keys.TaskName = None,
    backbone: keys.BackboneName = None,
    method: keys.MethodName = None,
    settings: keys.Settings = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Fit a model for each of many files; one that was interrupted goes on."""
    from supertune import api
    from supertune.config import parse_settings

    said = terminal(ctx)
    given: dict[str, Any] = {
        "task": task,
        "text": tuple(text or ()),
        "label": label,
        "backbone": backbone,
    }
    given |= {"method": method, "threads": threads}
    options = parse_settings(settings or [])
    options |= {key: value for key, value in given.items() if value}
    spread: dict[str, Any] = {key: ctx.params[key] for key in ("ray", "workers")}
    with Progress(said) as progress:
        found = api.fit_many(files, output, **spread, progress=progress, **options)
    _tell(said, output, [one.as_dict() for one in found])
    if any(one.status == "refused" for one in found):
        raise typer.Exit(2)


def _tell(said: Terminal, output: Path, found: list[dict[str, Any]]) -> None:
    whole = [one for one in found if one["status"] != "refused"]
    steps = [f"supertune predict {output / whole[0]['name']} NEW.csv"] if whole else []
    if len(whole) < len(found):
        steps.insert(0, "Mend the files that were refused, and run the same command again.")
    said.result({"models": found, "next": steps})
    said.table(
        ("Task", "What came of it", "Method", "Score and its 95 % interval"),
        [(one["name"], _came(one), one["method"] or "", one["said"]) for one in found],
    )
    said.next(steps)


def _came(one: dict[str, Any]) -> str:
    return one["error"]["message"] if one["status"] == "refused" else str(one["status"])
