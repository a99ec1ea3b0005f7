"""The guides' code is the code, and it runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from supertune.catalogue.corpora import few_shot
from supertune.config import Recipe
from supertune.contracts import Examples, GradientMethod, HeadSpec, Problem
from supertune.pipeline import Workshop
from supertune.training import fitting

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "add_a_method.md"


def blocks(language: str) -> list[str]:
    found = re.findall(
        rf"^```{language}\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found
    return found


def pieces() -> str:
    """The guide's code as one file: two blank lines stand between its parts."""
    return "\n\n\n".join(block.strip("\n") for block in blocks("python")) + "\n"


def test_the_pieces_together_are_the_method_s_file():
    file = ROOT / "src" / "supertune" / "methods" / "top_blocks.py"
    assert pieces() == file.read_text("utf-8")
    assert len(file.read_text("utf-8").splitlines()) <= 80


@pytest.fixture
def method(tmp_path, monkeypatch):
    """What the guide's code defines, as a module of somebody's own."""
    (tmp_path / "guide_top_blocks.py").write_text(pieces(), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import importlib

    return importlib.import_module("guide_top_blocks").METHOD


def test_what_the_guide_makes_trains_and_is_restored(method, own_activations):
    assert isinstance(method, GradientMethod)
    rows, _ = few_shot("bbc-news", per_class=3, test_rows=1, seed=0)
    labels = tuple(sorted({label for _, label in rows}))
    targets = np.array([labels.index(label) for _, label in rows])
    examples = Examples(tuple(t for t, _ in rows), targets, labels, np.arange(len(rows)) + 1)
    lens = Workshop(Recipe(max_length=32, threads=1)).lens("minilm")
    assert lens is not None
    problem, options = Problem(examples, HeadSpec(len(labels)), lens, 0), method.options(epochs=3)
    tuned = fitting.fit(method, problem, options)
    assert tuned.losses[-1] < tuned.losses[0]
    answers = tuned.logits(examples.inputs, lens)
    assert (answers.argmax(axis=1) == targets).mean() > 0.8
    again = fitting.restore(method, tuned.state(), options, problem.head, lens)
    np.testing.assert_array_equal(again.logits(examples.inputs, lens), answers)


def test_the_entry_point_and_the_commands_are_well_formed():
    (text,) = blocks("toml")
    points = tomllib.loads(text)["project"]["entry-points"]["supertune.methods"]
    assert points == {"top_blocks": "your_package.top_blocks:METHOD"}


def test_the_options_that_its_commands_set_exist(method):
    keys = re.findall(r"--set (\w+)=", GUIDE.read_text("utf-8"))
    assert keys
    assert set(keys) <= set(method.options.model_fields)
