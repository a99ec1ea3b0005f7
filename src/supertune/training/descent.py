"""Steps of gradient descent: order of rows, groups of learning rates, losses, when to stop.

AdamW with a linear rise and fall of the learning rate and clipped gradients, float32; one fixed
order of rows for one seed. All regularisers are here, for every method at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune import limits
from supertune.contracts import GradientOptions, HeadSpec, Injection, Problem, Tunable
from supertune.errors import InputError
from supertune.evaluation.splits import feasible_folds, repeated_folds
from supertune.limits import Splitting
from supertune.training import contrastive, estimate
from supertune.training.accumulating import Accumulation
from supertune.training.batches import Rows, by_row
from supertune.training.codes import finding
from supertune.training.readout import Trained
from supertune.training.watch import Watch, diverged

WARM_UP = 0.1  # share of the steps over which the learning rate rises
CLIP = 1.0  # largest norm of the gradient
FETCHED = 16  # steps whose losses come from a GPU at once: to fetch is to wait for all that runs

Loss = Callable[[list[int]], Any]
Index = Sequence[int]


@dataclass(eq=False)
class _Run:
    """What all runs of one fit share."""

    tunable: Tunable
    trained: Trained
    data: Rows
    problem: Problem
    options: Any
    injection: Injection
    watch: Watch
    splitting: Splitting
    draw: int | None = None  # of views and of dropout below the cut, while a step is taken

    def tensors(self) -> list[Any]:
        return [*self.tunable.parameters(), *self.trained.parameters()]


def descend(
    tunable: Tunable,
    trained: Trained,
    data: Rows,
    problem: Problem,
    options: GradientOptions,
    injection: Injection,
    watch: Watch,
) -> list[float]:
    """Tune what is in the model and the readout in place; the loss of each step.

    Raises:
        SupertuneError: ``loss_not_finite`` when training diverges.
        InputError: ``r_drop_without_dropout``, ``nothing_to_smooth``.
    """
    import torch

    if options.r_drop and not _drops(options):
        raise InputError(
            "r_drop_without_dropout",
            "R-Drop compares two passes that differ by their dropout alone.",
            received=f"r_drop {options.r_drop:g}, dropout 0",
            next="Set dropout too: --set dropout=0.1.",
        )
    if options.label_smoothing and problem.head.valued:
        raise nothing_to_smooth(options)
    splitting = _splitting(data, options, injection)
    run = _Run(tunable, trained, data, problem, options, injection, watch, splitting)
    start = [tensor.detach().clone() for tensor in run.tensors()]
    sums = [torch.zeros_like(tensor) for tensor in start]
    losses: list[float] = []
    for number in range(options.seeds):
        _put(run.tensors(), start)
        torch.manual_seed(problem.seed + number)
        losses += _one_run(run, number)
        for total, tensor in zip(sums, run.tensors(), strict=True):
            total += tensor.detach()
    share = options.interpolation
    ends = [total / options.seeds for total in sums]
    if share < 1:
        ends = [first + share * (end - first) for first, end in zip(start, ends, strict=True)]
    _put(run.tensors(), ends)
    if splitting.parts > 1:
        watch.findings.append(finding("step_in_parts", f"{splitting.parts} parts"))
    return losses


def nothing_to_smooth(options: GradientOptions) -> InputError:
    return InputError(
        "nothing_to_smooth",
        "Values have no labels whose certainty could be smoothed.",
        received=f"label_smoothing {options.label_smoothing:g}",
        next="Leave it out; weight_decay and early_stopping regularise values too.",
    )


def _splitting(data: Rows, options: GradientOptions, injection: Injection) -> Splitting:
    """Steps are cut into parts from the start where the largest would not fit into memory."""
    lengths = data.lengths
    tokens = max(lengths) * min(options.batch_size, len(lengths))
    needed = estimate.step_bytes(data.backbone.offer, injection, tokens)
    splitting = Splitting()
    splitting.start(needed, limits.room(data.backbone.device))
    return splitting


def _one_run(run: _Run, number: int) -> list[float]:
    import torch

    options, problem = run.options, run.problem
    rows, judges = held_out(problem, options.early_stopping)
    batches = list(orders(rows, problem.seed + number, options))
    optimizer = torch.optim.AdamW(_groups(run))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, len(batches)))
    run.watch.optimizing(optimizer)
    loss_of, stop = _Losses(run), _Stop(run, judges)
    gradient = _accumulation(run, loss_of)
    told = _Told(options.learning_rate)
    epoch = number * options.epochs
    for step, (index, ends_epoch) in enumerate(batches):
        with _dropping(run, epoch):
            loss = gradient(index)
        norm = torch.nn.utils.clip_grad_norm_(run.tensors(), CLIP)
        told.add(loss, norm)
        run.watch.differentiated(norm)
        optimizer.step()
        run.watch.stepped()
        schedule.step()
        if problem.progress is not None:
            done = number * len(batches) + step + 1
            problem.progress(done, options.seeds * len(batches))
        epoch += ends_epoch
        if ends_epoch:
            stop.look(loss_of)
    told.fetch()
    stop.finish()
    return told.losses


class _Told:
    """Losses of steps as numbers, and whether they and the gradients' norms are finite."""

    def __init__(self, rate: float) -> None:
        self.losses: list[float] = []
        self._rate, self._waiting = rate, list[Any]()

    def add(self, loss: Any, norm: Any) -> None:
        """Of one step, on the device.

        Raises:
            SupertuneError: ``loss_not_finite``, on a GPU up to `FETCHED` steps late.
        """
        import torch

        loss = loss.detach()
        self._waiting.append(torch.stack((loss, norm.to(loss))))
        if loss.device.type == "cpu" or len(self._waiting) == FETCHED:
            self.fetch()

    def fetch(self) -> None:
        import torch

        if not self._waiting:
            return
        for loss, norm in torch.stack(self._waiting).tolist():
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise diverged(len(self.losses), loss, self._rate)
            self.losses.append(loss)
        self._waiting.clear()


def _accumulation(run: _Run, losses: _Losses) -> Accumulation:
    compared = losses.compared if run.injection.criterion == "contrastive" else None
    return Accumulation(
        run.splitting,
        partial=losses.share,
        rows=losses.read,
        whole=compared,
        tensors=run.tensors,
    )


def orders(
    rows: np.ndarray[Any, Any], seed: int, options: GradientOptions
) -> Iterator[tuple[list[int], bool]]:
    """Batches of row numbers, and whether an epoch ends with them."""
    rng = np.random.default_rng(seed)
    for _ in range(options.epochs):
        order = rng.permutation(rows)
        for start in range(0, len(order), options.batch_size):
            end = start + options.batch_size
            yield order[start:end].tolist(), end >= len(order)


def held_out(problem: Problem, share: float) -> tuple[Any, list[int]]:
    """Rows to learn from, and rows to stop by."""
    everything = np.arange(len(problem.examples))
    if not share:
        return everything, []
    folds = feasible_folds(problem.examples, round(1 / share), complete=True)
    rows, judges = repeated_folds(
        problem.examples, folds=folds, repeats=1, seed=problem.seed, stratified=True
    )[0][0]
    return rows, judges.tolist()


class _Stop:
    """Keeps the numbers of the epoch whose held-out loss was least."""

    def __init__(self, run: _Run, judges: list[int]) -> None:
        self.run, self.judges = run, judges
        self.least = np.inf
        self.best: list[Any] | None = None

    def look(self, loss_of: Loss) -> None:
        import torch

        if not self.judges:
            return
        with torch.no_grad():
            loss = float(loss_of(self.judges))
        if loss < self.least:
            self.least = loss
            self.best = [tensor.detach().clone() for tensor in self.run.tensors()]

    def finish(self) -> None:
        if self.best is not None:
            _put(self.run.tensors(), self.best)


def _put(tensors: list[Any], values: list[Any]) -> None:
    import torch

    with torch.no_grad():
        for tensor, value in zip(tensors, values, strict=True):
            tensor.copy_(value)


def _groups(run: _Run) -> list[dict[str, Any]]:
    """Parameters with their learning rate: lower blocks slower, LoRA's B faster if asked for."""
    options = run.options
    depth, blocks = run.data.backbone.offer.depth, run.injection.blocks
    if blocks and min(blocks) >= depth:  # a decoder's, numbered anew in the names
        depth = run.data.backbone.offer.decoder_depth
    groups: dict[float, list[Any]] = {}
    for name, tensor in run.tunable.named().items():
        own = rate_of(name, options, depth) * run.tunable.pace(name)
        groups.setdefault(own, []).append(tensor)
    tuned = [
        {"params": tensors, "lr": own, "weight_decay": options.weight_decay}
        for own, tensors in sorted(groups.items())
    ]
    of_head = None if run.trained.words else options.head_learning_rate
    of_head = of_head or options.learning_rate
    return [*tuned, {"params": run.trained.parameters(), "lr": of_head, "weight_decay": 0.0}]


def rate_of(name: str, options: Any, depth: int) -> float:
    """The learning rate of a tuned tensor by its name, in which a number is that of its block."""
    found = re.search(r"\.(\d+)\.", f".{name}.")
    below = 0 if found is None or int(found[1]) >= depth else depth - 1 - int(found[1])
    own = float(options.learning_rate * options.layer_decay**below)
    return own * getattr(options, "lr_ratio", 1.0) if re.search("lora_(B|kernel_b)", name) else own


def rate(step: int, steps: int) -> float:
    """Linear rise over the first steps, then linear fall to zero."""
    rise = max(1, round(WARM_UP * steps))
    return (step + 1) / rise if step < rise else (steps - step) / max(1, steps - rise)


def _drops(options: Any) -> bool:
    return bool(options.dropout or getattr(options, "lora_dropout", 0))


@contextmanager
def _dropping(run: _Run, epoch: int) -> Iterator[None]:
    """Dropout on, in what was put in and, if asked for, in the backbone above the cut; the view
    whose turn it is, and below the cut the draw, if any was kept."""
    run.tunable.training(True, run.options.dropout)
    run.draw = epoch
    try:
        yield
    finally:
        run.draw = None
        run.tunable.training(False)


class _Losses:
    """The loss of a batch of rows by the injection's criterion, whole or in parts."""

    def __init__(self, run: _Run) -> None:
        import torch

        examples, device = run.problem.examples, run.data.backbone.device
        assert examples.targets is not None
        self.run = run
        self.targets = torch.tensor(examples.targets, device=device)
        if run.problem.head.valued:
            self.targets = self.targets.float()
        given = np.ones(len(examples)) if examples.weights is None else examples.weights
        self.weights = torch.as_tensor(given, dtype=torch.float32, device=device)

    def __call__(self, index: Index) -> Any:
        if self.run.injection.criterion == "contrastive":
            return self.compared(self.read(index), index)
        return self.share(index, index)

    def read(self, index: Index) -> Any:
        """Vectors (rows, d), or word scores (rows, W)."""
        import torch

        groups, rows = self.run.data.alike(list(index)), list(index)
        if len(groups) == 1:
            return self._together(index)
        found = torch.cat([self._together([rows[place] for place in some]) for some in groups])
        order = np.argsort([place for some in groups for place in some])
        return found[torch.from_numpy(order).to(found.device)]

    def _together(self, index: Index) -> Any:
        import torch

        run = self.run
        batch, hidden, owner = run.data.batch(index, run.draw)
        if run.trained.words:
            return run.tunable.run(batch, hidden, run.data.encoding, words=True)
        pooled = by_row(run.tunable.run(batch, hidden, run.data.encoding), owner, len(index))
        return torch.nn.functional.dropout(pooled, run.options.dropout, torch.is_grad_enabled())

    def share(self, part: Index, index: Index) -> Any:
        """What the rows of ``part`` add to the loss of the step over ``index``."""
        run, options = self.run, self.run.options
        head, rows = run.problem.head, list(part)
        wanted, share = self.targets[rows], self.weights[rows] / self.weights[list(index)].sum()
        passes = [run.trained(self.read(rows)) for _ in range(2 if options.r_drop else 1)]
        each = sum(_loss(one, wanted, head, options.label_smoothing) for one in passes)
        each = each / len(passes)
        if options.r_drop:
            each = each + options.r_drop * _apart(passes[0], passes[1], head)
        return (each * share).sum()

    def compared(self, vectors: Any, index: Index) -> Any:
        """The loss of a step whose rows are compared with one another, from their vectors."""
        rows = list(index)
        heat = float(self.run.injection.settings["temperature"])
        return contrastive.loss(vectors, self.targets[rows], self.weights[rows], heat)


def _apart(one: Any, other: Any, head: HeadSpec) -> Any:
    """(rows,) symmetric Kullback-Leibler divergence of two answers; of values (normal
    distributions of variance 1) the squared distance."""
    import torch

    if head.valued:
        return ((one - other) ** 2)[:, 0]
    if head.multi_label:
        one, other = (torch.stack([x, torch.zeros_like(x)], dim=-1) for x in (one, other))
    p, q = one.log_softmax(-1), other.log_softmax(-1)
    both = ((p.exp() - q.exp()) * (p - q)).sum(-1) / 2
    return both.sum(-1) if head.multi_label else both


def _loss(logits: Any, targets: Any, head: HeadSpec, smoothing: float) -> Any:
    """Loss of each row (rows,)."""
    from torch.nn import functional

    if head.valued:
        return (logits[:, 0] - targets) ** 2
    if head.multi_label:
        wanted = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return each.sum(dim=1)
    return functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
