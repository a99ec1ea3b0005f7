"""What would help, in words: the forecast of more labels, and the levers by what each would buy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from supertune.choose import levers
from supertune.choose.levers import WORTH, Advice, Lever
from supertune.evaluation.forecast import COVERAGE, FURTHEST, Forecast, Range
from supertune.metrics import CLASSIFICATION, MULTI_LABEL, RATES, REGRESSION
from supertune.report import wording

Tell = Literal["yes", "no", "cannot_tell", "not_tried"]

NAMES = {
    "labels": "more labels",
    "backbone": "another backbone",
    "regularisation": "other regularisation",
    "settings": "other hyper-parameters",
    "cleaning": "cleaner labels",
}
LARGER = {**CLASSIFICATION, **MULTI_LABEL, **REGRESSION}
REFERENCE = (
    "An inverse power law (Viering and Loog 2022) continued from sub-samples of the rows, under a "
    "prior learnt from other data sets; gains of other changes are paired on the same folds and "
    "drawn towards 0 by what such changes usually bring (Lindley and Smith 1972)."
)


def section(advice: Advice, metric: str) -> dict[str, Any]:
    """The report's ``advice``: ``verdict`` in words, ``best`` lever, ``forecast``, ``levers``."""
    if advice.forecast is None:
        return {"verdict": advice.why, "best": None, "forecast": None, "levers": []}
    best = levers.best(advice)
    return {
        "verdict": " ".join([_most(best, advice, metric), _labels(advice.forecast, metric)]),
        "best": None if best is None else best.name,
        "forecast": advice.forecast.as_dict(),
        "levers": [_told(one, advice, metric) for one in advice.levers],
        "coverage": COVERAGE,
        "of": advice.of,
        "stand_in": advice.stand_in,
        "seconds": advice.seconds,
        "about": _about(advice),
    }


def tell(gain: Range | None, unit: float) -> Tell:
    """Whether it would help: "no" where even the upper end is less than a point."""
    if gain is None:
        return "not_tried"
    if gain.low > 0 and gain.value >= WORTH * unit:
        return "yes"
    return "no" if gain.high < WORTH * unit else "cannot_tell"


def span(gain: Range | None, metric: str) -> str:
    """``+1 to +7 points``; of other metrics in their own units, positive where it is better."""
    if gain is None:
        return ""
    return f"{_amount(gain.low, metric)} to {_amount(gain.high, metric)} {_unit(metric)}"


def _amount(value: float, metric: str) -> str:
    if metric not in RATES:
        return wording.measured(value)
    points = 100 * value
    text = f"{points:+.{1 if abs(points) < 2 else 0}f}".replace("-", wording.MINUS)
    return "0" if float(f"{points:.1f}") == 0 else text


def _unit(metric: str) -> str:
    if metric in RATES:
        return "points"
    direction = "more" if LARGER.get(metric, True) else "less"
    return f"{direction} {wording.metric_name(metric)}"


def _labels(found: Forecast, metric: str) -> str:
    """``About 50 more labels would bring +2 to +6 points; beyond about 150 rows it flattens.``"""
    wanted = 50 if found.rows < 100 else 100
    step = next(one for one in found.steps if one.more == wanted)
    text = f"About {wanted} more labels would bring {span(step.gain, metric)}"
    if found.flat_now:
        return f"{text}: at {found.rows} rows more labels bring little."
    if found.flat is None:
        return f"{text}, and labels would go on helping beyond {FURTHEST:,} rows."
    return f"{text}; beyond about {_rounded(found.flat.value)} rows it flattens."


def _rounded(rows: float) -> str:
    """Two digits that matter: a forecast knows no more."""
    return f"{int(float(f'{rows:.2g}')):,}"


def _most(best: Lever | None, advice: Advice, metric: str) -> str:
    if best is None or best.gain is None:
        return "Nothing that was tried here would bring as much as a point."
    text = f"What would help most here is {NAMES[best.name]}"
    if best.name == "labels":
        return f"{text}."
    text += f": {best.what}, {span(best.gain, metric)}"
    if tell(best.gain, advice.unit) == "cannot_tell":
        rows = advice.forecast.rows if advice.forecast else 0
        return f"{text}; these {rows:,} rows cannot tell for certain."
    return f"{text}."


def _told(lever: Lever, advice: Advice, metric: str) -> dict[str, Any]:
    answer = tell(lever.gain, advice.unit)
    said = {
        "yes": "would help",
        "no": "would not help",
        "cannot_tell": "cannot tell",
        "not_tried": "not tried",
    }[answer]
    known = lever.gain is not None and lever.gain.low < lever.gain.high
    return {
        "lever": lever.name,
        "name": NAMES[lever.name],
        "what": lever.what,
        "gain": None if lever.gain is None else vars(lever.gain),
        "tell": answer,
        "text": said if not known else f"{span(lever.gain, metric)}: {said}",
        "why": lever.why,
        "try": dict(lever.try_),
    }


def _about(advice: Advice) -> str:
    text = f"Ranges hold in {COVERAGE:.0%} of cases. "
    if advice.stand_in:
        text += f"{advice.of} stands in for the model that is kept. "
    return text + REFERENCE


def step(report: Mapping[str, Any], data: str) -> str | None:
    """The next step that carries out the best lever, with its command where there is one."""
    advice = report.get("advice") or {}
    best = next((o for o in advice.get("levers", []) if o["lever"] == advice.get("best")), None)
    if best is None or not best["try"]:
        return None
    keys = dict(best["try"])
    backbone = keys.pop("backbone", None)
    command = f"supertune fit {data}" + (f" --backbone {backbone}" if backbone else "")
    if keys:
        command += f" --method {report.get('method')}"
        command += f" --backbone {report['backbone']}" if report.get("backbone") else ""
    command += "".join(f" --set {key}={_value(value)}" for key, value in keys.items())
    return f"Try {best['name']}: {command}"


def _value(value: Any) -> str:
    return f"'{list(value)}'" if isinstance(value, tuple | list) else str(value)
