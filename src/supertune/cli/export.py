"""``supertune export``: a tuned model for other people's libraries."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

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


class Format(StrEnum):
    """For whom a model is written."""

    peft = "peft"
    merged = "merged"
    sentences = "sentence-transformers"
    onnx = "onnx"


@app.command(
    cls=Command,
    epilog=example(
        "supertune export my-model --to my-adapter",
        "supertune export my-model --to my-transformer --format merged",
        "supertune export my-model --to my-encoder --format sentence-transformers",
        "supertune export my-model --to my-graph --format onnx --int8",
    ),
)
def export(
    ctx: typer.Context,
    folder: ModelFolder,
    to: Annotated[Path, typer.Option("--to", "-o", help="The folder to write.")],
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="The adapter alone; the whole backbone with the tuned numbers in its weights; the "
            "same for Sentence Transformers; or one graph from tokens or pixels to answers.",
        ),
    ] = Format.peft,
    int8: Annotated[
        bool, typer.Option("--int8", help="Of a graph: weights in 8 bits, if answers stay.")
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
    """Write a model as a plain PEFT adapter, merged as a transformers folder, or as ONNX."""
    from supertune import api
    from supertune.report import wording

    said = terminal(ctx)
    with Progress(said):
        model = opened(folder, device, threads, backbone)
        done = api.export(model, to, format=format.value, int8=int8, overwrite=overwrite)
    said.result(done)
    said.say(f"{to}: {_KINDS[format]}, {wording.size(done['bytes'])}")
    for line in _lines(done):
        said.say(line)
    said.next(done["next"])


_KINDS = {
    Format.peft: "a PEFT adapter",
    Format.merged: "a transformers folder",
    Format.sentences: "a folder for Sentence Transformers",
    Format.onnx: "an ONNX graph and a program that runs it",
}


def _lines(done: dict[str, Any]) -> list[str]:
    """What was found when it was compared with the model."""
    if done["format"] == "onnx":
        share = f"{done['answers_changed']:.1%}" if done["answers_changed"] else "none"
        return [
            f"Over {done['rows']} rows its answers are within {max(done['difference'], 1e-8):.0e} "
            f"of the model's own; {share} of the rows are answered otherwise."
        ]
    if done["format"] != "peft" and not done["changed"]:
        return [
            f"{done['method']} tunes nothing in {done['backbone']}: its weights are as they were, "
            "and what was learned is in head.safetensors."
        ]
    if done["format"] != "peft":
        return [
            f"Its vectors are within {max(done['difference'], 1e-8):.0e} of the model's own, "
            "relative to the largest value."
        ]
    return []
