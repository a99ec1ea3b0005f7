"""Pictures for a report: what a model draws before and after it was tuned, on the same seeds, what
it learned from beside them, and what an encoder that had no part in it says of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from supertune.contracts import Drawing, Examples, Input, Lens, Picture, Sampling, Tuned
from supertune.errors import EnvironmentFault
from supertune.evaluation.generated import Measured, closer, copied
from supertune.pipeline import Workshop
from supertune.report import generated
from supertune.training import estimate
from supertune.training.speed import speed

JUDGE = "efficientnet-lite0"
SHOWN = 8
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
    judge: Callable[[], Lens | None] = lambda: None,
    test: Sequence[Input] = (),
) -> dict[str, Any]:
    """``generated`` of a report; empty where nothing is drawn, or drawing would take long.

    Args:
        untuned: what draws as it was before.
        seconds: that drawing may take.
        shown: whether pictures that were learned from may be seen.
        judge: an encoder of pictures, to say how near they came; asked for once they are drawn.
        test: pictures that were kept apart, which it then compares with.
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
    encoder = judge()
    figures = (
        {} if encoder is None else judged(rows["before"], rows["after"], pictures, test, encoder)
    )
    told = {name: (one.value, one.low, one.high) for name, one in figures.items()}
    found = generated.section(rows, told)
    return {"generated": {**found, **({"caption": caption} if shown else {})}}


def judge_of(workshop: Workshop) -> Lens | None:
    """The encoder that judges, fetched if need be; None where it cannot be had."""
    try:
        return workshop.lens(JUDGE)
    except EnvironmentFault:
        return None


def judged(
    before: Sequence[generated.Array],
    after: Sequence[generated.Array],
    learned: Sequence[Picture],
    test: Sequence[Input],
    judge: Lens,
) -> dict[str, Measured]:
    """How much nearer to real pictures, those kept apart or else those learned from, and how much
    of it is copied."""
    real, which = (test, "kept apart") if len(test) > 1 else (learned, "learned from")
    side = after[0].shape[0]
    features = {  # nothing is kept of pictures that nobody will ask about again
        name: judge.features([_encoded(one) for one in several], prediction=True)
        for name, several in (
            ("before", before),
            ("after", after),
            ("real", [_seen(one, side) for one in real if isinstance(one, Picture)]),
            ("learned", [_seen(one, side) for one in learned]),
        )
    }
    found = {}
    if len(real) > 1:
        name = f"change of the kernel distance (KID) to the {len(real)} pictures {which}"
        found[name] = closer(features["before"], features["after"], features["real"])
    if len(learned) > 1:
        name = "share nearer to a picture learned from than any other of those is"
        found[name] = copied(features["after"], features["learned"])
    return found


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
    return [_seen(one, lens.backbone.offer.resolution) for one in pictures[:SHOWN]]


def _seen(picture: Picture, side: int) -> generated.Array:
    """As a denoiser of so many pixels a side sees it."""
    from supertune.data.pictures.decoding import fitted, opened

    return np.asarray(fitted(opened(picture), side, "crop"))


def _encoded(pixels: generated.Array) -> Picture:
    return Picture.of(generated.png(pixels), "drawn.png")
