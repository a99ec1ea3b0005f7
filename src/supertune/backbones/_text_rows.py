"""Texts through a frozen encoder that another library runs: padded batches of numbers in, one
vector a text out. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.backbones import _sentence_folder as sentence_folder
from supertune.backbones._tokenizer import PlainTokenizer
from supertune.backbones.transformers.batching import (
    BatchPlan,
    Piece,
    exact_batches,
    sorted_batches,
)
from supertune.backbones.transformers.tokenizing import Tokens
from supertune.contracts import BackboneRef, Encoding, FloatArray, Injection, Input, Offer
from supertune.errors import InputError

Numbers = Mapping[str, npt.NDArray[Any]]


class TextRows:
    """Pieces of texts, and batches of them.

    Args:
        folder: where tokenizer.json is.
        width: tokens of every batch, where the encoder takes no other number.
        rows: texts of every batch, likewise.

    Raises:
        InputError: ``tokenizer_unreadable``.
    """

    def __init__(
        self, ref: BackboneRef, offer: Offer, folder: Path, *, width: int = 0, rows: int = 0
    ) -> None:
        self.offer, self.width, self.rows = offer, width, rows
        self.tokens = Tokens(PlainTokenizer(folder, ref.name))
        self.settings = sentence_folder.settings_hash(folder)

    def pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Piece, ...]]:
        limit = min(encoding.max_length, self.offer.max_length)
        prefix = self.offer.prefix if encoding.prefix is None else encoding.prefix
        return self.tokens.pieces(inputs, encoding, limit, prefix)

    def vectors(
        self,
        tokens: Sequence[tuple[Piece, ...]],
        exact: bool,
        run: Callable[[Numbers], FloatArray],
    ) -> FloatArray:
        """(n, d): ``run`` gives (rows, d) of ``input_ids``, ``attention_mask`` and
        ``token_type_ids``, (rows, width) int64 each."""
        flat = [piece for pieces in tokens for piece in pieces]
        found = np.zeros((len(flat), self.offer.width), np.float32)
        for index, batch in self.batches(flat, exact):
            made = run(batch)[: len(index)]
            if self.offer.normalize:
                made = made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
            found[index] = made
        return _per_input(found, [len(pieces) for pieces in tokens])

    def batches(
        self, flat: Sequence[Piece], exact: bool
    ) -> Iterator[tuple[list[int], dict[str, npt.NDArray[Any]]]]:
        """Numbers of pieces, and what is computed of them together; its last rows may be of
        none."""
        for index, rows, width in self._plans(flat, exact):
            yield index, self.batch([flat[i] for i in index], rows, width)

    def _plans(self, flat: Sequence[Piece], exact: bool) -> list[tuple[list[int], int, int]]:
        if self.rows or self.width:  # all of one shape
            most = self.rows or 8
            parts = [list(range(i, min(i + most, len(flat)))) for i in range(0, len(flat), most)]
            widest = max((len(piece) for piece in flat), default=1)
            return [(part, most, self.width or widest) for part in parts]
        plans: list[BatchPlan]
        plans = list(exact_batches(flat, self.offer.max_length) if exact else sorted_batches(flat))
        return [(plan[0], plan[1], plan[2]) for plan in plans]

    def batch(self, pieces: Sequence[Piece], rows: int, width: int) -> dict[str, npt.NDArray[Any]]:
        """(rows, width) of each input."""
        ids = np.full((rows, width), self.tokens.pad, dtype=np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for row in range(rows):  # rows beyond the pieces repeat the first one
            piece = pieces[row if row < len(pieces) else 0]
            ids[row, : len(piece.ids)] = piece.ids
            mask[row, : len(piece.ids)] = 1
            if piece.types is not None:
                types[row, : len(piece.ids)] = piece.types
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}

    def pooled(self, hidden: FloatArray, batch: Numbers, how: str) -> FloatArray:
        """(rows, d) of hidden states (rows, positions, d), padded on the right."""
        mask = batch["attention_mask"]
        if how == "cls":
            return hidden[:, 0]
        if how == "last":
            return np.asarray(hidden[np.arange(len(hidden)), mask.sum(1) - 1])
        weight = mask[..., None].astype(np.float32)
        mean = (hidden * weight).sum(1) / weight.sum(1)
        return np.asarray(mean if how == "mean" else np.concatenate([hidden[:, 0], mean], axis=1))


def nothing_to_tune(ref: BackboneRef, engine: str, what: str) -> InputError:
    """For whoever asks a frozen backbone for more than vectors."""
    return InputError(
        "nothing_to_tune",
        f"{ref.name} is run by {engine}, which gives vectors alone.",
        received=what,
        allowed="methods that need only features",
        next="Choose linear_probe, or the same model as a transformers folder.",
    )


def refused_injection(ref: BackboneRef, engine: str, injection: Injection) -> InputError:
    return nothing_to_tune(ref, engine, injection.kind)


def _per_input(vectors: FloatArray, counts: list[int]) -> FloatArray:
    """Mean over the pieces of each input."""
    if all(count == 1 for count in counts):
        return vectors
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(vectors, starts, axis=0)
    return np.asarray(sums / np.asarray(counts, dtype=np.float32)[:, None], dtype=np.float32)
