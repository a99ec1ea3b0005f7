"""``supertune generate``: pictures drawn by a tuned model, or by a backbone as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

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
from supertune.cli.terminal import Terminal
from supertune.errors import InputError

app = typer.Typer(add_completion=False)


@app.command(
    cls=Command,
    epilog=example(
        'supertune generate wug-model "a wug clock" --n 8 --output grid.png',
        'supertune generate wug-model "a red wug clock" "a blue one" --seed 7 --output drawn',
        'supertune generate ukiyo-model "a cat" --blend etching-model=0.5 --output cat.png',
    ),
)
def generate(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A model folder, or a backbone: a pipeline's folder or hub id.")
    ],
    prompts: Annotated[list[str], typer.Argument(metavar="PROMPT...", help="What to draw.")],
    n: Annotated[int, typer.Option("--n", help="Pictures of each prompt.")] = 1,
    seed: Annotated[
        int, typer.Option("--seed", help="Of the first picture; the next has the next.")
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .png file for a grid, or a folder; drawn.png."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="From noise to a picture; 30 by default.")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option("--guidance", help="How closely the prompt is followed; 3 by default."),
    ] = None,
    negative: Annotated[
        str | None, typer.Option("--negative", help="What the pictures should not be.")
    ] = None,
    strength: Annotated[
        float, typer.Option("--strength", help="Of a style: 0 is untuned, 1 as it was learned.")
    ] = 1.0,
    blend: Annotated[
        list[str] | None,
        typer.Option("--blend", metavar="MODEL=WEIGHT", help="Another style, and how strong."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Draw pictures by a model of image_generation, or by a backbone as it is."""
    from supertune import api

    said, place = terminal(ctx), output or Path("drawn.png")
    given: dict[str, Any] = {"steps": steps, "guidance": guidance, "negative": negative}
    with Progress(said) as progress:
        done = api.generate(
            model,
            prompts,
            n=n,
            seed=seed,
            strength=strength,
            overwrite=overwrite,
            threads=threads,
            blend=_weights(blend or []),
            output=place,
            device=device or "auto",
            progress=progress,
            **{name: value for name, value in given.items() if value is not None},
        )
    _tell(said, model, place, done)


def _tell(said: Terminal, model: str, place: Path, done: dict[str, Any]) -> None:
    count, seeds = len(done.pop("pictures")), done["seeds"]
    said.result({"model": model, "count": count, **done})
    said.say(f"{count} pictures, seeds {seeds[0]} to {seeds[-1]}")
    said.say(f"written: {place}")
    each = count // len(done["prompts"])
    again = f'supertune generate {model} "{done["prompts"][0]}" --n {each} --seed {seeds[-1] + 1}'
    said.next([f"{again} --output more{place.suffix}"])


def _weights(given: list[str]) -> dict[str, float]:
    found = {}
    for one in given:
        name, sign, weight = one.rpartition("=")
        try:
            found[name] = float(weight)
        except ValueError:
            sign = ""
        if not sign or not name:
            raise InputError(
                "bad_blend",
                "A style to blend in is given as MODEL=WEIGHT.",
                received=one,
                allowed="--blend etching-model=0.5",
                next="Put '=' and a number behind the model's folder.",
            )
    return found
