"""Training on an engine that takes the steps by itself (`supertune.contracts.Stepping`).

The same rows in the same order at the same rates from the same start as in `descent`, and no torch:
arrays go in, losses and numbers come out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from supertune.contracts import (
    Finding,
    GradientMethod,
    Injection,
    Lens,
    Pace,
    Problem,
    Stepping,
    StepRows,
    Steps,
    Tunable,
)
from supertune.errors import InputError
from supertune.methods.linear_probe import Head
from supertune.training import descent, loop, processes, readout
from supertune.training.batches import Rows
from supertune.training.codes import finding, some, stop
from supertune.training.loop import TunedBackbone
from supertune.training.units import Unit
from supertune.training.watch import Watch, diverged

# Recipe keys that such an engine does not carry out, each with the value that asks for nothing.
LEFT_OUT: Mapping[str, Any] = {
    "cached_augmentations": 0,
    "dropout": 0.0,
    "r_drop": 0.0,
    "search_template": False,
    "views": 0,
}
HEAD = ("head.weight", "head.bias")
Numbers = Mapping[str, npt.NDArray[Any]]

restore = loop.restore


def train(method: GradientMethod, problem: Problem, options: Any) -> TunedBackbone:
    """Tune what ``method`` names on the rows of ``problem``; see `supertune.training.loop.train`.

    Raises:
        SupertuneError: ``loss_not_finite``, and whatever else in `supertune.training.codes` stops
            a run.
        InputError: ``values_all_same``, ``key_not_carried_out``, ``nothing_to_smooth``,
            ``training_not_shared``.
    """
    processes.alone()
    check(problem, options)
    unit = Unit.of(problem.examples) if problem.head.valued else None
    problem = problem if unit is None else unit.standardised(problem)
    assert problem.lens is not None
    injection = loop.checked(method, problem.lens, options)
    tunable = problem.lens.backbone.inject(injection, seed=problem.seed)
    encoding = readout.encoding_for(problem, options.readout)
    lens = problem.lens.under(loop.fitting(encoding, tunable, problem.lens))
    data = Rows(problem.examples.inputs, tunable, lens)
    head = _start(problem, lens, loop.start_of(options))
    watch = Watch(problem, lens, injection, options)
    with tunable:
        watch.begin(tunable, _Trained(head), data)
        run = _Run(tunable, data, problem, options, injection, lens, head, watch)
        losses = run.descended()
        watch.moved = run.moved
        fixed = run.head if unit is None else unit.head(run.head)
        witness = watch.end(losses, fixed)
    watch.left()
    if unit is not None:
        witness = replace(witness, examples=unit.restored(witness.examples))
    found = tuple(watch.findings)
    labels = problem.examples.labels
    return TunedBackbone(tunable, fixed, None, tuple(losses), found, witness, labels)


def check(problem: Problem, options: Any) -> None:
    """Refuse keys that would be ignored.

    Raises:
        InputError: ``key_not_carried_out``, ``nothing_to_smooth``.
    """
    asked = [key for key, off in LEFT_OUT.items() if getattr(options, key, off) != off]
    if asked:
        assert problem.lens is not None
        name = problem.lens.backbone.ref.engine
        raise InputError(
            "key_not_carried_out",
            f"The engine {name} takes the steps of training by itself, without some keys.",
            received=", ".join(f"{key}={getattr(options, key)}" for key in asked),
            allowed=f"every key but {', '.join(LEFT_OUT)}",
            next="Leave them out, or take the same model as a transformers folder.",
        )
    if options.label_smoothing and problem.head.valued:
        raise descent.nothing_to_smooth(options)


class _Trained:
    """A head before training, as `Watch` looks at it."""

    words = False

    def __init__(self, head: Head) -> None:
        self._head = head

    def fixed(self) -> Head:
        return self._head


def _start(problem: Problem, lens: Lens, start: str) -> Head:
    features = lens.features(problem.examples.inputs)
    found = readout.solved(problem, features, soft=start == "softened")
    factor = 0.0 if start == "zero" else 1.0
    return Head(*((a * factor).astype(np.float32) for a in (found.weight, found.bias)))


class _Moved:
    """What of the tuned numbers is another than at the start; see `watch.Moving`."""

    def __init__(self, start: Numbers, end: Numbers, rate: float) -> None:
        self.start, self.end, self.rate = start, end, rate

    def ended(self, *, short: bool) -> list[Finding]:
        """What never moved.

        Raises:
            SupertuneError: ``learning_rate_zero``, ``nothing_tuned``, ``numbers_not_finite``.
        """
        if self.rate == 0:
            raise stop("learning_rate_zero", received="learning rates of 0")
        odd = [name for name, array in self.end.items() if not np.isfinite(array).all()]
        if odd:
            raise stop("numbers_not_finite", some(odd), received=f"learning rate {self.rate:g}")
        still = [n for n, array in self.end.items() if np.array_equal(array, self.start[n])]
        if {*self.end} - {*HEAD} <= {*still}:
            raise stop("nothing_tuned", "no update", received=f"learning rate {self.rate:g}")
        return [finding("update_lost", some(sorted(still)))] if still and not short else []


class _Run:
    """All runs of one fit; `descent._Run` for arrays."""

    def __init__(
        self,
        tunable: Tunable,
        data: Rows,
        problem: Problem,
        options: Any,
        injection: Injection,
        lens: Lens,
        head: Head,
        watch: Watch,
    ) -> None:
        self.data, self.problem, self.options, self.watch = data, problem, options, watch
        examples = problem.examples
        assert examples.targets is not None
        self.targets = examples.targets
        self.weights = np.ones(len(examples)) if examples.weights is None else examples.weights
        self._start = head.weight, head.bias
        self._how = tunable, problem.head, self._start, lens.encoding, self._pace(tunable)
        self._backbone = cast(Stepping, lens.backbone)

    def _pace(self, tunable: Tunable) -> Pace:
        options = self.options
        depth = self.data.backbone.offer.depth
        rates = {name: descent.rate_of(name, options, depth) for name in tunable.named()}
        head = options.head_learning_rate or options.learning_rate
        return Pace(rates, head, options.weight_decay, descent.CLIP, options.label_smoothing)

    def descended(self) -> list[float]:
        """The loss of each step; afterwards ``head`` and ``moved`` are there, and the tunable has
        the numbers that are kept."""
        losses: list[float] = []
        ends: list[Numbers] = []
        for number in range(self.options.seeds):
            steps = self._backbone.steps(*self._how)
            if number == 0:
                start = steps.numbers()
            steps.put(start)
            losses += self._one_run(steps, number)
            ends.append(steps.numbers())
        share = self.options.interpolation
        kept = {name: np.mean([end[name] for end in ends], axis=0) for name in start}
        kept = {n: (start[n] + share * (a - start[n])).astype(np.float32) for n, a in kept.items()}
        if len(ends) > 1 or share < 1:
            steps.put(kept)
        else:
            kept = dict(ends[0])
        self.head = Head(*(kept[name] for name in HEAD))
        self.moved = _Moved(start, kept, self.options.learning_rate)
        return losses

    def _one_run(self, steps: Steps, number: int) -> list[float]:
        options, problem = self.options, self.problem
        rows, judges = descent.held_out(problem, options.early_stopping)
        batches = list(descent.orders(rows, problem.seed + number, options))
        least, best = math.inf, None
        losses = []
        for step, (index, ends_epoch) in enumerate(batches):
            loss, norm = steps.take(self._rows(index), descent.rate(step, len(batches)))
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise diverged(step, loss, options.learning_rate)
            losses.append(loss)
            if problem.progress is not None:
                done = number * len(batches) + step + 1
                problem.progress(done, options.seeds * len(batches))
            if ends_epoch and judges and (held := steps.loss(self._rows(judges))) < least:
                least, best = held, steps.numbers()
        if best is not None:
            steps.put(best)
        return losses

    def _rows(self, index: Sequence[int]) -> StepRows:
        rows = list(index)
        weights = self.weights[rows]
        batch, hidden, owners = self.data.arrays(rows)
        return StepRows(batch, hidden, owners, self.targets[rows], weights / weights.sum())
