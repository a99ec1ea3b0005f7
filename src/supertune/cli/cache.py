"""``supertune cache``: what is kept on disk, where, how large, and clearing it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from supertune.catalogue.places import DISK, cache_folder, unwritable
from supertune.catalogue.placing import alone
from supertune.cli.options import Command, Group, Json, NoColor, Quiet, Verbose, example, terminal
from supertune.cli.terminal import Terminal
from supertune.errors import EnvironmentFault, InputError
from supertune.report.wording import count, size

app = typer.Typer(
    cls=Group,
    invoke_without_command=True,
    add_completion=False,
    help="Show or clear what supertune keeps on disk.",
    epilog=example("supertune cache", "supertune cache clear activations --yes"),
)


class What(StrEnum):
    """A part of the cache."""

    ACTIVATIONS = "activations"
    MODELS = "models"
    DATA = "data"
    PACKAGES = "packages"
    ALL = "all"


PARTS = (What.ACTIVATIONS, What.MODELS, What.DATA, What.PACKAGES)
_MEANING = {
    What.ACTIVATIONS: "what frozen models computed; computed again when needed",
    What.MODELS: "pretrained models, ready to use",
    What.DATA: "data sets, ready to use",
    What.PACKAGES: "the archives that models and data came in; may go",
}


@dataclass(frozen=True)
class Item:
    """One model, data set or archive."""

    path: Path
    bytes: int


@app.callback()
def cache(
    ctx: typer.Context,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    if ctx.invoked_subcommand is None:
        _show(terminal(ctx))


@app.command("show", cls=Command, epilog=example("supertune cache show"))
def show(
    ctx: typer.Context,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Say what is kept, where, and how large it is."""
    _show(terminal(ctx))


def _show(terminal: Terminal) -> None:
    parts = {what: described(what) for what in PARTS}
    total = sum(part["bytes"] for part in parts.values())
    steps = ["supertune cache clear packages"] if parts[What.PACKAGES]["bytes"] else []
    steps.append("supertune doctor")
    room_left = free()
    terminal.result(
        {
            "folder": str(cache_folder()),
            "bytes": total,
            "free_bytes": room_left,
            **{what.value: part for what, part in parts.items()},
            "next": steps,
        }
    )
    terminal.say("Folder (SUPERTUNE_CACHE moves it):")
    terminal.command(str(cache_folder()))
    terminal.say()
    rows = [
        (what.value, size(part["bytes"]), count(len(part["items"])), _MEANING[what])
        for what, part in parts.items()
        if what is not What.ACTIVATIONS
    ]
    kept = parts[What.ACTIVATIONS]
    rows.insert(
        0,
        (
            What.ACTIVATIONS.value,
            size(kept["bytes"]),
            count(kept["entries"]),
            f"{_MEANING[What.ACTIVATIONS]}; at most {size(kept['limit_bytes'])}",
        ),
    )
    terminal.table(("Part", "Size", "Entries", "What"), rows)
    terminal.say()
    terminal.say(f"{size(total)} in all; {size(room_left)} are free on that disk.")
    terminal.next(steps)


def described(what: What) -> dict[str, Any]:
    """One part as ``--json`` prints it; ``bytes`` is what clearing it would free."""
    kept = items(what)
    answer: dict[str, Any] = {
        "path": str(cache_folder() / what.value),
        "bytes": sum(item.bytes for item in kept),
        "items": [{"name": item.path.name, "bytes": item.bytes} for item in kept],
    }
    if what is What.ACTIVATIONS:
        answer |= _entries()
    return answer


def _entries() -> dict[str, Any]:
    from supertune.training.cache import ActivationCache

    with ActivationCache(cache_folder() / What.ACTIVATIONS.value) as kept:
        stats = kept.stats()
    return {"entries": stats["entries"], "limit_bytes": stats["limit_bytes"]}


def items(what: What) -> list[Item]:
    """The models, data sets or archives of a part, half-fetched ones too; locks are none."""
    folder = cache_folder() / what.value
    if not folder.is_dir():
        return []
    paths = [path for path in sorted(folder.iterdir()) if path.suffix != ".lock"]
    return [Item(path, _bytes(path)) for path in paths]


def _bytes(path: Path) -> int:
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(each.lstat().st_size for each in path.rglob("*") if each.is_file())


def free() -> int:
    """Bytes free on the disk of the cache folder, which may not exist yet."""
    place = cache_folder().absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


@app.command(
    "clear",
    cls=Command,
    epilog=example("supertune cache clear packages", "supertune cache clear all --yes"),
)
def clear(
    ctx: typer.Context,
    what: Annotated[
        What, typer.Argument(metavar="WHAT", help="activations, models, data, packages or all.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Delete a part of what is kept. Your own files and models are never touched."""
    speaker = terminal(ctx)
    parts = PARTS if what is What.ALL else (what,)
    before = {part: described(part)["bytes"] for part in parts}
    if not yes:
        _ask(speaker, parts, sum(before.values()))
    for part in parts:
        _clear(part)
    freed = {part: before[part] - described(part)["bytes"] for part in parts}
    total = sum(freed.values())
    steps = ["supertune cache show"]
    answer = {"folder": str(cache_folder()), "freed": freed, "bytes": total, "next": steps}
    speaker.result(answer)
    speaker.say(f"Cleared {', '.join(parts)}: {size(total)} freed.")
    speaker.next(steps)


def _ask(terminal: Terminal, parts: Sequence[What], total: int) -> None:
    question = f"Delete {', '.join(parts)} ({size(total)}) in {cache_folder()}?"
    if terminal.json or sys.stdin is None or not sys.stdin.isatty():
        raise InputError(
            "not_confirmed",
            f"Deleting {', '.join(parts)} ({size(total)}) has to be confirmed.",
            received="nobody to ask",
            allowed="--yes",
            next="Run the same command with --yes.",
        )
    terminal.stderr.write(f"{question} [y/N] ")
    terminal.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError("not_confirmed", "Nothing was deleted.", received="no")


def _clear(what: What) -> None:
    if what is What.ACTIVATIONS:
        _clear_activations()
        return
    for item in items(what):
        try:
            with alone(item.path):
                if item.path.is_dir() and not item.path.is_symlink():
                    shutil.rmtree(item.path)
                else:
                    item.path.unlink(missing_ok=True)
        except OSError as error:
            if error.errno in DISK:
                raise unwritable(item.path, error) from error
            raise


def _clear_activations() -> None:
    """Through the cache itself: another process may have its file open."""
    from supertune.training.cache import DEFAULT_LIMIT, ActivationCache

    with ActivationCache(cache_folder() / What.ACTIVATIONS.value, DEFAULT_LIMIT) as kept:
        kept.clear()
        for finding in kept.findings:
            if finding.code == "cache_unavailable":
                raise EnvironmentFault(
                    finding.code,
                    "The activation cache could not be cleared.",
                    received=finding.message,
                    next="Try again when no other supertune runs.",
                )
