"""What would help here: more labels, another backbone, other settings, cleaner labels.

Each is tried on the folds that judged the model, as far as the time allows, and says what it would
bring as a range. Nothing tried here changes the model that is kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from supertune import limits, registry
from supertune.catalogue.entries import model
from supertune.catalogue.resolve import fetched
from supertune.choose.entries import Decision
from supertune.config import Recipe, method_options
from supertune.contracts import Examples, FloatArray, Floored, FoldSolver, IntArray
from supertune.data.language import speaks
from supertune.errors import SupertuneError
from supertune.evaluation import gains, learning_curve
from supertune.evaluation.forecast import PRIOR, Forecast, Prior, Range, forecast
from supertune.evaluation.gains import Scoring
from supertune.evaluation.splits import repeated_folds
from supertune.limits import Clock, OutOfTime
from supertune.pipeline import Candidate, Folds, Workshop, assess
from supertune.training import estimate
from supertune.training.speed import has_torch, speed_by

SHARE = 0.25  # of the time limit that all of this may take
PROBE, NAMED = "linear_probe", "named_probe"
WORTH = 0.01  # of the metric's unit: a point, below which a change is not advised
LEARNERS = (PROBE, NAMED, "bag_of_words", "nearest_centroid", "linear_regression")
STAND_INS = {"semi_supervised": NAMED}  # for what is not quick; for others it is `PROBE`
MANY = 300  # rows from which fewer repeats are as good
FEWER = 3  # repeats then
REPEATS = 5  # of a learning curve
CLEANING_REPEATS = 2

# Standard deviation of what a change of its kind brings on other data sets, as a share of the
# metric's unit; benchmarks/study_forecast.py measures them.
USUAL = {"backbone": 0.08, "settings": 0.03, "regularisation": 0.015, "cleaning": 0.015}

TRIED: dict[str, dict[str, tuple[dict[str, Any], ...]]] = {
    "regularisation": {
        PROBE: tuple({"penalties": (each,)} for each in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)),
        "bag_of_words": tuple({"strength": each} for each in (0.1, 1.0, 100.0)),
    },
    "settings": {"bag_of_words": ({"pairs": False},)},
}
"""Options of a method, by lever, that are compared with those it has."""


@dataclass(frozen=True)
class Lever:
    """Attributes:
    name: "labels", "backbone", "regularisation", "settings" or "cleaning".
    what: the change, in words.
    gain: what it would bring in the metric, positive is better; None: it was not tried.
    why: the evidence, or why there is none.
    try_: keys of the recipe that carry it out.
    """

    name: str
    what: str
    gain: Range | None
    why: str
    try_: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Advice:
    """``levers``, the most promising first; ``of``: whose curve and folds they were tried on.
    ``why``: why there are none."""

    forecast: Forecast | None = None
    levers: tuple[Lever, ...] = ()
    of: str = ""
    stand_in: bool = False
    unit: float = 1.0
    seconds: float = 0.0
    why: str = ""


@dataclass(eq=False)
class _Bench:
    """What every lever is tried on."""

    workshop: Workshop
    examples: Examples
    folds: Folds
    candidate: Candidate
    now: FloatArray
    floor: FloatArray
    scoring: Scoring
    unit: float
    left: Callable[[], float]

    def variant(self, keys: Mapping[str, Any], candidate: Candidate | None = None) -> FloatArray:
        """Out-of-fold answers (R, n, C) under other keys of the recipe, on the same folds."""
        changed = self.workshop.recipe.model_copy(update=dict(keys))
        shop = self.workshop
        other = Workshop(changed, shop.progress, shop.store, account=shop.account)
        return assess(other, candidate or self.candidate, self.examples, self.folds).answers

    def reading_seconds(self, backbone: str) -> float:
        """Predicted, to open a backbone and to read the rows by it."""
        recipe = self.workshop.recipe
        offer, rows = self.workshop.offer(backbone), self.examples.inputs
        read = estimate.reading_seconds(rows, offer, recipe.max_length, speed_by(recipe, offer))
        return estimate.LOADING + estimate.WIDENING * read


def advise(
    workshop: Workshop,
    examples: Examples,
    decision: Decision,
    stop: float,
    clock: Clock = time.monotonic,
    prior: Prior = PRIOR,
) -> Advice:
    """What would help these rows, tried until ``stop`` (``clock`` seconds), and for a share of the
    time limit at most; empty, with the reason, where time or a quick stand-in is missing.
    """
    started = clock()
    if workshop.recipe.max_candidates is not None:
        stop = math.inf  # nothing may depend on the clock
    stop = min(stop, started + SHARE * workshop.recipe.time_limit) if stop < math.inf else stop
    candidate = _stand_in(workshop, decision)
    if candidate is None:
        why = f"What would help is not known: nothing quick stands in for {decision.candidate}."
        return Advice(why=why)
    if workshop.progress is not None:
        workshop.progress("what would help", 0, None)
    try:
        with limits.until(stop, clock):
            bench = _bench(workshop, examples, decision, candidate, lambda: stop - clock())
            seen = observe(workshop, candidate, examples)
            found = forecast(seen, bench.scoring.metric, bench.scoring.larger, prior=prior)
    except OutOfTime:
        return Advice(why="No time was left to look into what would help: raise --time-limit.")
    others = (_backbone, _regularisation, _settings, _cleaning)
    levers = [
        _labels(found, len(examples), bench),
        *(_within(lever, bench, decision, stop, clock) for lever in others),
    ]
    return Advice(
        found,
        tuple(sorted(levers, key=_worth, reverse=True)),
        str(candidate),
        candidate != decision.candidate,
        bench.unit,
        clock() - started,
    )


def best(found: Advice) -> Lever | None:
    """The most promising lever, where it would bring a point (`WORTH`) or more."""
    tried = (one for one in found.levers if one.gain is not None)
    return next((one for one in tried if _worth(one) >= WORTH * found.unit), None)


def _worth(lever: Lever) -> float:
    return -math.inf if lever.gain is None else lever.gain.value


def _within(
    lever: Callable[[_Bench, Decision], Lever],
    bench: _Bench,
    decision: Decision,
    stop: float,
    clock: Clock,
) -> Lever:
    name = lever.__name__.removeprefix("_")
    try:
        with limits.until(stop, clock):
            limits.check()
            return lever(bench, decision)
    except OutOfTime:
        return Lever(name, "", None, "no time was left: raise --time-limit")
    except SupertuneError as error:
        return Lever(name, "", None, str(error).splitlines()[0])


def _floor(workshop: Workshop, examples: Examples) -> FloatArray:
    """(n, C) answers of the cheapest baseline."""
    judge = workshop.objective
    assert isinstance(judge, Floored)  # whatever is solved in moments answers what has a floor
    return next(iter(judge.from_floor(judge.floor(examples), len(examples)).values()))


def _stand_in(workshop: Workshop, decision: Decision) -> Candidate | None:
    """The candidate itself where it is solved in moments, or a head on its backbone that is."""
    chosen = decision.candidate
    if chosen.method in LEARNERS:
        return chosen
    if chosen.backbone is None or "features" not in workshop.offer(chosen.backbone).capabilities:
        return None
    name = STAND_INS.get(chosen.method, PROBE)
    serves = workshop.task.objective in registry.method(name).objectives
    return Candidate(chosen.backbone, name) if serves else None


def _bench(
    workshop: Workshop,
    examples: Examples,
    decision: Decision,
    candidate: Candidate,
    left: Callable[[], float],
) -> _Bench:
    repeats = FEWER if len(examples) > MANY else workshop.recipe.repeats
    folds = workshop.folds(examples, min(repeats, workshop.recipe.repeats))
    entries = [one for one in decision.entries if one.candidate == candidate]
    known = next((one.assessed.answers for one in entries if one.assessed is not None), None)
    now = assess(workshop, candidate, examples, folds).answers if known is None else known
    now = now[: len(folds)]
    metric, floor = workshop.metric, _floor(workshop, examples)
    scoring = Scoring(
        workshop.score(examples.labels),
        examples,
        metric,
        workshop.task.metrics[metric],
        workshop.recipe.seed,
    )
    unit = gains.unit(scoring, floor)
    return _Bench(workshop, examples, folds[: len(now)], candidate, now, floor, scoring, unit, left)


# --- more labels ------------------------------------------------------------------------------


def observe(
    workshop: Workshop, candidate: Candidate, examples: Examples
) -> learning_curve.Observed:
    """The learning curve of a candidate that is solved in moments."""
    seed, metric = workshop.recipe.seed, workshop.metric
    repeats = FEWER if len(examples) > MANY else REPEATS
    folds = learning_curve.folds(examples, min(repeats, workshop.recipe.repeats), seed)
    full = float(np.mean([len(train) for one in folds for train, _ in one]))
    outputs = 1 if examples.valued else max(2, len(examples.labels))
    learnt: list[float] = []
    answers: list[FloatArray] = []
    # With fewer rows than columns, errors of a plain regression rise before they fall.
    least = 2 * len(examples.columns)
    sizes = [each for each in learning_curve.sizes(int(full), outputs) if each >= least]
    for size in [*sizes, None]:
        limits.check()
        fewer = folds if size is None else learning_curve.shrunk(folds, size, examples, seed)
        answers.append(assess(workshop, candidate, examples, fewer).answers)
        learnt.append(full if size is None else size)
    return learning_curve.observed(
        workshop.score(examples.labels),
        answers,
        learnt,
        _floor(workshop, examples),
        examples,
        metric,
        workshop.task.metrics[metric],
        seed,
    )


def _labels(found: Forecast, rows: int, bench: _Bench) -> Lever:
    """As much work again as was done already, at most: what costs a command stands beside it."""
    step = [one for one in found.steps if one.more <= max(rows, found.steps[0].more)][-1]
    why = f"learning curve of {bench.candidate} from these {rows} rows, continued"
    return Lever("labels", f"{step.more} more labels", step.gain, why)


# --- another backbone -------------------------------------------------------------------------


def _backbone(bench: _Bench, decision: Decision) -> Lever:
    """The same on each other backbone that is on this machine and knows the language: the chosen
    method where it is solved in moments, or a linear head."""
    name, own, chosen = "backbone", bench.candidate.backbone, decision.candidate
    same = chosen.backbone is not None and isinstance(registry.method(chosen.method), FoldSolver)
    method = chosen.method if same else PROBE
    now = bench.now
    if same and decision.assessed is not None:
        now = decision.assessed.answers[: len(bench.folds)]
    rows = registry.modality(bench.examples.modality)
    if rows.vectors:
        return Lever(name, "", None, "columns of numbers need no backbone")
    language = rows.language(bench.examples.inputs)
    others: list[str] = []
    missing: list[str] = []
    for each in rows.backbones(bench.examples.inputs):
        entry = model(each)
        if each == own or entry is None or not speaks(entry.offer.languages, language):
            continue
        if "torch" in entry.offer.capabilities and not has_torch():
            return Lever(name, "", None, f"{each} needs torch, which is not installed")
        (others if fetched(entry) is not None else missing).append(each)
    if not others:
        why = f"not on this machine: {', '.join(missing)}" if missing else "there is no other"
        hint = f"; `supertune models pull {missing[0]}` fetches it" if missing else ""
        return Lever(name, "", None, why + hint)
    known = {
        one.candidate.backbone: one.assessed.answers[: len(bench.folds)]
        for one in decision.entries
        if one.assessed is not None and one.candidate.method == method
    }
    tried: list[Lever] = []
    for each in others:
        answers = known.get(each)
        if answers is None:
            needed = bench.workshop.offer(each).parameters * 4 + estimate.BATCH_BYTES
            if bench.reading_seconds(each) > bench.left() or needed > _room(bench.workshop):
                continue
            answers = bench.variant({"backbone": each}, Candidate(each, method))
        gain = gains.paired_gain(bench.scoring, answers, now, USUAL["backbone"] * bench.unit)
        what = f"{each} instead of {own}" if own else f"a linear head on {each}"
        against = chosen if same else bench.candidate
        why = f"{method} on {each} against {against}, on the same folds"
        tried.append(Lever(name, what, gain, why, {"backbone": each}))
    if not tried:
        return Lever(name, "", None, "no time or memory was left to read the rows by another")
    return max(tried, key=_worth)


def _room(workshop: Workshop) -> int:
    with limits.within(workshop.recipe.memory_limit):
        return limits.room()


# --- settings ---------------------------------------------------------------------------------


def _regularisation(bench: _Bench, decision: Decision) -> Lever:
    trials = _options(bench, "regularisation")
    return _compared(bench, "regularisation", trials)


def _settings(bench: _Bench, decision: Decision) -> Lever:
    recipe, trials = bench.workshop.recipe, _options(bench, "settings")
    backbone = bench.candidate.backbone
    if backbone is not None and bench.reading_seconds(backbone) < bench.left():
        now = recipe.pooling or bench.workshop.offer(backbone).pooling
        trials |= {f"pooling {each}": {"pooling": each} for each in ("mean", "cls") if each != now}
    single = not (bench.examples.valued or bench.examples.multi_label)
    if single and recipe.class_weights is None:
        trials["class_weights balanced"] = {"class_weights": "balanced"}
    return _compared(bench, "settings", trials)


def _options(bench: _Bench, name: str) -> dict[str, dict[str, Any]]:
    method = bench.candidate.method
    options = method_options(_plain(bench.workshop.recipe, method), method).model_dump()
    return {
        f"{key} {value[0] if isinstance(value, tuple) else value}": {
            "method": method,
            "options": {**options, **change},
        }
        for change in TRIED[name].get(method, ())
        for key, value in change.items()
    }


def _plain(recipe: Recipe, method: str) -> Recipe:
    return recipe if recipe.method == method else recipe.model_copy(update={"options": {}})


def _compared(bench: _Bench, name: str, trials: Mapping[str, dict[str, Any]]) -> Lever:
    if not trials:
        return Lever(name, "", None, f"{bench.candidate.method} has none to try in moments")
    answers = {"as it is": bench.now}
    for words, keys in trials.items():
        limits.check()
        answers[words] = bench.variant(keys)
    winner, gain = gains.best_gain(bench.scoring, answers, "as it is", USUAL[name] * bench.unit)
    why = f"{', '.join(trials)} compared on the same folds, corrected for having chosen"
    if winner == "as it is":
        return Lever(name, f"none of {len(trials)} tried is clearly better", gain, why)
    return Lever(name, winner, gain, why, _told(trials[winner]))


def _told(keys: Mapping[str, Any]) -> dict[str, Any]:
    options = keys.get("options", {})
    return {**{k: v for k, v in keys.items() if k not in ("options", "method")}, **options}


# --- cleaner labels ---------------------------------------------------------------------------


def _cleaning(bench: _Bench, decision: Decision) -> Lever:
    """Suspects are found in the learning part of each fold alone and left out of it; all rows of
    the other part judge, so that nothing is scored by whether it was suspected."""
    flagged = suspected(bench.workshop, bench.examples, bench.now)
    rows = len(bench.examples)
    if not len(flagged):
        return _nothing_to_clean(bench, decision)
    folds = bench.folds[:CLEANING_REPEATS]
    cleaned = [[(_cleaner(bench, train), test) for train, test in one] for one in folds]
    answers = assess(bench.workshop, bench.candidate, bench.examples, cleaned).answers
    gain = gains.paired_gain(
        bench.scoring, answers, bench.now[: len(folds)], USUAL["cleaning"] * bench.unit
    )
    share = len(flagged) / rows
    why = (
        f"{len(flagged)} of {rows} rows ({share:.0%}) look wrong; models that learnt without "
        "suspects against those of all rows, on the same folds"
    )
    return Lever("cleaning", f"{len(flagged)} suspicious rows checked", gain, why)


def _nothing_to_clean(bench: _Bench, decision: Decision) -> Lever:
    """What is told must not gainsay the model's own answers, which the report judges rows by."""
    own = decision.assessed
    doubted = () if own is None else suspected(bench.workshop, bench.examples, own.answers)
    if not len(doubted):
        return Lever("cleaning", "no row looks wrong", Range(0.0, 0.0, 0.0), "no suspects")
    why = (
        f"{len(doubted)} rows look wrong to {decision.candidate}, and none to {bench.candidate} on "
        "the folds that changes are tried on"
    )
    return Lever("cleaning", "", None, why)


def suspected(workshop: Workshop, examples: Examples, answers: FloatArray) -> IntArray:
    """Indices of the rows whose own answers look wrong."""
    _, findings = workshop.objective.rows_to_look_at(examples, answers, False)
    numbers = {row for one in findings for row in one.rows}
    return np.flatnonzero(np.isin(examples.rows, sorted(numbers)))


def _cleaner(bench: _Bench, train: IntArray) -> IntArray:
    """The rows of ``train`` without those that models of the others in it doubt."""
    limits.check()
    part = bench.examples.take(train)
    folds = repeated_folds(part, folds=5, repeats=1, seed=bench.workshop.recipe.seed)
    answers = assess(bench.workshop, bench.candidate, part, folds).answers
    kept = np.delete(np.arange(len(train)), suspected(bench.workshop, part, answers))
    targets = part.targets
    assert targets is not None
    if targets.dtype.kind == "i" and len(set(targets[kept])) < len(set(targets)):
        return train  # a label would be gone
    return train[kept]
