"""``supertune compare``: which of two models is better, or that the rows cannot tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import QUICK, Run, write_rows

import supertune as product
from supertune.catalogue.corpora import few_shot


@pytest.fixture(scope="module")
def pair(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """BBC news: a model with right labels, one with wrong labels, one alike the first, rows."""
    folder = tmp_path_factory.mktemp("compare")
    rows, held = few_shot("bbc-news", per_class=4, test_rows=60, seed=2)
    labels = sorted({label for _, label in rows})
    wrong = [(t, labels[(labels.index(y) + 1) % len(labels)]) for t, y in rows]
    for name, given in (("right", rows), ("wrong", wrong), ("same", rows)):
        product.fit(given, output=folder / name, **{**QUICK, "folds": 2, "repeats": 1})
    test = write_rows(folder / "held.csv", held, ("text", "label"))
    return folder / "right", folder / "wrong", folder / "same", test


def test_the_better_model_is_named_whichever_comes_first(
    supertune: Run, pair: tuple[Path, ...]
) -> None:
    right, wrong, _, rows = pair
    done = supertune("compare", right, wrong, rows, "--json")
    assert (done.code, done.err) == (0, "")
    answer = done.answer
    assert answer["answer"] == "a"
    assert answer["difference"]["low"] > 0
    gap = answer["a"]["value"] - answer["b"]["value"]
    assert answer["difference"]["value"] == pytest.approx(gap)
    assert answer["rows"] == 60
    assert any(str(right) in step for step in answer["next"])
    turned = supertune("compare", wrong, right, rows, "--json").answer
    assert turned["answer"] == "b"
    assert turned["difference"]["value"] == pytest.approx(-gap)
    assert turned["difference"]["high"] < 0


def test_equal_models_cannot_be_told_apart(supertune: Run, pair: tuple[Path, ...]) -> None:
    right, _, same, rows = pair
    answer = supertune("compare", right, same, rows, "--json").answer
    assert answer["answer"] == "cannot_tell"
    assert answer["difference"]["value"] == 0
    shown = supertune("compare", right, same, rows)
    assert "cannot tell" in shown.out
    assert "Next" in shown.out


def test_python_says_the_same(supertune: Run, pair: tuple[Path, ...]) -> None:
    right, wrong, _, rows = pair
    answer = supertune("compare", right, wrong, rows, "--json").answer
    found = product.compare(right, product.load(wrong), rows)
    assert found["difference"] == answer["difference"]
    assert found["text"] == answer["text"]


def test_models_of_different_labels_are_not_compared(
    supertune: Run, pair: tuple[Path, ...], words: Path
) -> None:
    done = supertune("compare", pair[0], words, pair[3], "--json")
    assert (done.code, done.error["code"]) == (2, "labels_differ")
