"""``python -m benchmarks.study_speech``: how much better recordings are written down after a few.

Judged on prompts of three words or more whose words nothing learned from says, and on English ones
for what was forgotten. Resumable.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, mean, median
from supertune import pipeline, transcripts
from supertune.catalogue.corpora import few_clips
from supertune.config import recipe
from supertune.contracts import Examples, FloatArray, Listening
from supertune.pipeline import Candidate, Workshop

DRAWS, LEARNED, TEST, GUARD = 3, 80, 1000, 60
BACKBONE = "whisper-base"
METHODS = ("lora",)
# One draw of French each: what else may be tuned, and how far to go.
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora, half of the way": ("lora", {"interpolation": 0.5}),
    "decoder_prompts": ("decoder_prompts", {}),
}
HINTED, WORDED = "hints", "texts"  # without any training
TERMS = {
    "fr": "dièse, étoile, Asterisk, Digium, Comedian, sourdine, boîte vocale, messagerie vocale, "
    "préposé, numéro de poste, mot de passe, participant, répertoire, déverrouiller, session, "
    "renvoi d'appel, appelant, agent, discrétion, timbre",
    "it": "cancelletto, asterisco, Asterisk, Digium, conferenza, password, operatore, "
    "partecipante, moderatore, interlocutore, chiamante, saluto provvisorio, segnale acustico, "
    "interno, inoltro, parentesi graffa, parentesi quadra, prefisso, tastiera, cartella",
}
SPOKEN = {"fr": "French", "it": "Italian"}
RESAMPLED = 2000
_HOW = (
    f"{LEARNED} prompts of three words or more, of which no two say the same, are drawn and "
    f"learned from with the method's defaults; all others of that kind judge. {GUARD} English "
    "prompts are written down before and after. Hints are 20 names and terms that the "
    "untuned model is given, chosen once by reading the prompts; texts are what the prompts "
    "learned from say, without a recording of them. The interval of the difference "
    "is a bootstrap over the clips that judge, each before and after (percentiles, 2,000 samples)."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [_item("fr", "top_blocks", 0) | {"learned": 4, "test": 4, "guard": 2}]
    return [
        item
        for spoken in SPOKEN
        for item in [
            *(_item(spoken, method, seed) for method in METHODS for seed in range(DRAWS)),
            _item(spoken, HINTED, 0),
            _item(spoken, WORDED, 0),
        ]
    ] + [_item("fr", name, 0) for name in OTHERS]


def _item(spoken: str, method: str, seed: int) -> Item:
    return {
        "language": spoken,
        "method": method,
        "seed": seed,
        "learned": LEARNED,
        "test": TEST,
        "guard": GUARD,
    }


def measure(item: Item) -> dict[str, Any]:
    spoken = item["language"]
    method, options = OTHERS.get(item["method"], (item["method"], {}))
    train, test = few_clips(
        f"prompts-{spoken}",
        train_rows=item["learned"],
        test_rows=item["test"],
        seed=item["seed"],
        words=3,
    )
    if method in (HINTED, WORDED):
        return _told(spoken, method, item["seed"], train, test)
    workshop, examples, judges = _read(spoken, method, item["seed"], train, test, options)
    english, _ = few_clips("prompts-en", train_rows=item["guard"], test_rows=0, seed=0, words=3)
    other, guard, _ = _read("en", method, item["seed"], english, [])
    start = time.process_time()
    tuned = pipeline.tune(workshop, Candidate(BACKBONE, method), examples)
    spent = time.process_time() - start
    untuned = pipeline.tune(workshop, Candidate(BACKBONE, "untuned"), examples)
    counts = {}
    for name, model in (("before", untuned), ("after", tuned)):
        for kind, shop, rows in (("", workshop, judges), ("_english", other, guard)):
            answers = model.held_out(rows.inputs, shop.lens(BACKBONE))  # type: ignore[attr-defined]
            counts[name + kind] = transcripts.counted(answers, rows.targets)  # type: ignore[arg-type]
    low, high = _apart(counts["before"], counts["after"], item["seed"])
    return {
        **{f"wer_{name}": _rate(found) for name, found in counts.items()},
        "difference": {"low": low, "high": high},
        "judged_on": len(judges),
        "windows": list(getattr(tuned, "windows", ())),
        "tuned_parameters": tuned.tuned_parameters,
        "processor_seconds": spent,
    }


def _told(
    spoken: str, method: str, seed: int, train: Sequence[Any], test: Sequence[Any]
) -> dict[str, Any]:
    """The untuned model with and without terms that may be said, or what the others say."""
    shop, examples, judges = _read(spoken, "untuned", seed, train, test)
    lens = shop.lens(BACKBONE)
    model: Any = pipeline.tune(shop, Candidate(BACKBONE, "untuned"), examples)
    terms = tuple(TERMS[spoken].split(", "))
    said = [str(one) for one in judges.targets]  # type: ignore[union-attr]
    found: dict[str, Any] = {}
    counts = []
    texts = tuple(str(one) for one in examples.targets)  # type: ignore[union-attr]
    given = {"hints": terms} if method == HINTED else {"domain_text": texts}
    for name, more in (("before", {}), ("after", given)):
        how = Listening(language=spoken, **more)
        texts = [one.text for one in model.transcribe(judges.inputs, lens, how, keep=True)]
        counts.append(np.array([transcripts.errors(*pair) for pair in zip(said, texts)]))
        found[f"wer_{name}"] = _rate(counts[-1])
        found[f"terms_{name}"] = transcripts.term_accuracy(said, texts, terms)
    low, high = _apart(*counts, seed)
    return found | {"difference": {"low": low, "high": high}, "judged_on": len(judges)}


def _read(
    spoken: str,
    method: str,
    seed: int,
    train: Sequence[Any],
    test: Sequence[Any],
    options: Mapping[str, Any] | None = None,
) -> tuple[Workshop, Examples, Examples]:
    settled = recipe(
        {
            "task": "speech_to_text",
            "backbone": BACKBONE,
            "method": method,
            "language": spoken,
            "seed": seed,
            "options": dict(options or {}),
        }
    )
    found = pipeline.read(list(train), settled, list(test) or None)
    return Workshop(settled), found.train, found.test or found.train


def _rate(counts: FloatArray) -> float:
    return float(counts[:, 0].sum() / counts[:, 1].sum())


def _apart(before: FloatArray, after: FloatArray, seed: int) -> tuple[float, float]:
    """The 95 % interval of the difference of word error rates, after less before."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, len(before), (RESAMPLED, len(before)))
    gaps = (after[:, 0] - before[:, 0])[rows].sum(axis=1) / before[:, 1][rows].sum(axis=1)
    low, high = np.quantile(gaps, (0.025, 0.975))
    return float(low), float(high)


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """By language and method: what was saved, whether surely, and what English lost."""
    by_cell: dict[tuple[str, str], list[Draw]] = defaultdict(list)
    for draw in draws:
        by_cell[draw["method"], draw["language"]].append(draw)
    found = []
    for (method, spoken), own in by_cell.items():
        name = f"{SPOKEN[spoken]}, {method}"
        if method in (HINTED, WORDED):
            found += _of_told(name, own)
            continue
        saved = [100 * (1 - one["wer_after"] / one["wer_before"]) for one in own]
        lost = [100 * (one["wer_after_english"] - one["wer_before_english"]) for one in own]
        sure = [float(one["difference"]["high"] < 0) for one in own]
        first = method == METHODS[0]  # what is promised is promised of it
        least = {"at_least": 15.0} if first else {}
        found += [
            mean(f"{name}: word error rate before", [100 * one["wer_before"] for one in own], "%"),
            mean(f"{name}: word error rate after", [100 * one["wer_after"] for one in own], "%"),
            mean(f"{name}: errors saved", saved, "%", **least),
            median(f"{name}: draws in which that is sure", [100 * float(np.mean(sure))], "%",
                   **({"at_least": 100.0} if first else {})),
            median(f"{name}: points that English loses", lost, "points",
                   **({"at_most": 1.0} if first else {})),
            median(f"{name}: processor seconds of a fit",
                   [one["processor_seconds"] for one in own], "s"),
        ]  # fmt: skip
    return found


def _of_told(name: str, own: Sequence[Draw]) -> list[Figure]:
    """Whether terms are written more often as they are said, and what else that costs."""
    right = f"{name}: terms written as they are said"
    return [
        mean(f"{right} before", [100 * one["terms_before"] for one in own], "%"),
        mean(f"{right} after", [100 * one["terms_after"] for one in own], "%"),
        mean(f"{name}: word error rate before", [100 * one["wer_before"] for one in own], "%"),
        mean(f"{name}: word error rate after", [100 * one["wer_after"] for one in own], "%"),
        median(f"{name}: points of word error rate more, lower end of the interval",
               [100 * one["difference"]["low"] for one in own], "points", at_most=0.0),
    ]  # fmt: skip


STUDY = Benchmark(
    name="study_speech",
    question="How much better are recordings of one speaker written down after a few of them?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
