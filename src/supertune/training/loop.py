"""The one training loop: every method that is trained by gradients goes through here.

The readout (`readout`) starts at what the frozen backbone answers, and everything below the
lowest tuned block is replayed from the cache. Float32, no dropout, one fixed order of rows for
one seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune.contracts import (
    Encoding,
    Finding,
    FloatArray,
    GradientMethod,
    GradientOptions,
    HeadSpec,
    Injection,
    Input,
    Lens,
    Problem,
    Prompt,
    State,
    Tunable,
)
from supertune.errors import InputError
from supertune.training import contrastive, readout
from supertune.training.readout import Fixed, Trained
from supertune.training.watch import Watch, Witness, diverged

WARM_UP = 0.1  # share of the steps over which the learning rate rises
CLIP = 1.0  # largest norm of the gradient


@dataclass(eq=False)
class TunedBackbone:
    """A readout on a backbone with tuned numbers in it; see `supertune.contracts.Tuned`."""

    tunable: Tunable
    readout: Fixed
    prompt: Prompt | None
    losses: tuple[float, ...] = ()
    findings: tuple[Finding, ...] = ()  # what was noticed while training
    witness: Witness | None = None

    @property
    def tuned_parameters(self) -> int:
        inside = sum(int(array.size) for array in self.tunable.kept.values())
        return inside + self.readout.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        backbone = lens.backbone
        encoding = _fitting(replace(lens.encoding, prompt=self.prompt), self.tunable, lens)
        with self.tunable:  # not through the lens, which shows the frozen backbone
            tokens = backbone.tokens(inputs, encoding)
            read = backbone.features if self.prompt is None else backbone.scores
            return self.readout.apply(read(tokens, encoding, exact=False))

    def state(self) -> State:
        arrays, config = self.readout.arrays(), self.tunable.config()
        settings = {} if self.prompt is None else {"prompt": self.prompt.as_dict()}
        if config is None:
            return State({**arrays, **self.tunable.kept}, settings)
        return State(arrays, settings, adapter=self.tunable.kept, adapter_config=config)


def train(method: GradientMethod, problem: Problem, options: Any) -> TunedBackbone:
    """Tune what ``method`` names on the rows of ``problem``.

    Raises:
        SupertuneError: ``loss_not_finite`` when training diverges, and whatever else in
            `supertune.training.codes` stops a run.
    """
    import torch

    assert problem.lens is not None
    assert problem.examples.targets is not None
    backbone: Any = problem.lens.backbone
    injection = _checked(method, problem.lens, options)
    wanted = "head" if injection.criterion == "contrastive" else options.readout
    tunable = backbone.inject(injection, seed=problem.seed)
    encoding = readout.encoding_for(problem, wanted)
    lens = problem.lens.under(_fitting(encoding, tunable, problem.lens))
    data = _Rows(problem, tunable, lens)
    trained = readout.trained(problem, lens, backbone.device)
    watch = Watch(problem, lens, injection, options)
    with torch.random.fork_rng(devices=[]), tunable:
        torch.manual_seed(problem.seed)
        watch.begin(tunable, trained, data)
        losses = _descend(tunable, trained, data, problem, options, injection, watch)
        fixed: Fixed = trained.fixed()
        if injection.criterion == "contrastive":
            tokens = backbone.tokens(problem.examples.inputs, lens.encoding)
            fixed = readout.solved(problem, backbone.features(tokens, lens.encoding))
        witness = watch.end(losses, fixed)
    watch.left()
    return TunedBackbone(
        tunable, fixed, lens.encoding.prompt, tuple(losses), tuple(watch.findings), witness
    )


def restore(
    method: GradientMethod, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedBackbone:
    """The inverse of `TunedBackbone.state`."""
    assert lens is not None
    tunable = lens.backbone.inject(_checked(method, lens, options), seed=0)
    asked = state.settings.get("prompt")
    prompt = None if asked is None else Prompt.from_dict(asked)
    fixed = readout.restored(state.arrays, prompt)
    tunable.keep(
        state.adapter or {n: a for n, a in state.arrays.items() if n not in fixed.arrays()}
    )
    with tunable:  # names and shapes are checked here, not at the first prediction
        pass
    return TunedBackbone(tunable, fixed, prompt)


def _fitting(encoding: Encoding, tunable: Tunable, lens: Lens) -> Encoding:
    """The encoding with the positions left free that what is tuned takes up."""
    most = lens.backbone.offer.max_length - tunable.room
    return replace(encoding, max_length=min(encoding.max_length, most))


def _checked(method: GradientMethod, lens: Lens, options: Any) -> Injection:
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
    tunable: Tunable,
    trained: Trained,
    data: _Rows,
    problem: Problem,
    options: GradientOptions,
    injection: Injection,
    watch: Watch,
) -> list[float]:
    import torch

    parameters = [
        {"params": tunable.parameters(), "weight_decay": options.weight_decay},
        {"params": trained.parameters(), "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(parameters, lr=options.learning_rate)
    batches = list(_orders(len(problem.examples), problem, options))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, len(batches)))
    everything = [p for group in optimizer.param_groups for p in group["params"]]
    loss_of = _losses(tunable, trained, data, problem, options, injection)
    losses = []
    watch.optimizing(optimizer)
    for step, index in enumerate(batches):
        loss = loss_of(index)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(everything, CLIP)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            raise diverged(step, loss.item(), options.learning_rate)
        watch.differentiated(norm)
        optimizer.step()
        watch.stepped()
        schedule.step()
        losses.append(float(loss.item()))
        if problem.progress is not None:
            problem.progress(step + 1, len(batches))
    return losses


def _losses(
    tunable: Tunable,
    trained: Trained,
    data: _Rows,
    problem: Problem,
    options: GradientOptions,
    injection: Injection,
) -> Callable[[list[int]], Any]:
    """The loss of a batch of rows, by the injection's criterion."""
    import torch

    examples, device = problem.examples, data.backbone.device
    assert examples.targets is not None
    targets = torch.tensor(examples.targets, device=device)
    given = np.ones(len(examples)) if examples.weights is None else examples.weights
    weights = torch.as_tensor(given, dtype=torch.float32, device=device)

    def loss(index: list[int]) -> Any:
        batch, hidden, owner = data.batch(index)
        if trained.words:
            read = tunable.run(batch, hidden, data.encoding, words=True)
        else:
            read = _by_row(tunable.run(batch, hidden, data.encoding), owner, len(index))
        if injection.criterion == "contrastive":
            heat = float(injection.settings["temperature"])
            return contrastive.loss(read, targets[index], weights[index], heat)
        rows = _loss(trained(read), targets[index], problem.head, options.label_smoothing)
        return (rows * weights[index]).sum() / weights[index].sum()

    return loss


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
