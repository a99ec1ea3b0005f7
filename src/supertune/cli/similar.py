"""``supertune similar``: items like another, whether anybody has taken them or not."""

from __future__ import annotations

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
from supertune.cli.recommend import Category, Exclude, Top

app = typer.Typer(add_completion=False)


@app.command(
    cls=Command,
    epilog=example(
        'supertune similar films-model "Toy Story"',
        "supertune similar shop-model sku-17 --top 5 --category shoes",
    ),
)
def similar(
    ctx: typer.Context,
    folder: ModelFolder,
    item: Annotated[str, typer.Argument(help="An item, by its id or its title.")],
    top: Top = 10,
    exclude: Exclude = None,
    category: Category = None,
    backbone: BackboneAt = None,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """List the items that are most like one."""
    said = terminal(ctx)
    model = opened(folder, device, threads, backbone)
    found = model.similar(
        item, top=top, exclude=tuple(exclude or ()), category=tuple(category or ())
    )
    steps = [f'supertune recommend {folder} --liked "{item}"']
    said.result({"similar": found, "next": steps})
    for one in found:
        said.say(f"{one['rank']:>3}  {one['title']} ({one['item']})  {one['score']:.2f}")
    if not said.quiet:
        said.next(steps)
