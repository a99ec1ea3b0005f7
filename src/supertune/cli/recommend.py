"""``supertune recommend``: items for somebody, from what they like, with a reason for each."""

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

app = typer.Typer(add_completion=False)

Top = Annotated[int, typer.Option("--top", help="How many items.")]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", help="An item that is not listed; repeat it.")
]
Category = Annotated[
    list[str] | None, typer.Option("--category", help="Only items of this category; repeat it.")
]


@app.command(
    cls=Command,
    epilog=example(
        'supertune recommend films-model --liked "Toy Story" --liked "Babe"',
        "supertune recommend films-model --user 196 --diversity 0.3 --category Comedy",
        "supertune recommend shop-model --user 17 --rule shop_rules:in_stock",
    ),
)
def recommend(
    ctx: typer.Context,
    folder: ModelFolder,
    liked: Annotated[
        list[str] | None,
        typer.Option("--liked", help="An item that they like, by its id or title; repeat it."),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="A person that the model was fitted on.")
    ] = None,
    top: Top = 10,
    exclude: Exclude = None,
    category: Category = None,
    diversity: Annotated[
        float, typer.Option("--diversity", help="From 0, the best, to 1, unlike one another.")
    ] = 0.0,
    rule: Annotated[
        str | None,
        typer.Option(
            "--rule",
            metavar="MODULE:FUNCTION",
            help="Your own function, called with each item (item, title, categories, score); False "
            "keeps it out. Its module is imported from this folder or where it is installed.",
        ),
    ] = None,
    backbone: BackboneAt = None,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Recommend items to somebody, from what they like, with a reason for each."""
    from supertune.cli import rules

    said = terminal(ctx)
    own = None if rule is None else rules.rule(rule)
    model = opened(folder, device, threads, backbone)
    found = model.recommend(
        tuple(liked or ()),
        user=user,
        top=top,
        exclude=tuple(exclude or ()),
        category=tuple(category or ()),
        diversity=diversity,
        rule=own,
    )
    steps = [f'supertune similar {folder} "{found[0]["item"]}"'] if found else []
    said.result({"recommended": found, "next": steps})
    for one in found:
        reason = f"  because of {one['because']}" if one.get("because") else ""
        said.say(f"{one['rank']:>3}  {one['title']} ({one['item']}){reason}")
    if not found:
        said.say("Nothing is left to recommend.")
    if not said.quiet:
        said.next(steps)
