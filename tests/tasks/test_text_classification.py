"""The task as the pipeline uses it: reading, streaming, deciding, scoring."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from supertune import metrics, registry
from supertune.catalogue.corpora import few_shot
from supertune.contracts import Columns, HeadSpec, Task
from supertune.errors import InputError
from supertune.tasks.text_classification import TASK

LABELS = ("a", "b", "c")
ONE, SEVERAL = HeadSpec(3), HeadSpec(3, multi_label=True)


@pytest.fixture(scope="module")
def reviews() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return few_shot("amazon-fr", per_class=8, test_rows=20, seed=0)


def written(path: Path, rows: list[tuple[str, str]], names: tuple[str, str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([names, *rows])
    return path


def test_it_is_the_registered_task_and_keeps_the_contract() -> None:
    task: Task = TASK
    assert registry.task("text_classification") is task
    assert (task.objective, task.modalities) == ("classify", ("text",))
    assert task.default_metric == "accuracy"
    assert set(task.metrics) == set(metrics.CLASSIFICATION) | set(metrics.MULTI_LABEL)


# --- reading ----------------------------------------------------------------------------------


def test_pairs_and_a_file_are_read_alike(reviews: Any, tmp_path: Path) -> None:
    train, test = reviews
    listed = TASK.read(train, Columns(), test=test)
    path = written(tmp_path / "avis.csv", train, ("avis", "note"))
    held = written(tmp_path / "test.csv", test, ("avis", "note"))
    filed = TASK.read(path, Columns(text=("avis",), label="note"), test=held)
    assert listed.train.inputs == filed.train.inputs == tuple(text for text, _ in train)
    assert listed.train.labels == filed.train.labels == ("negative", "positive")
    assert listed.train.targets is not None
    assert np.array_equal(listed.train.targets, filed.train.targets)  # type: ignore[arg-type]
    assert listed.test is not None
    assert filed.test is not None
    assert listed.test.inputs == filed.test.inputs
    assert listed.columns == Columns(("text",), "label")
    assert filed.columns == Columns(("avis",), "note")


def test_a_file_is_understood_without_a_word(reviews: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "avis.csv", reviews[0], ("commentaire", "polarité"))
    reading = TASK.read(path, Columns())
    assert reading.columns == Columns(("commentaire",), "polarité")
    assert any(guess.startswith("text: column 'commentaire'") for guess in reading.guesses)
    assert len(reading.samples) == 3
    assert {sample["label"] for sample in reading.samples} == {"negative", "positive"}
    assert all(0 < len(sample["text"]) <= 120 for sample in reading.samples)
    assert reading.source.endswith("avis.csv")


def test_texts_without_labels_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        TASK.read(["one text", "another text"], Columns())
    assert caught.value.code == "no_label_column"


def test_two_columns_are_read_as_pairs() -> None:
    rows = [{"asked": f"Is it {i}?", "told": f"It is {i}.", "right": i % 2 == 0} for i in range(8)]
    reading = TASK.read(rows, Columns(("asked", "told"), "right", pair=True))
    assert reading.train.inputs[3] == ("Is it 3?", "It is 3.")
    assert reading.train.labels == ("False", "True")
    (window,) = TASK.stream(rows, reading.columns, 100)
    assert window[1] == reading.train.inputs


def test_lists_of_labels_make_a_head_of_several(tmp_path: Path) -> None:
    rows = [
        {"text": f"Row {i}, word{i * 7} word{i * 5}.", "label": ["x"] * (i % 2) + ["y"] * (i % 3)}
        for i in range(12)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    reading = TASK.read(path, Columns())
    assert TASK.head(reading.train) == HeadSpec(2, multi_label=True)


def test_a_model_is_judged_on_pairs_whatever_its_columns_are_called(reviews: Any) -> None:
    settled = Columns(("avis",), "note", group="qui")
    test = [row for row in reviews[1] if row[1] == "positive"]
    reading = TASK.read(test, settled, labels=("negative", "positive"))
    assert reading.train.targets is not None
    assert reading.train.targets.tolist() == [1] * len(test)


# --- streaming --------------------------------------------------------------------------------


def test_windows_hold_all_rows_in_order_and_empty_cells(reviews: Any, tmp_path: Path) -> None:
    rows = [*reviews[0]]
    rows[2] = ("", rows[2][1])
    path = written(tmp_path / "avis.csv", rows, ("avis", "note"))
    windows = list(TASK.stream(path, Columns(("avis",), "note"), 5))
    assert [len(table) for table, _ in windows] == [5, 5, 5, 1]
    assert [text for _, inputs in windows for text in inputs] == [text for text, _ in rows]
    assert all(len(table) == len(inputs) for table, inputs in windows)


def test_a_stream_needs_no_label_and_lists_need_no_name(reviews: Any) -> None:
    texts = [text for text, _ in reviews[0]]
    for columns in (Columns(("avis",), "note"), Columns(("text",), "label"), Columns()):
        found = [text for _, inputs in TASK.stream(texts, columns, 7) for text in inputs]
        assert found == texts


def test_a_stream_without_the_text_column_names_the_nearest(tmp_path: Path, reviews: Any) -> None:
    path = written(tmp_path / "avis.csv", reviews[0], ("avis", "note"))
    with pytest.raises(InputError) as caught:
        list(TASK.stream(path, Columns(("aviss",), "note"), 5))
    assert caught.value.code == "text_column_missing"
    assert "Did you mean 'avis'?" in str(caught.value.next)


# --- deciding and scoring ---------------------------------------------------------------------


def test_one_label_is_the_likeliest_by_softmax() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 3)).astype(np.float32)
    found = TASK.decode(logits, LABELS, ONE)
    assert np.allclose(found.probabilities, softmax(logits.astype(np.float64), axis=1))
    assert np.allclose(found.probabilities.sum(axis=1), 1)
    assert found.labels == tuple(LABELS[i] for i in logits.argmax(axis=1))
    assert np.array_equal(found.confidence, found.probabilities.max(axis=1))


def test_costs_move_the_decision_and_confidence_stays_a_probability() -> None:
    costs = np.array([[0, 1, 1], [1, 0, 1], [50, 50, 0]], dtype=float)
    found = TASK.decode(np.log([[0.6, 0.3, 0.1]]), LABELS, ONE, costs)
    assert found.labels == ("c",)
    assert found.confidence == pytest.approx([0.1])


def test_several_labels_are_all_from_a_half_on() -> None:
    logits = np.array([[2.0, -1.0, 0.0], [-3.0, -2.0, -1.0]])
    found = TASK.decode(logits, LABELS, SEVERAL)
    assert found.labels == (("a", "c"), ())
    assert np.allclose(found.probabilities, expit(logits))
    chances = expit(np.abs(logits))
    assert np.allclose(found.confidence, chances.prod(axis=1))


def test_extreme_scores_overflow_nothing() -> None:
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for head in (ONE, SEVERAL):
            assert np.isfinite(TASK.decode(logits, LABELS, head).probabilities).all()


@pytest.mark.parametrize("head", [ONE, SEVERAL])
def test_a_row_is_answered_alike_alone_and_among_others(head: HeadSpec) -> None:
    logits = np.random.default_rng(1).normal(0, 5, (40, 3)).astype(np.float32)
    whole = TASK.decode(logits, LABELS, head)
    for i in range(40):
        alone = TASK.decode(logits[i : i + 1], LABELS, head)
        assert alone.labels[0] == whole.labels[i]
        assert np.array_equal(alone.probabilities[0], whole.probabilities[i])
        assert alone.confidence[0] == whole.confidence[i]


@pytest.mark.parametrize("head", [ONE, SEVERAL])
def test_no_rows_have_no_answers(head: HeadSpec) -> None:
    found = TASK.decode(np.zeros((0, 3)), LABELS, head)
    assert (len(found), found.confidence.shape, found.probabilities.shape) == (0, (0,), (0, 3))


def test_scores_follow_the_kind_of_targets() -> None:
    chances = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]])
    one = TASK.score(chances, np.array([0, 2]), costs=np.ones((3, 3)) - np.eye(3))
    assert one["accuracy"].tolist() == [0.5]
    assert one["cost"].tolist() == [0.5]
    several = TASK.score(chances, np.array([[1, 0, 0], [0, 1, 1]]))
    assert several["accuracy"].tolist() == [0.5]
    assert several["micro_recall"].tolist() == pytest.approx([2 / 3])
