"""Where prompts start: at real words, because few rows never move random numbers far enough.

Words as a start are Lester et al. 2021 (arXiv:2104.08691), their activations Li & Liang 2021
(arXiv:2101.00190).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone


def first_ids(backbone: TransformersBackbone, settings: Mapping[str, Any], count: int) -> list[int]:
    """``count`` token ids: of ``init_text``, repeated or cut, or else drawn from the vocabulary.

    Without a text, ``"text"`` and ``"labels"`` draw from the vocabulary too: numbers that are
    put in afterwards, as when a model is loaded, need none.
    """
    import torch

    text = settings.get("init_text")
    if settings.get("init") in ("text", "labels") and text:
        ids = list(backbone.tokenizer(str(text), add_special_tokens=False)["input_ids"])
        if ids:
            return (ids * -(-count // len(ids)))[:count]
    special = set(backbone.tokenizer.all_special_ids)
    words = [i for i in range(len(backbone.tokenizer)) if i not in special]
    return [words[i] for i in torch.randint(len(words), (count,)).tolist()]


def first_states(
    backbone: TransformersBackbone, settings: Mapping[str, Any], count: int, block: int
) -> Any:
    """What enters a block where the first words stand, (count, d); of a model of pictures, where
    patches that are drawn from noise stand."""
    import torch

    if backbone.offer.modality == "text":
        ids = first_ids(backbone, settings, count)
        return backbone.entering(batch_of(backbone, ids), block)[0]
    batch = backbone.unlike_rows()
    states = backbone.entering(batch, block)[batch.mask.bool()]
    return states[torch.randint(len(states), (count,), device=states.device)]


def cache_of(backbone: TransformersBackbone, ids: list[int]) -> Any:
    """Keys and values of a text, (tokens, blocks * 2 * d) as peft's prefixes are laid out."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache()
    with torch.no_grad():
        backbone.body(**batch_of(backbone, ids).inputs, past_key_values=cache, use_cache=True)
    both = torch.stack([part for each in cache.layers for part in (each.keys[0], each.values[0])])
    return both.permute(2, 0, 1, 3).reshape(len(ids), -1)


def batch_of(backbone: TransformersBackbone, ids: list[int]) -> Batch:
    """One row of these tokens and nothing around them."""
    import torch

    from supertune.backbones.transformers.batching import Batch

    tokens = torch.tensor([ids], device=backbone.device)
    mask = torch.ones_like(tokens)
    return Batch({"input_ids": tokens, "attention_mask": mask}, mask)
