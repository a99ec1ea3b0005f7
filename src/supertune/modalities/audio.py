"""Rows that are a recording."""

from __future__ import annotations

import base64
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.contracts import (
    Columns,
    Copy,
    Examples,
    Finding,
    FloatArray,
    Input,
    Offer,
    Recording,
)
from supertune.data.sounds import checks, copies, decoding, hearing, playing, reading, spectra
from supertune.data.sounds.varying import varied

TRIED = ("whisper-base",)
KEPT_BYTES = 200_000  # of a recording in a model folder; a larger one is kept at 16,000 Hz
KEPT_SECONDS = 60.0  # of such a copy
A_SECOND = 50  # positions that most encoders compute of it


class Audio:
    name = "audio"
    noun = "recording"
    vectors = False
    window = 128
    varied = staticmethod(varied)

    def given(self, values: Any, columns: Columns) -> list[Input]:
        return reading.given(values)

    def blank(self, value: Input) -> bool:
        return not isinstance(value, Recording)

    def same(self, value: Input) -> Hashable:
        return value.content if isinstance(value, Recording) else value

    def alike(self, inputs: Sequence[Input], most: int | None = None) -> list[list[int]]:
        return copies.clusters(_recordings(inputs))

    def form(self, inputs: Sequence[Input]) -> FloatArray:
        heard = hearing.of(_recordings(inputs))
        for one in heard:
            if one.broken is not None:
                raise one.broken
        return np.stack([one.form for one in heard]) if heard else np.zeros((0, spectra.COLUMNS))

    def noticed(self, examples: Examples, max_length: int) -> list[Finding]:
        return checks.noticed(examples)

    def to_json(self, value: Input) -> Any:
        """Its name and bytes; of a large one, or a part, a copy of one channel at 16,000 Hz that
        learning goes on from as well."""
        assert isinstance(value, Recording)
        part = value.start is not None or value.end is not None
        data = b"" if part else value.read()
        if part or len(data) > KEPT_BYTES:
            data = playing.flac(decoding.waveform(value)[: int(KEPT_SECONDS * decoding.RATE)])
        kept = {"name": str(value), "bytes": base64.b64encode(data).decode("ascii")}
        return {**kept, "said": value.said} if value.said else kept

    def from_json(self, kept: Any) -> Input:
        found = Recording.of(base64.b64decode(kept["bytes"]), str(kept["name"]))
        return replace(found, said=str(kept.get("said", "")))

    def described(self, value: Input) -> str:
        (heard,) = hearing.of(_recordings([value]))
        return f"{value} ({heard.seconds:.2f} s, {heard.rate:,} Hz)"

    def thumbnail(self, value: Input) -> bytes | None:
        assert isinstance(value, Recording)
        return playing.drawn(value)

    def played(self, value: Input) -> bytes | None:
        assert isinstance(value, Recording)
        return playing.clip(value)

    def copy(self, value: Input, side: int) -> Copy:
        raise NotImplementedError("nothing is drawn on a recording")

    def language(self, inputs: Sequence[Input]) -> str | None:
        return None

    def backbones(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        return TRIED

    def lengths(
        self, inputs: Sequence[Input], offer: Offer | None, max_length: int
    ) -> tuple[int, ...]:
        """Positions by how long a recording is, and no fewer than of the shortest window."""
        heard = hearing.of(_recordings(inputs))
        if offer is None:
            return (0,) * len(inputs)
        least = max(1, offer.positions)
        return tuple(max(least, round(A_SECOND * one.seconds)) for one in heard)


MODALITY = Audio()


def _recordings(inputs: Sequence[Input]) -> list[Recording]:
    return [value for value in inputs if isinstance(value, Recording)]
