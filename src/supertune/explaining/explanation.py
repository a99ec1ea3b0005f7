"""What is told of one answer, as text, marked words and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, Input, as_json
from supertune.explaining import attribution, rows
from supertune.explaining.counterfactual import Counterfactual, counterfactual
from supertune.explaining.faithfulness import ORDERS, Faithfulness, best, measured
from supertune.explaining.parts import Parts
from supertune.explaining.rows import LabelledRow
from supertune.explaining.subject import Question, Subject

MARKED = 0.25  # a word is marked from this share of the largest on
TOP = 6

HOW = {
    "terms": "what each word adds to the score, an exact sum",
    "token_states": "what the head makes of each {} in its context, an exact sum",
    "integrated_gradients": "integrated gradients (Sundararajan et al. 2017)",
}


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a model answered one input as it did.

    Attributes:
        parts: the input and its P words, columns or patches.
        shares: (P,) what each added: positive speaks for ``said`` (of a value, raises it).
        way: how that was found, the most faithful of ``faithfulness``.
        said: the answer explained, a label's or value's name; ``answer`` the whole of it as
            `Answers.listed` has it.
        valued, total: whether the answer is a value; the score that shares and a rest add up to.
        faithfulness: by way, against words at random.
        counterfactual: the input with the fewest words less that is answered otherwise.
        nearest: labelled rows most like it; ``spoke``: those ``for`` and ``against``.
        missing: ways left out for want of a package.
        asked: how many inputs the model was asked about.
    """

    parts: Parts
    shares: FloatArray
    way: str
    said: str
    answer: dict[str, Any]
    valued: bool
    total: float
    faithfulness: dict[str, Faithfulness]
    counterfactual: Counterfactual | None
    nearest: list[LabelledRow]
    spoke: dict[str, list[LabelledRow]] | None
    missing: list[str]
    asked: int

    @property
    def top(self) -> list[int]:
        """Parts that are worth naming, the strongest first."""
        strongest = np.argsort(-np.abs(self.shares), kind="stable")[:TOP]
        least = 0.1 * self._largest
        return [int(i) for i in strongest if abs(self.shares[i]) > max(least, 1e-12)]

    def marked(self) -> Iterator[tuple[str, float]]:
        """The input as pieces of text, each with its share of the largest (-1 to 1), 0 where a
        piece is not worth a mark."""
        return self.parts.marked([self._strength(share) for share in self.shares])

    def plain(self) -> str:
        """The input with [+words+] that spoke for the answer and [-words-] that spoke against."""
        made = []
        for text, strength in self.marked():
            sign = "+" if strength > 0 else "-"
            bare = not strength or self.parts.signs
            made.append(text if bare else f"[{sign}{text}{sign}]")
        return "".join(made)

    @property
    def how(self) -> str:
        """How the shares were found, in words."""
        asking = f"{self.parts.taking_away} and asking again"
        return HOW.get(self.way, asking).format(self.parts.noun[0])

    def drawn(self) -> bytes | None:
        """A PNG that shows the input with its marks; None where text shows it."""
        return self.parts.drawn([self._strength(share) for share in self.shares])

    @property
    def _largest(self) -> float:
        return float(np.abs(self.shares).max(initial=0.0))

    def _strength(self, share: float) -> float:
        if self._largest <= 1e-12:
            return 0.0
        found = float(share) / self._largest
        return found if abs(found) >= MARKED else 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON, with the spans of all parts."""
        value, flip = self.parts.value, self.counterfactual
        return {
            "input": as_json(value),
            "answer": self.answer,
            "explained": self.said,
            "way": self.way,
            "how": self.how,
            "score": self.total,
            "parts": [
                {"text": name, "field": span[0], "start": span[1], "end": span[2],
                 "share": float(share)}
                for name, span, share in zip(
                    self.parts.names, self.parts.spans, self.shares, strict=True
                )
            ],
            "faithfulness": {
                way: {
                    "deletion": one.deletion,
                    "insertion": one.insertion,
                    "random_deletion": one.random_deletion,
                    "random_insertion": one.random_insertion,
                    "orders": one.orders,
                    "ratio": one.ratio,
                }
                for way, one in self.faithfulness.items()
            },
            "counterfactual": None
            if flip is None
            else {
                "removed": [self.parts.names[i] for i in flip.removed],
                "input": as_json(flip.value),
                "answer": flip.answer,
            },
            "nearest": [row.as_dict("likeness") for row in self.nearest],
            "spoke": None
            if self.spoke is None
            else {
                side: [row.as_dict("weight") for row in listed]
                for side, listed in self.spoke.items()
            },
            "missing": list(self.missing),
            "asked": self.asked,
        }  # fmt: skip

    def __str__(self) -> str:
        from supertune.explaining.wording import lines

        return "\n".join(lines(self))

    __repr__ = __str__


def explained(
    subject: Subject,
    value: Input,
    *,
    way: str | None = None,
    seed: int = 0,
    flip: bool = True,
    context: bool = True,
    orders: int = ORDERS,
) -> Explanation:
    """Why ``subject`` answers ``value`` as it does.

    Args:
        way: one of `attribution.ways`; None takes the one that is most faithful here.
        flip: whether a counterfactual is looked for.
        context: whether labelled rows are named.
        orders: of words at random, to measure faithfulness by; with 0 nothing is measured, and
            the model's own structure goes before occlusion.

    Raises:
        InputError: ``unknown_way``.
        EnvironmentFault: ``extra_missing``.
    """
    before = subject.asked
    question = Question.about(subject, value)
    found, missing = attribution.attributions(question, None if way is None else (way,))
    tested = {}
    if orders and len(question.parts):
        tested = measured(question, found, seed=seed, orders=orders)
    chosen = best(tested) if tested else next(iter(found))
    shares = found[chosen]
    # Of a value the contrast may point down, and shares are told as what they do to the value.
    sign = float(np.sign(question.contrast[question.output]))
    turned = counterfactual(question, shares) if flip else None
    explanation = Explanation(
        question.parts,
        shares * sign,
        chosen,
        subject.labels[question.output],
        subject.decided(question.logits[None]).listed()[0],
        subject.head.valued,
        float(question.logits @ question.contrast) * sign,
        tested,
        turned,
        rows.nearest(subject, value) if context else [],
        rows.spoke(question) if context else None,
        missing,
        subject.asked - before,
    )
    subject.forget()
    return explanation
