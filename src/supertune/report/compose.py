"""The numbers of a fit, gathered into the one dictionary that report.json holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.choose import Decision
from supertune.config import Recipe
from supertune.contracts import (
    UNLIKE,
    Asked,
    Columns,
    Examples,
    Finding,
    Judged,
    Notes,
    Reading,
    Terming,
    Tuned,
    Vouching,
)
from supertune.evaluation import novelty
from supertune.evaluation.breakdown import by_slice
from supertune.evaluation.intervals import Estimate, from_folds, from_test, paired
from supertune.evaluation.resampling import Score
from supertune.evaluation.verdict import Verdict, verdict
from supertune.pipeline import Workshop

CURVE_POINTS = 200


def scores(workshop: Workshop, judged: Judged, names: Sequence[str]) -> dict[str, Estimate]:
    """The named metrics with their intervals."""
    return _scored(workshop.score(judged.examples.labels), workshop, judged, names)


def _scored(
    score: Score, workshop: Workshop, judged: Judged, names: Sequence[str]
) -> dict[str, Estimate]:
    examples = judged.examples
    shared: dict[str, Any] = {
        "seed": workshop.recipe.seed,
        "groups": examples.groups,
        "weights": examples.weights,
    }
    targets = _targets(examples)
    if judged.on_test:
        return from_test(score, judged.answers, targets, names, **shared)
    return from_folds(score, judged.answers, targets, names, folds=judged.folds, **shared)


def available(workshop: Workshop, examples: Examples) -> list[str]:
    """The metrics that these rows can be scored by."""
    score, nothing = workshop.score(examples.labels), workshop.objective.unknowing(examples)
    known = score(nothing, _targets(examples), None)
    return [name for name in workshop.task.metrics if name in known]


def breakdown(workshop: Workshop, judged: Judged, *, shown: bool) -> dict[str, Any]:
    """Everything below the headline: what the objective has to say, and the slices."""
    examples = judged.examples
    costs, seed = workshop.costs(examples.labels), workshop.recipe.seed
    slices = {
        column: [
            {**part, "estimate": part["estimate"].as_dict()}
            for part in by_slice(
                workshop.score(examples.labels),
                judged.answers,
                _targets(examples),
                workshop.metric,
                values,
                seed=seed,
                groups=examples.groups,
                weights=examples.weights,
            )
        ]
        for column, values in examples.slices.items()
    }
    own = workshop.objective.breakdown(judged, seed=seed, costs=costs, shown=shown)
    return {**own, "slices": slices}


def recipe_section(recipe: Recipe) -> dict[str, Any]:
    """``recipe`` as it was resolved; of texts of the field only how many ``texts`` and ``words``
    there are, as ``domain_text``."""
    texts = recipe.domain_text
    words = sum(len(text.split()) for text in texts)
    told = {"domain_text": {"texts": len(texts), "words": words}} if texts else {}
    return {"recipe": recipe.model_dump(mode="json", exclude={"domain_text"}), **told}


def terms(workshop: Workshop, judged: Judged, free: Mapping[str, Judged]) -> dict[str, Any]:
    """``terms``: how many mentions of the recipe's hints are written as they should be, by the
    model and by what costs nothing; empty without hints or a mention."""
    judge, hints = workshop.objective, workshop.recipe.hints
    if not hints or not isinstance(judge, Terming):
        return {}
    score = judge.term_score(hints)
    targets = _targets(judged.examples)
    given = score(judged.answers if judged.on_test else judged.answers[0], targets, None)
    if not given["mentions"][0]:
        return {}
    name = "term_accuracy"
    found = _scored(score, workshop, judged, [name])[name]
    beside = {key: _scored(score, workshop, one, [name])[name] for key, one in free.items()}
    return {
        "terms": {
            "given": len(hints),
            "mentions": int(given["mentions"][0]),
            "estimate": found.as_dict(),
            "baselines": {key: one.as_dict() for key, one in beside.items()},
        }
    }


def judgement(
    workshop: Workshop,
    model: Judged,
    baselines: Mapping[str, Judged],
    decision: Decision,
) -> Verdict:
    """Is the model better than the free baseline, on the rows that both were judged on?"""
    rivals = workshop.objective.rivals
    name, kind = next(pair for pair in rivals if pair[0] in baselines)
    base = baselines[name]
    own = scores(workshop, base, [workshop.metric])[workshop.metric]
    larger = workshop.task.metrics[workshop.metric]
    if decision.candidate.method == name:
        return verdict(own, None, name=name, larger=larger, kind=kind)
    if not model.on_test and decision.choice is not None and decision.choice.difference is not None:
        gap = decision.choice.difference
    else:
        gap = paired(
            workshop.score(model.examples.labels),
            model.answers,
            base.answers,
            _targets(model.examples),
            workshop.metric,
            seed=workshop.recipe.seed,
            groups=model.examples.groups,
            weights=model.examples.weights,
            folds=model.folds,
        )
    return verdict(own, gap, name=name, larger=larger, kind=kind)


def bounds(
    workshop: Workshop,
    calibration: Mapping[str, npt.NDArray[Any]],
    judged: Judged,
    asked: Asked,
) -> dict[str, Any]:
    """How far the bounds of answers hold, where the objective can tell."""
    judge = workshop.objective
    if not isinstance(judge, Vouching):
        return {}
    return judge.bounds(calibration, judged, workshop.costs(judged.examples.labels), asked)


def trust(
    workshop: Workshop,
    decision: Decision,
    examples: Examples,
    calibration: Mapping[str, npt.NDArray[Any]],
    judged: Judged,
) -> dict[str, Any]:
    """What the answers out of fold say of new ones: ``calibration``, the objective's own bounds,
    and ``unlike``, whether rows unlike those learned from would be noticed."""
    found = bounds(workshop, calibration, judged, Asked(max_error=workshop.recipe.max_error))
    done = {} if decision.assessed is None else decision.assessed.calibrated
    rows = novelty.independent(len(examples), examples.groups)
    return {
        **found,
        **({"calibration": dict(done)} if done else {}),
        "unlike": {
            "views": novelty.views_known(calibration),
            "rows": rows,
            "needed": novelty.FLOOR,
            "alarms": UNLIKE,
        },
    }


def rows_to_look_at(
    workshop: Workshop, examples: Examples, decision: Decision, shown: bool
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Rows answered wrongly out of fold, the suspicious ones first; and the finding about them."""
    if decision.assessed is None:
        return [], []
    return workshop.objective.rows_to_look_at(examples, decision.assessed.answers, shown)


def candidates(decision: Decision) -> list[dict[str, Any]]:
    """Every candidate with its own score, its time, and why it ended as it did."""
    table = {one.name: one for one in decision.choice.table} if decision.choice else {}
    listed = []
    for entry in decision.entries:
        standing = table.get(str(entry.candidate))
        listed.append(
            {
                "backbone": entry.candidate.backbone,
                "method": entry.candidate.method,
                "estimate": None if standing is None else standing.estimate.as_dict(),
                "seconds": entry.seconds or None,
                "predicted_seconds": entry.predicted_so_far or entry.comparing_seconds,
                "memory_bytes": entry.memory_bytes,
                "folds": [entry.folds_done, entry.folds] if entry.folds_done else None,
                "seen": None if entry.outlook is None else asdict(entry.outlook),
                "status": entry.status,
                "why": entry.why,
            }
        )
    return listed


def data_section(
    workshop: Workshop, reading: Reading, examples: Examples, *, shown: bool
) -> dict[str, Any]:
    """Where the rows came from and how their columns were understood."""
    return {
        "source": reading.source,
        "rows": len(examples),
        "unlabelled": max(len(reading.train) - len(examples), len(workshop.unlabelled)),
        **workshop.objective.answers_given(examples),
        "columns": columns_section(reading.columns),
        "guesses": list(reading.guesses),
        "samples": [dict(sample) for sample in reading.samples] if shown else [],
        "holds_rows": shown,
    }


def columns_section(columns: Columns) -> dict[str, Any]:
    """The columns that were used, as JSON."""
    named = {
        "text": list(columns.text),
        "label": columns.label,
        "split": columns.split,
        "group": columns.group,
        "time": columns.time,
        "weight": columns.weight,
        "slices": list(columns.slices),
        "template": columns.template,
        "pair": columns.pair,
        "separator": columns.separator,
    }
    numbers = {"numbers": list(columns.numbers)} if columns.numbers else {}
    seen = {
        "picture": columns.picture,
        "audio": columns.audio,
        "concept": columns.concept,
        "user": columns.user,
        "item": columns.item,
        "hold_out": columns.hold_out,
        "clear_ids": columns.clear_ids,
    }
    return {**named, **numbers, **{name: value for name, value in seen.items() if value}}


def tuning(workshop: Workshop, backbone: str | None, tuned: Tuned) -> dict[str, Any]:
    """The backbone, and what was tuned beside it."""
    lens = workshop.lens(backbone)
    state = tuned.state()
    held = (state.arrays, state.adapter, *(one.arrays for one in state.files.values()))
    stored = sum(int(array.nbytes) for arrays in held for array in arrays.values())
    parameters = None if lens is None else lens.backbone.offer.parameters
    return {
        "backbone": backbone,
        "backbone_sha256": None if lens is None else lens.backbone.sha256,
        "precision": None if lens is None else lens.backbone.precision,
        "tuned": {
            "parameters": tuned.tuned_parameters,
            "bytes": stored,
            "backbone_parameters": parameters,
            "share": tuned.tuned_parameters / parameters if parameters else None,
        },
    }


def notes_section(notes: Notes) -> dict[str, Any]:
    """What the method itself has to show, as JSON; empty where it has nothing."""
    found: dict[str, Any] = {}
    if notes.curves:
        found["curves"] = [
            {"name": curve.name, "along": curve.along, "points": _thinned(curve.points)}
            for curve in notes.curves
        ]
    if notes.coefficients:
        found["coefficients"] = [asdict(one) for one in notes.coefficients]
    if notes.about:
        found["about"] = notes.about
    if notes.asked:
        found["asked"] = [list(each) for each in notes.asked]
    if notes.unlabelled:
        found["unlabelled"] = dict(notes.unlabelled)
    return {"notes": found} if found else {}


def _thinned(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    """At most `CURVE_POINTS`, more of them at the beginning, where a curve moves."""
    last = len(points) - 1
    if last < CURVE_POINTS:
        return [list(point) for point in points]
    places = np.unique(np.geomspace(1, last + 1, CURVE_POINTS).astype(int)) - 1
    return [list(points[i]) for i in places]


def finite(value: Any) -> Any:
    """The same JSON value with NaN and infinities as None."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _targets(examples: Examples) -> npt.NDArray[Any]:
    assert examples.targets is not None
    return examples.targets
