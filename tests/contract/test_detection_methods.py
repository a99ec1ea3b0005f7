"""What every method that answers with boxes promises, on small pictures: on nanodet-g's real
weights, and those that it does not take on a tiny random DETR."""

from __future__ import annotations

import contextlib
import hashlib
import io
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.tiny_detectors import written

from supertune import registry
from supertune.artifact.tensors import read_tensors, tensor_bytes
from supertune.catalogue.resolve import resolve
from supertune.config import Recipe
from supertune.contracts import (
    BackboneRef,
    Examples,
    FloatArray,
    GradientMethod,
    HeadSpec,
    Lens,
    Picture,
    Problem,
    State,
    Tuned,
    misfit,
    options_of,
)
from supertune.evaluation.splits import repeated_folds
from supertune.pipeline import Workshop
from supertune.training import fitting
from supertune.training.verify import verified

DETECTORS = [
    name for name in registry.names("methods") if "detect" in registry.method(name).objectives
]
QUICK = {"steps": 3, "batch_size": 2, "views": 1}
NANODET = registry.engine("detectors").offers(
    BackboneRef("nanodet-g", "detectors", resolve("nanodet-g").folder)
)
# By name of the method, its keys, and whether on the tiny DETR.
SETTINGS: list[tuple[str, dict[str, Any], bool]] = [
    *(
        (name, {}, misfit(registry.method(name), "detect", NANODET, "image") is not None)
        for name in DETECTORS
    ),
    ("detection_head", {"blocks": 2, "tile": 70}, False),
    ("detection_head", {}, True),
    ("pretrained_classes", {}, True),
    ("peft:LOHA", {"r": 2}, True),
]


def drawn(seed: int) -> tuple[Picture, FloatArray]:
    """A picture of noise with a red disc and a blue square on it, and their boxes."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(90, 160, (90, 110, 3)).astype(np.uint8))
    pen, boxes = ImageDraw.Draw(image), []
    for label, colour in enumerate(("red", "blue")):
        x, y, size = rng.integers(0, 50), rng.integers(0, 40), rng.integers(25, 45)
        (pen.ellipse if label == 0 else pen.rectangle)([x, y, x + size, y + size], fill=colour)
        boxes.append([x, y, x + size, y + size, label])
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return Picture.of(stream.getvalue(), f"{seed}.png"), np.array(boxes, dtype=np.float64)


@pytest.fixture(scope="module")
def rows() -> Examples:
    """Five pictures, the last one without boxes."""
    made = [drawn(seed) for seed in range(5)]
    targets = np.stack([boxes for _, boxes in made])
    targets[-1] = -1.0
    return Examples(tuple(one for one, _ in made), targets, ("apple", "box"), np.arange(1, 6))


@pytest.fixture(scope="module")
def lens(own_activations: Any) -> Lens:
    found = Workshop(Recipe(resolution=96, threads=1)).lens("nanodet-g")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def tiny_lens(own_activations: Any, tmp_path_factory: pytest.TempPathFactory) -> Lens:
    folder = written("detr", tmp_path_factory.mktemp("tiny") / "tiny-random-detr")
    found = Workshop(Recipe(resolution=96, threads=1)).lens(str(folder))
    assert found is not None
    return found


def weights(lens: Lens) -> str:
    module: Any = lens.backbone.module  # type: ignore[attr-defined]
    parts = [value.numpy().tobytes() for value in module.state_dict().values()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


class Case:
    def __init__(self, name: str, keys: dict[str, Any], rows: Examples, lens: Lens) -> None:
        self.method = registry.method(name)
        quick = QUICK if isinstance(self.method, GradientMethod) else {}
        self.options = options_of(self.method, "detect")(**{**quick, **keys})
        self.rows, self.lens = rows, lens
        self.head = HeadSpec(2, boxes=20)
        self.tuned = cache(self.fit)

    def problem(self, rows: Examples | None = None) -> Problem:
        return Problem(rows or self.rows, self.head, self.lens, seed=3)

    def fit(self, rows: Examples | None = None) -> Tuned:
        return fitting.fit(self.method, self.problem(rows), self.options)

    def bytes(self, tuned: Tuned) -> bytes:
        return tensor_bytes(dict(tuned.state().arrays))


def called(setting: tuple[str, dict[str, Any], bool]) -> str:
    return "-".join([setting[0], *setting[1], *(["tiny_detr"] if setting[2] else [])])


@pytest.fixture(scope="module", params=SETTINGS, ids=called)
def case(request: pytest.FixtureRequest, rows: Examples, lens: Lens, tiny_lens: Lens) -> Case:
    name, keys, tiny = request.param
    return Case(name, keys, rows, tiny_lens if tiny else lens)


def test_answers_are_boxes_inside_the_picture_the_surest_first(case: Case) -> None:
    answers = case.tuned().logits(case.rows.inputs, case.lens)
    assert answers.shape == (5, case.head.width)
    boxes = answers.reshape(5, 20, 6)
    there = boxes[..., 5] >= 0
    assert np.isfinite(answers).all()
    assert (boxes[~there] == -1).all()
    assert (boxes[there][:, [0, 1]] >= 0).all()
    assert (boxes[there][:, 2] <= 110).all()
    assert (boxes[there][:, 3] <= 90).all()
    assert ((boxes[there][:, 4] >= 0) & (boxes[there][:, 4] <= 1)).all()
    assert set(boxes[there][:, 5]) <= {0.0, 1.0}
    for row in boxes:
        known = row[row[:, 5] >= 0, 4]
        assert (np.diff(known) <= 0).all()


def test_the_same_seed_and_rows_in_their_order_give_the_same_bytes(case: Case) -> None:
    assert case.bytes(case.tuned()) == case.bytes(case.fit())


def test_fitting_and_answering_leave_the_weights_as_they_were(case: Case) -> None:
    before = weights(case.lens)
    case.fit().logits(case.rows.inputs[:1], case.lens)
    assert weights(case.lens) == before == weights(case.lens)


def test_from_the_bytes_of_its_state_it_answers_the_same_bits(case: Case) -> None:
    tuned = case.tuned()
    state = tuned.state()
    kept = State(read_tensors(case.bytes(tuned), "state"), dict(state.settings))
    again = fitting.restore(case.method, kept, case.options, case.head, case.lens)
    one, other = (each.logits(case.rows.inputs, case.lens) for each in (tuned, again))
    assert one.tobytes() == other.tobytes()
    assert again.tuned_parameters == tuned.tuned_parameters
    said = verified(case.method, case.problem(), case.options, tuned)
    assert {one.code for one in said} <= {"nothing_found"}


def test_a_pictures_answer_does_not_depend_on_its_neighbours(case: Case) -> None:
    tuned = case.tuned()
    whole = tuned.logits(case.rows.inputs, case.lens)
    alone = np.concatenate([tuned.logits([one], case.lens) for one in case.rows.inputs[::-1]])
    assert whole.tobytes() == alone[::-1].tobytes()


def test_rows_left_out_are_answered_by_models_that_did_not_see_them(case: Case) -> None:
    folds = repeated_folds(case.rows, folds=2, repeats=1, seed=0)
    answers = fitting.out_of_fold(case.method, case.problem(), case.options, folds)
    assert answers.shape == (1, 5, case.head.width)
    train, test = folds[0][0]
    alone = case.fit(case.rows.take(train))
    inputs = [case.rows.inputs[i] for i in test]
    assert np.allclose(alone.logits(inputs, case.lens), answers[0, test], atol=1e-3)


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


def test_a_known_class_is_mapped_by_its_name(rows: Examples, lens: Lens) -> None:
    method = registry.method("pretrained_classes")
    tuned = fitting.fit(method, Problem(rows, HeadSpec(2, boxes=20), lens, 0), method.options())
    assert tuned.state().arrays["classes"].tolist() == [47, -1]  # COCO knows apples, and no boxes


def test_learning_finds_what_it_was_shown(rows: Examples, own_activations: Any) -> None:
    from supertune import average_precision

    lens = Workshop(Recipe(resolution=96, threads=1)).lens("nanodet-g")
    assert lens is not None
    method = registry.method("detection_head")
    problem = Problem(rows, HeadSpec(2, boxes=20), lens, 0)
    tuned = fitting.fit(method, problem, method.options(steps=60, batch_size=4, views=1, blocks=1))
    assert rows.targets is not None
    answers = tuned.logits(rows.inputs, lens).reshape(5, 20, 6)
    assert average_precision.scores(answers, rows.targets)["map50"][0] > 0.8
