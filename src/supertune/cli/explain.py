"""``supertune explain``: which words and which labelled rows an answer came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from supertune.cli.options import (
    AllowRemote,
    BackboneAt,
    Command,
    Device,
    Json,
    Labels,
    MaxCost,
    MaxRequests,
    ModelFolder,
    NoColor,
    NoRows,
    Prices,
    Quiet,
    Threads,
    Verbose,
    example,
    opened,
    terminal,
    told_sent,
)
from supertune.cli.terminal import Terminal

if TYPE_CHECKING:
    from supertune.explaining import Alignment, Explanation
    from supertune.model import Model

app = typer.Typer(add_completion=False)

Way = Annotated[
    str | None,
    typer.Option(
        "--way",
        help="terms, token_states, integrated_gradients (needs the extra explain) or occlusion; "
        "by default the most faithful of those that the model allows; of a translation attention.",
    ),
]


@app.command(
    cls=Command,
    epilog=example(
        'supertune explain my-model "arrived broken, twice"',
        'supertune explain my-model "arrived broken, twice" --json',
    ),
)
def explain(
    ctx: typer.Context,
    folder: ModelFolder,
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...",
            help="A text, or several; of a model that reads pairs, the fields of one row; of one "
            "that reads numbers, its columns in order.",
        ),
    ],
    way: Way = None,
    backbone: BackboneAt = None,
    labels: Labels = "",
    allow_remote: AllowRemote = False,
    max_cost: MaxCost = None,
    max_requests: MaxRequests = None,
    prices: Prices = None,
    device: Device = None,
    threads: Threads = None,
    no_rows: NoRows = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Say which words and rows an answer came from, and what would change it."""
    said = terminal(ctx)
    model = opened(folder, device, threads, backbone, labels, ctx.params)
    found = [model.explain(one, way=way, rows=not no_rows) for one in _inputs(model, texts)]
    told_sent(said, model.workshop.account)
    steps = [f"supertune evaluate {folder} LABELLED.csv"]
    said.result({"explanations": [one.as_dict() for one in found], "next": steps})
    if said.json:
        return
    for number, one in enumerate(found):
        if number:
            said.say()
        show(said, one)
    said.next(steps)


def _inputs(model: Model, texts: list[str]) -> list[object]:
    if model.columns.numbers:
        return [tuple(texts)]
    if len(model.columns.text) > 1 and len(texts) > 1:
        return [tuple(texts)]
    return list(texts)


def show(said: Terminal, found: Explanation | Alignment) -> None:
    """Marked words in colour where the terminal has any, in signs where it has none; word beside
    word of what was translated."""
    from rich.text import Text

    from supertune.explaining import Alignment, wording

    if isinstance(found, Alignment):
        said.say(str(found))
        return

    said.say(wording.headline(found), style="bold")
    said.say()
    if said.out.is_terminal and said.out.color_system is not None and not said.out.no_color:
        text = Text()
        for piece, strength in found.marked():
            text.append(piece, _style(strength))
        said.show(text)
        said.say()
        for_, against = ("raises it", "lowers it") if found.valued else ("for it", "against it")
        legend = Text()
        legend.append(for_, _style(1.0)).append("  ").append(against, _style(-1.0))
        said.show(legend)
    else:
        said.say(found.plain())
        what = ("raise", "lower") if found.valued else ("speak for", "speak against")
        said.say(f"[+ +] {what[0]} it, [- -] {what[1]} it")
    said.say()
    for line in wording.after(found):
        said.say(line)


def _style(strength: float) -> str:
    if not strength:
        return ""
    colour = "green" if strength > 0 else "red"
    return f"bold white on {colour}" if abs(strength) >= 0.6 else f"bold underline {colour}"
