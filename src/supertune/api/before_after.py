"""Pictures for a report: what a model draws before and after it was tuned, on the same seeds, and
what it learned from beside them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from supertune.contracts import Drawing, Examples, Lens, Picture, Sampling, Tuned
from supertune.report import generated
from supertune.training import estimate
from supertune.training.speed import speed

SHOWN = 6
STEPS = 20
PATIENCE = 0.5  # of what the fit took so far, that drawing may take where no time is left


def section(
    tuned: Tuned,
    untuned: Tuned | None,
    examples: Examples,
    lens: Lens | None,
    *,
    seed: int,
    seconds: float,
    shown: bool,
    figures: Mapping[str, tuple[float, float, float]] | None = None,
) -> dict[str, Any]:
    """``generated`` of a report; empty where nothing is drawn, or drawing would take long.

    Args:
        untuned: what draws as it was before.
        seconds: that drawing may take.
        shown: whether pictures that were learned from may be seen.
        figures: by name a number and the ends of its interval, to stand below.
    """
    if not (isinstance(tuned, Drawing) and isinstance(untuned, Drawing)) or lens is None:
        return {}
    if drawing_seconds(lens) > seconds:
        return {}
    pictures = [value for value in examples.inputs if isinstance(value, Picture)]
    (caption, _), *_ = Counter(one.caption for one in pictures).most_common(1)
    how, seeds = Sampling(steps=STEPS), [seed + i for i in range(SHOWN)]
    rows = {"learned from": _learned(pictures, lens)} if shown else {}
    for name, one in (("before", untuned), ("after", tuned)):
        rows[name] = one.sample([caption] * SHOWN, seeds, how, lens)
    found = generated.section(rows, figures)
    return {"generated": {**found, **({"caption": caption} if shown else {})}}


def drawing_seconds(lens: Lens) -> float:
    """What drawing takes on this machine, about: each step is two passes."""
    offer = lens.backbone.offer
    known = speed(precision="fp32")
    return estimate.encode_seconds(offer, offer.positions * 2 * STEPS * 2 * SHOWN, known)


def allowed(started: float, limit: float) -> float:
    """Seconds that are left of the limit, or a share of what was spent, whichever is more."""
    spent = time.monotonic() - started
    return max(limit - spent, PATIENCE * spent)


def _learned(pictures: list[Picture], lens: Lens) -> list[generated.Array]:
    from supertune.data.pictures.decoding import fitted, opened

    side = lens.backbone.offer.resolution
    return [np.asarray(fitted(opened(one), side, "crop")) for one in pictures[:SHOWN]]
