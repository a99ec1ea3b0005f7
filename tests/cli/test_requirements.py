"""Version ranges are understood as pip understands them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from supertune.cli.requirements import Requirement, declared, within

RANGES = [
    ">=2.4,<3",
    ">=3.1.6,<4",
    "==6.2.*",
    "!=6.2.*",
    "~=1.4.2",
    "~=2.2",
    "==2.13.0",
    "!=2.13",
    ">0.9",
    "<=1.10",
    "",
]
VERSIONS = ["0.9", "1.4.2", "1.4.10", "1.10", "1.9.9", "2.2", "2.4.0", "2.13", "2.13.0", "3"]
VERSIONS += ["3.1.5", "3.1.6", "3.99", "4.0", "6.2", "6.2.7", "6.20", "10.0"]


@pytest.mark.parametrize("wanted", RANGES)
def test_a_range_holds_what_pip_says_it_holds(wanted: str) -> None:
    expected = {version: version in SpecifierSet(wanted) for version in VERSIONS}
    assert {version: within(version, wanted) for version in VERSIONS} == expected


def test_a_local_build_counts_as_its_release() -> None:
    assert within("2.13.0+cpu", ">=2.13,<3")
    assert within("2.13.0+cu128", "==2.13.0")


def named(package: str) -> str:
    """Upper and lower case, hyphen and underscore are one in a package's name."""
    return package.lower().replace("_", "-")


def test_every_requirement_of_the_project_is_read() -> None:
    root = Path(__file__).resolve().parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    found = {named(each.name): each for each in declared() if each.extra is None}
    for line in project["dependencies"]:
        match = re.fullmatch(r"([\w.-]+)(.*)", line)
        assert match is not None
        each = found.pop(named(match[1]))
        for version in ("0.1", "1.5", "2.13", "3.5.2", "15.0", "99.0"):
            assert within(version, each.range) == (version in SpecifierSet(match[2])), line
        assert each.satisfied, f"{each.name} {each.installed} is not {each.range}"
        assert each.command.startswith(f'pip install "{each.name}')
    assert found == {}
    extras = {each.extra for each in declared()} - {None}
    assert {"files", "dev"} <= extras


def test_a_package_that_is_not_there_satisfies_nothing() -> None:
    assert not Requirement("no-such-package", ">=1", None, None).satisfied
    assert Requirement("a-package", ">=1", None, "1.0").satisfied
