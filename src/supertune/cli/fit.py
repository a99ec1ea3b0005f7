"""``supertune fit``: a few labelled rows in, a model folder and a report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supertune.cli import recipe_options as keys
from supertune.cli.options import (
    AllowRemote,
    Command,
    Device,
    Json,
    MaxCost,
    MaxRequests,
    NoColor,
    NoRows,
    Precision,
    Prices,
    Quiet,
    Threads,
    Verbose,
    example,
    spreading,
    terminal,
)
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal

if TYPE_CHECKING:
    from supertune.model import Model

app = typer.Typer(add_completion=False)

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="The model folder; DATA-model by default.")
]


From = Annotated[
    Path | None,
    typer.Option("--from", help="Go on from this model folder: its rows and settings."),
]


@app.command(
    cls=Command,
    help="Tune a pretrained model on a few labelled rows and report how good it is.",
    epilog=example(
        "supertune fit reviews.csv",
        "supertune fit reviews.csv --text review --label stars --test held-out.csv -o my-model",
        "supertune fit reviews.csv --unlabeled more-reviews.csv",
        "supertune fit reviews.csv --method lora --set rank=4 --backbone e5-small",
        "supertune fit reviews.csv --template '{text} It was {answer}.' "
        "--verbalizer 'positive=great; negative=terrible'",
        "supertune fit reviews.csv --max-error 5%",
        "supertune fit reviews.csv --max-candidates 6 --ray local --workers 4",
        "supertune fit calls.csv --language fr --hint names.txt --keep everyday.csv:en",
        "supertune fit calls.csv --task speech_to_text --domain-text manual.txt",
        "supertune fit sales.csv --task regression --label price",
        "supertune fit taken.csv --items items.csv --task recommendation --hold-out users",
        "supertune fit stamps/ --test more-stamps/",
        "supertune fit interactions.csv --items items.csv --task recommendation",
        "supertune fit reviews.csv --backbone openai:text-embedding-3-small --allow-remote "
        "--max-cost 0.05",
        "supertune fit reviews.csv --backbone openai:gpt-4o-mini --method fine_tuning_job "
        "--allow-remote --max-cost 2",
        "supertune fit reviews.csv --set advice=false",
    ),
)
@spreading
def fit(
    ctx: typer.Context,
    data: keys.Data = None,
    output: Output = None,
    test: keys.Test = None,
    unlabeled: keys.Unlabeled = None,
    keep: keys.Keep = None,
    overwrite: keys.Overwrite = False,
    from_: From = None,
    text: keys.Text = None,
    column: keys.Column = None,
    picture: keys.Picture = None,
    audio: keys.Audio = None,
    concept: keys.Concept = None,
    consent: keys.Consent = None,
    items: keys.Items = None,
    user: keys.User = None,
    item: keys.Item = None,
    hold_out: keys.HoldOut = None,
    label: keys.Label = None,
    template: keys.Template = None,
    pair: keys.Pair = False,
    separator: keys.Separator = None,
    split: keys.Split = None,
    group: keys.GroupColumn = None,
    time: keys.Time = None,
    weight: keys.Weight = None,
    slice_: keys.Slice = None,
    task: keys.TaskName = None,
    backbone: keys.BackboneName = None,
    method: keys.MethodName = None,
    metric: keys.Metric = None,
    language: keys.Language = None,
    hint: keys.Hint = None,
    domain_text: keys.DomainText = None,
    verbalizer: keys.Verbalizer = None,
    preset: keys.Preset = None,
    settings: keys.Settings = None,
    recipe: keys.RecipeFile = None,
    time_limit: keys.TimeLimit = None,
    memory_limit: keys.MemoryLimit = None,
    max_candidates: keys.MaxCandidates = None,
    search: keys.Search = None,
    max_error: keys.MaxError = None,
    seed: keys.Seed = None,
    base_url: keys.BaseUrl = None,
    allow_remote: AllowRemote = False,
    max_cost: MaxCost = None,
    max_requests: MaxRequests = None,
    prices: Prices = None,
    precision: Precision = None,
    device: Device = None,
    threads: Threads = None,
    no_rows: NoRows = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    _asked(terminal(ctx), ctx.params, output or default_output(data, recipe))


def _asked(terminal: Terminal, given: dict[str, Any], output: Path) -> None:
    values = keys.recipe_values(given)
    source, held = keys.sources(given, values)
    run(
        terminal,
        source,
        test=held,
        output=output,
        overwrite=given["overwrite"],
        from_=given["from_"],
        keep_rows=not given["no_rows"],
        values=values,
        spread={key: given[key] for key in ("ray", "workers")},
    )


def default_output(data: str | None, recipe: Path | None) -> Path:
    """``reviews-model`` here, for ``somewhere/reviews.csv``."""
    named = data if data not in (None, "-") else recipe
    return Path(f"{Path(str(named)).stem if named else 'supertune'}-model")


def run(
    terminal: Terminal,
    source: Any,
    *,
    test: Any,
    output: Path,
    overwrite: bool,
    keep_rows: bool,
    values: dict[str, Any],
    from_: Path | None = None,
    steps: Sequence[str] = (),
    spread: Mapping[str, Any] | None = None,
) -> Model:
    """Fit, save and tell. `supertune demo` comes through here too, with ``steps`` of its own."""
    from supertune import api
    from supertune.report import text

    try:
        with Progress(terminal) as progress:
            model = api.fit(
                source,
                output=output,
                test=test,
                overwrite=overwrite,
                keep_rows=keep_rows,
                from_=from_,
                progress=progress,
                began=lambda reading, seconds: _began(terminal, reading, seconds),
                **(spread or {}),
                **values,
            )
    except KeyboardInterrupt as stop:  # with a note where something goes on elsewhere
        terminal.goes_on = " ".join(getattr(stop, "__notes__", ()))
        raise
    answer = summary(model)
    terminal.result({**answer, "next": list(steps) or answer["next"]})
    if terminal.quiet:
        terminal.command(str(output))
    else:
        report = {**model.report.data, "next": []} if steps else model.report.data
        terminal.say(text.summary(report))
        terminal.next(steps)
    return model


def _began(terminal: Terminal, reading: Any, seconds: float) -> None:
    """What was understood, before anything is trained: how, with rows as proof."""
    from supertune.report.wording import count, duration, shorten

    if terminal.json:
        return
    terminal.note(f"{reading.source}: {count(len(reading.train), 'row')}")
    for guess in reading.guesses:
        terminal.note(f"  {guess}")
    for sample in reading.samples[:3]:
        shown = "  ".join(f"{name}: {shorten(value, 60)}" for name, value in sample.items())
        terminal.note(f"  e.g. {shown}")
    terminal.note(f"  about {duration(seconds)}")


def summary(model: Model) -> dict[str, Any]:
    """The JSON object of `fit`."""
    report = model.report.data
    return {
        "output": None if model.folder is None else str(model.folder),
        "task": model.task,
        "backbone": model.backbone,
        "method": model.method,
        "rows": report["data"]["rows"],
        "labels": list(model.labels) if model.head.named else [],
        "columns": report["data"]["columns"],
        "metric": report["metric"],
        "estimate": report["estimate"],
        "baselines": report["baselines"],
        "test": report["test"],
        **{name: report[name] for name in ("terms", "retained") if name in report},
        "verdict": report["verdict"],
        "advice": report.get("advice"),
        "tuned_parameters": report["tuned"]["parameters"],
        "bytes": report["tuned"]["bytes"],
        "seconds": report["cost"]["seconds"],
        "peak_memory_bytes": report["cost"]["peak_memory_bytes"],
        "unlabelled": (report.get("notes") or {}).get("unlabelled"),
        "candidates": report["candidates"],
        "findings": report["findings"],
        "commands": report["commands"],
        "next": report["next"],
    }
