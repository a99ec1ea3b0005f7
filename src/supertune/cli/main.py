"""The command ``supertune``: finds the command asked for, and turns every failure into words.

Only the module of that command is imported, and no heavy library before it is needed, so that
``supertune --help`` answers at once. The one-line descriptions stand in `COMMANDS`; a test
compares them with the commands' own.
"""

from __future__ import annotations

import importlib
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from supertune import launched
from supertune.cli.failures import explained
from supertune.cli.terminal import INTERRUPTED, Terminal
from supertune.errors import unknown_name

COMMANDS: dict[str, dict[str, str]] = {
    "From rows to answers": {
        "demo": "Fit BBC news from 8 labels a class, and show how to do it with your file.",
        "plan": "Say what a fit would read, try, take and cost, before anything is trained.",
        "fit": "Tune a pretrained model on a few labelled rows and report how good it is.",
        "fit-many": "Fit a model for each of many files; one that was interrupted goes on.",
        "label": "Say which rows of an unlabelled pool to label next, and take their labels by "
        "single keys.",
        "predict": "Answer new rows: a file, stdin or texts.",
        "detect": "Find things on pictures: COCO JSON, and pictures with boxes drawn.",
        "translate": "Put texts and files of any size into another language.",
        "write": "Answer requests by a model of text_generation: texts and files of any size.",
        "transcribe": "Write down what is said in recordings, with times and subtitles.",
        "speak": "Speak a text by a tuned voice, or by a backbone as it is.",
        "recommend": "Recommend items to somebody, from what they like, with a reason for each.",
        "similar": "List the items that are most like one.",
        "generate": "Draw pictures by a model of image_generation, or by a backbone as it is.",
        "evaluate": "Score a model on labelled rows that it has not seen.",
        "explain": "Say which words and rows an answer came from, and what would change it.",
        "jobs": "List fine-tuning jobs at servers, look at one, cancel or forget it.",
        "compare": "Say which of two models is better on the same rows, with an interval.",
        "export": "Write a model as a plain PEFT adapter or, merged, as a transformers folder.",
    },
    "What there is": {
        "tasks": "List the tasks: what goes in, what comes out, how it is scored.",
        "methods": "List the methods, what each needs and which options it takes.",
        "backbones": "List the engines and pretrained models, and which methods fit each.",
        "models": "List pretrained models, say which suit your rows, or fetch one.",
        "data": "List data sets, or fetch one.",
    },
    "This machine": {
        "doctor": "Check versions, cache, disk, network and devices, with the remedy for each.",
        "cache": "Show or clear what supertune keeps on disk.",
    },
}
SUMMARIES = {name: text for group in COMMANDS.values() for name, text in group.items()}


class Commands(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(SUMMARIES)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in SUMMARIES and not args[0].startswith("-"):
            raise unknown_name("command", args[0], SUMMARIES)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in SUMMARIES:
            return None
        if cmd_name not in self.commands:
            place = cmd_name.replace("-", "_")
            module = importlib.import_module(f"supertune.cli.{place}")
            self.commands[cmd_name] = get_command(module.app)
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for title, commands in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


# The top page is plain: importing rich's own help doubles the time of `supertune --help`.
app = typer.Typer(
    cls=Commands,
    name="supertune",
    help="A few labelled rows in, a tuned model and an honest report out.",
    epilog="Example:  supertune fit reviews.csv",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},
)


def _version(value: bool) -> None:
    if value:
        from supertune import __version__

        typer.echo(f"supertune {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", callback=_version, is_eager=True
    ),
) -> None:
    """A few labelled rows in, a tuned model and an honest report out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 2 can be mended, 1 else, 130 Ctrl-C)."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    _settle(given)
    if not _speaks(given):
        return 0
    terminal = Terminal(color="NO_COLOR" not in os.environ)
    try:
        program = get_command(app)
        code = program.main(given, prog_name="supertune", standalone_mode=False, obj=terminal)
        terminal.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        return _hung_up()
    except SystemExit as end:  # which the parser makes of a broken pipe
        if isinstance(end.__context__, BrokenPipeError):
            return _hung_up()
        raise
    except Exception as error:  # noqa: BLE001  every failure becomes a sentence and a code
        # A mistyped option is found before --json has been read.
        terminal.json = terminal.json or "--json" in given
        terminal.verbose = terminal.verbose or not {"-v", "--verbose"}.isdisjoint(given)
        problem, foreseen = explained(error)
        return terminal.failure(problem, trace=not foreseen)
    if code == INTERRUPTED:
        return terminal.interrupted(shlex.join(["supertune", *given]))
    return code if isinstance(code, int) else 0


def _settle(given: Sequence[str]) -> None:
    """Before any library is imported: no telemetry, no chatter unless asked, one colour rule."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if "--no-color" in given:
        os.environ["NO_COLOR"] = "1"
    if {"-v", "--verbose"}.isdisjoint(given):
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        if not sys.warnoptions:
            import warnings

            warnings.simplefilter("ignore")


def _speaks(given: Sequence[str]) -> bool:
    """Whether this process has anything to do. Of several that ``accelerate launch`` started the
    first speaks and writes; the others share a fit in silence, and nothing else."""
    if launched.first():
        return True
    if "fit" not in given[:1]:
        return False
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  until the process ends
    return True


def _hung_up() -> int:
    """The reader of our output (``| head``) has enough. That is no failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
