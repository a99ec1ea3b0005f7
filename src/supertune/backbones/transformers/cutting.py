"""Runs of a model between its numbered blocks: what enters one, and going on from there.

What is frozen below the lowest tuned block is computed once; training starts at that cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.packing import SAME
from supertune.backbones.transformers.pooling import as_rows
from supertune.contracts import FloatArray
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone

# Where T5 and its like keep the relative positions that their first block makes.
_HAS_POSITIONS, _POSITIONS = "has_relative_attention_bias", "relative_attention_bias"
_BIAS = "rel_attn_embed"  # what WavLM's first block makes them of


class Cutting:
    """The numbered blocks of one loaded model, and runs that begin or end at one of them."""

    def __init__(self, backbone: TransformersBackbone) -> None:
        self.backbone = backbone
        self._resumes: dict[int, bool] = {}
        self._tap: tuple[int, dict[Any, FloatArray]] | None = None

    @cached_property
    def _block_list(self) -> tuple[Any, str]:
        """The module that holds the numbered blocks, and the attribute's name in it."""
        return self._found(self.backbone.body, self.backbone.offer.depth)

    def _found(self, stack: Any, depth: int) -> tuple[Any, str]:
        import torch

        best: tuple[int, Any, str] = (0, None, "")
        for module in stack.modules():
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

    @cached_property
    def decoder_blocks(self) -> Any:
        """Of a decoder that answers prompts, on top of an encoder; else none."""
        import torch

        depth = self.backbone.offer.decoder_depth
        if not depth:
            return torch.nn.ModuleList()
        holder, name = self._found(self.backbone.model.get_decoder(), depth)
        return getattr(holder, name)

    def block(self, number: int) -> Any:
        """One block by number; those of a decoder follow those of its encoder."""
        depth = self.backbone.offer.depth
        return self.blocks[number] if number < depth else self.decoder_blocks[number - depth]

    def above_encoder(self, cut: int) -> bool:
        """Whether ``cut`` is in a decoder, where what enters is the encoder's whole output."""
        return cut >= self.backbone.offer.depth

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        import torch

        if dropout:
            return [self._dropped(piece, cut, dropout, draw) for piece in pieces]
        backbone = self.backbone
        caught: list[FloatArray] = [np.empty(0)] * len(pieces)
        with backbone.lock, torch.inference_mode():
            if not backbone.tuned:  # else dropout may be on above the cut, and it stays on
                backbone.model.eval()
            for plan in backbone.plan(pieces, True):
                parts = backbone.parts(pieces, plan, lambda batch: self.entering(batch, cut))
                rows = (row for part in parts for row in part)
                for i, states in zip(plan[0], rows, strict=True):
                    caught[i] = pieces[i].own(states).copy()
        return caught

    def _dropped(self, piece: Any, cut: int, dropout: float, draw: int) -> FloatArray:
        """What enters ``cut`` with dropout below it; seeded by the piece and the draw, and alone
        in its batch, so that the same is drawn for it whatever else there is."""
        import torch

        backbone = self.backbone
        above = {id(m) for block in self.blocks[cut:] for m in block.modules()}
        layers = [m for m in backbone.body.modules() if isinstance(m, torch.nn.Dropout)]
        layers = [m for m in layers if id(m) not in above]
        before = [(layer, layer.p, layer.training) for layer in layers]
        seed = hashlib.sha256(f"{piece.content}|{cut}|{draw}".encode()).digest()[:8]
        with backbone.lock, torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(int.from_bytes(seed, "little") >> 1)
            try:
                for layer in layers:
                    layer.p, layer.training = dropout, True
                hidden = self.entering(backbone.tensors([piece], 1, len(piece)), cut)
            finally:
                for layer, share, training in before:
                    layer.p, layer.training = share, training
        return np.asarray(hidden[0].float().cpu().numpy())

    def entering(self, batch: Batch, cut: int, *, start: int = 0, hidden: Any | None = None) -> Any:
        """Hidden states (rows, width, d) entering block ``cut``; nothing above it runs. It begins
        at block ``start`` where ``hidden`` enters that, else at the input.

        Of a decoder's block it is what the encoder gives: its blocks read all of it.
        """
        if self.above_encoder(cut):
            with self.backbone.running(batch) as laid:
                return laid.spread(self.backbone.body(**laid.inputs).last_hidden_state)
        caught: list[Any] = []

        def stop(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught.append(_entering(args, kwargs))
            raise _Reached

        block = self.blocks[cut]
        with self.backbone.running(batch, start, hidden) as laid:
            handle = block.register_forward_pre_hook(stop, with_kwargs=True)
            try:
                self.backbone.body(**laid.inputs)
            except _Reached:
                pass
            finally:
                handle.remove()
        return laid.spread(caught[0])

    def through(self, batch: Batch) -> list[Any]:
        """What each block hands up, and for the last what the model gives, by one run."""
        caught: list[Any] = []

        def catch(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught.append(_entering(args, kwargs))

        handles = [
            block.register_forward_pre_hook(catch, with_kwargs=True) for block in self.blocks[1:]
        ]
        try:
            with self.backbone.running(batch) as laid:
                last = self.backbone.body(**laid.inputs).last_hidden_state
        finally:
            for handle in handles:
                handle.remove()
        return [laid.spread(each) for each in (*caught, last)]

    @contextmanager
    def tapped(self, cut: int) -> Iterator[dict[Any, FloatArray]]:
        """Inside, whole runs leave here what enters block ``cut``: (tokens, d) of each piece, by
        `Piece.bare`, the same bits as `activations` gives."""
        taken: dict[Any, FloatArray] = {}
        self._tap = cut, taken
        try:
            yield taken
        finally:
            self._tap = None

    @contextmanager
    def tapping(self, pieces: Sequence[Any], batch: Batch) -> Iterator[None]:
        """Around one run of ``batch`` from the input on, which holds ``pieces``."""
        if self._tap is None:
            yield
            return
        cut, taken = self._tap
        caught: list[Any] = []
        if self.above_encoder(cut):
            handle = self.backbone.body.register_forward_hook(
                lambda _module, _args, output: caught.append(output.last_hidden_state)
            )
        else:
            handle = self.blocks[cut].register_forward_pre_hook(
                lambda _module, args, kwargs: caught.append(_entering(args, kwargs)),
                with_kwargs=True,
            )
        try:
            yield
        finally:
            handle.remove()
        # Ways of running a model are tried out before the run itself, which is the last.
        states = self.backbone.laid(batch).spread(caught[-1]).float().cpu().numpy()
        for piece, row in zip(pieces, states, strict=False):  # a batch may be filled up
            taken[piece.bare] = piece.own(row).copy()

    @contextmanager
    def starting_at(self, cut: int, hidden: Any | None) -> Iterator[None]:
        """Inside, a run of the model begins at block ``cut`` with ``hidden`` entering it.

        The model's own forward builds masks and positions; only its lower blocks are left out.
        In a decoder it is the encoder that is left out; no more than a few tokens enter there.
        """
        if hidden is None:
            yield
            return
        if self.above_encoder(cut):
            with _giving(self.backbone.body, hidden):
                yield
        else:
            with (
                _positions_lent(self.blocks, cut),
                _bias_lent(self.blocks, cut),
                self._without_lower(cut, hidden),
            ):
                yield

    @contextmanager
    def _without_lower(self, cut: int, hidden: Any) -> Iterator[None]:
        import torch

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

        Some architectures make in a lower block what later ones use: there, training has to
        start at the input.
        """
        import torch

        if cut not in self._resumes:
            backbone = self.backbone
            batch = backbone.unlike_rows()
            with backbone.lock, torch.inference_mode(), backbone.at("fp32"):
                entering = self.entering(batch, cut)
                whole = self._outcome(batch, cut)
                resumed = self._outcome(batch, cut, entering)
            if not self.above_encoder(cut):
                real = batch.mask.bool()
                whole, resumed = (as_rows(each)[real] for each in (whole, resumed))
            apart = (whole - resumed).abs().max()
            self._resumes[cut] = bool(apart <= SAME * whole.abs().max())
        return self._resumes[cut]

    def _outcome(self, batch: Batch, cut: int, hidden: Any | None = None) -> Any:
        """What the stack of block ``cut`` gives: hidden states, or a decoder's logits; with
        ``hidden`` entering there, or from the input on."""
        backbone = self.backbone
        with backbone.running(batch, cut, hidden) as laid:
            if not self.above_encoder(cut):
                return laid.spread(backbone.body(**laid.inputs).last_hidden_state)
            answer = batch.inputs["input_ids"][:, :3]
            return backbone.model(**laid.inputs, decoder_input_ids=answer).logits


def _entering(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The hidden states that a block is called with."""
    return args[0] if args else kwargs["hidden_states"]


@contextmanager
def _giving(encoder: Any, hidden: Any) -> Iterator[None]:
    """Inside, ``encoder`` gives ``hidden`` whatever it is given."""
    from transformers.modeling_outputs import BaseModelOutput

    encoder.forward = lambda *_args, **_kwargs: BaseModelOutput(last_hidden_state=hidden)
    try:
        yield
    finally:
        del encoder.forward


@contextmanager
def _positions_lent(blocks: Any, cut: int) -> Iterator[None]:
    """Inside, the first of the blocks that still run makes T5's relative positions.

    They belong to the lowest block of all, which hands them up. It is frozen below a cut.
    """
    owner = next(
        (n for n, m in blocks[0].named_modules() if getattr(m, _HAS_POSITIONS, False)), None
    )
    borrower = None if owner is None else blocks[cut].get_submodule(owner)
    if owner is None or getattr(borrower, _HAS_POSITIONS, True):  # each block makes its own
        yield
        return
    lender = blocks[0].get_submodule(owner)
    setattr(borrower, _HAS_POSITIONS, True)
    setattr(borrower, _POSITIONS, getattr(lender, _POSITIONS))
    try:
        yield
    finally:
        setattr(borrower, _HAS_POSITIONS, False)
        delattr(borrower, _POSITIONS)


@contextmanager
def _bias_lent(blocks: Any, cut: int) -> Iterator[None]:
    """Inside, the first of the blocks that still run makes WavLM's relative positions, which the
    lowest block of all hands up."""
    owner = next((n for n, m in blocks[0].named_modules() if hasattr(m, _BIAS)), None)
    if owner is None or cut == 0 or hasattr(blocks[cut].get_submodule(owner), _BIAS):
        yield
        return
    borrower = blocks[cut].get_submodule(owner)
    setattr(borrower, _BIAS, getattr(blocks[0].get_submodule(owner), _BIAS))
    try:
        yield
    finally:
        delattr(borrower, _BIAS)


class _Reached(Exception):
    """Raised inside a forward pass to leave it once the wanted activations are in hand."""
