"""Few labelled rows drawn many times: answers out of fold, and the true score of the model kept.

What is drawn is written to the cache, so that another interval can be tried on the same answers
without fitting anything again. Shapes: D draws, R repeats, n rows, C labels (1 for values).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.pools import MEMORY, Pool, pool
from supertune import metrics, pipeline
from supertune.catalogue.corpora import dataset
from supertune.catalogue.corpus_formats import rows_of
from supertune.catalogue.places import cache_folder
from supertune.config import Recipe, recipe
from supertune.contracts import FloatArray, IntArray
from supertune.pipeline import Candidate, Workshop

BACKBONE, MAX_LENGTH = "e5-small", 64
THROUGH = {"backbone": BACKBONE, "max_length": MAX_LENGTH, "device": "cpu"}
POOL_ROWS = {"r8": 6000}  # its rarest labels have few
USUAL_ROWS = 3000
TABLES = ("friedman1", "friedman2")
WORDS = "pang-lee-words"
FEW, REPEATS_OF_MANY, MANY = 100, 5, 200  # rows of a label to know its recall by; repeats from n on

FOLDS_MADE = "as-drawn-2"  # folds of labels; answers out of others are others (docs/decisions/0024)

Drawn = Mapping[str, npt.NDArray[Any]]


def labels_pool(name: str) -> Pool:
    """Texts of a data set, cut to 64 tokens, through `BACKBONE`."""
    return pool(name, recipe(THROUGH), rows=POOL_ROWS.get(name, USUAL_ROWS))


def values_pool(name: str) -> Pool:
    """Rows with a value: the synthetic tables of Friedman (1991), which are named so in
    scikit-learn, or sentences of pang-lee and how many words each has."""
    if name == WORDS:
        with (dataset("pang-lee") / "train.jsonl").open(encoding="utf-8") as stream:
            given = list(rows_of(stream))
        random.Random("pang-lee").shuffle(given)
        rows = [{"text": one, "words": float(len(one.split()))} for one, _ in given[:USUAL_ROWS]]
        named = {"task": "regression", "text": ("text",), "label": "words"}
        return _pool(name, rows, recipe({**named, **THROUGH}))
    return _pool(name, _table(name), recipe({"task": "regression", "label": "y", "device": "cpu"}))


def _table(name: str) -> list[dict[str, Any]]:
    from sklearn import datasets

    if name == "friedman1":
        x, y = datasets.make_friedman1(USUAL_ROWS, noise=1.0, random_state=0)
    else:
        x, y = datasets.make_friedman2(USUAL_ROWS, noise=50.0, random_state=0)
    return [
        {**{f"x{i}": float(value) for i, value in enumerate(row)}, "y": float(target)}
        for row, target in zip(x, y, strict=True)
    ]


def _pool(name: str, rows: list[dict[str, Any]], settled: Recipe) -> Pool:
    workshop = Workshop(settled)
    workshop.store.memory_bytes = MEMORY
    return Pool(name, workshop, pipeline.labelled(pipeline.read(rows, settled).train))


def valued(data: str) -> bool:
    return data in (*TABLES, WORDS)


def drawn(data: str, rows: int, draws: int) -> Drawn:
    """Answers (D, R, n, C), targets (D, n), and the true score of the model kept by metric (D,),
    for ``recall`` (D, C); of labels also how many the pool has, ``pool`` (C,)."""
    place = _place(data, rows, draws)
    if not place.exists():
        found = (
            _drawn_values(data, rows, draws) if valued(data) else _drawn_labels(data, rows, draws)
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_suffix(".tmp.npz")
        np.savez(partial, **found)  # type: ignore[arg-type]
        partial.rename(place)
    with np.load(place) as kept:
        return {key: kept[key] for key in kept.files}


def _place(data: str, rows: int, draws: int) -> Path:
    name = f"{data}_{rows}_{draws}" if valued(data) else f"{data}_{rows}_{draws}_{FOLDS_MADE}"
    return cache_folder() / "studies" / "coverage" / f"{name}.npz"


def composition(pool: Pool, sides: list[IntArray]) -> FloatArray:
    """(pool rows,) weights that give every label the share of the rows drawn that it has over all
    draws: the population which such rows are a sample of, as rare labels are drawn at least twice.
    """
    targets, labels = pool.examples.targets, len(pool.examples.labels)
    assert targets is not None
    share = np.bincount(targets[np.concatenate(sides)], minlength=labels)
    held = np.bincount(targets, minlength=labels)
    weights = (share / share.sum()) / (held / held.sum())
    return np.asarray(weights[targets])


def _drawn_labels(data: str, rows: int, draws: int) -> dict[str, npt.NDArray[Any]]:
    source = labels_pool(data)
    shop, examples = source.workshop, source.examples
    targets, labels = examples.targets, examples.labels
    assert targets is not None
    candidate = Candidate(BACKBONE, "linear_probe")
    features, head = shop.problem(examples, BACKBONE).features, shop.task.head(examples)
    sides = [source.draw(rows, seed)[0] for seed in range(draws)]
    weights = composition(source, sides)
    repeats = shop.recipe.repeats if rows < MANY else REPEATS_OF_MANY
    answers = np.empty((draws, repeats, rows, len(labels)), np.float32)
    true: dict[str, list[Any]] = {"accuracy": [], "macro_f1": [], "log_loss": [], "recall": []}
    for draw, mine in enumerate(sides):
        others = np.setdiff1d(np.arange(len(targets)), mine)
        own = examples.take(mine)
        answers[draw] = pipeline.assess(shop, candidate, own, shop.folds(own, repeats)).answers
        tuned: Any = pipeline.tune(shop, candidate, own)
        unseen = shop.answers(tuned.apply(features[others]), labels, head)
        scores = metrics.classification(unseen, targets[others], weights[others][None])
        for name in ("accuracy", "macro_f1", "log_loss"):
            true[name].append(scores[name][0])
        true["recall"].append(metrics.per_class(unseen, targets[others])["recall"][0])
    return {
        "answers": answers,
        "targets": np.stack([targets[mine] for mine in sides]),
        "pool": np.bincount(targets, minlength=len(labels)),
        **{name: np.array(values) for name, values in true.items()},
    }


def _drawn_values(data: str, rows: int, draws: int) -> dict[str, npt.NDArray[Any]]:
    source = values_pool(data)
    shop, examples = source.workshop, source.examples
    assert examples.targets is not None
    backbone = BACKBONE if data == WORDS else None
    candidate = Candidate(backbone, "linear_probe")
    features, head = shop.problem(examples, backbone).features, shop.task.head(examples)
    answers = np.empty((draws, shop.recipe.repeats, rows, 1))
    targets, true = np.empty((draws, rows)), []
    for draw in range(draws):
        order = np.random.default_rng([draw, rows]).permutation(len(examples))
        mine, others = np.sort(order[:rows]), np.sort(order[rows:])
        own = examples.take(mine)
        answers[draw] = pipeline.assess(shop, candidate, own, shop.folds(own)).answers
        targets[draw] = own.targets
        tuned: Any = pipeline.tune(shop, candidate, own)
        unseen = shop.answers(
            tuned.apply(features[others].astype(np.float64)), examples.labels, head
        )
        true.append(metrics.regression(unseen, examples.targets[others])["mae"][0])
    return {"answers": answers, "targets": targets, "mae": np.array(true)}
