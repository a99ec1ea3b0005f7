"""``python -m benchmarks.study_abstaining``: can a model's confidence and warnings be relied on?

Three questions, each over many draws of labelled rows from sets whose features are in the cache:
whether the error among the rows answered keeps to its limit, whether rows of another set are
marked and rows of the same set are not, and whether a temperature makes probabilities better on
rows that nothing was fitted on. Resumable: each cell is saved as it comes.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.pools import Pool, pool
from supertune import pipeline
from supertune.config import recipe
from supertune.contracts import UNLIKE, Examples, FloatArray
from supertune.evaluation import abstaining, novelty
from supertune.evaluation.reliability import answered
from supertune.pipeline import Assessed, Candidate

DATA = ("bbc-news", "r8", "pang-lee", "20newsgroups")
ROWS = (64, 200)
LIMITS = (0.05, 0.1, 0.2)
RESAMPLES, DRAWS, FIVE, FEW_DRAWS = 200, 20, 5, 2
REPEATS = 4  # of 5-fold cross-validation; 10 by default, which steadies more and costs as much
UNSEEN = 1500  # rows that nothing was fitted on
METHODS = ("linear_probe", "bag_of_words", "label_names", "nearest_centroid")
TRAINED = "lora"
BACKBONE, MAX_LENGTH = "minilm", 64
ALARMS, AUROC = 0.05, 0.95
_HOW = (
    "Rows drawn from four sets in English, at least two a label, texts cut to 64 tokens, minilm. "
    "Abstaining: 200 draws a cell, a linear head, thresholds from 4 x 5-fold out-of-fold answers; "
    "the error is that of the model kept, among those of 1,500 unseen rows that it answers. "
    "Unlike rows: 20 draws a cell; rows of the same set, and 500 of each other set. Calibration: "
    "the model kept, on 1,500 unseen rows, with and without the temperature. How the numbers of "
    "rows are tested and how views are weighted was chosen on other draws of the same sets."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [
            _item("abstaining", "pang-lee", 64, 3),
            _item("unlike", "pang-lee", 64, 2, against=["bbc-news"]),
            _item("calibration", "pang-lee", 64, 2, method="bag_of_words"),
        ]
    cells = [(data, rows) for data in DATA for rows in ROWS]
    return [
        *(_item("abstaining", *cell, RESAMPLES) for cell in cells),
        *(
            _item("unlike", *cell, DRAWS, against=[one for one in DATA if one != cell[0]])
            for cell in cells
        ),
        *(_item("calibration", *cell, FIVE, method=method) for method in METHODS for cell in cells),
        *(_item("calibration", data, 64, FEW_DRAWS, method=TRAINED) for data in DATA[:3:2]),
    ]


def _item(kind: str, data: str, rows: int, draws: int, **more: Any) -> Item:
    return {"kind": kind, "data": data, "rows": rows, "draws": draws, **more}


def measure(item: Item) -> dict[str, Any]:
    kinds: dict[str, Callable[[Item], dict[str, Any]]] = {
        "abstaining": selective,
        "unlike": unlike,
        "calibration": calibration,
    }
    return kinds[item["kind"]](item)


@lru_cache(maxsize=8)
def _pool(data: str, repeats: int = REPEATS) -> Pool:
    given = {"method": "linear_probe", "backbone": BACKBONE, "max_length": MAX_LENGTH}
    return pool(data, recipe({**given, "device": "cpu", "repeats": repeats}))


@dataclass(frozen=True)
class _Computed:
    """A lens whose features are those in the cache, which prediction would compute anew."""

    lens: Any

    def features(self, inputs: Sequence[Any], *, prediction: bool = False) -> FloatArray:
        return np.asarray(self.lens.features(inputs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lens, name)


def _fitted(
    given: Pool, method: str, rows: int, seed: int
) -> tuple[Assessed, Examples, FloatArray, Examples]:
    """Answers out of fold, the rows they are about, and the kept model's scores of unseen rows."""
    drawn, others = given.draw(rows, seed)
    examples = given.examples.take(drawn)
    chosen = np.random.default_rng([seed, rows, 1]).permutation(others)[:UNSEEN]
    unseen = given.examples.take(np.sort(chosen))
    backbone = None if method == "bag_of_words" else BACKBONE
    candidate, workshop = Candidate(backbone, method), given.workshop
    assessed = pipeline.assess(workshop, candidate, examples, workshop.folds(examples))
    tuned = pipeline.tune(workshop, candidate, examples)
    lens: Any = workshop.lens(backbone)
    if lens is not None and method != TRAINED:
        lens = _Computed(lens)
    logits = tuned.logits(unseen.inputs, lens)
    return pipeline.calibrated(workshop, assessed, examples), examples, logits, unseen


def _scored(given: Pool, logits: FloatArray, unseen: Examples) -> FloatArray:
    head = given.workshop.task.head(unseen)
    return given.workshop.answers(logits, unseen.labels, head)


def selective(item: Item) -> dict[str, Any]:
    """By limit: the share answered, the mean error of it, and how often that is over the limit."""
    given, found = _pool(item["data"]), {limit: [] for limit in LIMITS}
    for seed in range(item["draws"]):
        assessed, examples, logits, unseen = _fitted(given, "linear_probe", item["rows"], seed)
        temperature = assessed.calibrated.get("temperature", 1.0)
        kept = abstaining.kept(assessed.answers, examples, None)
        confidence, right = answered(
            _scored(given, logits / temperature, unseen), unseen.targets, None
        )
        for limit in LIMITS:
            told = confidence >= abstaining.limit(kept, limit).value
            error = float((~right[told]).mean()) if told.any() else None
            found[limit].append((float(told.mean()), error))
    return {
        "limits": [
            {
                "max_error": limit,
                "answered": statistics.fmean(share for share, _ in draws),
                "any": sum(error is not None for _, error in draws) / len(draws),
                "error": _mean([error for _, error in draws if error is not None]),
                "over": sum(error is not None and error > limit for _, error in draws) / len(draws),
            }
            for limit, draws in found.items()
        ]
    }


def unlike(item: Item) -> dict[str, Any]:
    """False alarms on rows of the same set, and AUROC and alarms on rows of others."""
    given, alarms = _pool(item["data"]), []
    areas: dict[str, list[tuple[float, float]]] = {name: [] for name in item["against"]}
    foreign = {name: _views(_pool(name), np.arange(500)) for name in item["against"]}
    own = _views(given, np.arange(len(given.examples)))
    for seed in range(item["draws"]):
        drawn, others = given.draw(item["rows"], seed)
        views = {name: values[drawn] for name, values in own.items()}
        kept = novelty.learned(views, own_units=("form",))
        like = _likeness(kept, {name: values[others[:UNSEEN]] for name, values in own.items()})
        alarms.append(float((like <= UNLIKE).mean()))
        for name, values in foreign.items():
            theirs = _likeness(kept, values)
            areas[name].append((_area(like, theirs), float((theirs <= UNLIKE).mean())))
    return {
        "alarms": statistics.fmean(alarms),
        "sets": {
            name: {
                "auroc": statistics.fmean(area for area, _ in pairs),
                "marked": statistics.fmean(marked for _, marked in pairs),
            }
            for name, pairs in areas.items()
        },
    }


def _views(given: Pool, rows: Any) -> dict[str, FloatArray]:
    inputs = given.examples.take(rows).inputs
    return pipeline.viewed(given.workshop, BACKBONE, inputs, prediction=False)


def _likeness(kept: Any, views: dict[str, FloatArray]) -> FloatArray:
    return novelty.likeness(kept, views)


def _area(inside: FloatArray, outside: FloatArray) -> float:
    """AUROC of telling the two apart: how often a row from outside is the less like one."""
    below = np.searchsorted(np.sort(outside), inside, side="left")
    up_to = np.searchsorted(np.sort(outside), inside, side="right")
    return float((below + up_to).mean() / 2 / len(outside))


def calibration(item: Item) -> dict[str, Any]:
    """Log loss and calibration error of unseen rows, without and with the temperature."""
    given, draws = _pool(item["data"], 1 if item["method"] == TRAINED else REPEATS), []
    for seed in range(item["draws"]):
        assessed, examples, logits, unseen = _fitted(given, item["method"], item["rows"], seed)
        score, done = given.workshop.score(unseen.labels), dict(assessed.calibrated)
        if "own" in done:
            folds = given.workshop.folds(examples)
            done = given.workshop.objective.calibrated(assessed.answers, examples, folds)[1]
            done["temperature"] = 1.0
        ways = {"before": 1.0, "after": done["temperature"], "always": done["fitted"]}
        scored = {
            way: score(_scored(given, logits / heat, unseen), unseen.targets, None)
            for way, heat in ways.items()
        }
        draws.append((done, scored))
    found: dict[str, Any] = {
        "applied": sum(done["temperature"] != 1 for done, _ in draws) / len(draws),
        "temperature": statistics.median(done["fitted"] for done, _ in draws),
        "promised": statistics.fmean(
            min(done["after"], done["before"]) if done["temperature"] != 1 else done["before"]
            for done, _ in draws
        ),
    }
    for way in ("before", "after", "always"):
        for metric in ("log_loss", "calibration_error"):
            found[f"{metric}_{way}"] = statistics.fmean(
                float(scored[way][metric][0]) for _, scored in draws
            )
    return found


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def figures(draws: Sequence[Draw]) -> list[Figure]:
    good = [draw for draw in draws if "failed" not in draw]
    found: list[Figure] = []
    for kind, told in (("abstaining", _kept_to), ("unlike", _told_apart), ("calibration", _better)):
        if mine := [draw for draw in good if draw["kind"] == kind]:
            found += told(mine)
    return found


def _kept_to(draws: Sequence[Draw]) -> list[Figure]:
    """How often the realised error is above its limit, which may be 5 % of draws."""
    found = []
    for limit in LIMITS:
        cells = [
            (draw, one) for draw in draws for one in draw["limits"] if one["max_error"] == limit
        ]
        over = [100 * one["over"] for _, one in cells]
        worst, spread = max(over), f"extremes of {len(over)} cells"
        name = f"draws whose error is above {limit:.0%}, the worst cell"
        found.append(Figure(name, worst, min(over), worst, "%", spread, "at most 5 %", worst <= 5))
        for draw, one in cells:
            share = 100 * one["answered"]
            label = f"answered under {limit:.0%}, {draw['data']}, {draw['rows']} rows"
            count = f"{draw['draws']} draws"
            found.append(Figure(label, share, share, share, "%", count))
    return found


def _told_apart(draws: Sequence[Draw]) -> list[Figure]:
    alarms = [100 * draw["alarms"] for draw in draws]
    mean, count = statistics.fmean(alarms), f"extremes of {len(alarms)} cells"
    found = [
        Figure(
            "false alarms on rows like those learned from", mean, min(alarms), max(alarms), "%",
            count, "at most 5 %", mean <= 100 * ALARMS,
        )
    ]  # fmt: skip
    for rows in sorted({draw["rows"] for draw in draws}):
        pairs = {
            (draw["data"], name): one["auroc"]
            for draw in draws
            if draw["rows"] == rows
            for name, one in draw["sets"].items()
        }
        kept = sum(area >= AUROC for area in pairs.values())
        least = min(pairs, key=lambda pair: pairs[pair])
        name = f"AUROC against another set, {rows} rows, the least: {least[0]} and {least[1]}"
        found += [
            Figure(
                name, pairs[least], pairs[least], max(pairs.values()), "",
                f"extremes of {len(pairs)} pairs", "at least .95", pairs[least] >= AUROC,
            ),
            Figure(
                f"pairs with an AUROC of at least .95, {rows} rows", kept, kept, kept,
                f"of {len(pairs)}", f"{len(pairs)} pairs", "all of them", kept == len(pairs),
            ),
        ]  # fmt: skip
    return found


def _better(draws: Sequence[Draw]) -> list[Figure]:
    """What the temperature does to the log loss of unseen rows, by method."""
    found = []
    for method in dict.fromkeys(draw["method"] for draw in draws):
        mine = [draw for draw in draws if draw["method"] == method]
        gains = [draw["log_loss_before"] - draw["log_loss_after"] for draw in mine]
        mean, spread = statistics.fmean(gains), f"extremes of {len(gains)} cells"
        errors = [
            100 * (draw["calibration_error_before"] - draw["calibration_error_after"])
            for draw in mine
        ]
        found += [
            Figure(
                f"log loss that the temperature saves, {method}", mean, min(gains), max(gains),
                "nats", spread, "at least 0", mean >= 0,
            ),
            Figure(
                f"calibration error that it saves, {method}", statistics.fmean(errors),
                min(errors), max(errors), "points", spread,
            ),
        ]  # fmt: skip
    return found


STUDY = Benchmark(
    name="study_abstaining",
    question="Can a model's confidence and its warnings be relied on?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
