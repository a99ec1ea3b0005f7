"""``supertune write``: answers to requests in writing, several of each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from supertune.cli.options import (
    AllowRemote,
    Command,
    Device,
    Json,
    MaxCost,
    MaxRequests,
    ModelFolder,
    NoColor,
    Prices,
    Quiet,
    Threads,
    Verbose,
    example,
    terminal,
    told_sent,
)
from supertune.cli.predict import read_as
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal
from supertune.cli.translate import kept_of

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="max_new_tokens, temperature, top_p, seed, stop, repetition_penalty, length_penalty.",
    ),
]
app = typer.Typer(add_completion=False)
_SHOWN = 20


@app.command(
    cls=Command,
    epilog=example(
        'supertune write my-writer "A note to be answered" --beams 4 --n-best 2',
        "supertune write my-writer requests.csv -o answers.jsonl",
        "supertune write remote-writer requests.csv -o answers.jsonl --allow-remote --max-cost 1",
    ),
)
def write(
    ctx: typer.Context,
    folder: ModelFolder,
    texts: Annotated[
        list[str], typer.Argument(help="Requests, or one file of them (csv, jsonl, txt ...).")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A .jsonl, .csv, .tsv or .txt file; if interrupted, the same command goes on.",
        ),
    ] = None,
    beams: Annotated[
        int | None, typer.Option("--beams", help="Answers followed at a time, 1 to 16.")
    ] = None,
    n_best: Annotated[
        int | None, typer.Option("--n-best", help="Answers told of each request.")
    ] = None,
    settings: Settings = None,
    text: Annotated[str | None, typer.Option("--text", help="The column of requests.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    allow_remote: AllowRemote = False,
    max_cost: MaxCost = None,
    max_requests: MaxRequests = None,
    prices: Prices = None,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Answer requests by a model of text_generation: texts and files of any size."""
    from supertune import api
    from supertune.contracts.remote import anew, shared

    said = terminal(ctx)
    chosen = _chosen(settings, beams, n_best) | anew(ctx.params)
    with kept_of(said, output), Progress(said) as progress, shared() as account:
        ctx.call_on_close(lambda: told_sent(said, account))
        done = api.write(
            folder,
            read_as(texts),
            output=output,
            overwrite=overwrite,
            text=text,
            device=device or "auto",
            threads=threads,
            progress=progress,
            **chosen,
        )
    if output is not None:
        said.result(done[0])
        said.say("{output}: {rows} answers, {unended} of them cut off".format(**done[0]))
        said.next([f"supertune evaluate {folder} EXAMPLES.csv"])
        return
    _show(said, done)
    said.next([f"supertune write {folder} FILE.csv -o answers.jsonl"])


def _chosen(settings: list[str] | None, beams: int | None, n_best: int | None) -> dict[str, Any]:
    """What is to be other than the model was fitted with."""
    from supertune.config import parse_settings

    chosen: dict[str, Any] = dict(parse_settings(list(settings or ())))
    chosen |= {k: v for k, v in (("beams", beams), ("n_best", n_best)) if v is not None}
    if n_best is not None and beams is None:
        chosen["beams"] = max(n_best, 1)
    return chosen


def _show(said: Terminal, done: list[dict[str, Any]]) -> None:
    said.result({"answers": done})
    for row in done[:_SHOWN]:
        said.say(row["completion"] or "(nothing)")
        for other in row["others"]:
            said.say(f"  or: {other['completion'] or '(nothing)'}  ({other['surety']:.2f})")
    if len(done) > _SHOWN:
        said.say(f"... and {len(done) - _SHOWN} more")
