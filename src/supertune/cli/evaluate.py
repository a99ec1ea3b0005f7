"""``supertune evaluate``: a model's scores on labelled rows that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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
    Prices,
    Quiet,
    Threads,
    Verbose,
    example,
    opened,
    terminal,
    told_sent,
)
from supertune.cli.progress import Progress
from supertune.cli.recipe_options import Label, Slice, Text
from supertune.cli.terminal import Terminal

if TYPE_CHECKING:
    from supertune.model import Model
    from supertune.report.wording import Numerals

app = typer.Typer(add_completion=False)

HoldOut = Annotated[
    str | None,
    typer.Option(
        "--hold-out",
        metavar="WHAT",
        help="Of interactions, those that judge: last (a fifth of each person's), last_one, "
        "time (the latest tenth of all), users (all but their first 5).",
    ),
]


@app.command(
    cls=Command,
    epilog=example(
        "supertune evaluate my-model held-out.csv",
        "supertune evaluate my-model held-out.csv --slice country",
        "supertune evaluate my-model --shift next-year.csv",
        "supertune evaluate shop-model this-month.csv --hold-out users",
    ),
)
def evaluate(
    ctx: typer.Context,
    folder: ModelFolder,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Labelled rows, as for `fit`. With --shift it may be left out: then what the "
            "fit found out about its own rows stands for it.",
        ),
    ] = None,
    shift: Annotated[
        str | None,
        typer.Option(
            "--shift",
            metavar="OTHER",
            help="Rows from elsewhere, labelled or not: is the model as good there, and are its "
            "classes and texts the same?",
        ),
    ] = None,
    text: Text = None,
    label: Label = None,
    slice_: Slice = None,
    language: Annotated[
        str | None,
        typer.Option("--language", help="Of recordings, where it is not that of the fitted rows."),
    ] = None,
    hold_out: HoldOut = None,
    backbone: BackboneAt = None,
    labels: Labels = "",
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
    """Score a model on labelled rows that it has not seen."""
    said = terminal(ctx)
    model = opened(folder, device, threads, backbone, labels, ctx.params)
    with Progress(said):
        model = _otherwise(model, language, hold_out)
        found = model.evaluate(
            data, text=tuple(text or ()), label=label, slices=tuple(slice_ or ()), shift=shift
        )
    told_sent(said, model.workshop.account)
    steps = [] if data is None else [f"supertune compare {folder} OTHER-MODEL {data}"]
    steps = [*found.get("shift", {}).get("next", ()), *steps]
    said.result({"output": str(folder), **found, "next": steps})
    if not said.json:
        if data is not None:
            show(said, found)
        for line in found.get("shift", {}).get("text", ()):
            said.say(line)
        said.next(steps)


def _otherwise(model: Model, language: str | None, hold_out: str | None) -> Model:
    """The model, asked in another language, or judged by other interactions, than in its fit."""
    from supertune import api

    if language is not None:
        model = api.in_language(model, language)
    return model if hold_out is None else api.judged_by(model, hold_out)


def show(said: Terminal, found: dict[str, Any]) -> None:
    """Scores, baselines, classes and slices as tables."""
    from supertune.report import wording

    numerals = wording.numerals({"estimate": found.get("estimate") or found["a"]})

    def line(name: str, estimate: dict[str, Any]) -> tuple[str, str]:
        return name, numerals.estimate(estimate).replace(wording.SPACE, " ")

    metric = wording.metric_name(found["metric"])
    rows = [line("This model", found["estimate"])]
    rows += [line(wording.baseline_name(n), e) for n, e in found["baselines"].items()]
    said.table((wording.first_upper(metric), "Score with its 95 % interval"), rows)
    said.say()
    others = {n: e for n, e in found["metrics"].items() if n != found["metric"]}
    said.table(("Metric", "Score"), [line(wording.metric_name(n), e) for n, e in others.items()])
    if found.get("per_class"):
        _show_classes(said, found, numerals)
    for column, parts in found["slices"].items():
        said.say()
        said.table((column, metric), [line(part["value"], part["estimate"]) for part in parts])
    if found.get("ratings"):
        _show_ratings(said, found["ratings"], numerals)
    _show_trust(said, found)
    for finding in found["findings"]:
        said.say(f"! {finding['message']}")


def _show_trust(said: Terminal, found: dict[str, Any]) -> None:
    """How many rows it answers under which limit of errors, and how many are unlike."""
    from supertune.report import trust, wording

    if found.get("abstaining"):
        said.say()
        said.table(
            ("Wrong at most", "Answers", "of these wrong"),
            [
                (
                    trust.share(row["max_error"]).replace(wording.SPACE, " "),
                    trust.answered_of(row),
                    trust.wrong_of(row),
                )
                for row in found["abstaining"]["table"]
            ],
        )
        said.say(found["abstaining"]["text"])
    if found.get("unlike"):
        for line in trust.predicted(found["rows"], {"unlike": found["unlike"]}, None, None):
            said.say(line)


def _show_classes(said: Terminal, found: dict[str, Any], numerals: Numerals) -> None:
    from supertune.report import wording

    said.say()
    said.table(
        ("Label", "Rows", "Precision", "Recall", "F1"),
        [
            (
                part["label"],
                part["rows"],
                *(
                    numerals.estimate(part[n], rows=False).replace(wording.SPACE, " ")
                    for n in ("precision", "recall", "f1")
                ),
            )
            for part in found["per_class"]
        ],
    )


def _show_ratings(said: Terminal, found: dict[str, Any], numerals: Numerals) -> None:
    """How well later ratings follow from earlier ones of the same rows."""
    ways = {"person and item": found["rmse"], **found["baselines"]}
    said.say()
    said.table(
        (f"Root mean squared error of {found['count']:,} later ratings", "", "95 % interval"),
        [
            (name, numerals.value(one["value"]),
             f"{numerals.value(one['low'])} to {numerals.value(one['high'])}")
            for name, one in ways.items()
        ],
    )  # fmt: skip
