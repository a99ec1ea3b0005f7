"""The last block of a stack, computed only at the positions that are read.

Keys and values are made of all positions; the query, attention's output, the residual and the
feed-forward half only of those at the first, the last or the answer's tokens. Nothing else of the
last block reaches what is read, so the numbers are the same but for float32 rounding. With
dropout other random numbers are drawn than for the whole block.

Each architecture here is known by its parts' names and tried out once a loaded model against the
whole block; one that is not known, or not the same, runs whole.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers import packing
from supertune.backbones.transformers.packing import Packed, Padded, at

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

SAME = 2e-5  # of the largest value: what float32 rounding may make of another order of sums
ROUNDED = 4  # units in the last place of the largest value, of a coarser type of number

# From a block, its arguments and (rows, R) positions to (rows, R, d); None: cannot be done here.
Reader = Callable[[Any, Mapping[str, Any], Any], Any]


class LastBlock:
    """The last block of one loaded model."""

    def __init__(self, backbone: TransformersBackbone) -> None:
        self.backbone = backbone
        self._exact: bool | None = None

    @contextmanager
    def only(self, places: Any | None, laid: Packed | Padded) -> Iterator[bool]:
        """Inside, the stack gives (rows, R, d) at ``places`` (rows, R) of a batch.

        True if so; False where it gives all positions: nothing to spare, no way to, or a pack
        that is filled up, so that its bits do not depend on how many rows are in it.
        """
        if places is None or laid.batch.fill or not self.exact():
            yield False
            return
        with _replaced(self.backbone.blocks[-1], places, laid):
            yield True

    def exact(self) -> bool:
        """Whether what is read is what the whole block gives; tried out once."""
        if self._exact is None:
            self._exact = False
            if "blocks" in self.backbone.offer.capabilities and self.backbone.offer.depth:
                self._exact = self._tried_out()
        return self._exact

    def _tried_out(self) -> bool:
        import torch

        backbone = self.backbone
        if backbone.offer.family == "seq2seq" or _reader(backbone.blocks[-1]) is None:
            return False
        batch = backbone.unlike_rows()
        ends = batch.mask.sum(1) - 1
        places = torch.stack([ends, ends // 2, ends * 0], dim=1)
        try:
            with backbone.lock, torch.inference_mode():
                whole = at(backbone.body(**batch.inputs).last_hidden_state, places)
                with _replaced(backbone.blocks[-1], places, Padded(batch)):
                    read = backbone.body(**batch.inputs).last_hidden_state
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError):
            return False  # parts of the same names that are called otherwise
        if read.shape != whole.shape:
            return False
        allowed = max(SAME, ROUNDED * torch.finfo(whole.dtype).eps)
        return bool((whole - read).abs().max() <= allowed * whole.abs().max())


@contextmanager
def _replaced(block: Any, places: Any, laid: Packed | Padded) -> Iterator[None]:
    """``block`` gives what it has at ``places``, counted in the positions of the batch."""
    width = laid.batch.mask.shape[1]
    whole, reader = block.forward, _reader(block)
    signature = inspect.signature(whole)
    own = block.__dict__.get("forward")

    def forward(*args: Any, **kwargs: Any) -> Any:
        given = dict(signature.bind(*args, **kwargs).arguments)
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                given |= given.pop(parameter.name, {})
        given = dict(laid.unpacked(given))
        # Tuned vectors may stand in front of the rows.
        moved = places + (given["hidden_states"].shape[1] - width)
        read = None if reader is None else reader(block, given, moved)
        if read is not None:
            return read
        output = whole(*args, **kwargs)  # something tuned is in the way: read what it gives
        if isinstance(output, tuple):
            return (laid.read(output[0], moved), *output[1:])
        return laid.read(output, moved)

    block.forward = forward
    try:
        yield
    finally:
        del block.forward
        if own is not None:
            block.forward = own


# --- architectures ----------------------------------------------------------------------------


def _reader(block: Any) -> Reader | None:
    """How this block is read, by its parts; None where those that are gone around have others
    beside, are not as transformers made them, or have somebody who listens to them."""
    for reader, parts in _KNOWN.items():
        found = {name: _part(block, name) for name in parts}
        if not all(_has(found[name], *parts[name]) for name in parts):
            continue
        if all(_plain(part) for name, part in found.items() if name):
            return reader
    return None


def _has(part: Any, needed: str, also: str = "") -> bool:
    if part is None:
        return False
    children = {name for name, _ in part.named_children()}
    return set(needed.split()) <= children <= {*needed.split(), *also.split()}


def _part(block: Any, name: str) -> Any:
    for step in filter(None, name.split(".")):
        block = getattr(block, step, None)
    return block


def _plain(part: Any) -> bool:
    if not type(part).__module__.startswith("transformers."):
        return False
    return not (part._forward_hooks or part._forward_pre_hooks)


def _bert(block: Any, given: Mapping[str, Any], places: Any) -> Any:
    """BERT, RoBERTa, XLM-R, ELECTRA: normalised after each half."""
    hidden, attention = given["hidden_states"], block.attention.self
    if given.get("encoder_hidden_states") is not None:
        return None
    picked, size = at(hidden, places), attention.attention_head_size
    query, key, value = (
        _heads(layer(states), size)
        for layer, states in (
            (attention.query, picked),
            (attention.key, hidden),
            (attention.value, hidden),
        )
    )
    found = _attended(attention, query, key, value, given, places, attention.dropout.p)
    if found is None:
        return None
    return block.feed_forward_chunk(block.attention.output(found, picked))


def _distilbert(block: Any, given: Mapping[str, Any], places: Any) -> Any:
    hidden, attention = given["hidden_states"], block.attention
    picked, size = at(hidden, places), attention.attention_head_size
    query = _heads(attention.q_lin(picked), size)
    key, value = (_heads(layer(hidden), size) for layer in (attention.k_lin, attention.v_lin))
    found = _attended(attention, query, key, value, given, places, attention.dropout.p)
    if found is None:
        return None
    middle = block.sa_layer_norm(attention.out_lin(found) + picked)
    return block.output_layer_norm(block.ffn(middle) + middle)


def _llama(block: Any, given: Mapping[str, Any], places: Any) -> Any:
    """Llama, Mistral, Qwen, SmolLM: normalised before each half, turned by position."""
    hidden, attention = given["hidden_states"], block.self_attn
    size, normal = attention.head_dim, block.input_layernorm(hidden)
    query = _heads(attention.q_proj(at(normal, places)), size, getattr(attention, "q_norm", None))
    key = _heads(attention.k_proj(normal), size, getattr(attention, "k_norm", None))
    value = _heads(attention.v_proj(normal), size)
    turn = sys.modules[type(attention).__module__].apply_rotary_pos_emb
    cosine, sine = given["position_embeddings"]
    # It turns a query and a key together; the other one of each pair is a single head, dropped.
    key = turn(key[:, :1], key, cosine, sine)[1]
    wide = (len(places), -1, -1)
    cosine, sine = at(cosine.expand(wide), places), at(sine.expand(wide), places)
    query = turn(query, query[:, :1], cosine, sine)[0]
    found = _attended(attention, query, key, value, given, places, attention.attention_dropout)
    if found is None:
        return None
    middle = at(hidden, places) + attention.o_proj(found)
    return middle + block.mlp(block.post_attention_layernorm(middle))


# By reader: the children that the block ("") and what is gone around in it must have, and may.
_KNOWN: Mapping[Reader, Mapping[str, tuple[str, ...]]] = {
    _bert: {
        "": ("attention intermediate output",),
        "attention": ("self output",),
        "attention.self": ("query key value", "dropout"),
    },
    _distilbert: {
        "": ("attention sa_layer_norm ffn output_layer_norm",),
        "attention": ("q_lin k_lin v_lin out_lin", "dropout"),
    },
    _llama: {
        "": ("self_attn mlp input_layernorm post_attention_layernorm",),
        "self_attn": ("q_proj k_proj v_proj o_proj", "q_norm k_norm rotary_emb rotary_fn"),
    },
}


def _heads(states: Any, size: int, norm: Any = None) -> Any:
    """(rows, positions, heads x size) to (rows, heads, positions, size)."""
    split = states.view(*states.shape[:-1], -1, size)
    return (split if norm is None else norm(split)).transpose(1, 2)


def _attended(
    attention: Any,
    query: Any,
    key: Any,
    value: Any,
    given: Mapping[str, Any],
    places: Any,
    dropout: float,
) -> Any:
    """(rows, R, heads x size): attention's sum for ``query`` (rows, heads, R, size)."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    mask, causal = given.get("attention_mask"), bool(getattr(attention, "is_causal", False))
    known = attention.config._attn_implementation in ("sdpa", packing.NAME)
    if not known or (mask is not None and mask.dim() != 4):
        return None
    past = given.get("past_key_values")
    if past is not None:
        if not hasattr(past, "layers"):
            return None
        key, value = past.update(key, value, attention.layer_idx)
    found, _ = ALL_ATTENTION_FUNCTIONS["sdpa"](
        attention,
        query,
        key,
        value,
        _seen(mask, places, given["hidden_states"].shape[1], key.shape[2], causal),
        dropout=dropout if attention.training else 0.0,
        scaling=attention.scaling,
        is_causal=False,
    )
    return found.reshape(*places.shape, -1)


def _seen(mask: Any, places: Any, width: int, keys: int, causal: bool) -> Any:
    """The rows of an attention mask (rows, heads, width, keys) at ``places``."""
    import torch

    if mask is None:
        if not causal:
            return None
        last = (places + (keys - width))[:, None, :, None]
        return torch.arange(keys, device=places.device) <= last
    if mask.shape[-2] == 1:
        return mask
    rows = torch.arange(len(places), device=mask.device)[:, None]
    return mask.expand(len(places), -1, -1, -1)[rows, :, places].transpose(1, 2)
