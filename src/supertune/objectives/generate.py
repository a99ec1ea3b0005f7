"""Texts that answer a request: how near they are to a person's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from supertune import completions as scoring
from supertune import structures
from supertune.contracts import (
    Answers,
    Asked,
    Completions,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Judged,
)
from supertune.contracts.completion import COMPLETION
from supertune.contracts.speech import texts_of
from supertune.errors import InputError
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

FEW = 20  # rows, below which little can be learned
METRICS = "the metrics rouge_l, exact, token_f1, and of JSON objects field_f1 and valid"


class Generate(Worded):
    """See `supertune.contracts.Judge`."""

    name = "generate"
    summary = "texts that answer a request"
    baselines = ("untuned",)
    backbones = ("smollm2",)
    unweighable = "Texts have no classes to weigh."
    allowed = METRICS
    tolerance = 0.0
    decider: str | None = None
    rivals = (("untuned", "the model as it was"),)

    def tried(self, rows: str) -> tuple[str, ...]:
        # Alone, so that it is waited for; the untuned model is judged beside it.
        return ("lora",)

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        """``few_rows``, ``structured_answers``."""
        found = []
        if len(examples) < FEW:
            message = f"{len(examples)} rows are few to learn from; {FEW} to 200 serve better."
            found.append(Finding("few_rows", message, (), "info"))
        if len(examples) and structures.of_answers(wanted(examples)) is not None:
            message = "The answers have a structure in common; --set structure=answers holds "
            message += "what is written to it"
            objects = structures.object_of(wanted(examples)[0]) is not None
            message += ", and --metric field_f1 scores by fields." if objects else "."
            found.append(Finding("structured_answers", message, (), "info"))
        return found

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``completion``: how many answers were written, and of JSON objects each field's F1."""
        written, said = texts_of(first(judged)), wanted(judged.examples)
        return {"completion": {"rows": len(written), "fields": _by_field(said, written)}}

    def side_by_side(
        self, judged: Judged, baselines: Mapping[str, Judged], shown: bool
    ) -> dict[str, Any]:
        """``completed``: see `_worded.side_by_side`."""
        found = side_by_side(judged, baselines.get("untuned"), shown, scoring.each)
        return {} if found is None else {"completed": found}

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """Rows whose answer is furthest from what was written, by models that had not seen
        them."""
        if not shown:
            return [], []
        worth = scoring.each(answers[0], targets(examples))
        written = texts_of(answers[0])
        pairs = zip(written, wanted(examples), worth, strict=True)
        why = ["" if one == other else f"{score:.0f} of 100 right" for one, other, score in pairs]
        return furthest(examples, written, worth, why), []

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """How many words were written."""
        words = sum(len(text.split()) for text in wanted(examples))
        return {"labels": [{"name": COMPLETION[0], "rows": len(examples)}], "words": words}

    def check(self, asked: Asked) -> None:
        refuse_bounds(asked, "Texts", allowed=METRICS)

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) texts."""
        assert isinstance(answers, Completions)
        return array(answers.texts)

    def table(self, answers: Answers) -> FloatArray:
        raise InputError(
            "no_probabilities",
            "Texts have no probabilities of classes.",
            received="predict_proba",
            allowed="predict",
            next="Call model.predict(texts).",
        )


OBJECTIVE = Generate()


def _by_field(said: Sequence[str], written: Sequence[str]) -> dict[str, float]:
    """F1 of each field over all rows; empty where references are no objects."""
    right: dict[str, float] = {}
    both: dict[str, float] = {}
    for reference, text in zip(said, written, strict=True):
        one, other = scoring.fields(reference), scoring.fields(text)
        if one is None:
            continue
        for counter, table in ((one & (other or one.__class__()), right), (one, both)):
            for (name, _), times in counter.items():
                table[name] = table.get(name, 0.0) + times
        for (name, _), times in (other or {}).items():
            both[name] = both.get(name, 0.0) + times
    return {name: round(2 * right.get(name, 0.0) / both[name], 4) for name in sorted(both)}
