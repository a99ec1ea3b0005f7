"""Every method that tunes a denoiser, held to the promises of the others, on random weights."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import write_wugs

from supertune import registry
from supertune.artifact import tensor_bytes
from supertune.artifact.tensors import read_tensors
from supertune.config import Recipe
from supertune.contracts import (
    Denoised,
    Examples,
    HeadSpec,
    Lens,
    Picture,
    Problem,
    Sampling,
    State,
    StateFile,
    Tuned,
)
from supertune.evaluation.splits import repeated_folds
from supertune.pipeline import Workshop
from supertune.training import fitting
from supertune.training.denoising import weighting
from supertune.training.verify import verified

METHODS = [n for n in registry.names("methods") if "denoise" in registry.method(n).objectives]
QUICK: dict[str, dict[str, Any]] = {
    "lora": {"epochs": 1, "batch_size": 32, "learning_rate": 0.01},
    "textual_inversion": {"steps": 4},
    "dreambooth": {"steps": 4, "class_pictures": 2, "class_steps": 2},
    "style_norms": {"steps": 4, "crops": 1},
}
SETTINGS = [(name, {}) for name in METHODS]
SETTINGS += [("textual_inversion", {"vectors": 2}), ("dreambooth", {"tune": "all"})]
HEAD = HeadSpec(1, draws=4)
HOW = Sampling(steps=2, guidance=2.0)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Four pictures, called as if they were quarters of one, so that styles take them too."""
    folder = write_wugs(tmp_path_factory.mktemp("rows") / "wugs", 4)
    made = tuple(
        Picture.of(path.read_bytes(), f"all part {place}", caption="a wug clock")
        for place, path in enumerate(sorted(folder.glob("*.png")))
    )
    return Examples(made, np.zeros(4, np.int64), ("denoising_loss",), np.arange(1, 5))


@pytest.fixture(scope="module")
def lens(own_activations: Any, pixel_pipeline: Path) -> Lens:
    found = Workshop(Recipe(task="image_generation", threads=1)).lens(str(pixel_pipeline))
    assert found is not None
    return found


def weights(lens: Lens) -> str:
    backbone: Any = lens.backbone
    total = hashlib.sha256()
    for module in (backbone.unet, backbone.text):
        for name, value in module.state_dict().items():
            total.update(name.encode() + value.numpy().tobytes())
    return total.hexdigest()


class Case:
    def __init__(self, name: str, keys: dict[str, Any], rows: Examples, lens: Lens) -> None:
        self.method = registry.method(name)
        self.options = self.method.options(**{**QUICK.get(name, {}), **keys})
        self.rows, self.lens = rows, lens
        self.tuned = cache(self.fit)

    def problem(self, rows: Examples | None = None) -> Problem:
        return Problem(rows or self.rows, HEAD, self.lens, seed=3)

    def fit(self, rows: Examples | None = None) -> Tuned:
        return fitting.fit(self.method, self.problem(rows), self.options)

    def bytes(self, tuned: Tuned) -> dict[str, bytes]:
        state = tuned.state()
        files = {name: tensor_bytes(dict(one.arrays)) for name, one in state.files.items()}
        return {"": tensor_bytes(dict(state.arrays)), **files}

    def again(self, tuned: Tuned) -> Tuned:
        """From the bytes of its state."""
        held = {name: read_tensors(data, name) for name, data in self.bytes(tuned).items()}
        files = {name: StateFile(arrays) for name, arrays in held.items() if name}
        state = State(held[""], dict(tuned.state().settings), files=files)
        return fitting.restore(self.method, state, self.options, HEAD, self.lens)


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda one: "-".join([one[0], *one[1]]))
def case(request: pytest.FixtureRequest, rows: Examples, lens: Lens) -> Case:
    return Case(*request.param, rows, lens)


def test_answers_are_losses_beside_those_of_the_untuned_denoiser(case: Case) -> None:
    answers = Denoised(case.tuned().logits(case.rows.inputs, case.lens))
    assert answers.losses.shape == (4, HEAD.width)
    assert np.isfinite(answers.losses).all()
    assert (answers.losses > 0).all()
    untuned = fitting.fit(registry.method("untuned"), case.problem(), None)
    plain = Denoised(untuned.logits(case.rows.inputs, case.lens))
    assert np.array_equal(answers.untuned, plain.own)
    if case.method.name != "untuned":
        assert (answers.own != plain.own).all()
        assert case.tuned().tuned_parameters > 0


def test_the_same_seed_and_rows_in_their_order_give_the_same_bytes(case: Case) -> None:
    assert case.bytes(case.tuned()) == case.bytes(case.fit())


def test_fitting_judging_and_drawing_leave_the_weights_as_they_were(case: Case) -> None:
    before = weights(case.lens)
    tuned: Any = case.fit()
    tuned.logits(case.rows.inputs[:1], case.lens)
    tuned.sample(["a wug clock"], [1], HOW, case.lens)
    assert weights(case.lens) == before


def test_from_the_bytes_of_its_state_it_judges_and_draws_the_same(case: Case) -> None:
    tuned: Any = case.tuned()
    again: Any = case.again(tuned)
    one, other = (each.logits(case.rows.inputs, case.lens) for each in (tuned, again))
    assert one.tobytes() == other.tobytes()
    assert again.tuned_parameters == tuned.tuned_parameters
    drawn = [each.sample(["a wug clock"], [1], HOW, case.lens)[0] for each in (tuned, again)]
    assert drawn[0].tobytes() == drawn[1].tobytes()
    said = verified(case.method, case.problem(), case.options, tuned)
    assert {finding.code for finding in said} <= {"nothing_learned"}


def test_what_is_drawn_is_drawn_as_tuned(case: Case) -> None:
    untuned: Any = fitting.fit(registry.method("untuned"), case.problem(), None)
    tuned: Any = case.tuned()
    before, after = (
        each.sample(["a wug clock"], [2], HOW, case.lens)[0].astype(int)
        for each in (untuned, tuned)
    )
    assert (before == after).all() == (case.method.name == "untuned")


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
    alone = case.fit(case.rows.take(train))
    inputs = [case.rows.inputs[i] for i in test]
    assert np.array_equal(alone.logits(inputs, case.lens), answers[0, test])


def test_the_frozen_part_is_computed_once(case: Case) -> None:
    lens: Any = case.lens
    case.tuned()
    before = lens.computed
    case.fit()
    assert lens.computed == before


def test_a_fit_that_is_interrupted_leaves_the_weights(case: Case) -> None:
    before = weights(case.lens)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    problem = replace(case.problem(), progress=stop)
    with contextlib.suppress(KeyboardInterrupt):
        fitting.fit(case.method, problem, case.options)
    assert weights(case.lens) == before


@pytest.mark.parametrize("name", [name for name in METHODS if name != "untuned"])
def test_learning_brings_the_loss_down(name: str, rows: Examples, lens: Lens) -> None:
    method = registry.method(name)
    longer = {"steps": 40, "class_pictures": 0} if name != "lora" else {"epochs": 2}
    known = {key: value for key, value in longer.items() if key in method.options.model_fields}
    options = method.options(**{**QUICK[name], **known})
    tuned: Any = fitting.fit(method, Problem(rows, HEAD, lens, seed=0), options)
    found = Denoised(tuned.logits(rows.inputs, lens))
    assert found.own.mean() < found.untuned.mean()
    curve = tuned.notes().curves[0]
    assert len(curve.points) == (40 if name != "lora" else 32)


def test_a_style_goes_as_far_as_it_is_told_and_blends(rows: Examples, lens: Lens) -> None:
    from supertune.training import drawing

    method = registry.method("style_norms")
    options = method.options(steps=8, crops=1, learning_rate=0.05)
    one: Any = fitting.fit(method, Problem(rows, HEAD, lens, seed=0), options)
    other: Any = fitting.fit(method, Problem(rows.take([0, 1]), HEAD, lens, seed=1), options)
    untuned: Any = fitting.fit(registry.method("untuned"), Problem(rows, HEAD, lens, 0), None)

    def drawn(tuned: Any, **how: Any) -> bytes:
        return drawing.drawn(tuned, lens, "a cat", steps=2, **how)[0].tobytes()

    assert drawn(one, strength=0.0) == drawn(untuned)
    assert drawn(one, strength=1.0) == drawn(one)
    half, blend = drawn(one, strength=0.5), drawn(one, strength=0.5, others=[(other, 0.5)])
    assert len({half, blend, drawn(one), drawn(untuned), drawn(other)}) == 5


def test_min_snr_weights_are_those_of_the_paper() -> None:
    ratio = np.array([0.5, 5.0, 50.0])
    assert weighting(ratio, "epsilon", 5.0).tolist() == [1.0, 1.0, 0.1]
    assert np.allclose(weighting(ratio, "v_prediction", 5.0), [0.5 / 1.5, 5 / 6, 5 / 51])
    assert weighting(ratio, "sample", 5.0).tolist() == [0.5, 5.0, 5.0]
