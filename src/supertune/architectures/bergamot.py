"""Bergamot: the small translators of Firefox, a transformer whose decoder remembers by a sum.

Vaswani et al. 2017 (arXiv:1706.03762) for the encoder, Kim et al. 2019 (aclanthology.org/D19-5632)
for the decoder's simpler simple recurrent unit (SSRU) in the place of attention to what was
written, Bogoychev et al. 2021 (arXiv:2109.10194) for the whole. Trained by Marian as "tiny11".

A layer's output is normalised after it is added to its input. Positions are sines, then cosines.
The first word is written from a vector of zeros; input and output words share one table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

IGNORED = -100
STRENGTH = 127  # the largest number of an int8, either way


class BergamotConfig(PretrainedConfig):  # type: ignore[misc]
    """``activation_scales``: by the name of a linear layer, what its input is multiplied by before
    it is rounded to int8; ``lm_head`` is the output layer."""

    model_type = "bergamot"

    def __init__(
        self,
        vocab_size: int = 32_000,
        d_model: int = 256,
        encoder_layers: int = 6,
        decoder_layers: int = 2,
        encoder_attention_heads: int = 8,
        encoder_ffn_dim: int = 1536,
        max_position_embeddings: int = 512,
        layer_norm_eps: float = 1e-6,
        source_language: str = "",
        target_language: str = "",
        activation_scales: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.d_model = self.hidden_size = d_model
        self.encoder_layers = self.num_hidden_layers = encoder_layers
        self.decoder_layers = decoder_layers
        self.encoder_attention_heads = encoder_attention_heads
        self.encoder_ffn_dim = encoder_ffn_dim
        self.max_position_embeddings = max_position_embeddings
        self.layer_norm_eps = layer_norm_eps
        self.source_language = source_language
        self.target_language = target_language
        self.activation_scales = activation_scales or {}
        kwargs.setdefault("is_encoder_decoder", True)
        super().__init__(**kwargs)


def positions(length: int, width: int, start: int = 0) -> Tensor:
    """(length, width) float32: sines of all frequencies, then cosines."""
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32)
    frequencies = torch.exp(steps * -(math.log(10_000.0) / max(1, half - 1)))
    angles = torch.arange(start, start + length, dtype=torch.float32)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Attention(nn.Module):
    """Attention of several heads; keys and values may be made beforehand.

    They may be of fewer rows than what asks: then each is asked by the same number of rows that
    follow one another, as the hypotheses of a beam do.

    Attributes:
        front: (P, d) vectors that are attended to before all else, if there are any: prefix tuning
            (Li & Liang 2021, arXiv:2101.00190).
    """

    front: Tensor | None

    def __init__(self, config: BergamotConfig) -> None:
        super().__init__()
        width = config.d_model
        self.heads = config.encoder_attention_heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.front = None

    def split(self, hidden: Tensor) -> Tensor:
        """(B, T, d) -> (B, heads, T, d / heads)."""
        rows, length, width = hidden.shape
        return hidden.view(rows, length, self.heads, width // self.heads).transpose(1, 2)

    def remembered(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of what is attended to."""
        if self.front is not None:
            front = self.front.to(states.dtype).expand(len(states), -1, -1)
            states = torch.cat([front, states], dim=1)
        return self.split(self.k_proj(states)), self.split(self.v_proj(states))

    def looked(self, hidden_states: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T, S) how much the first head attends to what, which in the decoder's last layer was
        taught to look at the word that is translated."""
        rows, length, width = hidden_states.shape
        asked = self.split(self.q_proj(hidden_states).view(len(keys), -1, width))[:, :1]
        own = keys[:, :1, 0 if self.front is None else len(self.front) :]
        scores = asked @ own.transpose(2, 3) / math.sqrt(asked.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return torch.softmax(scores, dim=-1).view(rows, length, -1)

    def forward(
        self, hidden_states: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
    ) -> Tensor:
        """``mask`` (B, 1, 1, S) is true where there is something to attend to."""
        rows, length, width = hidden_states.shape
        asked = self.split(self.q_proj(hidden_states).view(len(keys), -1, width))
        if self.front is not None and mask is not None:
            seen = mask.new_ones(*mask.shape[:-1], len(self.front))
            mask = torch.cat([seen, mask], dim=-1)
        found = functional.scaled_dot_product_attention(asked, keys, values, attn_mask=mask)
        joined: Tensor = self.out_proj(found.transpose(1, 2).reshape(rows, length, -1))
        return joined


class EncoderLayer(nn.Module):
    def __init__(self, config: BergamotConfig) -> None:
        super().__init__()
        width, eps = config.d_model, config.layer_norm_eps
        self.self_attn = Attention(config)
        self.self_attn_layer_norm = nn.LayerNorm(width, eps=eps)
        self.fc1 = nn.Linear(width, config.encoder_ffn_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_dim, width)
        self.final_layer_norm = nn.LayerNorm(width, eps=eps)

    def forward(self, hidden_states: Tensor, mask: Tensor | None) -> Tensor:
        keys, values = self.self_attn.remembered(hidden_states)
        attended = self.self_attn(hidden_states, keys, values, mask)
        hidden_states = self.self_attn_layer_norm(hidden_states + attended)
        inner = self.fc2(functional.relu(self.fc1(hidden_states)))
        found: Tensor = self.final_layer_norm(hidden_states + inner)
        return found


class DecoderLayer(nn.Module):
    def __init__(self, config: BergamotConfig) -> None:
        super().__init__()
        width, eps = config.d_model, config.layer_norm_eps
        self.cell = nn.Linear(width, width, bias=False)
        self.forget = nn.Linear(width, width)
        self.cell_layer_norm = nn.LayerNorm(width, eps=eps)
        self.encoder_attn = Attention(config)
        self.encoder_attn_layer_norm = nn.LayerNorm(width, eps=eps)
        self.fc1 = nn.Linear(width, config.encoder_ffn_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_dim, width)
        self.final_layer_norm = nn.LayerNorm(width, eps=eps)

    def forward(
        self,
        hidden_states: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
        memory: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """(B, L, d) and the cell (B, d) behind it, from ``memory``, the cell before."""
        new, kept = self.cell(hidden_states), torch.sigmoid(self.forget(hidden_states))
        fresh = (1 - kept) * new
        cells = []
        for place in range(hidden_states.shape[1]):
            memory = kept[:, place] * memory + fresh[:, place]
            cells.append(memory)
        read = functional.relu(torch.stack(cells, dim=1))
        hidden_states = self.cell_layer_norm(hidden_states + read)
        attended = self.encoder_attn(hidden_states, keys, values, mask)
        hidden_states = self.encoder_attn_layer_norm(hidden_states + attended)
        inner = self.fc2(functional.relu(self.fc1(hidden_states)))
        return self.final_layer_norm(hidden_states + inner), memory


class BergamotEncoder(nn.Module):
    def __init__(self, config: BergamotConfig, words: nn.Embedding) -> None:
        super().__init__()
        self.config, self.embed_tokens = config, words
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> BaseModelOutput:
        """(B, S) -> (B, S, d)."""
        width = self.config.d_model
        hidden = self.embed_tokens(input_ids) * math.sqrt(width)
        hidden = hidden + positions(input_ids.shape[1], width).to(hidden)
        mask = None if attention_mask is None else attention_mask.bool()[:, None, None, :]
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return BaseModelOutput(last_hidden_state=hidden)


@dataclass
class Memory:
    """What a decoder knows of a source and of what it has written; see `take`."""

    keys: list[Tensor]
    values: list[Tensor]
    mask: Tensor | None
    cells: list[Tensor]
    written: int = 0

    def take(self, rows: Tensor, sources: Tensor | None = None) -> None:
        """Go on with these rows alone, in this order.

        Args:
            sources: if given, the sources that are gone on with; each has as many rows as another.
        """
        self.cells = [each[rows] for each in self.cells]
        if sources is None:
            return
        self.keys = [each[sources] for each in self.keys]
        self.values = [each[sources] for each in self.values]
        self.mask = None if self.mask is None else self.mask[sources]


class BergamotDecoder(nn.Module):
    def __init__(self, config: BergamotConfig, words: nn.Embedding) -> None:
        super().__init__()
        self.config, self.embed_tokens = config, words
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))

    def begin(self, states: Tensor, mask: Tensor | None) -> Memory:
        """What is known before the first word; states (B, S, d), mask (B, S)."""
        attentions: list[Any] = [layer.encoder_attn for layer in self.layers]
        made = [attention.remembered(states) for attention in attentions]
        empty = states.new_zeros(len(states), states.shape[2])
        seen = None if mask is None else mask.bool()[:, None, None, :]
        return Memory([k for k, _ in made], [v for _, v in made], seen, [empty] * len(made))

    def forward(self, input_ids: Tensor | None, memory: Memory, rows: int = 0) -> Tensor:
        """(B, L) words that were written -> (B, L + 1, d) where the next ones are, beginning with a
        vector of zeros where nothing was written; else (B, L, d). ``memory`` is brought forward.
        """
        width = self.config.d_model
        parts = []
        if not memory.written:
            parts.append(self.embed_tokens.weight.new_zeros(len(memory.cells[0]), 1, width))
        if input_ids is not None and input_ids.shape[1]:
            parts.append(self.embed_tokens(input_ids) * math.sqrt(width))
        hidden = torch.cat(parts, dim=1)
        hidden = hidden + positions(hidden.shape[1], width, memory.written).to(hidden)
        memory.written += hidden.shape[1]
        for number, layer in enumerate(self.layers):
            hidden, memory.cells[number] = layer(
                hidden,
                memory.keys[number],
                memory.values[number],
                memory.mask,
                memory.cells[number],
            )
        return hidden


class BergamotForTranslation(PreTrainedModel):  # type: ignore[misc]
    """Encoder, decoder and one table of words."""

    config_class = BergamotConfig
    main_input_name = "input_ids"
    base_model_prefix = ""

    def __init__(self, config: BergamotConfig) -> None:
        super().__init__(config)
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = BergamotEncoder(config, self.shared)
        self.decoder = BergamotDecoder(config, self.shared)
        self.output_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.post_init()

    _tied_weights_keys = {  # noqa: RUF012
        "encoder.embed_tokens.weight": "shared.weight",
        "decoder.embed_tokens.weight": "shared.weight",
    }

    def get_encoder(self, *_: Any, **__: Any) -> BergamotEncoder:
        return self.encoder

    def get_decoder(self, *_: Any, **__: Any) -> BergamotDecoder:
        return self.decoder

    def get_input_embeddings(self) -> nn.Embedding:
        return self.shared

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.shared = self.encoder.embed_tokens = self.decoder.embed_tokens = value

    def words(self, hidden: Tensor, among: Tensor | None = None) -> Tensor:
        """Logits of all words, or of those ``among`` them; (..., d) -> (..., V)."""
        if among is None:
            return functional.linear(hidden, self.shared.weight, self.output_bias)
        return functional.linear(hidden, self.shared.weight[among], self.output_bias[among])

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        encoder_outputs: Any = None,
        **_: Any,
    ) -> Seq2SeqLMOutput:
        """``labels`` (B, L), -100 where nothing is asked; or the words before the wanted ones."""
        if encoder_outputs is None:
            encoder_outputs = self.encoder(input_ids, attention_mask)
        given = decoder_input_ids
        if labels is not None:
            given = labels[:, :-1].clamp(min=0)
        memory = self.decoder.begin(encoder_outputs[0], attention_mask)
        logits = self.words(self.decoder(given, memory))
        loss = None
        if labels is not None:
            flat = logits.flatten(0, 1)
            loss = functional.cross_entropy(flat, labels.flatten(), ignore_index=IGNORED)
        return Seq2SeqLMOutput(loss=loss, logits=logits)


def rounded(hidden: Tensor, scale: float) -> Tensor:
    """What int8 leaves of a layer's input."""
    return (hidden * scale).round().clamp(-STRENGTH, STRENGTH) / scale


@contextmanager
def as_int8(model: BergamotForTranslation, scales: Mapping[str, float]) -> Iterator[None]:
    """Inside, the input of every linear layer is rounded as the engine with int8 arithmetic does;
    weights of its files are int8 already."""
    handles = []
    named = dict(model.named_modules())
    for name, scale in scales.items():
        if name == "lm_head":
            continue

        def hook(_: nn.Module, args: tuple[Tensor, ...], scale: float = scale) -> tuple[Tensor]:
            return (rounded(args[0], scale),)

        handles.append(named[name].register_forward_pre_hook(hook))
    whole = model.words

    def words(hidden: Tensor, among: Tensor | None = None) -> Tensor:
        return whole(rounded(hidden, scales["lm_head"]), among)

    model.__dict__["words"] = words
    try:
        yield
    finally:
        del model.__dict__["words"]
        for handle in handles:
            handle.remove()
