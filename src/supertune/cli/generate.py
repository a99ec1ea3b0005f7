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
from supertune.data.cells import counted
from supertune.errors import InputError

app = typer.Typer(add_completion=False)


Named = Annotated[
    str, typer.Argument(help="A model folder, or a backbone: a pipeline's folder or hub id.")
]
Prompts = Annotated[
    list[str] | None, typer.Argument(metavar="PROMPT...", help="What to draw, in words.")
]
Photographs = Annotated[
    list[Path] | None,
    typer.Option("--picture", help="A photograph or a folder of some, to paint in a style."),
]
Size = Annotated[
    int | None,
    typer.Option("--size", help="Of a painted photograph, at most: longer side; 1024 pixels."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="A .png file (several: a grid) or a folder; drawn.png."),
]
Steps = Annotated[
    int | None, typer.Option("--steps", help="From noise to a picture; 30 by default.")
]
Guidance = Annotated[
    float | None,
    typer.Option(
        "--guidance",
        help="How closely the prompt is followed; by default 1 for pixels, 3 for latents.",
    ),
]
Negative = Annotated[
    str | None, typer.Option("--negative", help="What the pictures should not be.")
]
Strength = Annotated[
    float, typer.Option("--strength", help="Of a style: 0 is untuned, 1 as it was learned.")
]
Blend = Annotated[
    list[str] | None,
    typer.Option("--blend", metavar="MODEL=WEIGHT", help="Another style, and how strong."),
]


@app.command(
    cls=Command,
    epilog=example(
        'supertune generate wug-model "a wug clock" --n 8 --output grid.png',
        'supertune generate wug-model "a red wug clock" "a blue one" --seed 7 --output drawn',
        'supertune generate ukiyo-model "a cat" --blend etching-model=0.5 --output cat.png',
        "supertune generate painting-model --picture photo.jpg --output painted.png",
    ),
)
def generate(
    ctx: typer.Context,
    model: Named,
    prompts: Prompts = None,
    picture: Photographs = None,
    n: Annotated[int, typer.Option("--n", help="Pictures of each prompt.")] = 1,
    seed: Annotated[
        int, typer.Option("--seed", help="Of the first picture; the next has the next.")
    ] = 0,
    output: Output = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    strength: Strength = 1.0,
    blend: Blend = None,
    size: Size = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Draw by a text, or paint a photograph again: by a model, or a backbone as it is."""
    from supertune import api

    said, place = terminal(ctx), output or Path("drawn.png")
    given: dict[str, Any] = {"steps": steps, "guidance": guidance, "negative": negative}
    given["size"] = size
    with Progress(said) as progress:
        done = api.generate(
            model,
            prompts or (None if picture else []),
            pictures=picture,
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
    count, again = len(done["written"]), f"supertune generate {model}"
    drawn = done.pop("pictures")
    said.result({"model": model, "count": max(count, len(drawn)), **done})
    if "photographs" in done:
        said.say(f"{counted(count, 'photograph')} painted")
        for one in done["scaled"]:
            wide, high = one["to"]
            said.say(f"{one['picture']}: painted at {wide} x {high} pixels; see --size")
        again += " --picture OTHER.jpg"
    else:
        seeds, prompt = done["seeds"], done["prompts"][0]
        said.say(f"{len(drawn)} pictures, seeds {seeds[0]} to {seeds[-1]}")
        each = len(drawn) // len(done["prompts"])
        again += f' "{prompt}" --n {each} --seed {seeds[-1] + 1}'
    said.say(f"written: {place}")
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
