"""``supertune models``: pretrained models by short name, and fetching one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from supertune.catalogue import entries, hub, resolve
from supertune.catalogue.entry import ModelEntry
from supertune.cli import recipe_options as keys
from supertune.cli.options import Command, Group, Json, NoColor, Quiet, Verbose, example, terminal
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal
from supertune.config import parse_settings
from supertune.errors import InputError
from supertune.report.wording import duration, size

app = typer.Typer(
    cls=Group,
    invoke_without_command=True,
    add_completion=False,
    help="List pretrained models, say which suit your rows, or fetch one.",
    epilog=example(
        "supertune models",
        "supertune models --for reviews.csv",
        "supertune models --for pairs.tsv --task translation --backbone ./my-marian",
        "supertune models pull minilm",
    ),
)


@app.callback()
def models(
    ctx: typer.Context,
    rows: Annotated[
        str | None,
        typer.Option("--for", metavar="DATA", help="Rank the models by how they suit these rows."),
    ] = None,
    task: keys.TaskName = None,
    text: keys.Text = None,
    label: keys.Label = None,
    backbone: Annotated[
        list[str] | None,
        typer.Option(
            "--backbone",
            help="One more to be ranked: a folder, or an id of the hub that was fetched; "
            "several times.",
        ),
    ] = None,
    settings: keys.Settings = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    if ctx.invoked_subcommand is not None:
        return
    options = {"task": task, "text": tuple(text or ()), "label": label}
    named = {key: value for key, value in options.items() if value}
    if rows is None:
        _unused({**named, "backbone": backbone, "set": settings})
        _list(terminal(ctx))
    else:
        _ranked(terminal(ctx), rows, backbone or [], {**parse_settings(settings or []), **named})


def _unused(given: Mapping[str, Any]) -> None:
    """Raises:
    InputError: ``rows_missing``.
    """
    without = [f"--{name}" for name, value in given.items() if value]
    if without:
        raise InputError(
            "rows_missing",
            "The models are only listed where no rows are named.",
            received=", ".join(without),
            allowed="these beside --for DATA",
            next="For example: supertune models --for reviews.csv",
        )


def _ranked(
    terminal: Terminal, rows: str, backbones: Sequence[str], options: dict[str, Any]
) -> None:
    from supertune import api

    with Progress(terminal):
        found = api.suited(rows, backbones=backbones, **options)
    terminal.result(found.data)
    terminal.say(found.text())


def _list(terminal: Terminal) -> None:
    known = [described(entry) for entry in entries.models()]
    cached = [{"name": name, "path": str(folder)} for name, folder in hub.all_cached()]
    missing = [each["name"] for each in known if not each["fetched"]]
    steps = [f"supertune models pull {missing[0]}"] if missing else []
    steps.append(f"supertune fit reviews.csv --backbone {known[0]['name']}")
    terminal.result({"models": known, "hub": cached, "next": steps})
    terminal.table(
        ("Name", "Numbers", "Languages", "Licence", "Download", "Where", "What"),
        [
            (
                each["name"],
                f"{each['parameters'] / 1e6:.0f} M",
                languages(each["languages"]),
                each["licence"],
                size(each["download_bytes"]),
                "cached" if each["fetched"] else "not fetched",
                each["summary"],
            )
            for each in known
        ],
    )
    if cached:
        terminal.say()
        terminal.table(("In the hub's cache", "Folder"), [(e["name"], e["path"]) for e in cached])
    terminal.say()
    terminal.say("Any folder that save_pretrained has written, or a hub id (owner/name), does too.")
    terminal.next(steps)


def described(entry: ModelEntry) -> dict[str, Any]:
    """A catalogue model as ``--json`` prints it."""
    folder = resolve.fetched(entry)
    return {
        "name": entry.name,
        "summary": entry.summary,
        "engine": entry.engine,
        "family": entry.offer.family,
        "parameters": entry.offer.parameters,
        "width": entry.offer.width,
        "max_length": entry.offer.max_length,
        "languages": list(entry.offer.languages),
        "licence": entry.licence,
        "download_bytes": entry.download_bytes,
        "bytes": entry.bytes,
        "sha256": entry.weights_sha256,
        "fetched": folder is not None,
        "path": None if folder is None else str(folder),
    }


def languages(codes: list[str]) -> str:
    """``en, fr``, "many", or nothing where it is not known."""
    return "many" if "*" in codes else ", ".join(codes)


def _names() -> list[str]:
    return [entry.name for entry in entries.models()]


@app.command(
    "pull",
    cls=Command,
    epilog=example("supertune models pull minilm", "supertune models pull owner/name --json"),
)
def pull(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A name that `supertune models` lists, a hub id, or a folder.",
            autocompletion=_names,
        ),
    ],
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Fetch a model into the cache, verify it, and say where it is."""
    from supertune.catalogue.weights import digest

    speaker = terminal(ctx)
    with Progress(speaker, bytes_=True) as progress:
        located = resolve.pull(name, progress=progress)
        progress(f"verify {located.name}", 0, None)
        sha256 = digest(located.folder)
    files = [path for path in located.folder.rglob("*") if path.is_file()]
    answer: dict[str, Any] = {
        "name": located.name,
        "path": str(located.folder.absolute()),
        "source": located.source,
        "sha256": sha256,
        "bytes": sum(path.stat().st_size for path in files),
        "seconds": progress.seconds,
        "next": [f"supertune fit reviews.csv --backbone {located.name}"],
    }
    speaker.result(answer)
    came = {"cache": "It was in the cache", "folder": "It is a folder of yours"}
    how = came.get(located.source, f"It came from a {located.source}")
    speaker.say(f"{how}, {size(answer['bytes'])}, in {duration(progress.seconds)}:")
    speaker.command(answer["path"])
    speaker.say("sha256 of its weights:")
    speaker.command(sha256)
    speaker.next(answer["next"])
