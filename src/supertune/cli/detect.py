"""``supertune detect``: boxes that a model finds, as COCO JSON and drawn on the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli.options import (
    BackboneAt,
    Command,
    Device,
    Json,
    ModelFolder,
    NoColor,
    Quiet,
    Threads,
    Verbose,
    example,
    opened,
    terminal,
)
from supertune.cli.progress import Progress

app = typer.Typer(add_completion=False)


@app.command(
    cls=Command,
    epilog=example(
        "supertune detect my-model photographs --coco found.json --draw drawn",
        "supertune detect my-model aerial.png --draw drawn --threshold 0.4",
    ),
)
def detect(
    ctx: typer.Context,
    folder: ModelFolder,
    pictures: Annotated[str, typer.Argument(help="A picture, or a folder of pictures.")],
    coco: Annotated[
        Path | None, typer.Option("--coco", help="A .json file for all boxes, in COCO's format.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option("--draw", help="A folder for the pictures with boxes drawn.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="From which score on a box counts; the model's own."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    backbone: BackboneAt = None,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Find things on pictures by a model of object_detection."""
    from supertune import api

    said = terminal(ctx)
    with Progress(said) as progress:
        model = opened(folder, device, threads, backbone)
        done = api.detect(
            model,
            pictures,
            coco=coco,
            draw=draw,
            threshold=threshold,
            overwrite=overwrite,
            progress=progress,
        )
    said.result(done)
    said.say(
        f"{done['pictures']} pictures, {done['boxes']} boxes from a score of "
        f"{done['threshold']:.2f} on: "
        + (
            ", ".join(f"{name} {count}" for name, count in done["counts"].items() if count)
            or "none"
        )
    )
    for place in (done["coco"], done["drawn"]):
        if place is not None:
            said.say(f"written: {place}")
    steps = [] if draw is not None else [f"supertune detect {folder} {pictures} --draw drawn"]
    said.next([*steps, f"supertune predict {folder} {pictures} -o found.csv"])
