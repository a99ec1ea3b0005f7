"""A package of somebody else is held to the same promises, found by its entry points."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THEIRS = ("character_bayes", "rs_lora", "two_labels", "hashed_words")


@pytest.fixture(scope="session")
def theirs(outside: Path) -> subprocess.CompletedProcess[str]:
    """This folder's tests in a process that has the outside package too, for its names alone."""
    command = [sys.executable, "-m", "pytest", str(Path(__file__).parent), "-vv", "-rs"]
    command += [f"--ignore={__file__}", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["-k", " or ".join(THEIRS)]
    path = os.pathsep.join([str(outside), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.mark.slow
def test_an_outside_package_keeps_every_promise(theirs) -> None:
    assert theirs.returncode == 0, theirs.stdout[-5000:] + theirs.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"),
    [("character_bayes", 40), ("rs_lora", 55), ("two_labels", 20), ("hashed_words", 15)],
)
def test_an_outside_name_is_asked_as_much_as_our_own(theirs, name: str, least: int) -> None:
    passed = re.findall(rf"::(test_\w+)\[{name}(?:-[^\]]*)?\] PASSED", theirs.stdout)
    assert len(set(passed)) >= least
