"""Every method that tells a style, held to the promises of the others, on the real network."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.pictures.conftest import noise, picture

from supertune import registry
from supertune.artifact import tensor_bytes
from supertune.artifact.tensors import read_tensors
from supertune.config import Recipe
from supertune.contracts import (
    STYLE_LOSSES,
    Examples,
    HeadSpec,
    Lens,
    Painting,
    Problem,
    State,
    Stylized,
    Tuned,
)
from supertune.data.pictures import styles
from supertune.evaluation.splits import repeated_folds
from supertune.pipeline import Workshop
from supertune.training import fitting
from supertune.training.verify import verified

METHODS = [n for n in registry.names("methods") if "stylize" in registry.method(n).objectives]
QUICK: dict[str, dict[str, Any]] = {"style_vector": {"steps": 4}}
HEAD = HeadSpec(4, losses=4)


@pytest.fixture(scope="module")
def rows() -> Examples:
    made = tuple(picture(noise(seed, 48)) for seed in range(4))
    return Examples(made, np.zeros(4, np.int64), STYLE_LOSSES, np.arange(1, 5))


@pytest.fixture(scope="module")
def lens(own_activations: Path) -> Lens:
    workshop = Workshop(Recipe(task="image_stylization", threads=1, resolution=64))
    found = workshop.lens("multistyle")
    assert found is not None
    return found


class Case:
    def __init__(self, name: str, rows: Examples, lens: Lens) -> None:
        self.method = registry.method(name)
        self.options = self.method.options(**QUICK.get(name, {}))
        self.rows, self.lens = rows, lens
        self.tuned = cache(self.fit)

    def problem(self, rows: Examples | None = None) -> Problem:
        return Problem(rows or self.rows, HEAD, self.lens, seed=3)

    def fit(self, rows: Examples | None = None) -> Any:
        return fitting.fit(self.method, self.problem(rows), self.options)

    def bytes(self, tuned: Tuned) -> bytes:
        return tensor_bytes(dict(tuned.state().arrays))

    def again(self, tuned: Tuned) -> Any:
        """From the bytes of its state."""
        state = State(read_tensors(self.bytes(tuned), "style"), dict(tuned.state().settings))
        return fitting.restore(self.method, state, self.options, HEAD, self.lens)


@pytest.fixture(scope="module", params=METHODS)
def case(request: pytest.FixtureRequest, rows: Examples, lens: Lens) -> Case:
    return Case(request.param, rows, lens)


def test_answers_are_losses_beside_those_of_the_nearest_published_style(case: Case) -> None:
    answers = Stylized(case.tuned().logits(case.rows.inputs, case.lens))
    assert answers.losses.shape == (4, HEAD.width)
    assert np.isfinite(answers.losses).all()
    assert (answers.losses > 0).all()
    tuned = case.tuned().tuned_parameters > 0
    assert tuned == (case.method.name == "style_vector")
    assert (answers.own != answers.nearest).all() == tuned
    assert (answers.own < answers.nearest).all() == tuned


def test_the_same_seed_and_rows_give_the_same_bytes(case: Case) -> None:
    assert case.bytes(case.tuned()) == case.bytes(case.fit())


def test_from_the_bytes_of_its_state_it_judges_and_paints_the_same(case: Case) -> None:
    tuned, photograph = case.tuned(), styles.pixels(styles.sample("china.jpg"), 50)
    again = case.again(tuned)
    one, other = (each.logits(case.rows.inputs, case.lens) for each in (tuned, again))
    assert one.tobytes() == other.tobytes()
    assert again.tuned_parameters == tuned.tuned_parameters
    assert isinstance(again, Painting)
    painted = [each.painted(photograph, case.lens) for each in (tuned, again)]
    assert painted[0].tobytes() == painted[1].tobytes()
    assert painted[0].shape == photograph.shape
    assert not verified(case.method, case.problem(), case.options, tuned)


def test_a_pictures_answer_does_not_depend_on_its_neighbours(case: Case) -> None:
    tuned = case.tuned()
    whole = tuned.logits(case.rows.inputs, case.lens)
    alone = np.concatenate([tuned.logits([one], case.lens) for one in case.rows.inputs[::-1]])
    assert whole.tobytes() == alone[::-1].tobytes()


def test_rows_left_out_are_judged_by_models_that_did_not_see_them(case: Case) -> None:
    folds = repeated_folds(case.rows, folds=2, repeats=1, seed=0)
    answers = fitting.out_of_fold(case.method, case.problem(), case.options, folds)
    assert answers.shape == (1, 4, HEAD.width)
    train, test = folds[0][0]
    inputs = [case.rows.inputs[i] for i in test]
    alone = case.fit(case.rows.take(train))
    assert np.array_equal(alone.logits(inputs, case.lens), answers[0, test])


def test_a_fit_that_is_interrupted_leaves_the_network_as_it_was(case: Case) -> None:
    backbone: Any = case.lens.backbone
    before = {name: value.clone() for name, value in backbone.module.state_dict().items()}

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        fitting.fit(case.method, replace(case.problem(), progress=stop), case.options)
    for name, value in backbone.module.state_dict().items():
        assert (value == before[name]).all(), name


def test_photographs_that_a_person_gives_are_split_and_kept_to_be_judged_by(
    rows: Examples, lens: Lens
) -> None:
    given = tuple(picture(noise(seed, 40)) for seed in range(10, 13))
    method = registry.method("style_vector")
    options = method.options(steps=3, batch_size=2)
    tuned: Any = fitting.fit(method, Problem(rows, HEAD, lens, 0, unlabelled=given), options)
    split = styles.photographs(given)
    assert split.own
    assert len(split.tuned) == 2
    assert len(split.judged) == 1
    assert not {one.sha256 for one in split.tuned} & {one.sha256 for one in split.judged}
    assert np.array_equal(tuned.judged[0], styles.pixels(split.judged[0], 64))
    again = fitting.restore(method, tuned.state(), options, HEAD, lens)
    assert np.array_equal(again.logits(rows.inputs, lens), tuned.logits(rows.inputs, lens))
    (said,) = tuned.notes().findings
    assert "1 photograph that tuning did not see" in said.message
    other: Any = fitting.fit(method, Problem(rows, HEAD, lens, 0), options)
    assert not np.array_equal(other.style, tuned.style)


def test_a_style_goes_as_far_as_it_is_told_and_blends(rows: Examples, lens: Lens) -> None:
    method = registry.method("style_vector")
    options = method.options(steps=4)
    one: Any = fitting.fit(method, Problem(rows, HEAD, lens, 0), options)
    other: Any = fitting.fit(method, Problem(rows.take([2]), HEAD, lens, 0), options)
    photograph = styles.pixels(styles.sample("china.jpg"), 40)
    assert np.array_equal(one.blended([], 0.0).style, one.begun)
    half = one.blended([(other, 0.5)], 0.5)
    assert np.allclose(half.style, (one.style + other.style) / 2, atol=1e-6)
    assert np.array_equal(
        one.painted(photograph, lens, 0.5), one.blended([], 0.5).painted(photograph, lens)
    )
    painted = [each.painted(photograph, lens).tobytes() for each in (one, other, half)]
    assert len({*painted, one.painted(photograph, lens, 0.0).tobytes()}) == 4


def test_more_steps_and_a_smaller_weight_of_content_come_nearer(rows: Examples, lens: Lens) -> None:
    method = registry.method("style_vector")
    problem = Problem(rows.take([0]), HEAD, lens, 0)
    losses = {
        keys: Stylized(
            fitting.fit(method, problem, method.options(steps=keys[0], content=keys[1])).logits(
                rows.inputs[:1], lens
            )
        ).losses[0]
        for keys in ((3, 0.0), (24, 0.0), (24, 5.0))
    }
    assert losses[24, 0.0][0] < losses[3, 0.0][0]
    assert losses[24, 0.0][0] < losses[24, 5.0][0]
    assert losses[24, 5.0][2] < losses[24, 0.0][2]
