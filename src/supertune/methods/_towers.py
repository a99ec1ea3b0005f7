"""Training of two towers over frozen descriptions of items, by Adam on the processor.

Shapes: n people, B of a batch, L items of a history, w known items, c candidates of a softmax,
d numbers that describe an item, k of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, IntArray
from supertune.limits import check
from supertune.methods._recommending import Seen

LENGTH = 50  # items of a history that are looked at, the last of them
HALF = 5.0  # items after which one counts half as much, before training
BATCH = 128  # people of a step
AHEAD, FLOOR = 20.0, 0.1  # items ahead at which what comes counts half; what it counts at least
MOST, DRAWN = 8_000, 2_000  # known items beyond which a sample of so many stands for the others
RIDGE = 10.0  # of how often items are taken on their descriptions, to begin with


@dataclass(frozen=True, eq=False)
class Batch:
    """Histories (B, L), the last item first, -1 where there is none, with whether they have an
    order (B,); what came later (B, c) as shares of 1 over candidates (c,), what was known already
    (B, c), and the logarithm of how many items a candidate stands for (c,)."""

    items: IntArray
    ordered: Any
    candidates: IntArray
    later: FloatArray
    known: Any
    stands_for: FloatArray


def trained(seen: Seen, described: FloatArray, options: Any, seed: int) -> dict[str, Any]:
    """What `tuned_two_tower.Towers` holds, from what people took and (I, d) descriptions."""
    training = Training.begun(seen, described, options, seed)
    training.descend()
    return training.model.carried_out(described, training.known)


@dataclass(eq=False)
class Training:
    """Towers on their way.

    Attributes:
        people: items of each, as places among the known ones, and whether they have an order.
        known: (w,) places of the items that somebody took.
        drawn, generator: of chance.
    """

    people: Sequence[tuple[IntArray, bool]]
    known: IntArray
    model: _Model
    options: Any
    drawn: np.random.Generator
    generator: Any

    @classmethod
    def begun(cls, seen: Seen, described: FloatArray, options: Any, seed: int) -> Training:
        """Untrained towers of (I, d) descriptions."""
        import torch

        count = np.bincount(seen.items, minlength=seen.size)
        known = np.flatnonzero(count)
        place = np.full(seen.size, -1, dtype=np.int64)
        place[known] = np.arange(len(known))
        starts = seen.ends - seen.lengths
        people = [
            (place[seen.items[a:b]], bool(ordered))
            for a, b, ordered in zip(starts, seen.ends, seen.ordered, strict=True)
            if b - a > 1
        ]
        drawn, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        model = _begun(described, known, count, options, generator)
        return cls(people, known, model, options, drawn, generator)

    def descend(self) -> None:
        """All steps, of descriptions as they are."""
        import torch

        options, people = self.options, self.people
        optimizer = torch.optim.Adam(self.model.tuned(), lr=options.learning_rate)
        each = -(-len(people) // BATCH)
        epochs = max(options.epochs, -(-options.least_steps // max(1, each))) if people else 0
        for epoch in range(epochs):
            order = self.drawn.permutation(len(people))
            for start in range(0, len(order), BATCH):
                check()
                loss = self.loss(order[start : start + BATCH])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * (1 - (epoch + 1) / epochs)

    def loss(self, chosen: IntArray, described: Any = None, bare: Any = None) -> Any:
        """The mean loss of some people, under other descriptions (w, d) where they are given, while
        items ``bare`` (w,) go without their residual."""
        model = self.model if described is None else replace(self.model, described=described)
        people = [self.people[i] for i in chosen]
        batch = _batch(people, len(self.known), self.options.forget, self.drawn)
        return model.loss(batch, self.options, self.generator, bare)


# --- what a step is given ---------------------------------------------------------------------


def _batch(chosen: list[Any], size: int, forget: float, drawn: np.random.Generator) -> Batch:
    """Each person's history cut in two, at an even or a low place by halves."""
    before, after = [], []
    for items, ordered in chosen:
        own = items if ordered else drawn.permutation(items)
        last = len(own) - 1
        even = drawn.integers(1, last + 1)
        low = int(np.exp(drawn.uniform(0, np.log(last + 1))))
        cut = min(last, low if drawn.random() < 0.5 else int(even))
        left = own[:cut][drawn.random(cut) >= forget]
        before.append(left if len(left) else own[:cut])
        after.append(own[cut:])
    candidates, stands_for = _candidates(after, size, drawn)
    column = np.full(size, -1, dtype=np.int64)
    column[candidates] = np.arange(len(candidates))
    items = np.full((len(chosen), LENGTH), -1, dtype=np.int64)
    later = np.zeros((len(chosen), len(candidates)), dtype=np.float32)
    known = np.zeros(later.shape, dtype=bool)
    for i, (early, late) in enumerate(zip(before, after, strict=True)):
        items[i, : min(LENGTH, len(early))] = early[::-1][:LENGTH]
        weight = 0.5 ** (np.arange(len(late)) / AHEAD) + FLOOR
        later[i, column[late]] = weight / weight.sum()
        there = column[early]
        known[i, there[there >= 0]] = True
    ordered = np.array([ordered for _, ordered in chosen])
    return Batch(items, ordered, candidates, later, known, stands_for)


def _candidates(
    after: list[IntArray], size: int, drawn: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """All known items, or what came later and a sample of the others, each of which stands for as
    many: so the sum that a softmax is divided by is right on average."""
    if size <= MOST:
        return np.arange(size), np.zeros(size, dtype=np.float32)
    came = np.unique(np.concatenate(after))
    left = np.ones(size, dtype=bool)
    left[came] = False
    others = np.flatnonzero(left)
    some = np.sort(drawn.choice(others, min(DRAWN, len(others)), replace=False))
    weights = np.zeros(len(came) + len(some), dtype=np.float32)
    weights[len(came) :] = np.log(max(1, len(others)) / max(1, len(some)))
    return np.concatenate([came, some]), weights


# --- the model --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Model:
    """Tensors; ``read`` and ``listed`` are (map (d, k), residuals (w, k)), ``often`` the same with
    k = 1."""

    described: Any
    weight: Any  # (w, 1) of the residuals
    read: tuple[Any, Any]
    listed: tuple[Any, Any]
    often: tuple[Any, Any]
    attention: Any
    age: Any
    mix: Any

    def tuned(self) -> list[Any]:
        return [*self.read, *self.listed, *self.often, self.attention, self.age, self.mix]

    def rows(self, tower: tuple[Any, Any], rows: Any, kept: Any) -> Any:
        """(c, k) of known items; ``kept`` (w, 1) is 0 for those that go without a residual."""
        mapped, own = tower
        return self.described[rows] @ mapped + (self.weight * kept)[rows] * own[rows]

    def loss(self, batch: Batch, options: Any, generator: Any, bare: Any = None) -> Any:
        import torch

        kept = torch.rand(self.weight.shape, generator=generator) >= options.without
        if bare is not None:
            kept &= ~torch.from_numpy(bare)[:, None]
        kept = kept.to(self.weight)
        asked, inverse = np.unique(np.maximum(batch.items, 0), return_inverse=True)
        keys = self.rows(self.read, torch.from_numpy(asked), kept)
        keys = keys[torch.from_numpy(inverse.reshape(batch.items.shape))]
        there = torch.from_numpy(batch.items >= 0)
        people = self.people(keys, there, torch.from_numpy(batch.ordered))
        share = 1 - options.dropout
        people = people * (torch.rand(people.shape, generator=generator) < share) / share
        candidates = torch.from_numpy(batch.candidates)
        bias = self.rows(self.often, candidates, kept)[:, 0] + torch.from_numpy(batch.stands_for)
        logits = people @ self.rows(self.listed, candidates, kept).T + bias
        known, later = torch.from_numpy(batch.known), torch.from_numpy(batch.later)
        chances = torch.log_softmax(logits.masked_fill(known, -1e9), dim=1)
        came = -(later * (chances - torch.from_numpy(batch.stands_for))).sum(dim=1)
        return came.mean()

    def people(self, keys: Any, there: Any, ordered: Any) -> Any:
        """(B, k) from (B, L, k)."""
        import torch

        logits = keys @ self.attention + ordered[:, None, None] * self.age
        weight = torch.softmax(logits.masked_fill(~there[..., None], -1e9), dim=1)
        return torch.einsum("blh,blk->bhk", weight, keys).flatten(1) @ self.mix

    def carried_out(self, described: FloatArray, known: IntArray) -> dict[str, Any]:
        """Vectors of all I items, those that nobody took by their descriptions alone."""
        parts = {"read": self.read, "listed": self.listed, "bias": self.often}
        found: dict[str, Any] = {}
        for name, (mapped, own) in parts.items():
            rows = described @ mapped.detach().numpy()
            rows[known] += (self.weight * own).detach().numpy()
            found[name] = rows
        return {
            "read": found["read"].astype(np.float16),
            "listed": found["listed"].astype(np.float16),
            "bias": found["bias"][:, 0].astype(np.float32),
            "attention": self.attention.detach().numpy(),
            "age": self.age.detach().numpy(),
            "mix": self.mix.detach().numpy(),
            "parameters": sum(one.numel() for one in self.tuned()),
        }


def _begun(
    described: FloatArray, known: IntArray, count: IntArray, options: Any, generator: Any
) -> _Model:
    """Maps at random, no residuals but of how often items are taken, heads that look at age."""
    import torch

    rows = described[known]
    wide, size = rows.shape[1], options.factors
    common = np.log1p(count[known]).astype(np.float32)
    common -= common.mean() if len(common) else 0.0
    inner = rows.T @ rows + RIDGE * np.eye(wide, dtype=np.float32)
    told = np.linalg.solve(inner, rows.T @ common).astype(np.float32)
    own = count[known].astype(np.float32)
    weight = own / (own + options.shrink)
    left = (common - rows @ told) / np.maximum(weight, 1e-6)

    def drawn(*shape: int, spread: float) -> Any:
        return (torch.randn(shape, generator=generator) * spread).requires_grad_()

    def given(values: Any) -> Any:
        return torch.from_numpy(np.array(values, dtype=np.float32)).requires_grad_()

    age = np.zeros((LENGTH, 2))
    age[:, 1] = -np.log(2) * np.arange(LENGTH) / HALF
    return _Model(
        described=torch.from_numpy(np.array(rows, dtype=np.float32)),
        weight=torch.from_numpy(weight[:, None]),
        read=(drawn(wide, size, spread=0.3), given(np.zeros((len(known), size)))),
        listed=(drawn(wide, size, spread=0.3), given(np.zeros((len(known), size)))),
        often=(given(told[:, None]), given(left[:, None])),
        attention=drawn(size, 2, spread=0.05),
        age=given(age),
        mix=given(np.tile(np.eye(size), (2, 1)) / 2),
    )
