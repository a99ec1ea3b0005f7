"""Runs of a model between its numbered blocks: what enters one, and going on from there.

What is frozen below the lowest tuned block is computed once; training starts at that cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.batching import Piece
from supertune.contracts import Encoding, FloatArray
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import Batch, TransformersBackbone

SAME = 1e-4  # of the largest value: what float32 rounding may make of another order of sums


class Cutting:
    """The numbered blocks of one loaded model, and runs that begin or end at one of them."""

    def __init__(self, backbone: TransformersBackbone) -> None:
        self.backbone = backbone
        self._resumes: dict[int, bool] = {}

    @cached_property
    def _block_list(self) -> tuple[Any, str]:
        """The module that holds the numbered blocks, and the attribute's name in it."""
        import torch

        depth = self.backbone.offer.depth
        best: tuple[int, Any, str] = (0, None, "")
        for module in self.backbone.body.modules():
            for name, child in module.named_children():
                if isinstance(child, torch.nn.ModuleList) and len(child) == depth:
                    size = sum(p.numel() for p in child.parameters())
                    best = max(best, (size, module, name), key=lambda item: item[0])
        if best[1] is None:
            raise InputError(
                "blocks_not_found",
                f"The numbered blocks of {self.backbone.ref.name} were not found.",
                received=self.backbone.offer.architecture,
                next="Use a method that needs only features, such as linear_probe.",
            )
        return best[1], best[2]

    @property
    def block_name(self) -> str:
        return self._block_list[1]

    @property
    def blocks(self) -> Any:
        holder, name = self._block_list
        return getattr(holder, name)

    def activations(self, pieces: Sequence[Piece], cut: int) -> list[FloatArray]:
        import torch

        backbone = self.backbone
        caught: list[FloatArray] = [np.empty(0)] * len(pieces)
        with backbone.lock, torch.inference_mode():
            if not backbone.tuned:  # else dropout may be on above the cut, and it stays on
                backbone.model.eval()
            for plan in backbone.plan(pieces, True):
                parts = backbone.parts(pieces, plan, lambda batch: self.entering(batch, cut))
                rows = (row for part in parts for row in part)
                for i, states in zip(plan[0], rows, strict=True):
                    caught[i] = states[: len(pieces[i].ids)].copy()
        return caught

    def entering(self, batch: Batch, cut: int) -> Any:
        """Hidden states (rows, width, d) entering block ``cut``; nothing above it runs."""
        caught: list[Any] = []

        def stop(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise _Reached

        with self.backbone.running(batch) as laid:
            handle = self.blocks[cut].register_forward_pre_hook(stop, with_kwargs=True)
            try:
                self.backbone.body(**laid.inputs)
            except _Reached:
                pass
            finally:
                handle.remove()
        return laid.spread(caught[0])

    @contextmanager
    def starting_at(self, cut: int, hidden: Any | None) -> Iterator[None]:
        """Inside, a run of the model begins at block ``cut`` with ``hidden`` entering it.

        The model's own forward builds masks and positions; only its lower blocks are left out.
        """
        import torch

        if hidden is None:
            yield
            return
        holder, name = self._block_list
        blocks = getattr(holder, name)

        def replace(_m: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (hidden, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": hidden}

        # In front of other hooks, which may put something before the hidden states.
        handle = blocks[cut].register_forward_pre_hook(replace, with_kwargs=True, prepend=True)
        try:
            setattr(holder, name, torch.nn.ModuleList(list(blocks)[cut:]))
            yield
        finally:
            setattr(holder, name, blocks)
            handle.remove()

    def resumes(self, cut: int) -> bool:
        """Whether a run from ``cut`` on gives what the whole model gives; tried out once.

        Some architectures make in the first block what later ones use (relative positions in
        T5): there, training has to start at the input.
        """
        import torch

        if cut not in self._resumes:
            backbone = self.backbone
            first = backbone.tokens(["Can this model go on from the middle?"], Encoding())[0][0]
            short = Piece(first.ids[: -(-len(first.ids) // 2)])
            batch = backbone.tensors([first, short], 2, len(first.ids) + 1)
            with backbone.lock, torch.inference_mode(), backbone.at("fp32"):
                entering = self.entering(batch, cut)
                whole, resumed = (
                    self._whole(batch, *begun) for begun in ((0, None), (cut, entering))
                )
            real = batch.mask.bool()
            apart = (whole - resumed)[real].abs().max()
            self._resumes[cut] = bool(apart <= SAME * whole[real].abs().max())
        return self._resumes[cut]

    def _whole(self, batch: Batch, cut: int, hidden: Any) -> Any:
        with self.backbone.running(batch, cut, hidden) as laid:
            return laid.spread(self.backbone.body(**laid.inputs).last_hidden_state)


class _Reached(Exception):
    """Raised inside a forward pass to leave it once the wanted activations are in hand."""
