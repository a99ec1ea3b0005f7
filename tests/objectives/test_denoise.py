"""Losses of a denoiser as answers: skill, levels of noise, and what means nothing to them."""

from __future__ import annotations

import numpy as np
import pytest

from supertune import metrics, registry
from supertune.contracts import Asked, Denoised, Examples, HeadSpec, Judged, Picture
from supertune.errors import InputError

JUDGE = registry.objective("denoise")
TASK = registry.task("image_generation")


def rows(count: int) -> Examples:
    made = tuple(Picture.of(bytes([i]), f"{i}.png", caption="a wug") for i in range(count))
    return Examples(made, np.zeros(count, np.int64), ("denoising_loss",), np.arange(1, count + 1))


def losses(own: list[float], untuned: list[float]) -> np.ndarray:
    half = TASK.head(rows(1)).draws
    return np.concatenate(
        [np.repeat(np.array(one)[:, None], half, axis=1) for one in (own, untuned)], axis=1
    )


def test_skill_is_the_share_of_the_untuned_loss_that_is_saved() -> None:
    answers = losses([0.5, 0.2], [1.0, 0.4])
    scores = TASK.score(answers, np.zeros(2))
    assert scores["skill"] == pytest.approx([0.5])
    assert scores["denoising_loss"] == pytest.approx([0.35])
    weighted = TASK.score(losses([1.0, 0.2], [1.0, 0.4]), np.zeros(2), np.array([[1, 0], [0, 1.0]]))
    assert weighted["skill"] == pytest.approx([0.0, 0.5])
    same = TASK.score(losses([0.3], [0.3]), np.zeros(1))
    assert same["skill"].tolist() == [0.0]


def test_losses_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="training diverged"):
        metrics.denoising(losses([float("nan")], [1.0]))


def test_answers_are_written_row_by_row() -> None:
    found = Denoised(losses([0.5, 0.2], [1.0, 0.4]))
    assert found.columns()["denoising_loss"] == [0.5, 0.2]
    assert found.listed()[1] == {"denoising_loss": 0.2, "untuned_loss": 0.4}
    assert found.lines()[0] == "loss 0.5000 (untuned 1.0000)"
    assert found.counts() == {"denoising_loss": 2}
    marked = found.compared(np.array([0.01, 0.9]))
    assert marked.marks() == {"unlike": 1}


def test_pictures_that_tuning_did_not_help_are_named() -> None:
    answers = losses([0.5, 0.9, 0.7], [1.0, 0.8, 0.7])[None]
    found, _ = JUDGE.rows_to_look_at(rows(3), answers, True)
    assert [one["row"] for one in found] == [2, 3]
    assert found[0]["label"] == "a wug"
    assert JUDGE.rows_to_look_at(rows(3), answers, False) == ([], [])


def test_losses_are_shown_from_little_noise_to_much() -> None:
    draws = TASK.head(rows(1)).draws
    row = np.concatenate([np.arange(draws), np.arange(draws) + 100.0])
    found = JUDGE.breakdown(Judged(rows(1), row[None], True), seed=0, costs=None, shown=True)
    bands = found["denoising"]["bands"]
    assert [band["tuned"] for band in bands] == [1.5, 5.5, 9.5, 13.5]
    assert [band["untuned"] for band in bands] == [101.5, 105.5, 109.5, 113.5]


def test_what_means_nothing_to_pictures_is_refused() -> None:
    with pytest.raises(InputError, match="no classes to weigh"):
        JUDGE.row_weights(rows(2), "balanced")
    with pytest.raises(InputError, match="not drawn right or wrong"):
        JUDGE.costs(("a",), [[0.0]])
    with pytest.raises(InputError, match="no coverage"):
        JUDGE.check(Asked(coverage=0.9))
    with pytest.raises(InputError, match="no probabilities"):
        JUDGE.table(Denoised(losses([0.1], [0.2])))
    assert JUDGE.doubt(losses([0.1], [0.2]), HeadSpec(1, draws=16)).tolist() == [1.0]
    assert JUDGE.answers_given(rows(2)) == {"labels": [{"name": "a wug", "rows": 2}]}
    assert {one.code for one in JUDGE.noticed(rows(2), 2)} == {"few_pictures"}
