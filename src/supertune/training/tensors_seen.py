"""The tensors that are to be tuned: where they lie, and whether each was moved."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from supertune.contracts import Backbone, Finding, Injection
from supertune.training.codes import finding, some, stop

SUMMED = 1 << 20  # numbers that are added up at a time
DROPPED = 0.95  # a share of activations that leaves nothing to learn from

# Of these, all that is kept is trained; other types of peft keep fixed numbers beside it.
_ALL_TRAINED = {"LORA", "IA3", "LN_TUNING", "UNFREEZE", "ADAPTER", "DEEP_PROMPTS", "CONTEXT"}

Signature = dict[str, tuple[float, float]]


def signature(backbone: Backbone) -> Signature:
    """Two sums of every weight of the backbone: cheap to hold, and any update moves them."""
    model = getattr(backbone, "model", None)
    return {} if model is None else {name: sums(p) for name, p in model.named_parameters()}


def changed(before: Signature, after: Signature) -> str:
    """Names of the weights that are no longer what they were; empty when all are."""
    names = [n for n in sorted(before.keys() | after.keys()) if before.get(n) != after.get(n)]
    return some(names) if names else ""


def sums(tensor: Any) -> tuple[float, float]:
    import torch

    flat = tensor.detach().reshape(-1)
    total, squares = 0.0, 0.0
    for part in flat.split(SUMMED):  # each is copied to double precision
        exact = part.to(torch.float64)
        total += float(exact.sum())
        squares += float(exact @ exact)
    return total, squares


def where(backbone: Any, tunable: Any, injection: Injection) -> list[Finding]:
    """Whether what was named has tuned tensors in it, and whether any shares its memory."""
    named = tunable.named()
    numbers = {int(n) for name in named for n in re.findall(r"(?:^|\.)(\d+)(?:\.|$)", name)}
    depth = backbone.offer.depth  # a decoder's blocks are counted on, and named anew
    own = {i: i - depth if i >= depth else i for i in injection.blocks or ()}
    lost = [f"block {i}" for i in own if own[i] not in numbers]
    targets = injection.settings.get("target_modules") or ()
    if not isinstance(targets, str):
        parts = {part for name in named for part in name.split(".")}
        lost += [name for name in targets if not set(name.split(".")) <= parts]
    found = [finding("target_unmatched", some(lost))] if lost else []
    if injection.kind.upper() in _ALL_TRAINED:
        fixed = sorted(set(tunable.state()) - set(named))
        found += [finding("frozen_by_mistake", some(fixed))] if fixed else []
    return [*found, *_tied(getattr(backbone, "model", None), named)]


def dropped(backbone: Any, tunable: Any, options: Any) -> list[Finding]:
    """Whether dropout leaves anything while training."""
    names = ["dropout"] if getattr(options, "dropout", 0.0) >= DROPPED else []
    tunable.training(True)
    try:
        model = getattr(backbone, "model", None)
        for name, module in () if model is None else model.named_modules():
            share = float(getattr(module, "p", getattr(module, "drop_prob", 0.0)) or 0.0)
            drops = "dropout" in type(module).__name__.lower()
            if drops and module.training and share >= DROPPED:
                names.append(name)
    finally:
        tunable.training(False)
    return [finding("dropout_too_high", some(names))] if names else []


def _tied(model: Any, named: Mapping[str, Any]) -> list[Finding]:
    owners: dict[int, list[str]] = {}
    for name, tensor in named.items():
        # Engines that take the steps by themselves have variables of their own.
        place = tensor.data_ptr() if hasattr(tensor, "data_ptr") else id(tensor)
        owners.setdefault(place, []).append(name)
    for names in owners.values():
        if len(names) > 1:
            return [finding("tied_weights", " and ".join(names))]
    config = getattr(model, "config", None)
    output = getattr(model, "get_output_embeddings", lambda: None)()
    if output is None or not getattr(config, "tie_word_embeddings", False):
        return []
    pair = {output.weight.data_ptr(), model.get_input_embeddings().weight.data_ptr()}
    apart = [names[0] for place, names in owners.items() if len(pair) > 1 and place in pair]
    return [finding("tied_weights", f"{apart[0]} alone")] if apart else []


class Tensors:
    """Tensors by name, each asked until it has answered yes: a gradient? a step? a new value?

    What lies in the readout is named ``readout.N``; the rest is in the backbone.
    """

    def __init__(self, named: Mapping[str, Any], optimizer: Any) -> None:
        self.named = dict(named)
        self.optimizer = optimizer
        self._unreached = set(self.named)  # never had a gradient, not even of zeros
        self._flat = set(self.named)  # never had a gradient with anything in it
        self._still = {name: sums(tensor) for name, tensor in self.named.items()}
        self._rate = 0.0
        self._steps = 0

    def left_out(self) -> list[Finding]:
        """What the optimizer cannot move.

        Raises:
            SupertuneError: ``nothing_tuned`` when that is all of it.
        """
        given = {id(p) for group in self.optimizer.param_groups for p in group["params"]}
        frozen = [name for name, p in self.named.items() if not p.requires_grad]
        absent = [n for n, p in self.named.items() if id(p) not in given and n not in frozen]
        inside = self._inside()
        if not set(inside) - set(frozen) - set(absent):
            raise stop("nothing_tuned", "nothing is both trainable and in the optimizer")
        found = [finding("frozen_by_mistake", some(frozen))] if frozen else []
        return found + ([finding("not_optimised", some(absent))] if absent else [])

    def differentiated(self, norm: Any) -> list[Finding]:
        """``norm`` is a tensor on the device, and is asked for its value at the first step."""
        rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self._rate = max(self._rate, *rates)
        for name in list(self._flat):
            gradient = self.named[name].grad
            if gradient is not None:
                self._unreached.discard(name)
                if bool(gradient.any()):
                    self._flat.discard(name)
        self._steps += 1
        if self._steps > 1:
            return []
        if len(self._flat) == len(self.named) and float(norm) > 0:
            return [finding("gradient_clipped_away", f"its norm was {float(norm):.3g}")]
        return []

    def stepped(self) -> None:
        for name in list(self._still):
            if sums(self.named[name]) != self._still[name]:
                del self._still[name]

    def ended(self, *, short: bool) -> list[Finding]:
        """What never moved. In a ``short`` training a gradient of zeros says nothing.

        Raises:
            SupertuneError: ``learning_rate_zero``, ``nothing_tuned``, ``numbers_not_finite``.
        """
        if self._rate == 0:
            raise stop("learning_rate_zero", received="learning rates of 0")
        odd = [name for name, p in self.named.items() if not bool(p.isfinite().all())]
        if odd:
            raise stop("numbers_not_finite", some(odd), received=f"learning rate {self._rate:g}")
        inside = self._inside()
        flat = self._unreached if short else self._flat
        if all(name in self._still or name in self._flat for name in inside):
            cause = "no gradient" if all(n in self._flat for n in inside) else "every update lost"
            raise stop("nothing_tuned", cause, received=f"learning rate {self._rate:g}")
        # What is frozen has been said at the start.
        silent = sorted(n for n in flat if self.named[n].requires_grad)
        lost = sorted(set(self._still) - self._flat)
        found = [finding("no_gradient", some(silent))] if silent else []
        return found + ([finding("update_lost", some(lost))] if lost else [])

    def _inside(self) -> Sequence[str]:
        return [name for name in self.named if not name.startswith("readout.")] or list(self.named)
