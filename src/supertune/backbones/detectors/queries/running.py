"""Runs of a detector of transformers that end where its tuned part begins, or begin there.

The model's own forward does everything; what lies below is left out by giving it what its encoder
gave, and YOLOS by handing the hidden states to the block that they enter.

Shapes: B views of ``side`` pixels, T tokens, Q queries, d the width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from supertune.backbones.detectors.queries.declared import Family


@dataclass(frozen=True, eq=False)
class Entered:
    """What a run of a batch of views begins with: pixels (B, 3, side, side), or what enters block
    ``cut`` as tokens (B, T, d) or maps (B, d, h, w). It stands for the maps that other detectors
    give to their head: here the head works inside the model."""

    held: tuple[Tensor, ...]
    side: int
    cut: int | None  # None: pixels


def entering(model: Any, family: Family, pixels: Tensor, cut: int) -> tuple[Tensor, ...]:
    """What enters block ``cut`` for (B, 3, side, side) pixels; nothing above it runs."""
    caught: list[Any] = []

    def stop(*given: Any) -> None:
        caught.append(given[-1])
        raise _Reached

    with ExitStack() as stack:
        if family.entered != "block":
            stack.callback(model.model.encoder.register_forward_hook(stop).remove)
        elif cut < len(blocks := model.get_submodule(family.blocks)):
            stack.callback(blocks[cut].register_forward_pre_hook(stop).remove)
        else:
            stack.callback(model.vit.encoder.register_forward_hook(stop).remove)
        with suppress(_Reached):
            model(pixel_values=pixels)
    found = getattr(caught[0], "last_hidden_state", caught[0])
    found = tuple(found) if isinstance(found, list | tuple) else (found,)
    if family.entered == "block" and cut == len(model.get_submodule(family.blocks)):
        return (found[0][:, -model.config.num_detection_tokens :],)  # nothing else is read above
    return found


def run(model: Any, family: Family, entered: Entered, labels: list[dict[str, Any]] | None) -> Any:
    """What the model gives: ``logits`` (B, Q, C), ``pred_boxes`` (B, Q, 4), and for ``labels``
    its own ``loss``."""
    if entered.cut is None:
        return model(pixel_values=entered.held[0], labels=labels)
    if family.entered == "maps":
        given = _output(list(entered.held))
        return model(
            pixel_values=None, inputs_embeds=entered.held[0], encoder_outputs=given, labels=labels
        )
    blank = torch.zeros(()).expand(len(entered.held[0]), 3, entered.side, entered.side)
    if family.entered == "encoder":
        with _without_trunk(model, entered.held[0]):
            given = _output(entered.held[0])
            return model(pixel_values=blank, encoder_outputs=given, labels=labels)
    with _from_block(model, family, entered):
        return model(pixel_values=blank, labels=labels)


@contextmanager
def _without_trunk(model: Any, tokens: Tensor) -> Iterator[None]:
    """Inside, the backbone gives nothing but the shape of its map, a square of T places."""
    count, length, width = tokens.shape
    edge = round(length**0.5)
    blank = torch.zeros(()).expand(count, width, edge, edge)
    mask = torch.ones((count, edge, edge), dtype=torch.bool)
    with (
        _instead(model.model.backbone, lambda *_args, **_keys: [(blank, mask)]),
        _instead(model.model.input_projection, lambda x: x),
    ):
        yield


@contextmanager
def _from_block(model: Any, family: Family, entered: Entered) -> Iterator[None]:
    """Inside, a vision transformer begins at a block, or behind the last one."""
    hidden, stack_of = entered.held[0], model.get_submodule(family.blocks)
    assert entered.cut is not None
    with ExitStack() as stack:
        stack.enter_context(_instead(model.vit.embeddings, lambda *_args: hidden))
        if entered.cut == len(stack_of):
            given = _output(hidden)
            stack.enter_context(_instead(model.vit.encoder, lambda *_args, **_keys: given))
        for block in stack_of[: entered.cut]:
            stack.enter_context(_instead(block, lambda *_args, **_keys: hidden))
        if entered.cut < len(stack_of):  # positions may be added between blocks that did not run
            block = stack_of[entered.cut]
            handle = block.register_forward_pre_hook(
                lambda _module, args: (hidden, *args[1:]), prepend=True
            )
            stack.callback(handle.remove)
        yield


@contextmanager
def _instead(module: nn.Module, forward: Any) -> Iterator[None]:
    """Inside, ``module`` gives what ``forward`` gives, whatever hooks it has."""
    module.forward = forward
    try:
        yield
    finally:
        del module.forward


@contextmanager
def answering_in_each_layer(model: Any, family: Family) -> Iterator[None]:
    """Inside, every layer of a decoder answers, as its loss wants: D-FINE's do so while they
    learn alone. Nothing below that module is told, so no dropout runs and nothing is noised."""
    decoder = model.model.decoder if family.entered == "maps" else None
    if decoder is None:
        yield
        return
    before, decoder.training = decoder.training, True
    try:
        yield
    finally:
        decoder.training = before


def _output(found: Any) -> Any:
    from transformers.modeling_outputs import BaseModelOutput

    return BaseModelOutput(last_hidden_state=found)


def flat(held: Sequence[Tensor]) -> Tensor:
    """(places, d) of what enters for one view."""
    return torch.cat([one[0].flatten(1).T if one.dim() == 4 else one[0] for one in held])


def unflat(rows: Tensor, shapes: Sequence[tuple[int, ...]]) -> tuple[Tensor, ...]:
    """The inverse for (B, places, d), by the shapes of one view without its first axis: (T, d) or
    (d, h, w)."""
    found, start = [], 0
    for shape in shapes:
        count = shape[0] if len(shape) == 2 else shape[1] * shape[2]
        part = rows[:, start : start + count]
        start += count
        found.append(part if len(shape) == 2 else part.transpose(1, 2).unflatten(2, shape[1:]))
    return tuple(found)


class _Reached(Exception):
    """Raised inside a forward pass to leave it once what is wanted is in hand."""
