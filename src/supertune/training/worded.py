"""What speech and translation share: decoders tuned by the likelihood of texts, over what is kept
of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from supertune import limits
from supertune.contracts import (
    Finding,
    GradientMethod,
    Injection,
    Method,
    Offer,
    Problem,
    State,
    Tunable,
    Tuned,
)
from supertune.training.steps import descend, set_rate, sound

CLIPPED = 1.0  # norm of a gradient
Stepped = Callable[[int, int], None]  # told a step, from 0, and how many there are


class Keys(Protocol):
    """What recipes say of such a training."""

    @property
    def epochs(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def weight_decay(self) -> float: ...


def injected(method: GradientMethod, offer: Offer, options: Any) -> Injection:
    """What the method tunes, of the decoder unless it is asked for more: the upper blocks are all
    of the decoder's, the topmost its last ones; of an encoder alone those of its upper half."""
    depth, whole = offer.depth, offer.depth + offer.decoder_depth
    if not offer.decoder_depth:
        return method.injection(offer, options)
    if getattr(options, "blocks", None) in ("upper", "decoder"):
        options = options.model_copy(update={"blocks": tuple(range(depth, whole))})
    return method.injection(replace(offer, depth=whole, decoder_depth=0), options)


def everywhere(injection: Injection) -> Injection:
    """LoRA in all linear layers where none is named: those of attention are too few of a small
    decoder. All weights are those of the decoder too, and of the words."""
    settings = injection.settings
    if injection.kind == "unfreeze" and injection.blocks is None:
        return replace(injection, settings={**settings, "whole": True})
    if injection.kind != "LORA" or settings.get("target_modules") is not None:
        return injection
    return replace(injection, settings={**settings, "target_modules": "all-linear"})


def entry(cut: int, offer: Offer) -> int:
    """Where a run begins: at the encoder's states, or at its inputs where it is tuned; of an
    encoder alone at the block that is reached first."""
    if not offer.decoder_depth:
        return min(cut, offer.depth)
    return offer.depth if cut >= offer.depth else 0


def written(injection: Injection, tunable: Tunable, **more: Any) -> State:
    """The state of what was tuned, and what more `injection_of` need not know."""
    blocks = injection.blocks
    settings = more | {
        "kind": injection.kind,
        "blocks": None if blocks is None else list(blocks),
        "settings": dict(injection.settings),
    }
    config = tunable.config()
    if config is None:
        return State(tunable.kept, settings)
    return State({}, settings, adapter=tunable.kept, adapter_config=config)


def injection_of(state: State) -> Injection:
    """What `written` wrote down."""
    held, blocks = state.settings, state.settings["blocks"]
    return Injection(
        str(held["kind"]), None if blocks is None else tuple(blocks), dict(held["settings"])
    )


@contextmanager
def averaged(tunable: Tunable, averaging: float, interpolation: float) -> Iterator[Stepped]:
    """Inside it tuning goes on; after it the tuned numbers are their mean over the last share
    ``averaging`` of the steps, ``interpolation`` of the way from where they were to it."""
    start = {name: tensor.detach().clone() for name, tensor in tunable.named().items()}
    count, mean = 0, dict[str, Any]()

    def stepped(step: int, steps: int) -> None:
        nonlocal count
        if step < min(steps - 1, round((1 - averaging) * steps)):
            return
        count += 1
        for name, tensor in tunable.named().items():
            now = tensor.detach()
            if name not in mean:
                mean[name] = now.clone()
            else:
                mean[name] += (now - mean[name]) / count

    yield stepped
    for name, tensor in tunable.named().items():
        moved = mean[name]
        if interpolation < 1:
            moved = start[name] + interpolation * (moved - start[name])
        tensor.data.copy_(moved)


def descended(
    tunable: Tunable,
    problem: Problem,
    options: Keys,
    lengths: Sequence[int],
    summed: Callable[[list[int]], tuple[Any, Any]],
    stepped: Stepped | None = None,
    ended: Callable[[int], bool] | None = None,
) -> list[tuple[float, float]]:
    """The losses of a training, a token's on average, by step.

    Args:
        lengths: (n,) tokens of each text; those of like length are of one batch.
        summed: from the rows of a batch, the weighted sum of its losses and of its tokens.
        stepped: told the step, from 0, and how many there are.
        ended: told how many steps were taken after each epoch; whether to stop there.

    Raises:
        SupertuneError: ``loss_not_finite``.
    """
    import torch

    parameters = tunable.parameters()
    optimizer = torch.optim.AdamW(
        parameters, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    rng = np.random.default_rng(problem.seed)
    every = [batches(rng, np.array(lengths), options.batch_size) for _ in range(options.epochs)]
    order = [batch for epoch in every for batch in epoch]
    epochs = set(np.cumsum([len(epoch) for epoch in every]).tolist())
    losses: list[tuple[float, float]] = []
    tunable.training(True)
    for step, chosen in enumerate(order):
        limits.check()
        set_rate(optimizer, options.learning_rate, step, len(order))
        sums, tokens = summed(chosen)
        taken = descend(optimizer, sums / tokens, parameters, clipped=CLIPPED, step=step)
        losses.append((float(step + 1), taken))
        if stepped is not None:
            stepped(step, len(order))
        if problem.progress is not None:
            problem.progress(step + 1, len(order))
        if ended is not None and step + 1 in epochs and ended(step + 1):
            break
    tunable.training(False)
    return losses


def batches(rng: np.random.Generator, lengths: Any, size: int) -> list[list[int]]:
    """All rows once, those of like length together, in an order of their own."""
    near = np.argsort(lengths + rng.uniform(0, 0.2 * lengths.max(), len(lengths)), kind="stable")
    parts = [near[start : start + size].tolist() for start in range(0, len(near), size)]
    return [parts[i] for i in rng.permutation(len(parts))]


def verified(
    method: Method,
    problem: Problem,
    options: Any,
    tuned: Tuned,
    losses: Sequence[tuple[float, float]],
    noun: str,
) -> tuple[Finding, ...]:
    """Whether answers are numbers, the same once the model is written down and restored, and
    whether tuning made the texts likelier.

    Args:
        noun: what the texts are, e.g. ``"transcripts"``.

    Raises:
        SupertuneError: ``answers_not_finite``, ``reload_differs``.
    """
    sound(method, problem, options, tuned, f"{noun} of rows learned from")
    if len(losses) < 4:
        return ()
    values = [loss for _, loss in losses]
    part = max(1, len(values) // 4)
    if np.mean(values[-part:]) < np.mean(values[:part]):
        return ()
    message = (
        f"The {noun} are no likelier than before: raise epochs, or choose another learning_rate."
    )
    return (Finding("nothing_learned", message),)
