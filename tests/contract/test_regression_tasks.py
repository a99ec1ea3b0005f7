"""What every task that answers with values owes the pipeline."""

from __future__ import annotations

import numpy as np
import pytest

from supertune import registry
from supertune.contracts import Columns, HeadSpec, Values
from supertune.errors import InputError

HEAD = HeadSpec(1, valued=True)
OUTPUTS = np.random.default_rng(0).normal(50, 20, (12, 1))
TARGETS = OUTPUTS[:, 0] + np.random.default_rng(1).normal(0, 5, 12)


@pytest.fixture(
    scope="session",
    params=[n for n in registry.names("tasks") if registry.task(n).objective == "regress"],
)
def task(request):
    return registry.task(request.param)


@pytest.fixture(scope="session")
def reading(task, measured):
    return task.read(measured.dicts, Columns())


def test_it_reads_every_row_with_its_value(task, measured, reading):
    rows = reading.train
    assert rows.valued
    assert rows.columns == ("a", "b", "c")
    assert rows.labels == ("price",)
    assert rows.inputs == measured.numbers.inputs
    np.testing.assert_array_equal(rows.targets, measured.numbers.targets)
    assert all(type(cell) is float for row in rows.inputs for cell in row)


def test_rows_to_judge_by_are_read_by_the_same_columns(task, measured):
    dicts = measured.dicts
    whole = task.read(dicts[:16], Columns(), test=dicts[16:])
    assert whole.test is not None
    assert whole.test.columns == whole.train.columns
    assert whole.test.inputs == measured.numbers.inputs[16:]


def test_rows_are_judged_by_the_columns_of_a_model(task, measured, reading):
    judged = task.read(measured.dicts, reading.columns, labels=("price",))
    assert judged.train.inputs == reading.train.inputs
    np.testing.assert_array_equal(judged.train.targets, reading.train.targets)


@pytest.mark.parametrize("window", [1, 5, 4096])
def test_a_stream_holds_what_reading_holds_window_by_window(task, measured, reading, window):
    windows = list(task.stream(measured.dicts, reading.columns, window))
    assert tuple(row for _, inputs in windows for row in inputs) == reading.train.inputs


def test_rows_without_values_cannot_be_learned_from(task):
    with pytest.raises(InputError):
        task.read(["one text", "another text"], Columns())


def test_its_head_has_one_output_that_is_a_value(task, reading):
    assert task.head(reading.train) == HEAD


def test_outputs_are_the_values_themselves(task):
    found = task.decode(OUTPUTS, ("price",), HEAD)
    assert isinstance(found, Values)
    assert len(found) == 12
    np.testing.assert_array_equal(found.scored, OUTPUTS)


def test_a_row_is_answered_alike_alone_and_among_others(task):
    whole = task.decode(OUTPUTS, ("price",), HEAD)
    for row in range(len(OUTPUTS)):
        alone = task.decode(OUTPUTS[row : row + 1], ("price",), HEAD)
        assert alone.values[0] == whole.values[row]


def test_no_rows_have_no_answers(task):
    found = task.decode(np.zeros((0, 1)), ("price",), HEAD)
    assert (len(found), found.scored.shape) == (0, (0, 1))


def test_every_metric_is_one_of_its_own_and_the_default_is_there(task):
    found = task.score(OUTPUTS, TARGETS)
    assert set(found) == set(task.metrics)
    assert task.default_metric in found
    for values in found.values():
        assert values.shape == (1,)
        assert np.isfinite(values).all()


def test_nearer_answers_score_better(task):
    near, far = task.score(OUTPUTS, TARGETS), task.score(OUTPUTS + 30, TARGETS)
    for name, larger in task.metrics.items():
        assert (near[name][0] > far[name][0]) == larger, name


def test_weights_score_like_rows_written_out_as_often(task):
    weights = np.random.default_rng(1).integers(0, 4, (6, 12))
    found = task.score(OUTPUTS, TARGETS, weights.astype(float))
    for number, counts in enumerate(weights):
        alone = task.score(OUTPUTS.repeat(counts, axis=0), TARGETS.repeat(counts))
        for name, values in found.items():
            assert values[number] == pytest.approx(alone[name][0], rel=1e-10), name


def test_the_order_of_rows_does_not_move_a_score(task):
    there, back = task.score(OUTPUTS, TARGETS), task.score(OUTPUTS[::-1], TARGETS[::-1])
    for name, values in there.items():
        np.testing.assert_allclose(values, back[name], rtol=1e-12)
