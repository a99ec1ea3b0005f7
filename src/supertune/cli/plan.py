"""``supertune plan``: what a fit would read, try, take and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    Precision,
    Prices,
    Quiet,
    Threads,
    Verbose,
    example,
    terminal,
)
from supertune.cli.progress import Progress

if TYPE_CHECKING:
    from supertune.api.planning import Plan
    from supertune.cli.terminal import Terminal

app = typer.Typer(add_completion=False)


@app.command(
    cls=Command,
    epilog=example(
        "supertune plan reviews.csv",
        "supertune plan reviews.csv --method lora",
        "supertune plan reviews.csv --backbone openai:text-embedding-3-small",
        "supertune plan reviews.csv --backbone openai:gpt-4o-mini --method fine_tuning_job",
    ),
)
def plan(
    ctx: typer.Context,
    data: keys.Data = None,
    test: keys.Test = None,
    unlabeled: keys.Unlabeled = None,
    keep: keys.Keep = None,
    text: keys.Text = None,
    column: keys.Column = None,
    picture: keys.Picture = None,
    audio: keys.Audio = None,
    concept: keys.Concept = None,
    consent: keys.Consent = None,
    items: keys.Items = None,
    user: keys.User = None,
    item: keys.Item = None,
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
    base_url: keys.BaseUrl = None,
    allow_remote: AllowRemote = False,
    max_cost: MaxCost = None,
    max_requests: MaxRequests = None,
    prices: Prices = None,
    precision: Precision = None,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Say what a fit would read, try, take and cost, before anything is trained."""
    from supertune.api import plan as planned

    said, values = terminal(ctx), keys.recipe_values(ctx.params)
    source, held = keys.sources(ctx.params, values)
    with Progress(said):
        found = planned(source, test=held, **values)
    _told(said, found)


def _told(said: Terminal, found: Plan) -> None:
    said.result(found.data)
    said.say(found.text())
