"""Reading a model where it answers a prompt: the language-model head at those places alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.batching import Piece
from supertune.backbones.transformers.packing import Packed, Padded, filled
from supertune.backbones.transformers.prompting import Frame
from supertune.backbones.transformers.words import Words
from supertune.contracts import Encoding, FloatArray

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone

WORTH_KEEPING = 16  # tokens in front of every row that are read once


def scores(
    backbone: TransformersBackbone,
    tokens: Sequence[tuple[Piece, ...]],
    encoding: Encoding,
    made: Frame,
    *,
    exact: bool,
) -> FloatArray:
    """(n, W) float32 log-likelihoods; see `TransformersBackbone.scores`."""
    flat = [piece for pieces in tokens for piece in pieces]
    wanted = np.unique(made.words.tokens)
    found: list[Any] = [None] * len(flat)
    onward = begun(backbone, made)
    if onward is not None:
        flat = [piece.without(len(made.shown)) for piece in flat]

    def picked(batch: Batch) -> Any:
        whole = batch if onward is None else onward(batch)
        read = backbone.log_probabilities(whole, reuse=encoding.reuse)
        return read[..., wanted].flatten(1)

    for index, part in backbone.batched(flat, exact, picked, whole=onward is None):
        for place, row in zip(index, part, strict=True):
            found[place] = row.reshape(-1, len(wanted))
    return _of_words(made.words, wanted, found, len(made.words.runs))


def begun(backbone: TransformersBackbone, made: Frame) -> Callable[[Batch], Batch] | None:
    """For a causal model that shows the same to every row: read that once, and let each
    batch go on from its keys and values. Not while something is tuned."""
    import torch
    from transformers import DynamicCache

    if backbone.offer.family != "causal" or backbone.tuned or len(made.shown) < WORTH_KEEPING:
        return None
    with backbone.lock, torch.inference_mode():
        shown = torch.tensor([made.shown], device=backbone.device)
        kept = backbone.body(input_ids=shown, use_cache=True).past_key_values

    def going_on(batch: Batch) -> Batch:
        rows = len(batch.mask)
        past = DynamicCache()
        for number, layer in enumerate(kept.layers):
            keys, values = (
                one.expand(rows, -1, -1, -1).clone() for one in (layer.keys, layer.values)
            )
            past.update(keys, values, number)
        seen = batch.mask.new_ones(rows, len(made.shown))
        mask = torch.cat([seen, batch.inputs["attention_mask"]], dim=1)
        inputs = {**batch.inputs, "attention_mask": mask, "past_key_values": past}
        return replace(batch, inputs=inputs)

    return going_on


def read(
    backbone: TransformersBackbone, laid: Packed | Padded, *, reuse: bool = True
) -> tuple[Any, Any]:
    """Logits (pieces, R, vocabulary) and vectors (pieces, R, d) where the batch is read.

    The stack under the language-model head hands on these places alone, so that the head
    is spared all others, whatever it is made of. With ``reuse`` so is the last block of a
    model of one stack; where a decoder stands alone most of its few places are read.
    """
    batch = laid.batch
    assert batch.reads is not None
    caught: list[Any] = []
    spared = reuse and batch.answers is None

    def narrow(_module: Any, _args: Any, output: Any) -> Any:
        if not short:
            read = laid.read(output.last_hidden_state, batch.reads)
            # In a pack of set size the head's product is filled up too, see `packing`.
            output.last_hidden_state = filled(read) if batch.fill else read
        caught.append(output.last_hidden_state)
        return output

    inputs = dict(laid.inputs)
    if batch.answers is not None:
        inputs["decoder_input_ids"] = batch.answers
    top = backbone.body
    if backbone.offer.family == "seq2seq":
        top = backbone.model.get_decoder()
    elif backbone.offer.family == "causal":  # some wrap their stack, and call it past the wrap
        top = getattr(top, "decoder", top)
    with backbone.last_block.only(batch.reads if spared else None, laid) as short:
        handle = top.register_forward_hook(narrow)
        try:
            logits, read = backbone.model(**inputs).logits, caught[0]
        finally:
            handle.remove()
    rows, places = batch.reads.shape
    unfilled = (one.flatten(0, 1)[: rows * places] for one in (logits, read))
    logits, read = (one.view(rows, places, -1) for one in unfilled)
    return logits, read


def _of_words(words: Words, wanted: Any, read: Sequence[Any], runs: int) -> FloatArray:
    """(n, W) from log-likelihoods (R, wanted tokens) of each piece, ``runs`` pieces an input."""
    places = np.searchsorted(wanted, words.tokens)
    found = np.zeros((len(read) // runs, len(words.tokens)), dtype=np.float32)
    for row in range(len(found)):
        at = np.concatenate(read[row * runs : (row + 1) * runs])
        found[row] = (at[words.places, places] * words.shares).sum(axis=1)
    return found
