"""``supertune predict``: answers beside the rows of a file or of stdin, or to single texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from supertune.cli.going_on import Asked, went_on
from supertune.cli.options import (
    AllowRemote,
    BackboneAt,
    Command,
    Device,
    Json,
    Labels,
    MaxCost,
    MaxRequests,
    Mic,
    ModelFolder,
    NoColor,
    Prices,
    Quiet,
    Threads,
    Verbose,
    example,
    heard,
    opened,
    opening,
    share,
    spreading,
    terminal,
    told_sent,
)
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.contracts import Answers
    from supertune.model import Model

app = typer.Typer(add_completion=False)
_OPENING = ("folder", "device", "threads", "backbone", "labels")

Coverage = Annotated[
    float | None,
    typer.Option(
        "--coverage",
        help="Of a regression: the share of new rows that lie between low and high. 0.9 by "
        "default.",
    ),
]
MaxError = Annotated[
    str | None,
    typer.Option(
        "--max-error",
        help="5%: answer only rows of which, with 95 % confidence, at most so many are answered "
        "wrongly. As the model was fitted by default.",
    ),
]


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE | TEXT...",
        help="A file or folder, - for stdin, or texts (whatever is no file and has no file's "
        "ending).",
    ),
]
Read = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        "--picture",
        "--audio",
        help="The column that is read, if it has another name here.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Of an adapter that writes text: max_new_tokens, temperature, top_p, seed, stop, "
        "chat.",
    ),
]


@app.command(
    cls=Command,
    epilog=example(
        "supertune predict my-model new.csv -o answers.csv",
        "supertune predict my-model new.csv -o answers.csv --max-error 5%",
        'supertune predict my-model "arrived broken, twice" "just what I needed"',
        "supertune predict my-model millions.csv -o answers.csv --ray local --workers 4",
        "cat new.jsonl | supertune predict my-model - --format jsonl",
        "supertune predict sounds-model --mic 5",
        "supertune predict my-model new.csv --backbone minilm-keras",
    ),
)
@spreading
def predict(
    ctx: typer.Context,
    folder: ModelFolder,
    inputs: Inputs = None,
    mic: Mic = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .csv, .tsv, .jsonl or .parquet file; else stdout."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
    format_: Annotated[
        Literal["csv", "tsv", "jsonl"], typer.Option("--format", help="The form of stdout.")
    ] = "csv",
    text: Read = None,
    backbone: BackboneAt = None,
    labels: Labels = "",
    settings: Settings = None,
    coverage: Coverage = None,
    max_error: MaxError = None,
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
    """Answer new rows: a file, stdin or texts. An adapter of peft that was trained to write text
    goes on with texts instead."""
    said = terminal(ctx)
    source = read_as(inputs or []) if mic is None else [heard(mic, inputs)]
    if ctx.params["ray"] is not None:
        _spread(said, ctx.params, source)
        return
    asked = Asked(folder, source, output, tuple(settings or ()))
    if not went_on(said, asked, device, threads, backbone, labels):
        _here(ctx, said, source)


def _here(ctx: typer.Context, said: Terminal, source: Any) -> None:
    """Answers of this process."""
    from supertune.data.writers import RowWriter, check_target

    given = ctx.params
    output, overwrite, texts = given["output"], given["overwrite"], isinstance(source, list)
    if output is not None:
        check_target(output, overwrite=overwrite, source=source)
    elif said.json and not texts:
        raise _output_needed("--json")
    model = _model(given, given)
    ctx.call_on_close(lambda: told_sent(said, model.workshop.account))
    separator, limit = model.columns.separator, share(given["max_error"])
    with Progress(said) as progress:
        windows = _answered(model, source, given | {"max_error": limit}, progress)
        if output is not None:
            how: Any = {"overwrite": overwrite, "source": source, "separator": separator}
            with RowWriter(output, **how) as writer:
                written = _write(writer, windows)
            _told(said, model, written, output, writer.renamed, limit)
        elif texts:
            _shown(said, model, list(windows), limit)
        else:
            _streamed(said, model, f".{given['format_']}", windows, limit)


def _model(given: dict[str, Any], remote: dict[str, Any] | None = None) -> Model:
    place, device, threads, backbone, labels = (given[key] for key in _OPENING)
    return opened(place, device, threads, backbone, labels, remote)


def _spread(said: Terminal, given: dict[str, Any], source: Any) -> None:
    """Answers of workers, slice by slice; what is done survives an interruption."""
    from supertune import api

    output, limit = given["output"], share(given["max_error"])
    if output is None or not isinstance(source, str) or source == "-":
        raise _output_needed("--ray")
    keys = ("ray", "workers", "overwrite", "coverage")
    with _kept(said, output), Progress(said) as progress:
        found = api.predict_file(
            given["folder"],
            source,
            output,
            text=tuple(given["text"] or ()),
            max_error=limit,
            progress=progress,
            **{key: given[key] for key in keys},
            **opening(*(given[key] for key in _OPENING[1:])),
        )
    if found.kept:
        said.note(f"{found.kept} rows were answered by an earlier call.")
    done = _Done(found.rows, Counter(found.counts), Counter(found.marks))
    _told(said, _model(given), done, output, dict(found.renamed), limit)


@contextmanager
def _kept(said: Terminal, output: Path) -> Iterator[None]:
    """Inside, an interruption tells where the answers are that were written."""
    try:
        yield
    except KeyboardInterrupt:
        from supertune.api.bulk import slices_of

        if (kept := slices_of(output)).exists():
            said.goes_on = f"What is done is in {kept}"
        raise


def _output_needed(option: str) -> InputError:
    return InputError(
        "output_needed",
        f"With {option} the answers to a file of rows need a file of their own.",
        received=f"{option} without -o, or without a file of rows",
        allowed="new.csv -o answers.csv",
        next=f"Add -o answers.csv, or leave {option} out to get rows on stdout.",
    )


def _renamed(renamed: dict[str, str]) -> list[str]:
    return [
        f"The input has a column '{name}'; the answer's is '{free}'."
        for name, free in renamed.items()
    ]


def read_as(inputs: list[str]) -> Any:
    """A file's name, or the texts themselves.

    Raises:
        InputError: ``no_input`` where there are none.
    """
    if not inputs:
        raise InputError(
            "no_input",
            "There is nothing to answer.",
            received="neither a file nor a text",
            allowed="a file, a folder, - for stdin, texts, or --mic SECONDS",
            next="For example supertune predict my-model new.csv -o answers.csv",
        )
    if len(inputs) == 1:
        only = inputs[0]
        path_like = re.search(r"\.[A-Za-z0-9]{1,8}$", only) or "/" in only or "\\" in only
        if only == "-" or _exists(only) or (path_like and not re.search(r"\s", only)):
            return only
    return inputs


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # a text too long for a name, or with a NUL
        return False


def _streamed(
    said: Terminal,
    model: Model,
    form: str,
    windows: Iterator[tuple[Any, Answers]],
    limit: float | None,
) -> None:
    from supertune.data.writers import StreamWriter

    stream = StreamWriter(said.stdout, form, separator=model.columns.separator)
    for line in _write(stream, windows).sentences(model, limit):
        said.note(line)
    for line in _renamed(stream.renamed):
        said.note(line)


def _answered(
    model: Model, source: Any, asked: dict[str, Any], progress: Progress
) -> Iterator[tuple[Any, Answers]]:
    """``asked`` are the command's parameters."""
    done, chosen = 0, {key: asked[key] for key in ("coverage", "max_error")}
    total = _count(model, source)
    for table, answers in model.stream(source, text=tuple(asked["text"] or ()), **chosen):
        done += len(answers)
        progress("predict", done, total)
        yield table, answers


def _count(model: Model, source: Any) -> int | None:
    """How many rows there will be, where that is known before they are read."""
    from supertune.contracts import Counting

    task = model.workshop.task
    return task.count(source) if isinstance(task, Counting) else None


@dataclass
class _Done:
    """How many rows there were, and how many of them carry each label and each mark."""

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)

    def add(self, answers: Answers) -> None:
        self.rows += len(answers)
        self.counts.update(answers.counts())
        self.marks.update(answers.marks())

    def sentences(self, model: Model, limit: float | None) -> list[str]:
        """What the marks mean for the person who reads the answers."""
        from supertune.report import trust

        wanted = model.recipe.max_error if limit is None else limit
        return trust.predicted(self.rows, self.marks, wanted, model.abstains(wanted))


def _write(writer: Any, windows: Iterator[tuple[Any, Answers]]) -> _Done:
    done = _Done()
    for table, answers in windows:
        writer.write(table, answers.columns())
        done.add(answers)
    return done


def _told(
    said: Terminal,
    model: Model,
    done: _Done,
    output: Path,
    renamed: dict[str, str],
    limit: float | None,
) -> None:
    by_label = dict(done.counts)
    if model.head.named:
        by_label = {name: done.counts[name] for name in model.labels}
    steps = [f"supertune evaluate {model.folder} LABELLED.csv"]
    said.result(
        {
            "output": str(output),
            "rows": done.rows,
            "predictions": by_label,
            **done.marks,
            "renamed": renamed,
            "next": steps,
        }
    )
    said.say(f"{output}: " + ", ".join(f"{name} {count}" for name, count in by_label.items()))
    for line in [*done.sentences(model, limit), *_renamed(renamed)]:
        said.say(line)
    said.next(steps)


def _shown(
    said: Terminal, model: Model, windows: list[tuple[Any, Answers]], limit: float | None
) -> None:
    done = _Done()
    for _, part in windows:
        done.add(part)
    listed = [one for _, part in windows for one in part.listed()]
    steps = [f"supertune predict {model.folder} NEW.csv -o predictions.csv"]
    said.result({"rows": len(listed), "predictions": listed, **done.marks, "next": steps})
    for table, part in windows:
        for name, line in zip(_named(table, len(part)), part.lines(), strict=True):
            said.say(name + line)
    for line in done.sentences(model, limit):
        said.say(line)
    if not said.quiet:
        said.next(steps)


def _named(table: Any, count: int) -> list[str]:
    """What stands in front of each answer: a file's name, of a text nothing."""
    from supertune.contracts import Medium

    for cells in table.values.values():
        if len(cells) and isinstance(cells[0], Medium):
            return [f"{cell}  " for cell in cells]
    return [""] * count
