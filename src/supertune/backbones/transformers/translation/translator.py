"""One pair of languages of a loaded translator: tokens, losses of translations, translations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.batching import Piece
from supertune.backbones.transformers.translation import decoding
from supertune.backbones.transformers.translation.sides import Sides, Source
from supertune.backbones.transformers.translation.writing import States, Writer
from supertune.contracts import FloatArray, IntArray, Rendering, Translated
from supertune.contracts.translation import Mixing

if TYPE_CHECKING:
    from supertune.backbones.transformers.translation.model import TranslatorBackbone

IGNORED = -100


class Translator:
    """See `supertune.contracts.Translating` and `supertune.contracts.Looking`."""

    def __init__(self, backbone: TranslatorBackbone, sides: Sides, writer: Writer) -> None:
        self.backbone, self.sides, self.writer = backbone, sides, writer

    @property
    def source_language(self) -> str:
        return self.sides.source_language

    @property
    def target_language(self) -> str:
        return self.sides.target_language

    def read(self, texts: Sequence[str]) -> list[Source]:
        return self.sides.read(texts)

    def spelled(self, text: str) -> list[int]:
        return self.sides.spelled(text)

    def states(self, kept: Sequence[FloatArray], cut: int) -> States:
        import torch

        longest = max(map(len, kept))
        mask = torch.zeros(len(kept), longest, dtype=torch.long)
        hidden = torch.zeros(len(kept), longest, kept[0].shape[1])
        for row, each in enumerate(kept):
            hidden[row, : len(each)] = torch.from_numpy(np.array(each))
            mask[row, : len(each)] = 1
        backbone = self.backbone
        hidden, mask = hidden.to(backbone.device), mask.to(backbone.device)
        if cut < backbone.offer.depth:
            ids = hidden[..., 0].long()
            hidden = backbone.body(input_ids=ids, attention_mask=mask).last_hidden_state
        return States(hidden, mask)

    def written(self, states: States, texts: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """(B, L, d) where each token is written, and (B, L) these tokens, -100 behind them."""
        import torch

        longest = max(map(len, texts))
        wanted = torch.full((len(texts), longest), IGNORED, dtype=torch.long)
        for row, text in enumerate(texts):
            wanted[row, : len(text)] = torch.tensor(text)
        wanted = wanted.to(self.backbone.device)
        memory = self.writer.begin(states, once=True)
        return self.writer.write(wanted[:, :-1].clamp(min=0), memory), wanted

    def losses(
        self,
        states: States,
        texts: Sequence[Sequence[int]],
        smoothing: float = 0.0,
        among: IntArray | None = None,
    ) -> tuple[Any, Any]:
        import torch

        hidden, wanted = self.written(states, texts)
        asked = wanted != IGNORED  # nothing else goes through the vocabulary
        right, few = wanted[asked], None
        if among is not None:
            few = torch.from_numpy(among.astype(np.int64)).to(right.device)
            right = torch.searchsorted(few, right)
        each = torch.nn.functional.cross_entropy(
            self.writer.words(hidden[asked], few),
            right,
            reduction="none",
            label_smoothing=smoothing,
        )
        counts = asked.sum(dim=1)
        sums = torch.zeros(len(texts), device=each.device, dtype=each.dtype)
        rows = torch.repeat_interleave(torch.arange(len(texts), device=each.device), counts)
        return sums.index_add(0, rows, each), counts

    def likely(self, states: States, texts: Sequence[Sequence[int]], count: int) -> IntArray:
        import torch

        with self.backbone.lock, torch.inference_mode():
            hidden, wanted = self.written(states, texts)
            asked = wanted != IGNORED
            logits = self.writer.words(hidden[asked])
            best = logits.topk(min(count, logits.shape[-1]), dim=-1).indices
            found = torch.cat([best.flatten(), wanted[asked]]).unique()
        return np.asarray(found.cpu().numpy())

    def contexts(
        self, states: States, texts: Sequence[Sequence[int]]
    ) -> list[tuple[FloatArray, FloatArray]]:
        import torch

        found = []
        with self.backbone.lock, torch.inference_mode():
            hidden, wanted = self.written(states, texts)
            for each, ids, text in zip(hidden, wanted, texts, strict=True):
                each, ids = each[: len(text)], ids[: len(text), None]
                chances = torch.log_softmax(self.writer.words(each).float(), dim=-1)
                likely = chances.gather(1, ids)[:, 0]
                found.append((each.cpu().numpy(), likely.cpu().numpy()))
        return found

    def translated(
        self,
        states: States,
        sources: Sequence[Piece],
        how: Rendering,
        mixing: Mixing | None = None,
    ) -> list[Translated]:
        return decoding.translated(self, states, sources, how, mixing)

    # --- what is told of a translation ---------------------------------------------------------

    def looked(self, states: States, texts: Sequence[Sequence[int]]) -> list[FloatArray]:
        import torch

        with (
            self.backbone.lock,
            torch.inference_mode(),
            self.writer.watching() as noted,
        ):
            self.written(states, texts)
        sources = states.mask.sum(dim=1).tolist()
        # What is forced into a translation is written before its own tokens.
        first = noted[0].shape[1] - max(map(len, texts))
        return [
            each[first : first + len(text), :count].float().cpu().numpy()
            for each, text, count in zip(noted[0], texts, sources, strict=True)
        ]

    def spans(self, text: str, *, answer: bool = False) -> list[tuple[int, int]]:
        return self.sides.spans(text, answer=answer)

    def hidden(self, piece: Piece, places: Collection[int]) -> Piece:
        return self.sides.hidden(piece, places)
