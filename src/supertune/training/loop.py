"""The one training loop: every method that is trained by gradients goes through here.

The head starts at the closed-form solution on the frozen features (linear probe, then tune:
Kumar et al. 2022, arXiv:2202.10054), and everything below the lowest tuned block is replayed
from the cache. Float32, no dropout, one fixed order of rows for one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import (
    Encoding,
    FloatArray,
    GradientMethod,
    GradientOptions,
    HeadSpec,
    Input,
    Lens,
    Problem,
    State,
    Tunable,
)
from supertune.errors import InputError, SupertuneError
from supertune.methods.linear_probe import Head, LinearProbeOptions, one_hot, solve

WARM_UP = 0.1  # share of the steps over which the learning rate rises
CLIP = 1.0  # largest norm of the gradient


@dataclass(eq=False)
class TunedBackbone:
    """A head on a backbone with tuned numbers in it; see `supertune.contracts.Tuned`."""

    tunable: Tunable
    head: Head
    losses: tuple[float, ...] = ()

    @property
    def tuned_parameters(self) -> int:
        inside = sum(int(array.size) for array in self.tunable.kept.values())
        return inside + self.head.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        backbone, encoding = lens.backbone, lens.encoding
        with self.tunable:  # not through the lens, which shows the frozen backbone
            tokens = backbone.tokens(inputs, encoding)
            return self.head.apply(backbone.features(tokens, encoding, exact=False))

    def state(self) -> State:
        head = dict(self.head.state().arrays)
        config = self.tunable.config()
        if config is None:
            return State({**head, **self.tunable.kept})
        return State(head, adapter=self.tunable.kept, adapter_config=config)


def train(method: GradientMethod, problem: Problem, options: Any) -> TunedBackbone:
    """Tune what ``method`` names on the rows of ``problem``.

    Raises:
        SupertuneError: ``loss_not_finite`` when training diverges.
    """
    import torch

    lens = problem.lens
    assert lens is not None
    assert problem.examples.targets is not None
    backbone: Any = lens.backbone
    tunable = backbone.inject(_checked(method, lens, options), seed=problem.seed)
    data = _Rows(problem, tunable, lens)
    head = _Linear(_solved(problem, lens), backbone.device)
    with torch.random.fork_rng(devices=[]), tunable:
        torch.manual_seed(problem.seed)
        parameters = [
            {"params": tunable.parameters(), "weight_decay": options.weight_decay},
            {"params": head.parameters(), "weight_decay": 0.0},
        ]
        losses = _descend(parameters, tunable, head, data, problem, options)
    return TunedBackbone(tunable, head.solved(), tuple(losses))


def restore(
    method: GradientMethod, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedBackbone:
    """The inverse of `TunedBackbone.state`."""
    assert lens is not None
    tunable = lens.backbone.inject(_checked(method, lens, options), seed=0)
    own = {n: a for n, a in state.arrays.items() if n not in ("head.weight", "head.bias")}
    tunable.keep(state.adapter or own)
    with tunable:  # names and shapes are checked here, not at the first prediction
        pass
    return TunedBackbone(tunable, Head.from_arrays(state.arrays))


def _checked(method: GradientMethod, lens: Lens, options: Any) -> Any:
    injection = method.injection(lens.backbone.offer, options)
    depth = lens.backbone.offer.depth
    blocks = injection.blocks
    if blocks is not None and not (blocks and all(0 <= block < depth for block in blocks)):
        raise InputError(
            "block_out_of_range",
            f"{lens.backbone.ref.name} has no such block.",
            received=str(list(blocks)),
            allowed=f"0 to {depth - 1}",
            next="Set blocks to numbers in that range, 'upper' or 'all'.",
        )
    return injection


def _solved(problem: Problem, lens: Lens) -> Head:
    examples = problem.examples
    assert examples.targets is not None
    weights = np.ones(len(examples)) if examples.weights is None else examples.weights
    return solve(
        lens.features(examples.inputs),
        one_hot(examples.targets, problem.head.outputs),
        weights,
        LinearProbeOptions().penalties,
        problem.head.multi_label,
    )


class _Linear:
    """A linear head as two trainable tensors."""

    def __init__(self, start: Head, device: Any) -> None:
        import torch

        self.weight = torch.tensor(start.weight, device=device, requires_grad=True)
        self.bias = torch.tensor(start.bias, device=device, requires_grad=True)

    def parameters(self) -> list[Any]:
        return [self.weight, self.bias]

    def __call__(self, features: Any) -> Any:
        return features @ self.weight + self.bias

    def solved(self) -> Head:
        return Head(self.weight.detach().cpu().numpy(), self.bias.detach().cpu().numpy())


class _Rows:
    """The rows as token pieces with what enters the cut, ready to be batched in any order."""

    def __init__(self, problem: Problem, tunable: Tunable, lens: Lens) -> None:
        import torch

        backbone: Any = lens.backbone
        self.backbone = backbone
        self.encoding: Encoding = lens.encoding
        self.pieces = backbone.tokens(problem.examples.inputs, lens.encoding)
        self.hidden: list[Any] | None = None
        if not tunable.from_input and tunable.cut > 0:
            flat = [piece for pieces in self.pieces for piece in pieces]
            values = iter(lens.activations(flat, tunable.cut))
            self.hidden = [
                [torch.from_numpy(np.array(next(values))) for _ in pieces] for pieces in self.pieces
            ]

    def batch(self, index: Sequence[int]) -> tuple[Any, Any, Any]:
        """Model inputs, hidden states at the cut (or None), and each piece's row in the batch."""
        import torch

        flat = [piece for i in index for piece in self.pieces[i]]
        owner = [place for place, i in enumerate(index) for _ in self.pieces[i]]
        width = max(len(piece.ids) for piece in flat)
        batch = self.backbone.tensors(flat, len(flat), width)
        hidden = None
        if self.hidden is not None:
            states = [state for i in index for state in self.hidden[i]]
            hidden = torch.nn.utils.rnn.pad_sequence(states, batch_first=True)
            hidden = hidden.to(self.backbone.device)
        return batch, hidden, torch.tensor(owner, device=self.backbone.device)


def _orders(n: int, problem: Problem, options: GradientOptions) -> Iterator[list[int]]:
    rng = np.random.default_rng(problem.seed)
    for _ in range(options.epochs):
        order = rng.permutation(n)
        for start in range(0, n, options.batch_size):
            yield order[start : start + options.batch_size].tolist()


def _descend(
    parameters: list[dict[str, Any]],
    tunable: Tunable,
    head: _Linear,
    data: _Rows,
    problem: Problem,
    options: GradientOptions,
) -> list[float]:
    import torch

    examples = problem.examples
    assert examples.targets is not None
    targets = torch.tensor(examples.targets, device=data.backbone.device)
    given = np.ones(len(examples)) if examples.weights is None else examples.weights
    weights = torch.as_tensor(given, dtype=torch.float32, device=data.backbone.device)
    optimizer = torch.optim.AdamW(parameters, lr=options.learning_rate)
    batches = list(_orders(len(examples), problem, options))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, len(batches)))
    everything = [p for group in parameters for p in group["params"]]
    losses = []
    for step, index in enumerate(batches):
        batch, hidden, owner = data.batch(index)
        pooled = _by_row(tunable.run(batch, hidden, data.encoding), owner, len(index))
        rows = _loss(head(pooled), targets[index], problem.head, options.label_smoothing)
        loss = (rows * weights[index]).sum() / weights[index].sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(everything, CLIP)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            raise SupertuneError(
                "loss_not_finite",
                f"Training diverged at step {step + 1}: the loss is {loss.item()}.",
                received=f"learning_rate {options.learning_rate}",
                next=f"Lower it: --set learning_rate={options.learning_rate / 10:g}.",
            )
        optimizer.step()
        schedule.step()
        losses.append(float(loss.item()))
        if problem.progress is not None:
            problem.progress(step + 1, len(batches))
    return losses


def _rate(step: int, steps: int) -> float:
    """Linear rise over the first steps, then linear fall to zero."""
    rise = max(1, round(WARM_UP * steps))
    return (step + 1) / rise if step < rise else (steps - step) / max(1, steps - rise)


def _by_row(pooled: Any, owner: Any, rows: int) -> Any:
    """Mean over the pieces of each row of the batch."""
    import torch

    if len(pooled) == rows:
        return pooled
    sums = torch.zeros(rows, pooled.shape[1], device=pooled.device).index_add(0, owner, pooled)
    return sums / torch.bincount(owner, minlength=rows)[:, None]


def _loss(logits: Any, targets: Any, head: HeadSpec, smoothing: float) -> Any:
    """Loss of each row (rows,)."""
    from torch.nn import functional

    if head.multi_label:
        wanted = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return each.sum(dim=1)
    return functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
