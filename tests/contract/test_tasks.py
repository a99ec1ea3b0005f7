"""What every registered task owes the pipeline, and those that answer with labels."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from tests.data.sounds.conftest import RATE, melody

from supertune import registry
from supertune.contracts import Columns, HeadSpec, Objective
from supertune.errors import InputError

LABELS = ("left", "right")
ONE, SEVERAL = HeadSpec(2), HeadSpec(2, multi_label=True)
COSTS = np.array([[0.0, 1.0], [20.0, 0.0]])  # to answer "left" where "right" is true is dear
LOGITS = np.random.default_rng(0).normal(0, 2, (12, 2)).astype(np.float32)


TASKS = registry.names("tasks")


@pytest.fixture(scope="session", params=TASKS)
def any_task(request):
    return registry.task(request.param)


@pytest.fixture(
    scope="session", params=[n for n in TASKS if registry.task(n).objective == "classify"]
)
def task(request):
    return registry.task(request.param)


@pytest.fixture(scope="session")
def pairs(task, news):
    """Rows of two labels as a person gives them: texts, pictures of unlike grain, or tones."""
    if "audio" in task.modalities:
        return [
            ((melody(seed + shift), RATE), label)
            for seed in range(8)
            for label, shift in (("fine", 0), ("coarse", 50))
        ]
    if "image" not in task.modalities:
        return [pair for pair in news.pairs if pair[1] != "tech"]
    drawn = np.random.default_rng(0)
    return [
        (drawn.integers(0, 256, (size, size, 3), dtype=np.uint8), label)
        for _ in range(8)
        for label, size in (("fine", 48), ("coarse", 24))
    ]


@pytest.fixture(scope="session")
def reading(task, pairs):
    return task.read(pairs, Columns())


def inputs(reading, pairs):
    """What is read of rows."""
    rows = registry.modality(reading.columns.modality)
    return tuple(rows.given([value for value, _ in pairs], reading.columns))


def test_its_name_is_its_key_and_its_summary_one_line(any_task):
    assert registry.task(any_task.name) is any_task
    assert 10 <= len(any_task.summary) <= 120
    assert any_task.summary == " ".join(any_task.summary.split())
    assert set(any_task.modalities) <= set(registry.names("modalities"))
    assert any_task.modalities


def test_its_objective_is_one_that_some_method_serves(any_task):
    assert any_task.objective in get_args(Objective)
    assert any(any_task.objective in method.objectives for method in registry.methods())
    objective = registry.objective(any_task.objective)
    assert objective.name == any_task.objective
    for name in (*objective.baselines, *objective.tried(any_task.modalities[0])):
        assert any_task.objective in registry.method(name).objectives
    assert {name for name, _ in objective.rivals} <= set(objective.baselines)
    assert objective.tolerance >= 0
    # What decides among candidates that cannot be told apart is a loss.
    assert objective.decider is None or any_task.metrics[objective.decider] is False


def test_its_default_metric_is_one_of_its_own(any_task):
    assert any_task.default_metric in any_task.metrics
    assert all(type(larger) is bool for larger in any_task.metrics.values())


def test_it_reads_every_row_with_its_answer(task, pairs, reading):
    rows = reading.train
    assert rows.inputs == inputs(reading, pairs)
    assert [rows.labels[i] for i in rows.targets] == [label for _, label in pairs]
    assert rows.rows.tolist() == list(range(1, len(pairs) + 1))
    assert reading.test is None


def test_rows_to_judge_by_have_the_same_labels_in_the_same_order(task, reading, pairs):
    whole = task.read(pairs[:8], Columns(), test=pairs[8:])
    assert whole.test is not None
    assert whole.test.labels == whole.train.labels == reading.train.labels
    assert whole.test.inputs == inputs(reading, pairs[8:])


def test_rows_are_judged_by_the_labels_of_a_model_in_the_model_s_order(task, reading, pairs):
    labels = reading.train.labels[::-1]
    judged = task.read(pairs, reading.columns, labels=labels)
    assert judged.train.labels == labels
    assert [labels[i] for i in judged.train.targets] == [label for _, label in pairs]


def test_rows_without_answers_cannot_be_learned_from(task):
    with pytest.raises(InputError):
        task.read(["one text", "another text"], Columns())


@pytest.mark.parametrize("window", [1, 5, 4096])
def test_a_stream_holds_what_reading_holds_window_by_window(task, reading, pairs, window):
    windows = list(task.stream(pairs, reading.columns, window))
    assert tuple(text for _, inputs in windows for text in inputs) == reading.train.inputs
    assert max(len(inputs) for _, inputs in windows) == min(window, len(pairs))


def test_its_head_has_one_output_a_label(task, reading):
    assert task.head(reading.train) == HeadSpec(len(reading.train.labels))


def test_one_answer_a_row_with_probabilities_that_sum_to_one(task):
    found = task.decode(LOGITS, LABELS, ONE)
    assert len(found) == len(found.labels) == len(LOGITS)
    assert found.names == LABELS
    assert found.probabilities.shape == (len(LOGITS), 2)
    assert found.confidence.shape == (len(LOGITS),)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    assert found.labels == tuple(LABELS[i] for i in LOGITS.argmax(axis=1))


def test_confidence_is_the_probability_of_what_is_answered(task):
    for costs in (None, COSTS):
        found = task.decode(LOGITS, LABELS, ONE, costs)
        place = [LABELS.index(label) for label in found.labels]
        own = found.probabilities[np.arange(len(place)), place]
        np.testing.assert_array_equal(found.confidence, own)


def test_costs_move_the_answer_to_the_cheapest_and_leave_the_probabilities(task):
    plain = task.decode(LOGITS, LABELS, ONE)
    found = task.decode(LOGITS, LABELS, ONE, COSTS)
    expected = (plain.probabilities @ COSTS).argmin(axis=1)
    assert found.labels == tuple(LABELS[i] for i in expected)
    assert found.labels != plain.labels
    np.testing.assert_array_equal(found.probabilities, plain.probabilities)


def test_of_several_labels_all_from_a_half_on_are_answered(task):
    found = task.decode(LOGITS, LABELS, SEVERAL)
    on = LOGITS >= 0
    assert found.labels == tuple(
        tuple(name for name, is_on in zip(LABELS, row, strict=True) if is_on) for row in on
    )
    np.testing.assert_allclose(found.probabilities, 1 / (1 + np.exp(-LOGITS.astype(np.float64))))


@pytest.mark.parametrize("head", [ONE, SEVERAL], ids=["one", "several"])
def test_a_row_is_answered_alike_alone_and_among_others(task, head):
    whole = task.decode(LOGITS, LABELS, head)
    for row in range(len(LOGITS)):
        alone = task.decode(LOGITS[row : row + 1], LABELS, head)
        assert alone.labels == whole.labels[row : row + 1]
        np.testing.assert_array_equal(alone.probabilities[0], whole.probabilities[row])


@pytest.mark.parametrize("head", [ONE, SEVERAL], ids=["one", "several"])
def test_no_rows_have_no_answers(task, head):
    found = task.decode(np.zeros((0, 2)), LABELS, head)
    assert (len(found), found.probabilities.shape) == (0, (0, 2))


@pytest.mark.parametrize("head", [ONE, SEVERAL], ids=["one", "several"])
def test_scores_of_any_size_are_answered_with_probabilities(task, head):
    logits = np.array([[1e4, -1e4], [-1e4, -1e4], [0.0, 0.0]])
    chances = task.decode(logits, LABELS, head).probabilities
    assert ((chances >= 0) & (chances <= 1)).all()


@pytest.fixture(scope="session")
def scored(task):
    """Probabilities of 12 rows, and answers that are partly others."""
    targets = LOGITS.argmax(axis=1)
    targets[::4] = 1 - targets[::4]
    return task.decode(LOGITS, LABELS, ONE).probabilities, targets


def test_every_metric_is_one_of_its_own_and_the_default_is_there(task, scored):
    found = task.score(*scored)
    assert set(found) <= set(task.metrics)
    assert task.default_metric in found
    for name, values in found.items():
        assert values.shape == (1,), name
        assert np.isfinite(values).all(), name


def test_right_answers_score_better_than_wrong_ones(task, scored):
    targets = scored[1]
    sure = np.eye(2)[targets] * 0.98 + 0.01
    right, wrong = task.score(sure, targets), task.score(sure, 1 - targets)
    for name, values in right.items():
        if task.metrics[name]:
            assert values[0] > wrong[name][0], name
        else:
            assert values[0] < wrong[name][0], name


def test_weights_score_like_rows_written_out_as_often(task, scored):
    chances, targets = scored
    weights = np.random.default_rng(1).integers(0, 4, (6, len(targets)))
    found = task.score(chances, targets, weights.astype(float))
    for number, counts in enumerate(weights):
        alone = task.score(chances.repeat(counts, axis=0), targets.repeat(counts))
        for name, values in found.items():
            assert values.shape == (6,), name
            assert values[number] == pytest.approx(alone[name][0], abs=1e-12), name


def test_no_weights_are_weights_of_one(task, scored):
    ones = task.score(*scored, np.ones((1, len(LOGITS))))
    for name, values in task.score(*scored).items():
        np.testing.assert_allclose(values, ones[name], rtol=1e-12)


def test_the_order_of_rows_does_not_move_a_score(task, scored):
    chances, targets = scored
    there, back = task.score(chances, targets), task.score(chances[::-1], targets[::-1])
    for name, values in there.items():
        np.testing.assert_allclose(values, back[name], rtol=1e-12)


def test_reading_leaves_what_it_was_given(task, pairs):
    given = list(pairs)
    before = list(given)
    task.read(given, replace(Columns()))
    assert all(now is then for now, then in zip(given, before, strict=True))
