"""``supertune data``: labelled data sets by short name, fetching one, and drawing few rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from supertune.catalogue import corpora, data_sets
from supertune.catalogue.corpus_formats import Row
from supertune.catalogue.data_sets import DatasetEntry
from supertune.cli.options import Command, Group, Json, NoColor, Quiet, Verbose, example, terminal
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal
from supertune.errors import InputError
from supertune.report.wording import count, duration, size

app = typer.Typer(
    cls=Group,
    invoke_without_command=True,
    add_completion=False,
    help="List data sets, or fetch one.",
    epilog=example("supertune data", "supertune data sample bbc-news -o news --per-class 8"),
)


@app.callback()
def data(
    ctx: typer.Context,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    if ctx.invoked_subcommand is None:
        _list(terminal(ctx))


def _list(terminal: Terminal) -> None:
    known = [described(entry) for entry in data_sets.datasets()]
    steps = [f"supertune data sample {known[0]['name']} -o {known[0]['name']} --per-class 8"]
    terminal.result({"data": known, "next": steps})
    terminal.table(
        ("Name", "Rows", "Labels", "Of", "Licence", "Download", "Where", "What"),
        [
            (
                each["name"],
                " + ".join(count(rows) for rows in each["rows"].values()),
                each["labels"],
                each["language"] or each["kind"],
                each["licence"],
                size(each["download_bytes"]),
                "cached" if each["fetched"] else "not fetched",
                each["summary"],
            )
            for each in known
        ],
    )
    terminal.say()
    terminal.say(
        "Rows are distinct texts or pictures, to learn from + to judge by. Where a licence is "
        "unclear, they are fetched from where others publish them and may not be passed on."
    )
    terminal.next(steps)


def described(entry: DatasetEntry) -> dict[str, Any]:
    """A data set as ``--json`` prints it."""
    folder = corpora.fetched(entry)
    return {
        "name": entry.name,
        "summary": entry.summary,
        "kind": entry.kind,
        "language": entry.language,
        "licence": entry.licence,
        "rows": dict(entry.rows),
        "labels": entry.labels,
        "download_bytes": entry.package.bytes,
        "fetched": folder is not None,
        "path": None if folder is None else str(folder),
    }


def _names() -> list[str]:
    return [entry.name for entry in data_sets.datasets()]


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A name that `supertune data` lists.", autocompletion=_names
    ),
]


@app.command("pull", cls=Command, epilog=example("supertune data pull bbc-news"))
def pull(
    ctx: typer.Context,
    name: Name,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Fetch a data set into the cache and say where it is."""
    speaker = terminal(ctx)
    entry = data_sets.dataset(name)
    with Progress(speaker, bytes_=True) as progress:
        folder = corpora.dataset(name, progress=progress)
    files = {
        path.stem: path
        for suffix in _SUFFIXES[entry.kind]
        for path in sorted(folder.glob(suffix), reverse=True)
    }
    answer: dict[str, Any] = {
        "name": name,
        "path": str(folder.absolute()),
        "rows": dict(entry.rows),
        "files": {split: str(path.absolute()) for split, path in files.items()},
        "bytes": sum(path.stat().st_size for path in files.values()),
        "licence": entry.licence,
        "seconds": progress.seconds,
        "next": _following(entry, folder),
    }
    speaker.result(answer)
    speaker.say(f"{size(answer['bytes'])}, in {duration(progress.seconds)}:")
    for split, path in files.items():
        rows = entry.rows.get(split)
        speaker.command(str(path) if rows is None else f"{path}  {count(rows, 'row')}")
    speaker.next(answer["next"])


def _following(entry: data_sets.DatasetEntry, folder: Path) -> list[str]:
    """What can be done with it: rows with a label each can be drawn."""
    if entry.kind == "interactions":
        return [f"supertune fit {folder.absolute()} --task recommendation -o {entry.name}-model"]
    if not entry.labels or entry.kind == "boxes":
        return []
    return [f"supertune data sample {entry.name} -o {entry.name} --per-class 8"]


@app.command(
    "sample",
    cls=Command,
    epilog=example("supertune data sample bbc-news -o news --per-class 8 --test-rows 400"),
)
def sample(
    ctx: typer.Context,
    name: Name,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="A folder for train.csv and test.csv; of pictures, for the folders train and "
            "test with a folder a label in each.",
        ),
    ],
    per_class: Annotated[
        int, typer.Option("--per-class", min=1, help="Labelled rows a label in train.")
    ] = 8,
    test_rows: Annotated[int, typer.Option("--test-rows", min=0, help="Other rows in test.")] = 400,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other rows.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace train and test if they are there.")
    ] = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Draw a few labelled rows to try a fit with, and others to judge it by."""
    speaker = terminal(ctx)
    pictures = data_sets.dataset(name).kind == "pictures"
    names = ("train", "test") if pictures else ("train.csv", "test.csv")
    targets = output / names[0], output / names[1]
    if not overwrite and any(path.exists() for path in targets):
        raise _there_already(output, names)
    with Progress(speaker, bytes_=True) as progress:
        train, test = corpora.few_shot(
            name, per_class=per_class, test_rows=test_rows, seed=seed, progress=progress
        )
    output.mkdir(parents=True, exist_ok=True)
    for path, rows in zip(targets, (train, test), strict=True):
        (_write_pictures if pictures else _write)(path, rows)
    fit = f"supertune fit {targets[0]} --test {targets[1]} -o {output / 'model'}"
    answer: dict[str, Any] = {
        "name": name,
        "path": str(output.absolute()),
        "files": {path.stem: str(path.absolute()) for path in targets},
        "rows": {"train": len(train), "test": len(test)},
        "labels": sorted({label for _, label in train}),
        "per_class": per_class,
        "seed": seed,
        "next": [fit],
    }
    speaker.result(answer)
    for path, rows in zip(targets, (train, test), strict=True):
        speaker.command(f"{path}  {count(len(rows), 'row')}")
    speaker.next(answer["next"])


def _there_already(output: Path, names: tuple[str, str]) -> InputError:
    return InputError(
        "output_exists",
        f"There is a {names[0]} or {names[1]} already.",
        received=str(output),
        allowed="a folder without them",
        next="Choose another folder with -o, or add --overwrite.",
    )


_SUFFIXES = {
    "texts": ("*.jsonl",),
    "pictures": ("*.zip",),
    "boxes": ("*.png", "*.xml"),
    "sounds": ("*.zip",),
    "speech": ("*.csv",),
    "interactions": ("*.inter", "*.item"),
}


def _write_pictures(path: Path, rows: list[Any]) -> None:
    """A folder a label, in a folder that is whole or not there."""
    import os
    import shutil

    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        for picture, label in rows:
            target = partial / label / Path(picture.name).name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(picture.read())
        partial.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _check_drawn(path)
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_drawn(folder: Path) -> None:
    """Refuse to replace a folder that holds anything else than pictures."""
    from supertune.data.pictures import folders

    held = folders.listing(folder)
    if held.others:
        raise InputError(
            "output_exists",
            f"{folder} holds files that no draw of pictures wrote.",
            received=", ".join(sorted(held.others)[:5]),
            allowed="a folder of pictures, or none",
            next="Choose another folder with -o.",
        )


def _write(path: Path, rows: list[Row]) -> None:
    """The columns text and label, in a file that is whole or not there."""
    import csv
    import os

    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("text", "label"))
            writer.writerows(rows)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
