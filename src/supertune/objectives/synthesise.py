"""Texts spoken in a voice: how near to the speaker, how high, and how well understood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import metrics
from supertune.contracts import (
    FIGURES,
    Answers,
    Asked,
    ClassWeights,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Judged,
    Recording,
    Voiced,
)
from supertune.errors import InputError
from supertune.objectives._refusals import own_weights, refuse_bounds, refuse_costs

METRICS = "the metrics similarity, wer and pitch_gap"
FEW = 20  # recordings, below which little of a voice is told
ROWS_SHOWN = 60
DRAWS = 2000  # of a bootstrap over sentences
SPARED = 0.03  # of the words, by how many more may be mistaken before a person is warned
LEAST = 10  # characters of a statement of consent
SIDES = ("untuned", "tuned", "own")


class Synthesise:
    """See `supertune.contracts.Judge`."""

    name = "synthesise"
    summary = "texts spoken in a voice"
    backbones = ("piper-joe",)
    baselines = ("untuned", "pitch_shift")
    tolerance = 0.0
    decider: str | None = None
    folds = 2  # each is a voice of its own
    repeats = 1
    folds_judge_alone = True  # nothing is calibrated by them
    rivals = (("untuned", "the voice as it was"),)

    def agreed(self, consent: str | None) -> None:
        """See `supertune.contracts.Consenting`."""
        if len((consent or "").strip()) >= LEAST:
            return
        raise InputError(
            "consent_missing",
            "A voice is learned only with its speaker's agreement.",
            received="no statement" if not consent else repr(consent.strip()),
            allowed="a sentence that says who agreed to what; it is written into the model card",
            next='For example --consent "I am the speaker and agree that my voice is learned."',
        )

    def tried(self, rows: str) -> tuple[str, ...]:
        return ("voice_map",)  # alone, so that it is waited for; the others are judged beside it

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        """``few_recordings``."""
        if len(examples) >= FEW:
            return []
        message = f"{len(examples)} recordings tell little of a voice; {FEW} to 100 serve better."
        return [Finding("few_recordings", message, (), "info")]

    def row_weights(self, examples: Examples, classes: ClassWeights) -> FloatArray | None:
        said = "Sentences have no classes to weigh."
        return own_weights(examples, classes, said, allowed=METRICS)

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        refuse_costs(matrix, "A sentence is not spoken right or wrong.", allowed=METRICS)
        return None

    def unknowing(self, examples: Examples) -> FloatArray:
        """(n, 10): the untuned voice, of which nothing is understood."""
        return np.tile(np.where(["similarity" in name for name in FIGURES], -1.0, 1.0), (
            len(examples), 1,
        ))  # fmt: skip

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``voicing``: of the untuned voice, the tuned one and the speaker the word error rate, the
        pitch and the similarity, and what tuning changed, with intervals over sentences."""
        found = Voiced(judged.mean)
        rng = np.random.default_rng(seed)
        weights = rng.multinomial(len(found), np.full(len(found), 1 / len(found)), size=DRAWS)
        told = _compared(found, np.vstack([np.ones((1, len(found))), weights]))
        return {"voicing": {"sentences": len(found), "figures": told}}

    def doubt(self, answers: FloatArray, head: HeadSpec) -> FloatArray:
        return np.ones(len(answers))  # figures say nothing of their own error

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """Sentences with more wrong words than the untuned voice makes."""
        found = Voiced(answers.mean(axis=0))
        more = found.of("errors") - found.of("untuned_errors")
        share = float(more.sum() / max(1.0, found.of("words").sum()))
        findings = []
        if share > SPARED:
            message = f"{share:.0%} more of the words are mistaken than of the untuned voice."
            findings.append(Finding("less_intelligible", message))
        order = sorted(range(len(more)), key=lambda i: (-more[i], examples.rows[i]))
        rows = [
            {
                "row": int(examples.rows[i]),
                "text": str(examples.inputs[i]),
                "label": _said(examples, i),
                "predicted": f"{found.of('errors')[i]:.0f} words wrong, "
                f"untuned {found.of('untuned_errors')[i]:.0f}",
                "why": "less understood than untuned",
            }
            for i in order[: ROWS_SHOWN if shown else 0]
            if more[i] > 0
        ]
        return rows, findings

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """Nothing is said of recordings beside their words."""
        return {"labels": []}

    def check(self, asked: Asked) -> None:
        refuse_bounds(asked, "Spoken sentences", allowed=METRICS)

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) similarities; speech is asked for by `supertune.speak`."""
        assert isinstance(answers, Voiced)
        return answers.of("similarity")

    def table(self, answers: Answers) -> FloatArray:
        raise InputError(
            "no_probabilities",
            "A voice has figures and no probabilities.",
            received="predict_proba",
            allowed="speak to make speech, predict for similarities",
            next='Call supertune.speak(model, "Good morning.").',
        )


OBJECTIVE = Synthesise()


def _said(examples: Examples, row: int) -> str:
    value = examples.inputs[row]
    assert isinstance(value, Recording)
    return value.said


def _compared(found: Voiced, weights: FloatArray) -> dict[str, Any]:
    """By metric: each side with its interval, and the change; of the pitch, semitones towards the
    speaker and the share of the way."""
    sides = {}
    for side in SIDES:
        prefix = "" if side == "tuned" else f"{side}_"
        values = found.figures.copy()
        for name in ("errors", "pitch", "similarity"):
            values[:, FIGURES.index(name)] = found.of(f"{prefix}{name}")
        sides[side] = metrics.voicing(values, weights)
    told: dict[str, Any] = {}
    for name in metrics.VOICING:
        kept = SIDES if name != "pitch_gap" else SIDES[:2]
        told[name] = {side: _interval(sides[side][name]) for side in kept}
        told[name]["change"] = _interval(sides["tuned"][name] - sides["untuned"][name])
    with np.errstate(all="ignore"):
        moved = 1 - sides["tuned"]["pitch_gap"] / sides["untuned"]["pitch_gap"]
    told["pitch_gap"]["moved"] = _interval(moved)
    return told


def _interval(values: FloatArray) -> dict[str, float | None]:
    """The first value, and the middle 95 % of the others; None where it is no number."""
    low, high = np.nanquantile(values[1:], (0.025, 0.975)) if len(values) > 1 else (np.nan, np.nan)
    return {
        name: float(one) if np.isfinite(one) else None
        for name, one in (("value", values[0]), ("low", low), ("high", high))
    }
