"""What a gradient fit sees of itself while it runs, so that no fit is silently for nothing.

`Watch` is called at a few points of the loop. It asks three things of every tensor that is to be
tuned, until each was seen once: did it get a gradient, a step, another value? Around that it runs
the model on a few of the rows: before the first step from the cut and from the input, alone and
among others; after the last step once more, so that `supertune.training.verify` can hold the
finished model to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from supertune.contracts import Examples, Finding, FloatArray, Injection, Lens, Problem
from supertune.errors import SupertuneError
from supertune.training import answers, inputs_seen, tensors_seen
from supertune.training.codes import finding, stop
from supertune.training.tensors_seen import Tensors

PROBE = 8  # rows that the model is run on besides
FRESH = 4  # of them, whose frozen values are computed anew
# Of the largest value: what batches of other rows may make of a row, by the precision of matrix
# products. Seen with smollm2 in bf16 on a GPU: 1.2 %, over 30 blocks.
ALIKE = {"fp32": 1e-2, "bf16": 4e-2}
SHORT = 3  # fewer steps say nothing about a gradient of zero or a loss


@dataclass(frozen=True, eq=False)
class Witness:
    """What is known of a few rows at the end of training.

    Attributes:
        examples: the rows.
        frozen: what the readout starts from without anything tuned, (rows, d) or (rows, W).
        ended: (rows, C) scores of the model as training left it.
    """

    examples: Examples
    frozen: FloatArray
    ended: FloatArray


class Moving(Protocol):
    """Knows what never moved."""

    def ended(self, *, short: bool) -> list[Finding]: ...


class Watch:
    """One fit's own observations. ``findings`` grows; what is too grave is raised.

    Args:
        lens: under the encoding that training reads.
    """

    def __init__(self, problem: Problem, lens: Lens, injection: Injection, options: Any) -> None:
        self.findings: list[Finding] = []
        self._problem, self._lens, self._injection = problem, lens, injection
        self._options = options
        self._tensors: Tensors | None = None
        self.moved: Moving | None = None  # instead of tensors, where the engine takes the steps
        self._index = probe_rows(problem.examples, PROBE)
        self._examples = problem.examples.take(self._index)
        self._weights = tensors_seen.signature(lens.backbone)
        self._frozen = self._checked_cache()

    # --- before the first step ---------------------------------------------------------------

    def begin(self, tunable: Any, trained: Any, data: Any) -> None:
        """With the tunable in the model: the rows as they will be read, and a first run.

        Raises:
            SupertuneError: whatever makes training pointless; see `supertune.training.codes`.
        """
        self._tunable, self._trained, self._data = tunable, trained, data
        examples, lens = self._problem.examples, self._lens
        rows = [int(number) for number in examples.rows]
        self.findings += inputs_seen.seen(
            lens.backbone, lens.encoding, examples.inputs, data.pieces, rows
        )
        if answers.chance(examples) == 0:
            self.findings.append(finding("labels_all_same"))
        self.findings += tensors_seen.where(lens.backbone, tunable, self._injection)
        self.findings += tensors_seen.dropped(lens.backbone, tunable, self._options)
        first = self._values(self._index)
        if not np.isfinite(first).all():
            raise stop("answers_not_finite", "before the first step")
        self._check_replay(first)
        self._check_alone(first)
        self.findings += answers.check_start(trained.fixed().apply(first), self._examples)

    def _checked_cache(self) -> FloatArray:
        """The frozen backbone's values of the probe: through the cache, which must be right."""
        lens, inputs = self._lens, self._examples.inputs
        plain = lens.encoding.prompt is None
        kept = (lens.features if plain else lens.scores)(inputs)
        run = lens.backbone.features if plain else lens.backbone.scores
        fresh = run(lens.backbone.tokens(inputs[:FRESH], lens.encoding), lens.encoding)
        gap = answers.apart(kept[:FRESH], fresh)
        if gap > ALIKE[lens.backbone.precision]:
            raise stop("stale_cache", f"by {gap:.1%}", received=lens.backbone.ref.name)
        return kept

    def _values(self, index: Sequence[int], *, replay: bool = True) -> FloatArray:
        """(rows, d) or (rows, W) as training computes them, without gradients or dropout."""
        rows, found = list(index), dict[int, FloatArray]()
        for some in self._data.alike(rows):
            index = [rows[place] for place in some]
            values = self._data.read(index, self._tunable, words=self._trained.words, replay=replay)
            found |= dict(zip(some, values, strict=True))
        return np.stack([found[place] for place in range(len(rows))])

    def _check_replay(self, first: FloatArray) -> None:
        if self._tunable.from_input or self._tunable.cut == 0:
            return
        gap = answers.apart(first, self._values(self._index, replay=False))
        if gap > ALIKE[self._lens.backbone.precision]:
            raise stop("replay_differs", f"by {gap:.1%}", received=f"cut {self._tunable.cut}")

    def _check_alone(self, first: FloatArray) -> None:
        lengths = [sum(len(getattr(p, "ids", ())) for p in self._data.pieces[i])
                   for i in self._index]  # fmt: skip
        place = int(np.argmin(lengths))
        # From its own input on: what is replayed was computed beside other rows too.
        alone = self._values([self._index[place]], replay=False)
        gap = answers.apart(first[place : place + 1], alone)
        if gap > ALIKE[self._lens.backbone.precision]:
            raise stop("padding_read", f"by {gap:.1%}")

    # --- during training ---------------------------------------------------------------------

    def optimizing(self, optimizer: Any) -> None:
        """Before the first step of an optimizer, of which there may be several in turn."""
        if self._tensors is not None:
            self._tensors.optimizer = optimizer
            return
        named = dict(self._tunable.named())
        if self._injection.criterion != "contrastive":
            named |= {f"readout.{i}": p for i, p in enumerate(self._trained.parameters())}
        self._tensors = Tensors(named, optimizer)
        self.findings += self._tensors.left_out()

    def differentiated(self, norm: Any) -> None:
        """After ``backward`` and clipping, which found ``norm``."""
        assert self._tensors is not None
        self.findings += self._tensors.differentiated(norm)

    def stepped(self) -> None:
        """After the optimizer's step."""
        assert self._tensors is not None
        self._tensors.stepped()

    # --- at the end --------------------------------------------------------------------------

    def end(self, losses: Sequence[float], fixed: Any) -> Witness:
        """With the tunable still in the model; ``fixed`` is the finished readout.

        Raises:
            SupertuneError: ``learning_rate_zero``, ``nothing_tuned``, ``numbers_not_finite``.
        """
        tensors: Moving | None = self.moved or self._tensors
        assert tensors is not None
        self.findings += tensors.ended(short=len(losses) < SHORT)
        self.findings += self._losses(losses)
        return Witness(self._examples, self._frozen, fixed.apply(self._values(self._index)))

    def _losses(self, losses: Sequence[float]) -> list[Finding]:
        epochs = self._options.epochs
        each = len(losses) // max(1, epochs * getattr(self._options, "seeds", 1))
        turns = 1 + getattr(self._options, "views", 0)
        seen = (epochs - 1) // turns * turns  # the last epoch that saw what the first one did
        if epochs < SHORT or not each or not seen:
            return []
        end = len(losses) - (epochs - 1 - seen) * each
        first, last = float(np.mean(losses[:each])), float(np.mean(losses[end - each : end]))
        guess = answers.chance(self._problem.examples)
        found = []
        if self._injection.criterion == "answer" and answers.far_above(losses[0], guess):
            found.append(finding("start_worse_than_chance", f"a loss of {losses[0]:.4g}"))
        if last >= first and last > 0.05 * guess:
            found.append(finding("loss_did_not_fall", f"{first:.4g} and {last:.4g}"))
        if self._injection.criterion == "answer" and last > guess > 0:
            found.append(finding("loss_above_chance", f"{last:.4g}, a guess has {guess:.4g}"))
        return found

    def left(self) -> None:
        """With the tunable out of the model again.

        Raises:
            SupertuneError: ``backbone_changed``.
        """
        changed = tensors_seen.changed(self._weights, tensors_seen.signature(self._lens.backbone))
        if changed:
            raise stop("backbone_changed", changed)


def diverged(step: int, loss: float, rate: float) -> SupertuneError:
    """The error for a loss or a gradient that is no number, at ``step`` (from 0)."""
    return SupertuneError(
        "loss_not_finite",
        f"Training diverged at step {step + 1}: the loss is {loss}.",
        received=f"learning_rate {rate}",
        next=f"Lower it: --set learning_rate={rate / 10:g}.",
    )


def probe_rows(examples: Examples, most: int) -> list[int]:
    """Indices of up to ``most`` rows; where each has one label, labels taking turns."""
    targets = examples.targets
    if targets is None or targets.ndim == 2 or answers.valued(examples):
        return list(range(min(most, len(examples))))
    turns: dict[int, int] = {}
    keyed = []
    for index, target in enumerate(targets.tolist()):
        turns[target] = turns.get(target, -1) + 1
        keyed.append((turns[target], target, index))
    return sorted(index for _, _, index in sorted(keyed)[:most])
