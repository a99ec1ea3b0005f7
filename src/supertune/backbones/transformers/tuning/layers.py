"""Which layers of a block do what, by name where names are known and by shape where not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

# (query, key, value) by architecture; where one layer makes all three, that layer.
_ATTENTION = (
    ("query", "key", "value"),  # BERT, RoBERTa, XLM-R
    ("q_proj", "k_proj", "v_proj"),  # Llama, Qwen, Mistral, BART, OPT
    ("q_lin", "k_lin", "v_lin"),  # DistilBERT
    ("q", "k", "v"),  # T5, MPNet
    ("query_proj", "key_proj", "value_proj"),  # DeBERTa v2
    ("Wqkv",),  # ModernBERT
    ("qkv_proj",),  # Phi 3
    ("c_attn",),  # GPT-2
    ("query_key_value",),  # BLOOM, GPT-NeoX, Falcon
)


@dataclass(frozen=True)
class FeedForward:
    """Names, relative to a block, of the layers between which its two halves lie."""

    attention_output: str
    input: str
    output: str


def linears(module: Any) -> list[tuple[str, int, int]]:
    """(name, inputs, outputs) of the linear layers of a module, in the order of its code."""
    import torch
    from transformers.pytorch_utils import Conv1D  # what GPT-2 calls its linear layers

    found = []
    for name, part in module.named_modules():
        if isinstance(part, torch.nn.Linear):
            found.append((name, part.in_features, part.out_features))
        elif isinstance(part, Conv1D):
            found.append((name, part.nx, part.nf))
    return found


def linear_names(backbone: TransformersBackbone) -> list[str]:
    """Last names of the linear layers inside the blocks, e.g. query, key, value, dense."""
    stacks = [backbone.blocks, backbone.decoder_blocks]
    return sorted({n.rsplit(".", 1)[-1] for stack in stacks for n, _, _ in linears(stack)})


def norm_names(backbone: TransformersBackbone) -> list[str]:
    """Last names of the normalisation layers inside the blocks."""
    named = backbone.blocks.named_modules()
    return sorted({n.rsplit(".", 1)[-1] for n, m in named if "norm" in type(m).__name__.lower()})


def attention_names(backbone: TransformersBackbone, *roles: str) -> list[str]:
    """Layers that make ``"query"``, ``"key"`` or ``"value"``; of an unknown architecture, all."""
    names = linear_names(backbone)
    for known in _ATTENTION:
        if set(known) <= set(names):
            if len(known) == 1:
                return list(known)
            return [known[("query", "key", "value").index(role)] for role in roles]
    return names


def feed_forward(backbone: TransformersBackbone, block: int) -> FeedForward:
    """The feed-forward half of a block, found by shape.

    Its output is the last layer from more numbers to the width, the attention's output the last
    one before it that gives the width, and its input the first one between the two that takes it.

    Raises:
        InputError: ``feed_forward_not_found``.
    """
    width, found = backbone.offer.width, linears(backbone.block(block))
    last = max((i for i, (_, n, m) in enumerate(found) if n > m == width), default=-1)
    attention = max((i for i, (_, _, m) in enumerate(found[: max(last, 0)]) if m == width),
                    default=-1)  # fmt: skip
    between = [name for name, n, _ in found[attention + 1 : max(last, 0)] if n == width]
    if last < 0 or attention < 0 or not between:
        raise InputError(
            "feed_forward_not_found",
            f"The feed-forward layers of {backbone.ref.name} were not found.",
            received=", ".join(f"{name} {n}x{m}" for name, n, m in found) or "no linear layer",
            allowed=f"blocks with a layer from more than {width} to {width} numbers",
            next="Use lora, which goes into any linear layer.",
        )
    return FeedForward(found[attention][0], between[0], found[last][0])


def place(backbone: TransformersBackbone, blocks: Any) -> str:
    """The dotted name of a stack's numbered blocks in the whole model: ``encoder.layer``."""
    return next(str(name) for name, module in backbone.model.named_modules() if module is blocks)


def pattern(
    backbone: TransformersBackbone, names: Sequence[str], blocks: Sequence[int] | None
) -> str:
    """A regular expression for the layers of these names in these blocks (None: in all).

    Every type of ``peft`` reads one, while few have a choice of layers.

    Raises:
        InputError: ``target_not_found`` when a name is that of no layer there.
    """
    chosen = range(len(backbone.blocks)) if blocks is None else blocks
    inside = {n for i in chosen for n, _ in backbone.block(i).named_modules() if n}
    lost = [name for name in names if not any(f".{n}".endswith(f".{name}") for n in inside)]
    if lost or not names:
        raise InputError(
            "target_not_found",
            f"{backbone.ref.name} has no layer of that name in its blocks.",
            received=", ".join(lost),
            allowed=", ".join(linear_names(backbone)),
            next="Set targets to some of the allowed names: --set 'targets=[\"query\"]'.",
        )
    any_of = "|".join(re.escape(name) for name in names)
    return rf"{_which(backbone, blocks)}\.(?:.*\.)?(?:{any_of})"


def _which(backbone: TransformersBackbone, blocks: Sequence[int] | None) -> str:
    """A regular expression for the dotted names of these blocks, of one stack or of both."""
    depth = len(backbone.blocks)
    if blocks is None:
        return rf"{re.escape(place(backbone, backbone.blocks))}\.\d+"
    parts = []
    for stack, numbers in (
        (backbone.blocks, [i for i in blocks if i < depth]),
        (backbone.decoder_blocks, [i - depth for i in blocks if i >= depth]),
    ):
        if numbers:
            any_of = "|".join(map(str, numbers))
            parts.append(rf"{re.escape(place(backbone, stack))}\.(?:{any_of})")
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
