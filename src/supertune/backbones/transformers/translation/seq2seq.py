"""Decoders of transformers (Marian, M2M100, T5), whose memory is the keys and values of all words.

Of each block these are of two kinds: of what was written, which follow the hypotheses of a beam,
and of the source, which are the same for all of them and stay where they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from supertune.backbones.transformers.translation.writing import States


@dataclass(eq=False)
class KeptWords:
    """See `supertune.backbones.transformers.translation.writing.Memory`.

    Attributes:
        hidden, mask: (B, S, d) and (B, S) of the encoder, a row for each text that is written.
        past: keys and values; None where all is written at one time.
    """

    hidden: Any
    mask: Any
    past: Any
    written: int = 0

    def take(self, rows: Any, sources: Any | None = None) -> None:
        """See `Memory.take`. Rows that go on with their own source leave that as it is."""
        if sources is None and len(rows) == len(self.mask):
            self.past.self_attention_cache.batch_select_indices(rows)
            return
        self.past.batch_select_indices(rows)
        self.hidden, self.mask = self.hidden[rows], self.mask[rows]


class KeepingWriter:
    """See `supertune.backbones.transformers.translation.writing.Writer`.

    Args:
        model: with a language-model head.
        start: the token that decoders begin with, and those that every translation does.
        longest: positions that the decoder has.
    """

    def __init__(self, model: Any, start: tuple[int, ...], longest: int) -> None:
        self.model, self.start = model, start
        self.forced, self.most = len(start) - 1, longest - len(start)

    @cached_property
    def forbidden(self) -> tuple[int, ...]:
        """Single tokens that the model's own settings forbid; Marian's do so of padding."""
        settings = getattr(self.model, "generation_config", None)
        bad = getattr(settings, "bad_words_ids", None) or ()
        more = getattr(settings, "suppress_tokens", None) or ()
        return tuple({*(one[0] for one in bad if len(one) == 1), *more})

    def begin(self, states: States, *, once: bool = False) -> KeptWords:
        from transformers.cache_utils import DynamicCache, EncoderDecoderCache

        past = None if once else EncoderDecoderCache(DynamicCache(), DynamicCache())
        return KeptWords(states.hidden, states.mask, past)

    def write(self, tokens: Any | None, memory: KeptWords) -> Any:
        import torch

        given, before = tokens, 0
        if not memory.written:
            rows, before = len(memory.mask), self.forced
            start = torch.tensor(self.start, device=memory.mask.device).expand(rows, -1)
            given = start if tokens is None else torch.cat([start, tokens], dim=1)
        assert given is not None
        memory.written += given.shape[1]
        found = self.model.get_decoder()(
            input_ids=given,
            encoder_hidden_states=memory.hidden,
            encoder_attention_mask=memory.mask,
            past_key_values=memory.past,
            use_cache=memory.past is not None,
        )
        return found.last_hidden_state[:, before:]

    def words(self, hidden: Any, among: Any | None = None) -> Any:
        from torch.nn import functional

        config, bias = self.model.config, getattr(self.model, "final_logits_bias", None)
        if getattr(config, "scale_decoder_outputs", False):  # T5, whose two tables are one
            hidden = hidden * config.d_model**-0.5
        weight = self.model.get_output_embeddings().weight
        bias = None if bias is None else bias[0]
        if among is not None:
            weight, bias = weight[among], None if bias is None else bias[among]
        return functional.linear(hidden, weight, bias)

    @contextmanager
    def watching(self) -> Iterator[list[Any]]:
        """The mean over the heads of the last block but one, which of those that nobody taught is
        nearest to the word that is translated (Garg et al. 2019, arXiv:1909.02074)."""
        noted: list[Any] = []
        layers = _layers(self.model.get_decoder())
        block = layers[max(0, len(layers) - 2)]
        watched = next(
            module for name, module in block.named_modules()
            if name.endswith(("encoder_attn", "EncDecAttention"))
        )  # fmt: skip
        masks: list[Any] = []

        def begun(_: Any, __: tuple[Any, ...], given: dict[str, Any]) -> None:
            masks[:] = [given["encoder_attention_mask"]]

        def look(attention: Any, args: tuple[Any, ...], given: dict[str, Any]) -> None:
            hidden = args[0] if args else given["hidden_states"]
            noted.append(_looked(attention, hidden, given["key_value_states"], masks[0]))

        handles = [
            self.model.get_decoder().register_forward_pre_hook(begun, with_kwargs=True),
            watched.register_forward_pre_hook(look, with_kwargs=True),
        ]
        try:
            yield noted
        finally:
            for handle in handles:
                handle.remove()


def _layers(decoder: Any) -> Any:
    """The blocks of a decoder."""
    return decoder.layers if hasattr(decoder, "layers") else decoder.block


def _looked(attention: Any, hidden: Any, states: Any, mask: Any) -> Any:
    """(B, L, S) how much the heads attend to what, on average."""
    import torch

    asked, told = (
        getattr(attention, f"{name}_proj", None) or getattr(attention, name) for name in ("q", "k")
    )
    heads = getattr(attention, "num_heads", None) or attention.n_heads
    queries, keys = (
        made.view(*made.shape[:2], heads, -1).transpose(1, 2)
        for made in (asked(hidden), told(states))
    )
    scale = getattr(attention, "scaling", None) or 1.0  # T5's is in its weights
    scores = queries @ keys.transpose(2, 3) * scale
    scores = scores.masked_fill(~mask.bool()[:, None, None, :], -math.inf)
    return torch.softmax(scores.float(), dim=-1).mean(dim=1)
