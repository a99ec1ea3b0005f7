"""Results on stdout, the rest on stderr; with --json exactly one object."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer
from typer.main import get_command

from supertune.cli.options import Command, Group, Json, Quiet, Verbose, terminal
from supertune.cli.terminal import Terminal
from supertune.errors import InputError

PROBLEM = InputError("bad", "It is bad.", received="x" * 50, allowed="y", next="Do z.")


class Window(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def made(**options: bool) -> Terminal:
    return Terminal(stdout=io.StringIO(), stderr=io.StringIO(), **options)


def said(speaker: Terminal) -> tuple[str, str]:
    assert isinstance(speaker.stdout, io.StringIO)
    assert isinstance(speaker.stderr, io.StringIO)
    return speaker.stdout.getvalue(), speaker.stderr.getvalue()


def everything(speaker: Terminal) -> None:
    speaker.result({"value": 1})
    speaker.say("for people")
    speaker.table(("One", "Two"), [("a", None), ("b", 2)])
    speaker.note("about the run")
    speaker.next(["supertune fit"])


def test_with_json_stdout_has_one_object_and_nothing_else() -> None:
    speaker = made(json=True)
    everything(speaker)
    out, err = said(speaker)
    assert json.loads(out) == {"value": 1}
    assert err == "about the run\n"


def test_people_get_the_words_and_no_json() -> None:
    speaker = made()
    everything(speaker)
    out, err = said(speaker)
    assert out.splitlines()[0] == "for people"
    assert [line.split() for line in out.splitlines()[1:4]] == [["One", "Two"], ["a"], ["b", "2"]]
    assert out.endswith("\nNext\n  supertune fit\n")
    assert "value" not in out
    assert err == "about the run\n"


def test_quiet_leaves_out_notes() -> None:
    speaker = made(quiet=True)
    speaker.note("about the run")
    speaker.say("a result")
    assert said(speaker) == ("a result\n", "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.arange(3), [0, 1, 2]),
        (math.nan, None),
        (np.float64(math.inf), None),
        (("a", Path("b")), ["a", "b"]),
        ({1: {"x"}}, {"1": ["x"]}),
        (True, True),
        (None, None),
        ("naïve 中文", "naïve 中文"),
    ],
    ids=str,
)
def test_json_has_plain_values_only(value: object, expected: object) -> None:
    speaker = made(json=True)
    speaker.result({"value": value})
    assert json.loads(said(speaker)[0])["value"] == expected


def test_square_brackets_of_a_persons_own_text_are_no_markup() -> None:
    speaker = made()
    speaker.say("[bold]not bold[/bold]")
    speaker.command("supertune fit [a]")
    speaker.table(("T",), [("[red]x[/red]",)])
    speaker.note("[/]")
    speaker.failure(InputError("c", "[/bad]", received="[/]"))
    out, err = said(speaker)
    assert "[bold]not bold[/bold]" in out
    assert "fit [a]" in out
    assert "[red]x[/red]" in out
    assert "Error: [/bad]" in err


def test_a_command_to_copy_is_never_broken_over_lines() -> None:
    speaker = made()
    speaker.command("supertune " + "x" * 300)
    assert said(speaker)[0].count("\n") == 1


def test_an_error_is_one_object_on_stdout_with_json() -> None:
    speaker = made(json=True)
    assert speaker.failure(PROBLEM) == 2
    out, err = said(speaker)
    assert json.loads(out) == {"error": PROBLEM.as_dict()}
    assert err == ""


def test_an_error_for_people_is_on_stderr_in_order() -> None:
    speaker = made(quiet=True)
    assert speaker.failure(PROBLEM) == 2
    out, err = said(speaker)
    assert out == ""
    lines = [line.split(":")[0] for line in err.splitlines()]
    assert lines == ["Error", "Received", "Allowed", "Next", "Code"]


def test_a_cell_of_ten_megabytes_is_cut_in_an_error() -> None:
    speaker = made()
    speaker.failure(InputError("c", "Too long.", received="x" * 10_000_000))
    assert len(said(speaker)[1]) < 5000


def test_colour_is_for_terminals_and_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def colours(stream: io.StringIO, *, color: bool) -> bool:
        Terminal(color=color, stdout=stream).say("text", style="bold red")
        return "\x1b[" in stream.getvalue() and "31m" in stream.getvalue()

    assert colours(Window(), color=True)
    assert not colours(Window(), color=False)
    assert not colours(io.StringIO(), color=True)


def noisy() -> typer.Typer:
    """An app whose libraries print where they should not."""
    app = typer.Typer(cls=Group, invoke_without_command=True, add_completion=False)

    @app.callback()
    def top(ctx: typer.Context, json: Json = False) -> None:
        if ctx.invoked_subcommand is None:
            print("a stray print")
            terminal(ctx).result({"from": "top"})

    @app.command(cls=Command)
    def inner(
        ctx: typer.Context,
        text: Annotated[str, typer.Option()] = "",
        json: Json = False,
        verbose: Verbose = False,
        quiet: Quiet = False,
    ) -> None:
        sys.stdout.write("another\n")
        speaker = terminal(ctx)
        speaker.note(f"verbose {speaker.verbose}, quiet {speaker.quiet}")
        speaker.result({"from": "inner"})

    return app


@pytest.mark.parametrize(
    ("arguments", "answer", "stray"),
    [
        (["--json"], "top", "a stray print\n"),
        (["inner", "--json"], "inner", "another\nverbose False, quiet False\n"),
        (["--json", "inner", "-v"], "inner", "another\nverbose True, quiet False\n"),
        (["inner", "-q", "--json"], "inner", "another\n"),
    ],
)
def test_what_a_library_prints_never_reaches_the_result(
    arguments: list[str], answer: str, stray: str
) -> None:
    speaker = made()
    get_command(noisy()).main(arguments, standalone_mode=False, obj=speaker)
    out, err = said(speaker)
    assert json.loads(out) == {"from": answer}
    assert err == stray
