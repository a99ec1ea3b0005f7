"""Rows side by side in one long row, so that nothing is computed for padding.

Everything but attention works on each token by itself, so rows of unequal length can share a
matrix product whatever their lengths. Attention is told where each row ends: it runs over groups
of rows of like length (block-diagonal attention, as in Krell et al. 2021, arXiv:2107.02027),
through the attention function that transformers lets one register. Whether a model computes the
same packed is tried out once (`offset`); one that does not is run on padded rows.

A vector must not depend on what lies beside its row, to the bit. Where a product of matrices
gives a row the same bits whatever the number of rows, a multiple of `GRAIN`, packs are filled up
to such a multiple with tokens that nobody reads; elsewhere all packs are of one size (`sizes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers.group_attention import attention
from supertune.backbones.transformers.precision import computing

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone

NAME = "supertune_packed"
# Widths of the groups that attention runs over; a row is padded up to the next, there alone.
# 72, 136, 264 and 520 stand just above the lengths at which people cut.
WIDTHS = (16, 32, 48, 72, 96, 136, 192, 264, 384, 520)
GRAIN = 64  # tokens
PACK = 1024  # tokens of a pack at most; 2048 makes no difference
ONE_SIZE = 512  # where all packs have one
# What an attention function would have to heed beside who reads whom.
_MORE = ("position_bias", "sliding_window", "softcap", "s_aux", "head_mask")

SAME = 1e-4  # of the largest value: what float32 rounding may make of another order of sums

_current: ContextVar[Packed | None] = ContextVar("packed", default=None)


class CannotPack(Exception):
    """Raised inside a forward pass by attention that needs more than `Packed` knows."""


@dataclass(frozen=True, eq=False)
class Padded:
    """Rows of one width, as they come; `Packed` with the same verbs is the other way."""

    batch: Batch

    @property
    def inputs(self) -> dict[str, Any]:
        return self.batch.inputs

    def laid(self, hidden: Any) -> Any:
        """(rows, width, d) as it enters a block."""
        return hidden

    def spread(self, hidden: Any) -> Any:
        """What a block gives as (rows, width, d)."""
        return hidden

    def read(self, hidden: Any, places: Any) -> Any:
        """(rows, R, d) at ``places`` (rows, R) of what a block gives."""
        return at(hidden, places)

    def unpacked(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Arguments of a block as if the batch were padded."""
        return given

    def attending(self, config: Any) -> AbstractContextManager[None]:
        return nullcontext()

    def mean(self, hidden: Any) -> Any:
        """(rows, d) over the tokens of each row that are pooled."""
        weight = self.batch.mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weight).sum(1) / weight.sum(1)


class Packed:
    """The real tokens of a batch (rows, width) as one row of T tokens.

    Args:
        offset: the position of a row's first token, in models that count from elsewhere than 0.
        causal: whether a token reads only what is before it.
    """

    def __init__(self, batch: Batch, offset: int, causal: bool = False) -> None:
        import torch

        mask = batch.inputs["attention_mask"]
        self.batch, self.causal = batch, causal
        self.rows, self.width = mask.shape
        self.device = mask.device
        self.lengths: list[int] = mask.sum(1).tolist()
        real = mask.flatten().nonzero().flatten()
        self.count = len(real)
        spare = max(0, batch.fill - self.count)
        self.places = torch.cat([real, real[:1].expand(spare)])
        self.positions = (self.places % self.width + offset)[None]

    @cached_property
    def inputs(self) -> dict[str, Any]:
        kept = {
            name: tensor.flatten()[self.places][None]
            for name, tensor in self.batch.inputs.items()
            if name != "attention_mask"
        }
        return {**kept, "position_ids": self.positions}

    def laid(self, hidden: Any) -> Any:
        return hidden.flatten(0, 1).index_select(0, self.places)[None]

    def spread(self, hidden: Any) -> Any:
        flat = hidden.new_zeros(self.rows * self.width, hidden.shape[-1])
        flat = flat.index_copy(0, self.places[: self.count], hidden[0, : self.count])
        return flat.view(self.rows, self.width, -1)

    def read(self, hidden: Any, places: Any) -> Any:
        return hidden[0][self.starts[:, None] + places]

    def unpacked(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        made = {**given, "hidden_states": self.spread(given["hidden_states"])}
        if "position_embeddings" in given:
            made["position_embeddings"] = tuple(map(self.spread, given["position_embeddings"]))
        # Who reads only what is before it needs no mask for what is behind, and has its own.
        real = self.batch.inputs["attention_mask"].bool()[:, None, None]
        made["attention_mask"] = None if self.causal else real
        return made

    def mean(self, hidden: Any) -> Any:
        """One token after the other, so that a row's sum knows nothing of its neighbours."""
        import torch

        sums = hidden.new_zeros(self.rows, hidden.shape[-1])
        sums = sums.index_add(0, self.owners, hidden[0, : self.count])
        return sums / torch.tensor(self.lengths, device=self.device)[:, None]

    @cached_property
    def starts(self) -> Any:
        """(rows,) where each row begins in the long one."""
        import torch

        ends = torch.tensor(self.lengths, device=self.device).cumsum(0)
        return ends - torch.tensor(self.lengths, device=self.device)

    @cached_property
    def owners(self) -> Any:
        """(real tokens,) the row of each token."""
        return self.places[: self.count] // self.width

    @cached_property
    def groups(self) -> list[tuple[Any, Any]]:
        """For each group of rows of like length: the tokens (B, L) that attention reads, 0 where
        a row has ended, and which of them are real."""
        import torch

        by_width: dict[int, list[int]] = {}
        for row, length in enumerate(self.lengths):
            by_width.setdefault(_width(length), []).append(row)
        made = []
        for width, members in sorted(by_width.items()):
            steps = torch.arange(width, device=self.device)
            chosen = torch.tensor(members, device=self.device)
            lengths = torch.tensor([self.lengths[row] for row in members], device=self.device)
            real = steps < lengths[:, None]
            made.append(((self.starts[chosen][:, None] + steps) * real, real))
        return made

    @cached_property
    def back(self) -> Any:
        """(T,) where each token stands among the tokens of all groups."""
        import torch

        among = torch.zeros(len(self.places), dtype=torch.long, device=self.device)
        before = 0
        for tokens, real in self.groups:
            order = torch.arange(tokens.numel(), device=self.device).view_as(tokens) + before
            among[tokens[real]] = order[real]
            before += tokens.numel()
        return among

    @contextmanager
    def attending(self, config: Any) -> Iterator[None]:
        """Inside, the model of ``config`` attends within rows of this pack."""
        before = config._attn_implementation
        token = _current.set(self)
        try:
            config._attn_implementation = NAME
            yield
        finally:
            config._attn_implementation = before
            _current.reset(token)


def at(hidden: Any, places: Any) -> Any:
    """(rows, R, ...) of (rows, width, ...) at positions (rows, R)."""
    import torch

    return hidden[torch.arange(len(places), device=hidden.device)[:, None], places]


def offset(backbone: TransformersBackbone) -> int | None:
    """The position of a row's first token in a model that gives packed what it gives padded;
    None for one that does not."""
    import torch
    from transformers import AttentionInterface

    if backbone.offer.family == "seq2seq" or backbone.offer.modality != "text":
        return None
    AttentionInterface.register(NAME, _attend)
    batch = backbone.unlike_rows()
    real = batch.mask.bool()
    with backbone.lock, torch.inference_mode():
        whole = backbone.body(**batch.inputs).last_hidden_state[real]
        for start in (0, int(backbone.tokenizer.pad_token_id or 0) + 1):
            packed = Packed(batch, start)
            try:
                with packed.attending(backbone.body.config):
                    found = packed.spread(backbone.body(**packed.inputs).last_hidden_state)[real]
            except (CannotPack, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
                continue
            if (whole - found).abs().max() <= SAME * whole.abs().max():
                return start
    return None


def filled(hidden: Any) -> Any:
    """(rows, R, d) as (1, N, d), with the last repeated up to a multiple of `GRAIN`."""
    import torch

    flat = hidden.flatten(0, 1)
    spare = -len(flat) % GRAIN
    return torch.cat([flat, flat[-1:].expand(spare, -1)])[None]


def sizes(backbone: TransformersBackbone) -> tuple[int, int]:
    """(tokens of a pack at most, the number to a multiple of which it is filled up)."""
    return (PACK, GRAIN) if _any_size(backbone) else (ONE_SIZE, ONE_SIZE)


def _any_size(backbone: TransformersBackbone) -> bool:
    """Whether a row's bits are the same in products of any multiple of `GRAIN` rows; tried out
    on the widest and the narrowest matrix of a block, once a model and precision."""
    import torch

    key = backbone.precision, torch.get_num_threads()
    if key not in backbone.any_size:
        matrices = [p for p in backbone.blocks[0].parameters() if p.dim() == 2]
        chosen = {max(matrices, key=_wide), min(matrices, key=_wide)}
        with torch.inference_mode(), computing(backbone.precision, backbone.device):
            backbone.any_size[key] = all(map(_same_bits, chosen))
    return backbone.any_size[key]


def _wide(matrix: Any) -> int:
    return int(matrix.shape[1])


def _same_bits(matrix: Any) -> bool:
    import torch

    rows = torch.randn(PACK, matrix.shape[1], generator=torch.Generator().manual_seed(0))
    rows = rows.to(matrix.device)
    whole = torch.nn.functional.linear(rows, matrix)
    few = (GRAIN, 3 * GRAIN, 8 * GRAIN, 13 * GRAIN)
    return all(
        torch.equal(torch.nn.functional.linear(rows[start : start + count], matrix),
                    whole[start : start + count])
        for count in few
        for start in (0, 37)
    )  # fmt: skip


def _attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    **more: Any,
) -> tuple[Any, None]:
    """Attention within the rows of the current pack: (1, heads, T, d) to (1, T, heads, d)."""
    import torch

    packed = _current.get()
    if packed is None or attention_mask is not None or _asks_more(more):
        raise CannotPack
    causal = bool(getattr(module, "is_causal", False) if is_causal is None else is_causal)
    query, key, value = (one[0].transpose(0, 1) for one in (query, key, value))
    shared = query.shape[1] // key.shape[1]
    found = []
    for tokens, real in packed.groups:
        flat = tokens.flatten()
        q, k, v = (
            one.index_select(0, flat).view(*tokens.shape, *one.shape[1:]).transpose(1, 2)
            for one in (query, key, value)
        )
        if shared > 1:
            k, v = k.repeat_interleave(shared, dim=1), v.repeat_interleave(shared, dim=1)
        given = attention(q, k, v, real=real, causal=causal, dropout=dropout, scale=scaling)
        found.append(given.transpose(1, 2).flatten(0, 1))
    return torch.cat(found).index_select(0, packed.back)[None], None


def _asks_more(more: Mapping[str, Any]) -> bool:
    return any(more.get(name) is not None for name in _MORE)


def _width(length: int) -> int:
    """Above the length always: attention without any padding takes another path, and then a
    row's bits would tell whether its neighbours are shorter."""
    for width in WIDTHS:
        if length < width:
            return width
    return (length // 256 + 1) * 256
