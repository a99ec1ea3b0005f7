"""``python -m benchmarks.study_generation``: a concept that the model has never seen, from 8
pictures.

Concepts are families of emoji that ``emoji-diffusion`` was pre-trained without. Resumable.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, mean, median
from supertune import pipeline
from supertune.catalogue.emoji import Emoji, emoji
from supertune.config import recipe
from supertune.contracts import FloatArray, Lens, Picture
from supertune.evaluation.generated import closer, copied, gained, kernel_distance, recognised
from supertune.pipeline import Candidate, Workshop
from supertune.report import generated
from supertune.training import drawing

BACKBONE, JUDGE = "emoji-diffusion", "efficientnet-lite0"
LEARNED, MADE, SIDE, STEPS = 8, 24, 32, 20
LIMIT = 300.0  # seconds of a fit
METHODS = ("lora", "textual_inversion")
# The noun that a new word stands beside, and of which emoji it is said.
CONCEPTS = {
    "clock": ("Travel & Places", "time", "clock face"),
    "heart": ("Smileys & Emotion", "heart", "heart"),
    "flag": ("Flags", "country-flag", ""),
    "fruit": ("Food & Drink", "food-fruit", ""),
    "bird": ("Animals & Nature", "animal-bird", ""),
}
_HOW = (
    f"{LEARNED} pictures of a family that the model was pre-trained without are learned from, the "
    f"others judge. Before and after, {MADE} pictures are drawn by the same words on the same "
    f"seeds. A classifier (logistic regression on features of {JUDGE}) that has seen every emoji "
    "but those learned from says which of eleven kinds each picture is: the ten categories, and "
    "the concept. Methods have their defaults, chosen on clocks, hearts and fruit drawn by another "
    "seed than the study's."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [
            {"concept": "clock", "method": "lora", "seed": 0, "made": 4, "options": {"epochs": 1}}
        ]
    return [
        {"concept": concept, "method": method, "seed": 0, "made": MADE}
        for concept in CONCEPTS
        for method in METHODS
    ]


def measure(item: Item) -> dict[str, Any]:
    learned, others = _drawn(item["concept"], item["seed"])
    caption = f"a wug {item['concept']}"
    settled = recipe(
        {
            "task": "image_generation",
            "backbone": BACKBONE,
            "method": item["method"],
            "seed": item["seed"],
            "options": item.get("options", {}),
        }
    )
    workshop = Workshop(settled)
    pictures = [replace(one.picture, caption=caption) for one in learned]
    examples = pipeline.read(pictures, settled).train
    lens = workshop.lens(BACKBONE)
    start, spent = time.perf_counter(), time.process_time()
    tuned = pipeline.tune(workshop, Candidate(BACKBONE, item["method"]), examples)
    seconds, spent = time.perf_counter() - start, time.process_time() - spent
    untuned = pipeline.tune(workshop, Candidate(BACKBONE, "untuned"), examples)
    made = {
        name: drawing.drawn(model, lens, caption, n=item["made"], seed=1000, steps=STEPS)
        for name, model in (("before", untuned), ("after", tuned))
    }
    return _judged(item["concept"], learned, others, made) | {
        "seconds": seconds,
        "processor_seconds": spent,
        "tuned_parameters": tuned.tuned_parameters,
    }


def _judged(
    concept: str,
    learned: Sequence[Emoji],
    others: Sequence[Emoji],
    made: dict[str, drawing.Pictures],
) -> dict[str, Any]:
    before, after = (_features([_png(one) for one in made[name]]) for name in ("before", "after"))
    own = _features([_small(one) for one in learned])
    real = _features([_small(one) for one in others])
    classifier = _classifier(concept, frozenset(one.picture.sha256 for one in learned))
    hits = [classifier.predict(one) == concept for one in (before, after)]
    return {
        "judged_on": len(others),
        "made": len(after),
        "recognised_before": recognised(hits[0]).as_dict(),
        "recognised_after": recognised(hits[1]).as_dict(),
        "gained": gained(*hits).as_dict(),
        "distance_before": kernel_distance(before, real),
        "distance_after": kernel_distance(after, real),
        "closer": closer(before, after, real).as_dict(),
        "copied": copied(after, own).as_dict(),
    }


def _drawn(concept: str, seed: int) -> tuple[list[Emoji], list[Emoji]]:
    """The emoji to learn from, and the others of the concept."""
    rows = [one for one in _all() if _is(one, concept)]
    order = np.random.default_rng(seed).permutation(len(rows))
    return [rows[i] for i in order[:LEARNED]], [rows[i] for i in order[LEARNED:]]


@cache
def _all() -> tuple[Emoji, ...]:
    """The package is large, and every item asks for it."""
    return tuple(emoji())


def _is(one: Emoji, concept: str) -> bool:
    category, family, words = CONCEPTS[concept]
    return one.category == category and one.subcategory == family and words in one.words


def _classifier(concept: str, learned: frozenset[str]) -> Any:
    """Of all emoji but those learned from."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [one for one in _all() if one.picture.sha256 not in learned]
    labels = [concept if _is(one, concept) else one.category for one in rows]
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, max_iter=200, class_weight="balanced")
    )
    return model.fit(_features([_small(one) for one in rows]), np.array(labels))


@cache
def _lens() -> Lens:
    workshop = Workshop(recipe({"task": "image_classification", "backbone": JUDGE}))
    lens = workshop.lens(JUDGE)
    assert lens is not None
    return lens


def _features(pictures: Sequence[Picture]) -> FloatArray:
    return _lens().features(pictures)


def _small(one: Emoji) -> Picture:
    """A real picture at the size of those that are drawn."""
    from PIL import Image

    from supertune.data.pictures.decoding import opened

    image = opened(one.picture).resize((SIDE, SIDE), Image.Resampling.BOX)
    return _png(np.asarray(image))


def _png(pixels: npt.NDArray[np.uint8]) -> Picture:
    return Picture.of(generated.png(pixels), "drawn.png")


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """Of each method the means over concepts, and in how many every promise was kept."""
    by_method: dict[str, list[Draw]] = defaultdict(list)
    for draw in draws:
        by_method[draw["method"]].append(draw)
    found = []
    for method, own in by_method.items():
        before = [100 * one["recognised_before"]["value"] for one in own]
        after = [100 * one["recognised_after"]["value"] for one in own]
        gains = [b - a for a, b in zip(before, after, strict=True)]
        found += [
            mean(f"{method}: recognised as the concept, before", before, "%"),
            mean(f"{method}: recognised as the concept, after", after, "%"),
            mean(f"{method}: points gained", gains, "points", at_least=40.0),
            _count(f"{method}: concepts with a lower KID, its bound below 0", own, _is_closer),
            _count(f"{method}: concepts of which at most 10 % is copied", own, _is_own),
            median(f"{method}: seconds", [one["seconds"] for one in own], "s", at_most=LIMIT),
        ]
    return found


def _is_closer(draw: Draw) -> bool:
    return float(draw["closer"]["high"]) < 0


def _is_own(draw: Draw) -> bool:
    return float(draw["copied"]["value"]) <= 0.1


def _count(name: str, draws: Sequence[Draw], kept: Any) -> Figure:
    share = 100 * statistics.fmean(kept(one) for one in draws)
    names = ", ".join(str(one["concept"]) for one in draws if not kept(one))
    how = f"{len(draws)} concepts" + (f", not {names}" if names else "")
    return Figure(name, share, share, share, "%", how, "100 %", share >= 100)


STUDY = Benchmark(
    name="study_generation",
    question="Is a concept learned from 8 pictures, and not copied?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
