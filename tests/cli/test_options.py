"""Options that mean the same everywhere, and help pages that show how to begin."""

from __future__ import annotations

import json
import re

import pytest
import typer

from supertune.catalogue import entries
from supertune.cli.main import COMMANDS, SUMMARIES
from supertune.cli.options import example, seconds

LISTING = ["models", "data", "tasks", "methods", "backbones", "cache", "doctor"]
INNER = ["models pull", "data pull", "data sample", "cache show", "cache clear"]


def plain(text: str) -> str:
    """Help without the frames that it is drawn in."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


def test_every_command_stands_in_one_group() -> None:
    assert len(SUMMARIES) == sum(len(group) for group in COMMANDS.values())
    assert set(LISTING) <= set(SUMMARIES)


@pytest.mark.parametrize("command", [*LISTING, *INNER])
def test_help_has_an_example_and_the_options_all_commands_share(supertune, command: str) -> None:
    done = supertune(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    shown = plain(done.out)
    assert re.search(rf"Examples?: supertune {command}", shown)
    for option in ("--json", "--verbose -v", "--quiet -q", "--no-color"):
        assert option in shown
    assert "completion" not in shown, "that is said once, on the first page"


@pytest.mark.parametrize("command", LISTING)
def test_the_first_page_says_of_a_command_what_its_own_page_says(supertune, command: str) -> None:
    assert SUMMARIES[command] in plain(supertune(command, "--help").out)
    assert SUMMARIES[command] in plain(supertune("--help").out)


@pytest.mark.parametrize("command", ["models", "data", "tasks", "methods", "backbones", "cache"])
def test_listing_loads_nothing_heavy(python, command: str) -> None:
    code = """
import json, sys
from supertune.cli.main import main
assert main([sys.argv[1], "--json"]) == 0
heavy = ("torch", "transformers", "peft", "sklearn", "scipy", "pandas", "polars", "pyarrow",
         "jinja2", "huggingface_hub", "tokenizers", "datasets")
print(json.dumps([name for name in heavy if name in sys.modules]), file=sys.stderr)
"""
    done = python(code, command)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr) == []
    assert isinstance(json.loads(done.stdout), dict)


@pytest.mark.parametrize("command", ["models", "data", "tasks", "methods", "backbones", "cache"])
def test_a_list_ends_with_a_next_step_in_both_forms(supertune, command: str) -> None:
    steps = supertune(command, "--json").answer["next"]
    assert steps
    shown = supertune(command).out
    assert shown.endswith("\nNext\n" + "".join(f"  {step}\n" for step in steps))
    for step in steps:
        assert step.split()[:1] == ["supertune"]
        assert step.split()[1] in SUMMARIES


@pytest.mark.parametrize(
    ("text", "expected"),
    [("60", 60), ("60s", 60), ("2m", 120), ("1.5h", 5400), (" 3 MIN ", 180), ("0.5", 0.5)],
)
def test_a_time_is_read_with_its_unit(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "-5", "5d", "soon", "1e3", "nan", "1 2"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 60, 60s, 2m or 1h"):
        seconds(text)


def test_one_example_is_an_example_and_two_are_examples() -> None:
    assert example("a") == "Example:\n\na"
    assert example("a", "b") == "Examples:\n\na\n\nb"


def test_completion_offers_the_names_of_the_catalogue(python) -> None:
    code = "import sys; from supertune.cli.main import main; sys.exit(main([]))"
    given = {"_SUPERTUNE_COMPLETE": "complete_bash", "COMP_WORDS": "supertune models pull "}
    done = python(code, COMP_CWORD="3", **given)
    models = [entry.name for entry in entries.models()]
    assert done.stdout.split() == models, done.stderr
    assert models[:3] == ["minilm", "e5-small", "smollm2"]
    names = ["label_names", "layered_probe", "layernorm", "linear_probe", "linear_regression"]
    names.append("lora")
    given["COMP_WORDS"] = "supertune methods l"
    done = python(code, COMP_CWORD="2", **given)
    assert done.stdout.split() == names, done.stderr
