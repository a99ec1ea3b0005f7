"""Going on from a model folder: its rows and settings, and new rows beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import pipeline, registry
from supertune.config import Recipe
from supertune.contracts import Examples, Finding, IntArray, Reading, content_key
from supertune.data import label_checks
from supertune.errors import InputError
from supertune.model import Model
from supertune.pipeline import labelled

# What the earlier rows decided for themselves and new rows may change.
_NOT_KEPT = {
    "text",
    "numbers",
    "picture",
    "audio",
    "label",
    "split",
    "group",
    "time",
    "weight",
    "slices",
}

# New rows that could not be learned from alone; with the earlier ones they can.
_TOO_LITTLE = {"one_class", "one_row_a_class", "too_few_rows", "unknown_test_label"}

# Findings about all rows to learn from, of which the new ones are only a part.
_OF_ALL = {"few_rows", "imbalance", "contradicting_labels"}


def settings_of(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe that a fit going on from ``model`` starts with, before the keys ``given``.

    Another method comes with its own options, and with a backbone only if it takes one.
    """
    kept = model.recipe.model_dump(exclude=_NOT_KEPT | {"options"}, exclude_none=True)
    method = given.get("method", model.method)
    if method == model.method:
        return {**kept, "options": dict(model.recipe.options)}
    if kept["backbone"] == "none":
        kept["backbone"] = "auto"
    if registry.known("methods", method) and not registry.method(method).needs:
        kept["backbone"] = "none"
    return kept


def read(model: Model, data: Any, settled: Recipe, test: Any = None) -> Reading:
    """The new rows with those of ``model`` before them.

    Raises:
        InputError: what is wrong with the new rows, or as `merged`.
    """
    if not pipeline.columns(settled).read and settled.label is None:
        # A file like the first one is read like it; another is understood by itself.
        columns = {
            key: getattr(model.columns, key)
            for key in ("text", "numbers", "picture", "audio", "label")
        }
        try:
            return merged(model, _read(model, data, settled.model_copy(update=columns), test))
        except InputError as error:
            if error.code not in {"text_column_missing", "label_column_missing"}:
                raise
    return merged(model, _read(model, data, settled, test))


def _read(model: Model, data: Any, settled: Recipe, test: Any) -> Reading:
    # A column that is constant in the new rows alone is kept, and a picture alone is whole.
    if model.head.valued or model.head.kind not in ("", "boxes", "listed"):
        return _beside(model, data, settled, test)
    try:
        return pipeline.read(data, settled, test)
    except InputError as error:
        if error.code not in _TOO_LITTLE:
            raise
        return _beside(model, data, settled, test)


def _beside(model: Model, data: Any, settled: Recipe, test: Any) -> Reading:
    """Rows that need not be enough alone, as the model's are learned from again beside them."""
    task = registry.task(settled.task)
    columns = pipeline.columns(settled)
    reading = task.read(data, columns, labels=model.labels, new_labels=True)
    if test is None:
        return reading
    held = task.read(test, reading.columns, labels=reading.train.labels)
    findings = (*reading.findings, *held.findings)
    return replace(reading, test=held.train.canonical(), findings=findings)


def merged(model: Model, reading: Reading) -> Reading:
    """The new rows with those of ``model`` before them; a row in both counts once.

    Raises:
        InputError: ``no_rows_kept`` when the folder was written without its rows.
    """
    old = model.training_rows
    if old is None:
        raise InputError(
            "no_rows_kept",
            "The model folder holds no rows to go on from.",
            received=str(model.folder),
            allowed="a folder that was fitted without --no-rows",
            next="Give all rows in one file, or fit the first model without --no-rows.",
        )
    new = labelled(reading.train)
    if old.multi_label != new.multi_label:
        raise InputError(
            "labels_changed_kind",
            "The earlier rows and the new ones do not have the same kind of labels.",
            received="several labels a row" if new.multi_label else "one label a row",
            allowed="several labels a row" if old.multi_label else "one label a row",
            next="Write the new labels as the earlier ones were, or fit a new model.",
        )
    if (old.valued, old.columns) != (new.valued, new.columns):
        raise _columns_changed(old, new)
    labels = old.labels if old.valued else tuple(sorted({*old.labels, *new.labels}))
    both = [_relabelled(old, labels), _relabelled(new, labels)]
    seen = {_key(both[0], i) for i in range(len(old))}
    fresh = [i for i in range(len(new)) if _key(both[1], i) not in seen]
    repeated = tuple(int(new.rows[i]) for i in range(len(new)) if i not in set(fresh))
    train = _joined(both[0], both[1].take(fresh)).canonical()
    findings = [each for each in reading.findings if each.code not in _OF_ALL]
    findings += [_went_on(len(old), len(fresh)), *_new_labels(old, new)]
    if registry.task(model.task).objective == "classify":
        findings += [each for check in label_checks.ALL for each in check(train)]
    if repeated:
        findings.append(
            Finding(
                "already_known",
                f"{len(repeated)} of the new rows are among the earlier ones and count once.",
                repeated,
                "info",
            )
        )
    test = None if reading.test is None else _relabelled(reading.test, labels)
    if test is not None:
        test, known = _unseen(test, both[0])
        findings += known
    return replace(reading, train=train, test=test, findings=tuple(findings))


def _columns_changed(old: Examples, new: Examples) -> InputError:
    def read(examples: Examples) -> str:
        return f"{examples.labels[0]} from {', '.join(examples.columns) or 'a text'}"

    return InputError(
        "columns_changed",
        "The earlier rows and the new ones are not read from the same columns.",
        received=read(new),
        allowed=read(old),
        next="Give new rows with the earlier columns, or fit a new model.",
    )


def _unseen(test: Examples, old: Examples) -> tuple[Examples, list[Finding]]:
    """Test rows whose text is not among the earlier rows, which the new model learns from too."""
    same = registry.modality(old.modality).same
    known = set(map(same, old.inputs))
    left = [i for i, value in enumerate(test.inputs) if same(value) not in known]
    if len(left) == len(test):
        return test, []
    rows = tuple(sorted({int(row) for row in test.rows} - {int(test.rows[i]) for i in left}))
    if not left:
        raise InputError(
            "test_overlap",
            "Every test row is among the earlier rows, so nothing is left to judge by.",
            received=f"{len(rows)} test rows",
            allowed="test rows whose texts the model has not seen",
            next="Give other rows with --test, or leave it out to cross-validate.",
        )
    message = (
        f"{len(rows)} test rows are among the earlier rows and left out of the test; "
        f"{len(left)} remain."
    )
    return test.take(left), [Finding("test_overlap", message, rows)]


def _new_labels(old: Examples, new: Examples) -> list[Finding]:
    """A label that the model did not have may be meant, or a slip of the pen."""
    names = [name for name in new.labels if name not in old.labels]
    assert new.targets is not None
    if not names:
        return []
    held = new.targets if new.multi_label else new.targets[:, None] == np.arange(len(new.labels))
    rows = {name: new.rows[np.flatnonzero(held[:, new.labels.index(name)])] for name in names}
    spelled = ", ".join(f"'{name}' ({len(where)})" for name, where in rows.items())
    message = f"The earlier rows have no {spelled}; learned as new labels from the new rows alone."
    numbers = sorted({int(row) for where in rows.values() for row in where})
    return [Finding("new_labels", message, tuple(numbers))]


def _went_on(old: int, new: int) -> Finding:
    text = f"Went on from {old} earlier rows with {new} new ones; row numbers are each file's own."
    return Finding("went_on", text, (), "info")


def _key(examples: Examples, row: int) -> str:
    assert examples.targets is not None
    return content_key(examples.inputs[row], examples.targets[row].tolist())


def _relabelled(examples: Examples, labels: tuple[str, ...]) -> Examples:
    place = np.array([labels.index(label) for label in examples.labels], dtype=np.int64)
    targets = examples.targets
    assert targets is not None
    if examples.labels == labels or examples.valued:
        return replace(examples, labels=labels)
    if examples.multi_label:
        wide = np.zeros((len(examples), len(labels)))
        wide[:, place] = targets
        return replace(examples, labels=labels, targets=wide)
    return replace(examples, labels=labels, targets=place[targets])


def _joined(first: Examples, second: Examples) -> Examples:
    assert first.targets is not None
    assert second.targets is not None
    n = len(first) + len(second)
    groups = None
    if first.groups is not None or second.groups is not None:
        ours = _groups(first)
        groups = np.concatenate([ours, _groups(second) + ours.max(initial=0) + 1])
    weights = None
    if first.weights is not None or second.weights is not None:
        weights = np.concatenate([_weights(first), _weights(second)])
    targets: npt.NDArray[Any] = np.concatenate([first.targets, second.targets])
    return Examples(
        first.inputs + second.inputs,
        targets,
        first.labels,
        np.concatenate([first.rows, second.rows])[:n],
        groups,
        weights,
        columns=first.columns,
    )


def _groups(examples: Examples) -> IntArray:
    return np.arange(len(examples)) if examples.groups is None else examples.groups


def _weights(examples: Examples) -> npt.NDArray[Any]:
    return np.ones(len(examples)) if examples.weights is None else examples.weights
