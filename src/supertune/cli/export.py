"""``supertune export``: a tuned model for plain peft, or for plain transformers."""

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
        "supertune export my-model --to my-adapter",
        "supertune export my-model --to my-transformer --merge",
    ),
)
def export(
    ctx: typer.Context,
    folder: ModelFolder,
    to: Annotated[Path, typer.Option("--to", "-o", help="The folder to write.")],
    merge: Annotated[
        bool,
        typer.Option("--merge", help="The whole backbone with the tuned numbers in its weights."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier export.")
    ] = False,
    backbone: BackboneAt = None,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Write a model as a plain PEFT adapter or, merged, as a transformers folder."""
    from supertune import api
    from supertune.report import wording

    said = terminal(ctx)
    with Progress(said):
        model = opened(folder, device, threads, backbone)
        done = api.export(model, to, merge=merge, overwrite=overwrite)
    said.result(done)
    kind = "a PEFT adapter" if done["format"] == "peft" else "a transformers folder"
    said.say(f"{to}: {kind}, {wording.size(done['bytes'])}")
    if merge and not done["changed"]:
        said.say(
            f"{done['method']} tunes nothing in {done['backbone']}: its weights are as they were, "
            "and what was learned is in head.safetensors."
        )
    elif merge:
        said.say(
            f"Its vectors are within {max(done['difference'], 1e-8):.0e} of the model's own, "
            "relative to the largest value."
        )
    said.next(done["next"])
