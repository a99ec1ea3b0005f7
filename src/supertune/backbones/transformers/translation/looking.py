"""Where a decoder looks while a given text is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from supertune.contracts import FloatArray

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Piece
    from supertune.backbones.transformers.translation.model import States, TranslatorBackbone


def looked(
    backbone: TranslatorBackbone, states: States, texts: Sequence[Sequence[int]]
) -> list[FloatArray]:
    """See `supertune.contracts.Looking`: the first head of the last block, which was taught to look
    at the word that is translated (guided alignment, Chen et al. 2016, arXiv:1607.01628)."""
    import torch

    noted: list[Any] = []

    def look(attention: Any, given: tuple[Any, ...]) -> None:
        hidden, keys, _, mask = given
        noted.append(attention.looked(hidden, keys, mask))

    last = backbone.model.get_decoder().layers[-1].encoder_attn
    with backbone.lock, torch.inference_mode():
        handle = last.register_forward_pre_hook(look)
        try:
            backbone.written(states, texts)
        finally:
            handle.remove()
    sources = states.mask.sum(dim=1).tolist()
    return [
        each[: len(text), :count].float().cpu().numpy()
        for each, text, count in zip(noted[0], texts, sources, strict=True)
    ]


def hidden(piece: Piece, places: Collection[int], unknown: int) -> Piece:
    """See `supertune.contracts.Looking`."""
    ids = (unknown if place in places else one for place, one in enumerate(piece.ids))
    return replace(piece, ids=tuple(ids))
