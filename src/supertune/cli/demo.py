"""``supertune demo``: the main job on real data, and how to do it with one's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import fit as fitting
from supertune.cli.options import (
    Command,
    Device,
    Json,
    NoColor,
    Quiet,
    Threads,
    Verbose,
    example,
    terminal,
)
from supertune.cli.progress import Progress
from supertune.cli.recipe_options import drawn

app = typer.Typer(add_completion=False)

DRAW = {"dataset": "bbc-news", "per_class": 8, "test_rows": 400, "seed": 0}
TIME_LIMIT = 45.0  # seconds, so that the demo ends within a minute


@app.command(cls=Command, epilog=example("supertune demo", "supertune demo -o news-model"))
def demo(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The model folder.")] = Path(
        "demo-model"
    ),
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Fit BBC news from 8 labels a class, and show how to do it with your file."""
    said = terminal(ctx)
    if not said.json:
        said.note("BBC news: 8 labelled articles of each of 5 topics, judged on 400 others.")
    with Progress(said, bytes_=True) as progress:
        _fetch(progress)
    source, held = drawn(DRAW)
    values = {"time_limit": TIME_LIMIT, "device": device or "auto", "threads": threads}
    fitting.run(
        said,
        source,
        test=held,
        output=output,
        overwrite=True,
        keep_rows=True,
        values=values,
        steps=[
            f"open {output / 'report.html'}          # the whole report",
            f'supertune predict {output} "Shares fell after the bank cut its forecast."',
            "supertune plan YOUR-FILE.csv         # what a fit would try and cost",
            "supertune fit YOUR-FILE.csv          # columns are guessed, and shown",
        ],
    )


def _fetch(progress: Progress) -> None:
    """Everything that has to come over the network, before the clock starts."""
    from supertune import registry
    from supertune.catalogue.corpora import dataset
    from supertune.catalogue.resolve import resolve

    dataset(str(DRAW["dataset"]), progress=progress)
    for name in registry.modality("text").backbones(()):
        resolve(name, progress=progress)
