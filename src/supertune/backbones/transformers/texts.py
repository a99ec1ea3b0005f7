"""Texts as a model is called with them: token ids, a mask, and what marks the second of a pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from supertune.backbones.transformers import loading, prompting
from supertune.backbones.transformers.attributing import Attribution
from supertune.backbones.transformers.batching import (
    Batch,
    BatchPlan,
    Piece,
    exact_batches,
    sorted_batches,
)
from supertune.backbones.transformers.tokenizing import Tokens
from supertune.contracts import Encoding, Input, Prompt

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

# Sentences of unequal length in several scripts; what is compared is arithmetic, not meaning.
SENTENCES = (
    "Good.",
    "The parcel came two days late and nobody answered the phone.",
    "A slow first half, then an ending that I did not see coming and have not forgotten since.",
    "Le service était lent, mais la cuisine valait l'attente.",
    "Die Tagesordnung steht fest; über den dritten Punkt wird morgen abgestimmt.",
    "这部电影太棒了！",
    "Please cancel my order 48-113 and send the money back to the same card. " * 3,
    "Shares rose 2.4% on Tuesday after the bank said that lending had grown in every region. " * 4,
)
_TRIED = "Does every row stay by itself, whatever it stands beside?"


class TextReader:
    """See `supertune.backbones.transformers.batching.Reader`."""

    def __init__(self, backbone: TransformersBackbone) -> None:
        self.backbone = backbone
        self.tokens = Tokens(loading.tokenizer(backbone.ref))
        self._frames: dict[Prompt, prompting.Frame] = {}

    def pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Piece, ...]]:
        offer = self.backbone.offer
        if encoding.prompt is not None:
            made, room = self.frame(encoding.prompt), offer.max_length
            return prompting.pieces(self.tokens, offer.family, made, inputs, encoding, room)
        limit = min(encoding.max_length, offer.max_length)
        prefix = offer.prefix if encoding.prefix is None else encoding.prefix
        return self.tokens.pieces(inputs, encoding, limit, prefix)

    @property
    def attributing(self) -> Attribution:
        return Attribution(self.backbone)

    def frame(self, prompt: Prompt) -> prompting.Frame:
        """What of a prompt is the same for every text."""
        if prompt not in self._frames:
            made = prompting.frame(self.tokens, self.backbone.offer.family, prompt)
            self._frames[prompt] = made
        return self._frames[prompt]

    def plan(self, flat: Sequence[Piece], exact: bool) -> Iterator[BatchPlan]:
        longest = self.backbone.offer.max_length
        return exact_batches(flat, longest) if exact else sorted_batches(flat)

    def batch(self, pieces: Sequence[Piece], rows: int, width: int, fill: int = 0) -> Batch:
        import torch

        device = self.backbone.device
        ids = np.full((rows, width), self.tokens.pad, dtype=np.int64)
        mask = np.zeros((rows, width), dtype=np.int64)
        types = np.zeros((rows, width), dtype=np.int64)
        repeated = [pieces[row if row < len(pieces) else 0] for row in range(rows)]
        for row, piece in enumerate(repeated):
            ids[row, : len(piece.ids)] = piece.ids
            mask[row, : len(piece.ids)] = 1
            if piece.types is not None:
                types[row, : len(piece.ids)] = piece.types
        inputs = {"input_ids": ids, "attention_mask": mask}
        if types.any():
            inputs["token_type_ids"] = types
        moved = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
        adapters = torch.tensor([piece.adapter for piece in repeated], device=device)
        if not repeated or not repeated[0].reads:
            return Batch(moved, moved["attention_mask"], fill=fill, adapters=adapters)
        reads = torch.tensor(_filled([piece.reads for piece in repeated]), device=device)
        answers = None
        if self.backbone.offer.family == "seq2seq":
            start = self.backbone.model.config.decoder_start_token_id
            begun = _filled([(start, *piece.answer) for piece in repeated])
            answers = torch.tensor(begun, device=device)
        return Batch(moved, moved["attention_mask"], reads, answers, fill, adapters)

    def samples(self) -> Sequence[str]:
        return SENTENCES

    def unlike_rows(self) -> Batch:
        """A row and its first half, padded."""
        whole = self.pieces([_TRIED], Encoding())[0][0]
        half = Piece(whole.ids[: -(-len(whole.ids) // 2)])
        return self.batch([whole, half], 2, len(whole.ids) + 1)


def _filled(rows: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Rows of one length: the shorter repeat their last number."""
    most = max(map(len, rows))
    return [(*row, *(row[-1:] * (most - len(row)))) for row in rows]
