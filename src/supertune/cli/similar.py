"""``supertune similar``: items like another, whether anybody has taken them or not; by a model, or
by the texts and pictures of a table alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from supertune.cli.options import (
    BackboneAt,
    Command,
    Device,
    Json,
    NoColor,
    Quiet,
    Threads,
    Verbose,
    example,
    opened,
    terminal,
)
from supertune.cli.recipe_options import Picture, Text
from supertune.cli.recommend import Category, Exclude, Top
from supertune.errors import InputError

app = typer.Typer(add_completion=False)
TABLE = "A table of items"
Weight = Annotated[
    float | None,
    typer.Option(
        "--weight",
        help="Of pictures, from 0, texts alone, to 1; 0.5 unless it is given.",
        rich_help_panel=TABLE,
    ),
]
TextBackbone = Annotated[
    str | None,
    typer.Option("--text-backbone", help="That reads texts; minilm.", rich_help_panel=TABLE),
]
PictureBackbone = Annotated[
    str | None,
    typer.Option(
        "--picture-backbone", help="That reads pictures; efficientnet-lite0.", rich_help_panel=TABLE
    ),
]
Items = Annotated[
    Path | None,
    typer.Option(
        "--items",
        help="Of a model: the table of its items, whose pictures count too.",
        rich_help_panel=TABLE,
    ),
]
IdColumn = Annotated[
    str | None, typer.Option("--item", help="The column of ids.", rich_help_panel=TABLE)
]


@app.command(
    cls=Command,
    epilog=example(
        'supertune similar films-model "Toy Story"',
        "supertune similar shop-model sku-17 --top 5 --category shoes",
        "supertune similar shop-model sku-17 --items items.csv --picture photo",
        "supertune similar items.csv sku-17 --text title --picture photo",
    ),
)
def similar(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(metavar="DIR|FILE", help="A model of recommendation, or a table of items."),
    ],
    item: Annotated[str, typer.Argument(help="An item, by its id or its title.")],
    top: Top = 10,
    exclude: Exclude = None,
    category: Category = None,
    text: Text = None,
    picture: Picture = None,
    id_column: IdColumn = None,
    items: Items = None,
    weight: Weight = None,
    text_backbone: TextBackbone = None,
    picture_backbone: PictureBackbone = None,
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
    of_tables: dict[str, Any] = {
        "text": text,
        "picture": picture,
        "id_column": id_column,
        "weight": weight,
        "text_backbone": text_backbone,
        "picture_backbone": picture_backbone,
    }
    given = {name: value for name, value in of_tables.items() if value is not None}
    how: dict[str, Any] = {
        "top": top, "exclude": tuple(exclude or ()), "category": tuple(category or ())
    }  # fmt: skip
    if source.is_file():
        from supertune.api.item_tables import similar_in

        found = similar_in(source, item, **how, **given, device=device or "auto", threads=threads)
        steps = [f"supertune fit interactions.csv --items {source} --task recommendation"]
    else:
        _check(given, items)
        found = _of_model(opened(source, device, threads, backbone), item, items, how, given)
        steps = [f'supertune recommend {source} --liked "{item}"']
    said.result({"similar": found, "next": steps})
    for one in found:
        said.say(f"{one['rank']:>3}  {one['title']} ({one['item']})  {one['score']:.2f}")
    if not said.quiet:
        said.next(steps)


def _of_model(
    model: Any, item: str, items: Path | None, how: dict[str, Any], given: dict[str, Any]
) -> list[dict[str, Any]]:
    """By a model, and by the pictures of a table of its items where there is one."""
    from supertune.api.item_tables import similar_with

    if items is None:
        return list(model.similar(item, **how))
    return similar_with(model, item, items, **how, **given)


def _check(given: dict[str, Any], items: Path | None) -> None:
    """Before a model is opened: what only a table is asked by; raises as `_refuse`."""
    counted = () if items is None else _WITH_ITEMS
    _refuse({key: one for key, one in given.items() if key not in counted})


_WITH_ITEMS = ("picture", "weight", "picture_backbone")


def _refuse(given: dict[str, Any]) -> None:
    if given:
        name = next(iter(given))
        raise InputError(
            "option_of_tables",
            "A model was tuned on its own columns and backbone.",
            received=f"--{'item' if name == 'id_column' else name.replace('_', '-')}",
            allowed="this option with a table of items",
            next="Leave it out, or name the table: supertune similar items.csv ITEM.",
        )
