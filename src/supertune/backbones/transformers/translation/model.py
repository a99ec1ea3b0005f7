"""One loaded translator: what its encoder makes of texts, losses of translations, translations.

The encoder reads texts in batches whose shape depends on a text's own length alone, so that its
numbers do not depend on the texts beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.backbones.transformers.batching import Piece
from supertune.backbones.transformers.model import TransformersBackbone
from supertune.backbones.transformers.tokenizing import whole
from supertune.backbones.transformers.translation import decoding, looking
from supertune.contracts import BackboneRef, FloatArray, IntArray, Offer, Rendering, Translated
from supertune.contracts.translation import Mixing

IGNORED = -100
Numbers = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class States:
    """(B, S, d) what the encoder gives, and (B, S) where that is of a token."""

    hidden: Any
    mask: Any

    def __len__(self) -> int:
        return len(self.hidden)


class TranslatorBackbone(TransformersBackbone):
    """See `supertune.contracts.Backbone` and `supertune.contracts.Translating`.

    Of the blocks, the first `Offer.depth` are the encoder's; what is tuned of the decoder starts at
    the encoder's states, whichever of its blocks it is.
    """

    def __init__(
        self,
        ref: BackboneRef,
        offer: Offer,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
    ) -> None:
        # So few numbers are no faster in bf16, which would write other words.
        settled = "fp32" if precision == "auto" else precision
        super().__init__(
            ref, offer, device=device, threads=threads, precision=settled, packing=False
        )

    @property
    def source_language(self) -> str:
        return str(self.model.config.source_language)

    @property
    def target_language(self) -> str:
        return str(self.model.config.target_language)

    @property
    def end(self) -> int:
        """The token that ends a text."""
        return int(self.tokenizer.eos_token_id)

    def read(self, texts: Sequence[str]) -> list[Piece]:
        if not texts:
            return []
        coded = self.tokenizer([whole(text) for text in texts], verbose=False)["input_ids"]
        return [Piece((*self._words(ids[:-1]), ids[-1])) for ids in coded]

    def spelled(self, text: str) -> list[int]:
        return [*self._words(self.tokenization.code(whole(text))), self.end]

    def _words(self, ids: Sequence[int]) -> list[int]:
        """Tokens of a text, in which a mark such as "</s>" is no end."""
        unknown = int(self.tokenizer.unk_token_id)
        return [unknown if one == self.end else int(one) for one in ids]

    def resumes(self, cut: int) -> bool:
        """What of the encoder is tuned is computed from the text on."""
        return cut >= self.offer.depth or super().resumes(cut)

    # --- the encoder ---------------------------------------------------------------------------

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """(tokens, d) float32 states of each source; below the decoder (tokens, 1) its tokens."""
        if cut < self.offer.depth:
            return [np.asarray(piece.ids, dtype=np.float32)[:, None] for piece in pieces]
        found: list[FloatArray] = [np.empty(0)] * len(pieces)
        distinct = list(dict.fromkeys(pieces))
        held = super().activations(distinct, self.offer.depth)
        place = {piece: number for number, piece in enumerate(distinct)}
        for number, piece in enumerate(pieces):
            found[number] = held[place[piece]]
        return found

    def states(self, kept: Sequence[FloatArray], cut: int) -> States:
        import torch

        longest = max(map(len, kept))
        mask = torch.zeros(len(kept), longest, dtype=torch.long)
        hidden = torch.zeros(len(kept), longest, kept[0].shape[1])
        for row, each in enumerate(kept):
            hidden[row, : len(each)] = torch.from_numpy(np.array(each))
            mask[row, : len(each)] = 1
        hidden, mask = hidden.to(self.device), mask.to(self.device)
        if cut < self.offer.depth:
            hidden = self.body(hidden[..., 0].long(), mask).last_hidden_state
        return States(hidden, mask)

    # --- the decoder ---------------------------------------------------------------------------

    def written(self, states: States, texts: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """(B, L, d) where each token is written, and (B, L) these tokens, -100 behind them."""
        import torch

        longest = max(map(len, texts))
        wanted = torch.full((len(texts), longest), IGNORED, dtype=torch.long)
        for row, text in enumerate(texts):
            wanted[row, : len(text)] = torch.tensor(text)
        wanted = wanted.to(self.device)
        decoder = self.model.get_decoder()
        memory = decoder.begin(states.hidden, states.mask)
        return decoder(wanted[:, :-1].clamp(min=0), memory), wanted

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
            self.model.words(hidden[asked], few), right, reduction="none", label_smoothing=smoothing
        )
        counts = asked.sum(dim=1)
        sums = torch.zeros(len(texts), device=each.device, dtype=each.dtype)
        rows = torch.repeat_interleave(torch.arange(len(texts), device=each.device), counts)
        return sums.index_add(0, rows, each), counts

    def likely(self, states: States, texts: Sequence[Sequence[int]], count: int) -> IntArray:
        import torch

        with self.lock, torch.inference_mode():
            hidden, wanted = self.written(states, texts)
            asked = wanted != IGNORED
            best = self.model.words(hidden[asked]).topk(count, dim=-1).indices
            found = torch.cat([best.flatten(), wanted[asked]]).unique()
        return np.asarray(found.cpu().numpy())

    def contexts(
        self, states: States, texts: Sequence[Sequence[int]]
    ) -> list[tuple[FloatArray, FloatArray]]:
        import torch

        found = []
        with self.lock, torch.inference_mode():
            hidden, wanted = self.written(states, texts)
            for each, ids, text in zip(hidden, wanted, texts, strict=True):
                each, ids = each[: len(text)], ids[: len(text), None]
                chances = torch.log_softmax(self.model.words(each).float(), dim=-1)
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
        return looking.looked(self, states, texts)

    def spans(self, text: str) -> list[tuple[int, int]]:
        return self.tokenization.offsets(whole(text), None)

    def hidden(self, piece: Piece, places: Collection[int]) -> Piece:
        return looking.hidden(piece, places, int(self.tokenizer.unk_token_id))
