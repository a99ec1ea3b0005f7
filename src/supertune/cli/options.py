"""Options that several commands share, so that they mean and are called the same everywhere."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from supertune.cli.terminal import Terminal
from supertune.errors import InputError, unknown_name
from supertune.limits import parse_share

if TYPE_CHECKING:
    from supertune.contracts import Recording
    from supertune.contracts.remote import Account
    from supertune.model import Model

TALK = "How it speaks"
PLACE = "Where it runs"
SERVER = "A backbone at a server"


def terminal(ctx: typer.Context) -> Terminal:
    """The run's `Terminal`, which `supertune.cli.main.main` made."""
    if not isinstance(ctx.obj, Terminal):  # an app used without main(), e.g. in completion
        ctx.obj = Terminal()
    return ctx.obj


class Command(TyperCommand):
    """A command whose libraries cannot print into the result."""

    def invoke(self, ctx: Any) -> Any:
        with terminal(ctx).working():
            return super().invoke(ctx)


class Group(TyperGroup):
    """A command that is one by itself and has sub-commands; see `Command`."""

    def invoke(self, ctx: Any) -> Any:
        if ctx._protected_args:  # the sub-command sees to itself, and its help is a result
            return super().invoke(ctx)
        with terminal(ctx).working():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            raise unknown_name("command", args[0], names)
        return super().resolve_command(ctx, args)


def example(*commands: str) -> str:
    """The end of a help page."""
    return "\n\n".join(["Example:" if len(commands) == 1 else "Examples:", *commands])


def _json(ctx: typer.Context, value: bool) -> bool:
    terminal(ctx).json |= value
    return value


def _verbose(ctx: typer.Context, value: bool) -> bool:
    terminal(ctx).verbose |= value
    return value


def _quiet(ctx: typer.Context, value: bool) -> bool:
    terminal(ctx).quiet |= value
    return value


def _no_color(ctx: typer.Context, value: bool) -> bool:
    terminal(ctx).color &= not value
    return value


Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="One JSON object on stdout, also for an error.",
        callback=_json,
        is_eager=True,
        rich_help_panel=TALK,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Logs and warnings of the libraries; tracebacks.",
        callback=_verbose,
        is_eager=True,
        rich_help_panel=TALK,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Only results and errors.",
        callback=_quiet,
        is_eager=True,
        rich_help_panel=TALK,
    ),
]
NoColor = Annotated[
    bool,
    typer.Option(
        "--no-color",
        help="Plain text (NO_COLOR does the same).",
        callback=_no_color,
        is_eager=True,
        rich_help_panel=TALK,
    ),
]
Device = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=PLACE),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="Of the backbone's matrix products: auto (bf16 where this machine is fast at it and "
        "the backbone says nearly the same), fp32 or bf16. SUPERTUNE_PRECISION sets the default.",
        rich_help_panel=PLACE,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="CPU threads; all by default.", rich_help_panel=PLACE),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="'local' for workers on this machine, or the address of a Ray cluster that runs.",
        rich_help_panel=PLACE,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Of --ray local, each with --threads threads (1 by default); by default as many as "
        "there are cores for.",
        rich_help_panel=PLACE,
    ),
]
AllowRemote = Annotated[
    bool,
    typer.Option(
        "--allow-remote",
        help="Rows may be sent to the server of --backbone openai:MODEL; SUPERTUNE_ALLOW_REMOTE=1 "
        "says so too.",
        rich_help_panel=SERVER,
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        "--max-cost", min=0, help="What its requests may cost together.", rich_help_panel=SERVER
    ),
]
MaxRequests = Annotated[
    int | None,
    typer.Option("--max-requests", min=0, help="How many it may be sent.", rich_help_panel=SERVER),
]
Prices = Annotated[
    str | None,
    typer.Option(
        "--prices",
        help='A JSON or YAML file: {"my-model": {"input": 0.1, "output": 0.4}}, a million tokens; '
        'of what is tuned also "training" and "tuned".',
        rich_help_panel=SERVER,
    ),
]
NoRows = Annotated[
    bool,
    typer.Option(
        "--no-rows",
        help="Nothing of your rows goes into the output, report or card.",
        rich_help_panel=TALK,
    ),
]
ModelFolder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="A model folder, as `supertune fit` writes it, or a bare PEFT folder."
    ),
]
BackboneAt = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        help="Where the backbone is now, if it moved, or the same weights converted for another "
        "engine (docs/guides/keras.md); of a bare PEFT folder, its own.",
    ),
]
Labels = Annotated[
    str,
    typer.Option(
        "--labels",
        metavar="A,B",
        help="Of a bare PEFT folder: its labels in order, if it has none.",
    ),
]


Mic = Annotated[
    float | None,
    typer.Option(
        "--mic", metavar="SECONDS", help="Record so long by a microphone, and read that instead."
    ),
]


def heard(seconds: float, inputs: Any = None) -> Recording:
    """What a microphone hears, where nothing else is named to be read.

    Raises:
        InputError: ``microphone_or_file``, and as `supertune.api.recorded`.
    """
    from supertune import api

    if inputs:
        raise InputError(
            "microphone_or_file",
            "What is read is given once.",
            received=f"--mic {seconds:g} and {inputs if isinstance(inputs, str) else inputs[0]}",
            allowed="--mic SECONDS, or what is to be read",
            next="Leave one of them out.",
        )
    return api.recorded(seconds)


def spreading(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes ``--ray`` and ``--workers`` too, which stand in its ``ctx.params``.

    Raises (the command):
        InputError: ``workers_without_ray``.
    """

    def taking(*, ray: Ray = None, workers: Workers = None, **given: Any) -> None:
        if workers is not None and ray is None:
            raise InputError(
                "workers_without_ray",
                "Workers are Ray's.",
                received=f"--workers {workers} without --ray",
                allowed=f"--ray local --workers {workers}",
                next="Add --ray local, or leave --workers out.",
            )
        command(**given)

    own, added = (inspect.signature(each, eval_str=True) for each in (command, taking))
    both = [*own.parameters.values(), *list(added.parameters.values())[:2]]
    named = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in both]
    taking.__signature__ = own.replace(parameters=named)  # type: ignore[attr-defined]
    taking.__annotations__ = {one.name: one.annotation for one in named}
    taking.__name__, taking.__doc__ = command.__name__, command.__doc__
    return taking


def opened(
    folder: Path,
    device: str | None,
    threads: int | None,
    backbone: str | None = None,
    labels: str = "",
    remote: Mapping[str, Any] | None = None,
) -> Model:
    """The model in a folder, as the options of a command say; ``remote``: the parameters of one
    that may send rows to a server."""
    from supertune import api
    from supertune.contracts.remote import anew

    found: Model = api.load(
        folder, **opening(device, threads, backbone, labels), **anew(remote or {})
    )
    return found


def opening(
    device: str | None, threads: int | None, backbone: str | None, labels: str
) -> dict[str, Any]:
    """The same options as `supertune.load` takes them."""
    return {
        "device": device or "auto",
        "threads": threads,
        "backbone": backbone,
        "labels": [name.strip() for name in labels.split(",") if name.strip()],
    }


def told_sent(terminal: Terminal, account: Account) -> None:
    """What answers took that came from a server; of others nothing."""
    from supertune.report import remote

    for one in account.section(()):
        count = one["other_texts"]
        terminal.note(f"{count} texts, {one['model']} at {one['server']}: {remote.took(one)}")


def share(text: str | None) -> float | None:
    """``5%`` or ``0.05`` as a share; None stays None.

    Raises:
        typer.BadParameter: anything else.
    """
    try:
        return None if text is None else parse_share(text)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is no share; write 5% or 0.05.") from error


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """``60``, ``60s``, ``2m``, ``1.5h`` in seconds.

    Raises:
        typer.BadParameter: anything else, zero and below.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if found is None or found[2] not in _UNITS or float(found[1]) == 0:
        raise typer.BadParameter(f"'{text}' is no time; write 60, 60s, 2m or 1h.")
    return float(found[1]) * _UNITS[found[2]]
