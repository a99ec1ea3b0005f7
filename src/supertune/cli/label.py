"""``supertune label``: which rows of an unlabelled pool to label next, and labelling them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from contextlib import ExitStack
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
    Prices,
    Quiet,
    Threads,
    Verbose,
    example,
    terminal,
    told_sent,
)
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.api.labelling import Proposals
    from supertune.labelling.session import Labelling

app = typer.Typer(add_completion=False)

Places = Annotated[
    list[str],
    typer.Argument(
        metavar="[DIR] POOL",
        help="The model folder, if there is one yet, and a file or folder of unlabelled rows. "
        "With --labels, DIR may also be where the first model is going to be.",
    ),
]
Names = Annotated[
    str,
    typer.Option("--labels", metavar="A,B", help="The labels, where no model knows them yet."),
]
Count = Annotated[int, typer.Option("--next", "-n", min=1, help="How many rows to label now.")]
Listed = Annotated[
    bool,
    typer.Option("--list", help="Only list them; so do --json, -o and output that is piped."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Write the list: .csv, .tsv, .jsonl, .parquet, or .json for Label Studio.",
    ),
]
Kept = Annotated[
    Path | None,
    typer.Option(
        "--answers",
        help="Where answers are kept, POOL-labels.jsonl by default; the table and Label "
        "Studio's tasks lie beside it.",
    ),
]
ColumnName = Annotated[str | None, typer.Option("--label", help="What the label column is called.")]
Looked = Annotated[
    str | None,
    typer.Option("--backbone", help="Whose features are looked at, without a model."),
]


@app.command(
    cls=Command,
    epilog=example(
        "supertune label pool.csv --labels positive,negative",
        "supertune label my-model pool.csv --next 20",
        "supertune label my-model pool.csv --list --json",
        "supertune label my-model pool.csv -o for-label-studio.json",
        "supertune label pool.csv --labels spam,ham --backbone openai:text-embedding-3-small "
        "--allow-remote --max-cost 0.05",
    ),
)
def label(
    ctx: typer.Context,
    inputs: Places,
    labels: Names = "",
    next_: Count = 10,
    listed: Listed = False,
    output: Output = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that file.")] = False,
    answers: Kept = None,
    text: keys.Text = None,
    label_: ColumnName = None,
    backbone: Looked = None,
    base_url: keys.BaseUrl = None,
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
    """Say which rows of an unlabelled pool to label next, and take their labels by single keys.

    On a terminal the rows are shown one after another, and one key gives the label. Every answer
    is on the disk before the next row shows; the same command goes on where it was left.
    """
    from supertune.api import labelling
    from supertune.contracts.remote import shared

    said = terminal(ctx)
    given = _Given(*_places(inputs, labels), _names(labels), next_, answers)
    options = _options(ctx.params)
    asks = not (listed or output or said.json) and said.stdout.isatty() and sys.stdin.isatty()
    if output is not None:
        from supertune.labelling import outputs

        outputs.check(output, overwrite=overwrite, source=given.pool)
    if not asks:
        with Progress(said) as progress, shared() as account:
            found = labelling.label_next(
                given.model, given.pool, next_, labels=given.labels, answers=given.answers,
                progress=progress, **options,
            )  # fmt: skip
        told_sent(said, account)
        _listed(said, found, given, output, overwrite)
        return
    _asked(said, given, options)


def _options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of the recipe."""
    from supertune.contracts.remote import anew

    return {
        "text": tuple(params["text"] or ()),
        "label": params["label_"],
        "backbone": params["backbone"] or "auto",
        "device": params["device"] or "auto",
        "threads": params["threads"],
        "base_url": params["base_url"],
        **anew(params),
    }


class _Given:
    """What the command line says, and the command that would go on."""

    def __init__(
        self,
        folder: Path | None,
        model: Path | None,
        pool: str,
        labels: tuple[str, ...],
        count: int,
        answers: Path | None,
    ) -> None:
        self.folder, self.model, self.pool = folder, model, pool
        self.labels, self.count = labels, count
        stem = "rows" if pool == "-" else Path(pool).name.split(".")[0] or "rows"
        kept = Path(f"{stem}-labels") if answers is None else answers
        self.answers = kept.with_suffix(".jsonl")
        words = ["supertune", "label", *([str(folder)] if folder else []), pool]
        words += ["--labels", ",".join(labels)] if labels else []
        words += ["--next", str(count)] if count != 10 else []
        words += ["--answers", str(answers)] if answers else []
        self.command = shlex.join(words)

    @property
    def table(self) -> Path:
        return self.answers.with_suffix(".csv")


def _places(inputs: list[str], labels: str) -> tuple[Path | None, Path | None, str]:
    """The model folder as it is called, the model to be loaded, and the pool.

    Raises:
        InputError: ``pool_missing``, ``too_many_places``.
    """
    *folders, pool = inputs
    if len(folders) > 1:
        raise InputError(
            "too_many_places",
            "One model folder and one pool of rows are enough.",
            received=", ".join(inputs),
            allowed="supertune label [DIR] POOL",
            next="Put the rows into one file.",
        )
    if (Path(pool) / "supertune.json").exists():
        raise InputError(
            "pool_missing",
            "There are no rows to label: only a model folder was given.",
            received=pool,
            allowed="supertune label DIR POOL",
            next=f"supertune label {shlex.quote(pool)} POOL.csv",
        )
    folder = Path(folders[0]) if folders else None
    new = folder is not None and bool(labels) and not folder.exists()
    return folder, None if new else folder, pool


def _names(labels: str) -> tuple[str, ...]:
    names = [name.strip() for name in labels.split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


# --- listing ----------------------------------------------------------------------------------


def _listed(
    said: Terminal, found: Proposals, given: _Given, output: Path | None, overwrite: bool
) -> None:
    steps = [given.command]  # in a terminal it asks
    if output is not None:
        found.save(output, overwrite=overwrite)
        steps = _after(found, given, output)
    said.result(
        {**found.as_dict(), "output": None if output is None else str(output), "next": steps}
    )
    if said.json:
        return
    if output is not None and said.quiet:
        said.command(str(output))
        return
    _about(said, found)
    said.table(("Row", "Why", "What"), [_line(row) for row in found])
    if output is not None:
        said.say()
        said.say(f"{output}: {len(found)} rows")
    said.next(steps)


def _line(row: Any) -> tuple[int, str, str]:
    from supertune.cli.label_screen import described, shown
    from supertune.report.wording import shorten

    return row.row, "; ".join(row.why), shorten(shown(described(row.input)), 160)


def _about(said: Terminal, found: Proposals) -> None:
    from supertune.report.wording import count

    pool = found.about["pool"]
    out = (
        f"; {count(pool['left_out'], 'row')} left out, the same as others"
        if pool["left_out"]
        else ""
    )
    said.note(f"{pool['source']}: {count(pool['rows'], 'row')}{out}")
    if pool["compared"] < pool["different"]:
        said.note(f"  chosen among {pool['compared']:,} of them, drawn by chance")


def _after(found: Proposals, given: _Given, output: Path) -> list[str]:
    """What to do with a file of rows to label."""
    if output.suffix.lower() == ".json":
        from supertune.labelling import outputs

        interface = outputs.interface(found.labels, found.rows[0].cells)
        return [f"Import {output} into Label Studio with the labelling interface {interface}"]
    from supertune.labelling import steps

    target = given.folder or Path(f"{output.stem}-model")
    how, onwards = found.about["fit"]["options"], found.about["fit"]["goes_on"]
    fit = steps.command(output, target, how, onwards, given.model is not None)
    return [f"Fill in the column '{found.column}' of {output}, then: {fit}"]


# --- asking -----------------------------------------------------------------------------------


def _asked(said: Terminal, given: _Given, options: dict[str, Any]) -> None:
    from supertune.api import labelling
    from supertune.cli import keyboard, label_screen

    with ExitStack() as held:
        with Progress(said) as progress:
            session = labelling.labelling(
                given.model, given.pool, given.answers, labels=given.labels, progress=progress,
                **options,
            )  # fmt: skip
            begun = held.enter_context(session)
        _typed_labels(begun, given)
        try:
            with keyboard.keys() as pressed:
                done = label_screen.ask(said, begun, given.count, pressed)
        finally:
            _written(begun, given)
        _told(said, begun, given, done)


def _typed_labels(begun: Labelling, given: _Given) -> None:
    """Refuse before a terminal is touched: too few labels, too many, or none by nature."""
    from supertune.cli.label_screen import keys_of

    head = None if begun.model is None else begun.model.head
    if head is not None and (head.multi_label or head.valued):
        kind = "a value" if head.valued else "several labels"
        raise InputError(
            "not_one_key",
            f"Rows of this model take {kind} each, which one key cannot give.",
            received=str(given.folder),
            allowed="models with one label a row",
            next=f"{given.command} -o to-label.csv writes them to a table; fill it in.",
        )
    keys_of(begun.labels)


def _written(begun: Labelling, given: _Given) -> None:
    from supertune.labelling import outputs

    answers = begun.journal.labelled
    if answers:
        outputs.answered(given.table, answers, begun.column)
        outputs.answered_tasks(given.answers.with_suffix(".json"), answers)


def _told(said: Terminal, begun: Labelling, given: _Given, done: int) -> None:
    from supertune.labelling import steps

    counts = begun.counts()
    told_sent(said, begun.workshop.account)
    said.say()
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    said.say(f"{done} labelled now, {sum(counts.values())} in all: {listed}")
    if not begun.left:
        said.say("No row of the pool is left.")
    following = []
    if begun.journal.labelled:
        said.say(f"{given.table} (and {given.answers.with_suffix('.json')} for Label Studio)")
        following = steps.fitting(begun, given.table, given.folder, counts)
    if begun.left:
        following.append(given.command)
    said.next(following)
