"""Texts put into another language: how near translations are to those of a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from supertune import translations as scoring
from supertune.contracts import (
    Answers,
    Asked,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Judged,
    Translations,
)
from supertune.contracts.speech import texts_of
from supertune.contracts.translation import TRANSLATION
from supertune.data.language import guess_language
from supertune.data.pairs import rendering
from supertune.errors import InputError
from supertune.evaluation import abstaining
from supertune.objectives import _far_off
from supertune.objectives._refusals import refuse_bounds
from supertune.objectives._worded import (
    Worded,
    array,
    first,
    furthest,
    side_by_side,
    targets,
    wanted,
)

FEW = 50  # pairs, below which little can be learned
TRANSLATORS = ("bergamot-en-pt", "bergamot-pt-en")
METRICS = "the metrics chrf, bleu, ter, exact and placeholders"


class Translate(Worded):
    """See `supertune.contracts.Judge`."""

    name = "translate"
    summary = "texts put into another language"
    baselines = ("untuned", "copied")
    unweighable = "Translations have no classes to weigh."
    allowed = METRICS
    tolerance = 0.0
    decider: str | None = None
    rivals = (("untuned", "the model as it was"), ("copied", "the source itself"))

    def backbones(self, examples: Examples) -> tuple[str, ...]:
        """The catalogue's translator for the languages that these pairs are in.

        Raises:
            InputError: ``no_translator``.
        """
        sides = [list(map(str, examples.inputs)), wanted(examples)]
        first, second = (guess_language(side) for side in sides)
        name = f"bergamot-{first}-{second}"
        if name in TRANSLATORS:
            return (name,)
        raise InputError(
            "no_translator",
            "The catalogue has no translator for these languages.",
            received=f"from {first or 'a language that was not told'} to {second or 'another'}",
            allowed=", ".join(TRANSLATORS),
            next="Name a folder or hub id of one with --backbone.",
        )

    def tried(self, rows: str) -> tuple[str, ...]:
        # Alone, so that it is waited for; the untuned model is judged beside it.
        return ("top_blocks",)

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        """``few_pairs``."""
        if len(examples) >= FEW:
            return []
        message = f"{len(examples)} pairs are few to learn from; {FEW} to 500 serve better."
        return [Finding("few_pairs", message, (), "info")]

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``translation``: how texts are compared, and what speaks against answers by their
        looks."""
        examples, written = judged.examples, texts_of(first(judged))
        sources = [str(value) for value in examples.inputs]
        found = [rendering.doubts_of(*one) for one in zip(sources, written, strict=True)]
        doubts = Counter(name for one in found for name in one)
        return {
            "translation": {
                "signatures": scoring.signatures(),
                "rows": len(written),
                "doubts": dict(sorted(doubts.items())),
            }
        }

    def side_by_side(
        self, judged: Judged, baselines: Mapping[str, Judged], shown: bool
    ) -> dict[str, Any]:
        """``translated``: see `_worded.side_by_side`."""
        found = side_by_side(judged, baselines.get("untuned"), shown, _far_off.worth)
        return {} if found is None else {"translated": found}

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """Pairs whose translation is furthest from what was written, by models that had not seen
        them: hard, free, or wrongly aligned."""
        if not shown:
            return [], []
        worth, written = _far_off.worth(answers[0], targets(examples)), texts_of(answers[0])
        pairs = zip(written, wanted(examples), worth, strict=True)
        why = ["" if one == other else f"chrF++ {score:.0f}" for one, other, score in pairs]
        return furthest(examples, written, worth, why), []

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """How many words were translated."""
        words = sum(len(text.split()) for text in wanted(examples))
        return {"labels": [{"name": TRANSLATION[0], "rows": len(examples)}], "words": words}

    def check(self, asked: Asked) -> None:
        refuse_bounds(replace(asked, max_error=None), "Translations", allowed=METRICS)
        if asked.max_error is not None:
            abstaining.checked(asked.max_error)

    def calibration(
        self, answers: FloatArray, examples: Examples, costs: FloatArray | None
    ) -> dict[str, npt.NDArray[Any]]:
        """How sure translations of unseen rows were, and whether they were far off."""
        return _far_off.kept(answers, examples)

    def bounded(
        self, answers: Answers, calibration: Mapping[str, npt.NDArray[Any]], asked: Asked
    ) -> Answers:
        """The answers, without those that a limit of errors forbids.

        Raises:
            InputError: ``no_intervals``, ``bad_max_error``, ``no_calibration``.
        """
        self.check(asked)
        if asked.max_error is None:
            return answers
        assert isinstance(answers, Translations)
        left = abstaining.abstentions(answers.confidence, calibration, asked.max_error)
        return replace(answers, abstained=left)

    def bounds(
        self,
        calibration: Mapping[str, npt.NDArray[Any]],
        judged: Judged,
        costs: FloatArray | None,
        asked: Asked,
    ) -> dict[str, Any]:
        """``abstaining``: which share of rows is translated under which limit of errors; a
        translation below 40 chrF++ counts as one."""
        return abstaining.section(calibration, judged, costs, asked.max_error, _far_off.answered)

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) texts; None where the model abstains."""
        assert isinstance(answers, Translations)
        return array(answers.given)

    def table(self, answers: Answers) -> FloatArray:
        raise InputError(
            "no_probabilities",
            "Translations have no probabilities of classes.",
            received="predict_proba",
            allowed="predict for texts, translate for how sure they are and what speaks against",
            next="Call model.predict(texts).",
        )


OBJECTIVE = Translate()
