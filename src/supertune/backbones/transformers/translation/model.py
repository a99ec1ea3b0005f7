"""One loaded translator: what its encoder makes of texts, and its pairs of languages.

The encoder reads texts in batches whose shape depends on a text's own length alone, so that its
numbers do not depend on the texts beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.backbones.transformers.model import TransformersBackbone
from supertune.backbones.transformers.precision import Precision
from supertune.backbones.transformers.translation.languages import sides
from supertune.backbones.transformers.translation.seq2seq import KeepingWriter
from supertune.backbones.transformers.translation.sides import Sides, Source
from supertune.backbones.transformers.translation.translator import Translator
from supertune.backbones.transformers.translation.writing import SummingWriter, Writer
from supertune.contracts import BackboneRef, Encoding, FloatArray, Offer

Numbers = Mapping[str, npt.NDArray[Any]]
Asked = tuple[str | None, str | None, str | None]


class TranslatorBackbone(TransformersBackbone):
    """See `supertune.contracts.Backbone` and `supertune.contracts.Directed`.

    Of the blocks, the first `Offer.depth` are the encoder's; what is tuned of the decoder starts at
    the encoder's states, whichever of its blocks it is. One that offers features too reads texts
    for these as any encoder does.
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
        alone = "features" not in offer.capabilities
        settled = "fp32" if precision == "auto" and alone else precision
        super().__init__(
            ref, offer, device=device, threads=threads, precision=settled, packing=False
        )
        self.reading: Precision = "bf16" if precision == "bf16" else "fp32"  # of sources
        self._pairs: dict[Asked, Translator] = {}

    def translating(self, encoding: Encoding) -> Translator:
        """See `supertune.contracts.Directed`."""
        asked = encoding.source_language, encoding.target_language, encoding.prefix
        if asked not in self._pairs:
            made = sides(self.ref.name, self.tokenizer, self.model.config, encoding)
            self._pairs[asked] = Translator(self, made, self._writer(made))
        return self._pairs[asked]

    def _writer(self, made: Sides) -> Writer:
        config = self.model.config
        if config.model_type == "bergamot":
            return SummingWriter(self.model)
        settings = getattr(self.model, "generation_config", None)
        start = getattr(config, "decoder_start_token_id", None)
        start = getattr(settings, "decoder_start_token_id", None) if start is None else start
        begun = int(self.tokenizer.pad_token_id if start is None else start)
        return KeepingWriter(self.model, (begun, *made.forced), self.offer.max_length)

    def resumes(self, cut: int) -> bool:
        """What of the encoder is tuned is computed from the text on."""
        alone = "features" not in self.offer.capabilities
        return (alone and cut >= self.offer.depth) or super().resumes(cut)

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """(tokens, d) float32 states of each source; below the decoder (tokens, 1) its tokens.
        Other pieces as any encoder has them."""
        if pieces and not isinstance(pieces[0], Source):
            return super().activations(pieces, cut, dropout=dropout, draw=draw)
        if cut < self.offer.depth:
            return [np.asarray(piece.ids, dtype=np.float32)[:, None] for piece in pieces]
        found: list[FloatArray] = [np.empty(0)] * len(pieces)
        distinct = list(dict.fromkeys(pieces))
        with self.at(self.reading):
            held = super().activations(distinct, self.offer.depth)
        place = {piece: number for number, piece in enumerate(distinct)}
        for number, piece in enumerate(pieces):
            found[number] = held[place[piece]]
        return found
