"""Beside the strong simple baseline: sentence-transformers and scikit-learn's grid search."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures, supertune_side
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import Laps, in_child, interleaved, processor_lap
from supertune.catalogue.corpora import few_shot

OURS = {"supertune": "fp32", "supertune, bf16": "bf16"}
PEER = "sentence-transformers + grid search"
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
TWENTY = "20newsgroups"  # 20 classes x 16, for which the ratios are promised
PER_CLASS = {TWENTY: 16, "bbc-news": 16, "r8": 8, "pang-lee": 16}
TEST_ROWS, DRAWS = 400, 3


def plan(tiny: bool) -> list[Item]:
    if tiny:
        shape = {"data": "pang-lee", "per_class": 5, "seed": 0, "test_rows": 20}
        return [{"what": "time", **shape, "repeats": 1}, {"what": "memory", **shape}]
    items: list[Item] = []
    for data, per_class in PER_CLASS.items():
        shape = {"data": data, "per_class": per_class, "test_rows": TEST_ROWS}
        items += [{"what": "time", **shape, "seed": seed, "repeats": 1} for seed in range(DRAWS)]
    items += [{"what": "memory", **shape, "seed": 0}]
    return sorted(items, key=lambda item: item["seed"])  # a run cut short has seen every set


def measure(item: Item) -> dict[str, Any]:
    return _memory(item) if item["what"] == "memory" else _time(item)


def _time(item: Item) -> dict[str, Any]:
    train, test = _drawn(item)
    ours: dict[str, supertune_side.Fitted] = {}
    theirs: list[Any] = []
    examples = supertune_side.read(train)

    def us() -> Laps:
        laps: Laps = {}
        for name, precision in OURS.items():
            with tempfile.TemporaryDirectory() as folder:

                def fit(name: str = name, precision: str = precision, at: str = folder) -> None:
                    ours[name] = supertune_side.fit(examples, Path(at), precision)

                laps[name] = processor_lap(fit)
        return laps

    def them() -> Laps:
        seconds = processor_lap(lambda: theirs.append(search(train)))
        encode = processor_lap(lambda: vectors(train))
        return {PEER: seconds, "their encode alone": encode}

    pair = {"us": us, "them": them}
    if item["seed"] % 2:
        pair = {"them": them, "us": us}
    laps = interleaved(pair, item["repeats"])
    texts, answers = [text for text, _ in test], np.array([label for _, label in test])
    labels = np.array(examples.labels)
    accuracy, features = {}, np.empty(0)
    for name in reversed(OURS):  # the last features are those of float32
        features = ours[name].features(texts)
        logits = ours[name].tuned.apply(features)  # type: ignore[attr-defined]
        accuracy[name] = float((labels[logits.argmax(axis=1)] == answers).mean())
    accuracy[PEER] = float(theirs[-1].score(features, answers))
    difference = _difference(texts[:64], features[:64])
    return {"seconds": laps, "accuracy": accuracy, "embeddings differ by": difference}


def _difference(texts: Sequence[str], features: Any) -> float:
    """The float32 heads judge the test rows on one set of vectors: how far two encoders differ."""
    theirs = peer().encode(list(texts), show_progress_bar=False)
    return float(np.abs(theirs - features).max())


def _drawn(item: Item) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return few_shot(
        item["data"], per_class=item["per_class"], test_rows=item["test_rows"], seed=item["seed"]
    )


@cache
def peer() -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(supertune_side.folder()), device="cpu")


def search(rows: Sequence[tuple[str, str]]) -> Any:
    """The recipe that people write: encode, then a grid search over the penalty."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    grid = GridSearchCV(LogisticRegression(max_iter=1000), {"C": list(PENALTIES)}, cv=5)
    return grid.fit(vectors(rows), [label for _, label in rows])


def vectors(rows: Sequence[tuple[str, str]]) -> Any:
    return peer().encode([text for text, _ in rows], show_progress_bar=False)


def _memory(item: Item) -> dict[str, Any]:
    drawn = {key: item[key] for key in ("data", "per_class", "seed", "test_rows")}
    peaks: dict[str, list[int]] = {"supertune": [], PEER: []}
    for _ in range(3):
        for name, function in zip(peaks, ("peak_of_ours", "peak_of_theirs"), strict=True):
            found = in_child(f"benchmarks.grid_search:{function}", **drawn)
            peaks[name].append(found["peak_memory_bytes"])
    return {"peak_memory_bytes": peaks}


def peak_of_ours(**item: Any) -> float:
    """Called in a process of its own, which measures itself."""
    train, _ = _drawn(item)
    with tempfile.TemporaryDirectory() as folder:
        return supertune_side.fit(supertune_side.read(train), Path(folder)).estimate


def peak_of_theirs(**item: Any) -> float:
    train, _ = _drawn(item)
    return float(search(train).best_score_)


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    timed = [draw for draw in draws if draw["what"] == "time"]
    found: list[Figure] = []
    for title, part in _groups(timed):
        found += _figures(title, part, promised=part[0]["data"] == TWENTY, judged=False)
    found += _figures("all sets", timed, promised=False, judged=True) if timed else []
    for draw in draws:
        if draw["what"] == "memory":
            ours, theirs = draw["peak_memory_bytes"].values()
            title = f"{draw['data']}, {draw['per_class']} a class: peak memory, ours / theirs"
            found.append(figures.median(title, figures.ratios(ours, theirs), "x", at_most=1))
    return found


def _groups(timed: Sequence[Draw]) -> list[tuple[str, list[Draw]]]:
    groups: dict[str, list[Draw]] = {}
    for draw in timed:
        groups.setdefault(f"{draw['data']}, {draw['per_class']} a class", []).append(draw)
    return list(groups.items())


def _figures(title: str, timed: Sequence[Draw], *, promised: bool, judged: bool) -> list[Figure]:
    """One ratio a draw, medians of its repeats, and the paired difference in accuracy."""
    found = []
    for name, at_least in (("supertune", 4), ("supertune, bf16", 7)):
        part = [draw for draw in timed if name in draw["seconds"]]
        if not part:
            continue
        sides = [(draw["seconds"][PEER], draw["seconds"][name]) for draw in part]
        speed = [statistics.median(theirs) / statistics.median(ours) for theirs, ours in sides]
        gains = [draw["accuracy"][name] - draw["accuracy"][PEER] for draw in part]
        about = f"{title}, {OURS[name]}"
        least = at_least if promised else None
        found.append(figures.median(f"{about}: times faster", speed, "x", at_least=least))
        found.append(figures.paired(f"{about}: accuracy, difference", gains, judged=judged))
    return found


BENCHMARK = Benchmark(
    name="grid_search",
    question="How does it compare with sentence-transformers' encode and scikit-learn's "
    "GridSearchCV over LogisticRegression on the same rows?",
    how="In process, models loaded on both sides, same weights, 256 tokens, caches empty. "
    "Theirs: float32, encode in batches of 32, five values of C, 5 folds, refit. Ours: 10 x 5-fold "
    "cross-validation and the model on all rows, in fp32 and in bf16. In fp32 both heads answer "
    "the same unseen rows from the same vectors, which differ between the two encoders by no more "
    "than each draw says. Processor time, since other programs may have run meanwhile. Peak "
    "memory: a fresh process each, imports included.",
    peers=("sentence-transformers",),
    plan=plan,
    measure=measure,
    figures=summarise,
)
