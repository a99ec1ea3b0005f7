"""``supertune compare``: which of two models is better on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli.options import (
    AllowRemote,
    Command,
    Device,
    Json,
    MaxCost,
    MaxRequests,
    NoColor,
    Prices,
    Quiet,
    Threads,
    Verbose,
    example,
    terminal,
    told_sent,
)
from supertune.cli.progress import Progress

app = typer.Typer(add_completion=False)


@app.command(
    cls=Command,
    epilog=example(
        "supertune compare model-a model-b held-out.csv",
        "supertune compare remote-a remote-b held-out.csv --allow-remote --max-requests 50",
    ),
)
def compare(
    ctx: typer.Context,
    a: Annotated[Path, typer.Argument(metavar="A", help="A model folder.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled rows new to both.")],
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
    """Say which of two models is better on the same rows, with an interval."""
    from supertune import api
    from supertune.contracts.remote import anew, shared
    from supertune.report import wording

    said = terminal(ctx)
    with Progress(said), shared() as account:
        place = {"device": device or "auto", "threads": threads}
        found = api.compare(a, b, data, **place, **anew(ctx.params))
    told_sent(said, account)
    better = {"a": a, "b": b}.get(found["answer"])
    steps = [f"supertune predict {better or a} NEW.csv -o predictions.csv"]
    said.result({**found, "next": steps})
    numerals = wording.numerals({"estimate": found.get("estimate") or found["a"]})
    rows = [
        (name, numerals.estimate(estimate).replace(wording.SPACE, " "))
        for name, estimate in ((str(a), found["a"]), (str(b), found["b"]))
    ]
    gap = found["difference"]
    rows.append(("difference", f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]"))
    said.table((wording.metric_name(found["metric"]), "Score with its 95 % interval"), rows)
    said.say(found["text"])
    said.next(steps)
