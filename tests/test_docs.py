"""What pages say is what the code does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_table_in_the_readme_is_the_registry_s() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    assert page["table"]() in (ROOT / "README.md").read_text("utf-8")


def test_the_table_of_peft_s_methods_is_that_of_the_installed_peft() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    text = (ROOT / "docs" / "peft_methods.md").read_text("utf-8")
    assert page["members"]() in text
    assert text.count("| `peft:") == len(page["registry"].families()[0].names())


def test_the_figures_of_several_processes_are_those_of_the_results() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    assert page["scaling"]() in (ROOT / "docs" / "guides" / "scale.md").read_text("utf-8")


def test_the_page_of_findings_is_the_table_of_codes() -> None:
    written = runpy.run_path(str(ROOT / "docs" / "findings.py"))
    assert written["page"]() == (ROOT / "docs" / "guides" / "findings.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_the_two_commands_are_the_first_that_the_readme_shows() -> None:
    first = re.search(r"```\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert first
    assert [line.split("#")[0].strip() for line in first[1].splitlines()] == [
        "make demo",
        "make test",
    ]


def test_every_command_of_the_readme_exists() -> None:
    from supertune.cli.main import SUMMARIES

    shown = re.findall(r"supertune ([a-z]+)\b", (ROOT / "README.md").read_text("utf-8"))
    prose = {"turns", "adds", "on", "yet", "is", "says", "then", "keeps", "gives", "COMMAND"}
    assert {name for name in shown if name not in prose} <= set(SUMMARIES)
