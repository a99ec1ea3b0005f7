"""Losses of a style as answers: skill, content beside it, and what means nothing to them."""

from __future__ import annotations

import numpy as np
import pytest

from supertune import metrics, registry
from supertune.catalogue import bundled
from supertune.contracts import (
    STYLE_LOSSES,
    Asked,
    Examples,
    FloatArray,
    HeadSpec,
    Judged,
    Picture,
    Stylized,
)
from supertune.errors import InputError

JUDGE = registry.objective("stylize")
TASK = registry.task("image_stylization")
ANSWERS = np.array([[0.2, 0.8, 1.5, 1.0], [0.4, 0.4, 2.5, 1.0]])


def rows(count: int) -> Examples:
    made = tuple(Picture.of(bytes([i]), f"{i}.png") for i in range(count))
    return Examples(made, np.zeros(count, np.int64), STYLE_LOSSES, np.arange(1, count + 1))


def scores(answers: FloatArray, weights: FloatArray | None = None) -> dict[str, FloatArray]:
    return TASK.score(answers, np.zeros(len(answers)), weights)


def test_skill_is_the_share_of_the_nearest_styles_loss_that_is_saved() -> None:
    found = scores(ANSWERS)
    assert found["skill"] == pytest.approx([0.5])
    assert found["style_loss"] == pytest.approx([0.3])
    assert found["content_loss"] == pytest.approx([2.0])
    weighted = scores(ANSWERS, np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert weighted["skill"] == pytest.approx([0.75, 0.0])
    assert TASK.head(rows(2)) == HeadSpec(4, losses=4)


def test_losses_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="training diverged"):
        metrics.stylizing(np.full((1, 4), np.nan))


def test_answers_are_written_row_by_row() -> None:
    found = TASK.decode(ANSWERS, STYLE_LOSSES, HeadSpec(4, losses=4))
    assert isinstance(found, Stylized)
    assert found.columns()["content_loss"] == [1.5, 2.5]
    assert found.listed()[0] == dict(zip(STYLE_LOSSES, ANSWERS[0], strict=True))
    assert found.lines()[0] == "style loss 0.200 (nearest published style 0.800)"
    assert found.compared(np.array([0.01, 0.9])).marks() == {"unlike": 1}
    assert JUDGE.array(found, HeadSpec(4, losses=4)).tolist() == [0.2, 0.4]


def test_pictures_that_a_style_comes_no_nearer_to_are_named() -> None:
    found, _ = JUDGE.rows_to_look_at(rows(2), ANSWERS[None], True)
    assert [one["row"] for one in found] == [2]
    assert JUDGE.rows_to_look_at(rows(2), ANSWERS[None], False) == ([], [])
    told = JUDGE.breakdown(Judged(rows(2), ANSWERS, True), seed=0, costs=None, shown=True)
    assert told["stylizing"]["nearest_content_loss"] == 1.0


def test_what_means_nothing_to_a_style_is_refused() -> None:
    with pytest.raises(InputError, match="no classes to weigh"):
        JUDGE.row_weights(rows(2), "balanced")
    with pytest.raises(InputError, match="not painted right or wrong"):
        JUDGE.costs(("a",), [[0.0]])
    with pytest.raises(InputError, match="no coverage"):
        JUDGE.check(Asked(coverage=0.9))
    with pytest.raises(InputError, match="no probabilities"):
        JUDGE.table(Stylized(ANSWERS))
    assert JUDGE.noticed(rows(1), 2) == []


def test_the_picture_of_the_recipe_is_the_same_every_time() -> None:
    first, second = (bundled.picture("waves") for _ in range(2))
    assert first == second
    assert str(first) == "waves.png"
