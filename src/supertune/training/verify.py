"""A fitted model held to what it was fitted on, before anybody relies on it.

Once a fit, after the last of it: are its answers to its own rows sane, are they those of the end
of training, do they come from what was tuned, do they survive being written down and restored?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.contracts import (
    Encoding,
    Examples,
    Finding,
    FloatArray,
    Input,
    Lens,
    Method,
    Part,
    Problem,
    Tuned,
    asked_by,
)
from supertune.training import answers, fitting, inputs_seen
from supertune.training.codes import finding, stop
from supertune.training.loop import TunedBackbone
from supertune.training.readout import NameScores
from supertune.training.watch import ALIKE, probe_rows

ROWS = 64  # of a solver's own rows, whose vectors are in the cache anyway
ASKED = 16  # where each row may be asked in a prompt of its own
FRESH = 4  # rows that are computed anew
SAME = 1e-4  # of the largest score: restoring changes nothing

Seen = tuple[list[Finding], Sequence[Input], FloatArray]  # inputs, and the scores they got


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """Everything that was noticed during the fit of ``tuned`` and about the outcome.

    Raises:
        SupertuneError: ``answers_not_finite``, ``evaluation_differs``, ``reload_differs``,
            ``stale_cache`` and those of `supertune.training.inputs_seen.seen`.
    """
    own = getattr(fitting.trainer(problem.head, problem.lens), "verified", None)
    if own is not None:
        found_by_it: tuple[Finding, ...] = own(method, problem, options, tuned)
        return found_by_it
    if isinstance(tuned, TunedBackbone):
        found, inputs, given = _trained(tuned, problem)
    else:
        found, inputs, given = _solved(method, problem, tuned)
    again = fitting.restore(method, tuned.state(), options, problem.head, problem.lens)
    gap = answers.apart(given, again.logits(inputs, problem.lens))
    if gap > SAME:
        raise stop("reload_differs", f"by {gap:.1%}")
    return tuple(found)


def _trained(tuned: TunedBackbone, problem: Problem) -> Seen:
    """A model with a witness of its training."""
    witness = tuned.witness
    assert witness is not None  # a restored model was verified when it was fitted
    inputs = witness.examples.inputs
    given = tuned.logits(inputs, problem.lens)
    if not np.isfinite(given).all():
        raise stop("answers_not_finite")
    gap = answers.apart(given, witness.ended)
    assert problem.lens is not None  # it was trained through one
    if gap > ALIKE[problem.lens.backbone.precision]:
        raise stop("evaluation_differs", f"by {gap:.1%}")
    found = answers.check_end(given, witness.examples)
    targets, guess = witness.examples.targets, answers.chance(problem.examples)
    assert targets is not None
    own = answers.loss(given, targets)
    if not found and answers.far_above(own, guess):
        found.append(finding("worse_than_chance", f"a loss of {own:.2f}, a guess has {guess:.2f}"))
    frozen = tuned.readout.apply(witness.frozen)
    # Names that were tuned are compared with vectors that were not.
    tuned_names = isinstance(tuned.readout, NameScores)
    if not (found or tuned_names) and answers.apart(given, frozen) <= answers.EQUAL:
        found.append(finding("answers_unchanged"))
    return [*tuned.findings, *found], inputs, given


def _solved(method: Method, problem: Problem, tuned: Tuned) -> Seen:
    """A model that was found without training; without a backbone it may well be constant."""
    most = ASKED if "score_text" in method.needs else ROWS
    examples = problem.examples.take(probe_rows(problem.examples, most))
    lens = problem.lens
    asked = examples.inputs[:FRESH]
    fresh = tuned.logits(asked, lens)
    if lens is None or not method.needs:
        if not np.isfinite(fresh).all():
            raise stop("answers_not_finite")
        return [], asked, fresh
    found = _inputs(replace(lens.encoding, prompt=asked_by(tuned)), lens, examples)
    given = tuned.logits(examples.inputs, Remembering(lens))
    allowed = ALIKE[lens.backbone.precision]
    if np.isfinite(given).all() and answers.apart(given[:FRESH], fresh) > allowed:
        raise stop("stale_cache", received=lens.backbone.ref.name)
    return [*found, *answers.check_end(given, examples)], asked, fresh


def _inputs(encoding: Encoding, lens: Lens, examples: Examples) -> list[Finding]:
    pieces = lens.backbone.tokens(examples.inputs, encoding)
    rows = [int(number) for number in examples.rows]
    return inputs_seen.seen(lens.backbone, encoding, examples.inputs, pieces, rows)


class Remembering:
    """A lens whose answers to predictions come from the cache, where learning has put them."""

    def __init__(self, lens: Lens) -> None:
        self.lens = lens
        self.backbone = lens.backbone
        self.encoding = lens.encoding

    def under(self, encoding: Encoding) -> Lens:
        return Remembering(self.lens.under(encoding))

    def features(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        return self.lens.features(inputs)

    def scores(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        return self.lens.scores(inputs)

    def names(self, texts: Sequence[str]) -> FloatArray:
        return self.lens.names(texts)

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.lens.parts

    def readings(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        return self.lens.readings(inputs)

    def read_through(self, inputs: Sequence[Input], cut: int) -> None:
        self.lens.read_through(inputs, cut)

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        return self.lens.activations(pieces, cut, dropout=dropout, draw=draw)
