"""What reads texts of items, tuned by which items people took next, through two towers.

The towers of `tuned_two_tower` are trained on frozen vectors first; then the backbone is tuned
with them. A step reads some texts anew, from the kept cut on, and takes the others as they were
last read (a memory of vectors: Wang et al. 2020, arXiv:1912.06798), so the softmax is over all
items and a step costs no more than its texts. What answers afterwards are vectors of items; no text
is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from supertune import limits
from supertune.contracts import (
    Catalogue,
    Curve,
    Finding,
    FloatArray,
    GradientMethod,
    HeadSpec,
    History,
    Input,
    IntArray,
    Lens,
    Method,
    Notes,
    Problem,
    RankingOptions,
    Recommending,
    State,
    Tunable,
    Tuned,
)
from supertune.methods import _items, _towers
from supertune.methods._recommending import Learnt, Ranker, learnt_of, restored
from supertune.methods.tuned_two_tower import METHOD as TOWERS
from supertune.methods.tuned_two_tower import Towers, TwoTowerOptions
from supertune.training import fitting, worded
from supertune.training.batches import Rows, by_row
from supertune.training.codes import stop
from supertune.training.steps import descend, set_rate

ROWS = 16
CLIPPED = 1.0  # norm of a gradient


@dataclass(frozen=True, eq=False)
class TunedRanker:
    """See `supertune.contracts.Recommending` and `supertune.contracts.Replaying`.

    Attributes:
        tuned: numbers in the backbone and how they were put in.
    """

    ranker: Ranker
    tuned: State
    losses: tuple[tuple[float, float], ...] = ()

    @property
    def catalogue(self) -> Catalogue:
        return self.ranker.catalogue

    @property
    def tuned_parameters(self) -> int:
        own = self.tuned.adapter or self.tuned.arrays
        return self.ranker.tuned_parameters + sum(int(one.size) for one in own.values())

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        return self.ranker.logits(inputs, lens)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """By what is known before."""
        return self.logits([one.before for one in inputs if isinstance(one, History)], lens)

    def scores(self, histories: Sequence[History], lens: Lens | None) -> FloatArray:
        return self.ranker.scores(histories, lens)

    def vectors(self, lens: Lens | None) -> FloatArray:
        return self.ranker.vectors(lens)

    def state(self) -> State:
        own = self.ranker.state()
        arrays = {f"tuned.{name}": one for name, one in self.tuned.arrays.items()}
        return replace(self.tuned, arrays={**own.arrays, **arrays}, files=own.files)

    def notes(self) -> Notes:
        return Notes((Curve("loss", "step", self.losses),) if self.losses else ())


def train(method: Method, problem: Problem, options: RankingOptions) -> TunedRanker:
    """``options`` as `supertune.contracts.RankingOptions` has them and the method's own.

    Raises:
        InputError: ``no_item_texts``, and what the engine refuses.
        SupertuneError: ``loss_not_finite``.
    """
    lens = problem.lens
    assert lens is not None
    learnt = learnt_of(problem, reads=True)
    injection = cast(GradientMethod, method).injection(lens.backbone.offer, options)
    tunable = lens.backbone.inject(injection, seed=problem.seed)
    towers = _Towers.begun(learnt, tunable, lens, options)
    towers.training.descend()
    with tunable:
        losses = towers.descend(options, problem.progress)
        described = towers.read_all()
    found = Towers(**towers.training.model.carried_out(described, towers.training.known))
    ranker = Ranker(found, learnt.catalogue)
    return TunedRanker(ranker, worded.written(injection, tunable), tuple(losses))


def restore(
    method: Method, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedRanker:
    """The inverse of `TunedRanker.state`; the vectors of items answer, and no backbone is asked."""
    prefix = "tuned."
    tuned = {n.removeprefix(prefix): a for n, a in state.arrays.items() if n.startswith(prefix)}
    own = {name: a for name, a in state.arrays.items() if not name.startswith(prefix)}
    ranker = restored(TOWERS.revive, replace(state, arrays=own))
    return TunedRanker(ranker, replace(state, arrays=tuned, files={}))


@dataclass(eq=False)
class _Towers:
    """Towers, and the texts below them.

    Attributes:
        said: (t,) places of the items with a text.
        rows: these texts, from the cut on.
        described: (I, d), whose first columns are made of texts as they were last read.
        mean, size: by which vectors of texts become these columns.
    """

    training: _towers.Training
    said: IntArray
    rows: Rows
    tunable: Tunable
    described: Any
    mean: Any
    size: float

    @classmethod
    def begun(
        cls, learnt: Learnt, tunable: Tunable, lens: Lens, options: RankingOptions
    ) -> _Towers:
        import torch

        catalogue = learnt.catalogue
        said = np.array([i for i, text in enumerate(catalogue.texts) if text], dtype=np.int64)
        rows = Rows([catalogue.texts[i] for i in said], tunable, lens)
        described = _items.described(learnt)
        mean, size = _items.placed(learnt)
        keys = TwoTowerOptions(factors=options.factors, least_steps=options.least_steps)
        training = _towers.Training.begun(learnt.seen, described, keys, learnt.seed)
        kept = torch.from_numpy(described)
        return cls(training, said, rows, tunable, kept, torch.from_numpy(mean), size)

    def descend(self, options: RankingOptions, progress: Any) -> list[tuple[float, float]]:
        """The loss of each step; each text of an item that somebody took once an epoch."""
        import torch

        model, chance = self.training.model, self.training.drawn
        own, parameters = model.tuned(), self.tunable.parameters()
        optimizers = (
            torch.optim.AdamW(parameters, options.learning_rate, weight_decay=options.weight_decay),
            torch.optim.AdamW(own, options.towers_learning_rate, weight_decay=0.0),
        )
        rates = options.learning_rate, options.towers_learning_rate
        texts = np.flatnonzero(np.isin(self.said, self.training.known))
        parts = [
            order[start : start + options.batch_size]
            for order in (chance.permutation(texts) for _ in range(options.epochs))
            for start in range(0, len(order), options.batch_size)
        ]
        losses = []
        self.tunable.training(True)
        for step, part in enumerate(parts if self.training.people else []):
            limits.check()
            for optimizer, rate in zip(optimizers, rates, strict=True):
                set_rate(optimizer, rate, step, len(parts))
            loss = self._loss(part, options.people)
            optimizers[1].zero_grad(set_to_none=True)
            taken = descend(optimizers[0], loss, parameters, clipped=CLIPPED, step=step)
            optimizers[1].step()
            losses.append((float(step + 1), taken))
            if progress is not None:
                progress(step + 1, len(parts))
        self.tunable.training(False)
        return losses

    def _loss(self, part: IntArray, people: int) -> Any:
        """Of some people, while some texts carry gradients."""
        import torch

        batch, hidden, owner = self.rows.batch(part.tolist())
        read = by_row(self.tunable.run(batch, hidden, self.rows.encoding), owner, len(part))
        fresh = self._columns(read.float().cpu())
        places = torch.from_numpy(self.said[part])
        wide = self.described[places].clone()
        wide[:, : fresh.shape[1]] = fresh
        current = self.described.index_copy(0, places, wide)
        self.described[places] = wide.detach()
        training = self.training
        count = min(people, len(training.people))
        chosen = training.drawn.choice(len(training.people), count, replace=False)
        bare = np.isin(training.known, self.said[part])  # so that it serves new items too
        return training.loss(chosen, current[torch.from_numpy(training.known)], bare)

    def _columns(self, vectors: Any) -> Any:
        import torch

        return (torch.nn.functional.normalize(vectors, dim=1, eps=1e-12) - self.mean) / self.size

    def read_all(self) -> FloatArray:
        """(I, d) with every text as the tuned backbone reads it."""
        import torch

        read = self._columns(torch.from_numpy(self.rows.values(self.tunable, words=False)))
        self.described[torch.from_numpy(self.said), : read.shape[1]] = read
        return np.asarray(self.described.numpy())


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """Whether lists are finite, free of what people have, and the same once restored.

    Raises:
        SupertuneError: ``answers_not_finite``, ``reload_differs``.
    """
    assert isinstance(tuned, Recommending)
    inputs = [one for one in problem.examples.inputs[:ROWS] if isinstance(one, History)]
    given = tuned.logits(inputs, problem.lens)
    if not np.isfinite(given).all():
        raise stop("answers_not_finite")
    again = fitting.restore(method, tuned.state(), options, problem.head, problem.lens)
    if not np.array_equal(given, again.logits(inputs, problem.lens)):
        raise stop("reload_differs", "in some lists")
    return ()
