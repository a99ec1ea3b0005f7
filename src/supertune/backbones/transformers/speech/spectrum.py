"""Log mel spectra as Whisper reads them (Radford et al. 2022, arXiv:2212.04356)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray

FLOOR = 1e-10
RANGE = 8.0  # powers of ten below the loudest that are told apart


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Settings of a feature extractor: samples a second, of a spectrum, and between two; ``mels``
    (bands, n / 2 + 1) how frequencies are summed."""

    rate: int
    size: int
    hop: int
    mels: npt.NDArray[np.float64]

    @classmethod
    def of(cls, folder: Path) -> Spectrum:
        """Of a model folder's ``preprocessor_config.json``."""
        from transformers.audio_utils import mel_filter_bank

        held: dict[str, Any] = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
        rate, size = int(held["sampling_rate"]), int(held["n_fft"])
        mels = mel_filter_bank(
            num_frequency_bins=1 + size // 2,
            num_mel_filters=int(held["feature_size"]),
            min_frequency=0.0,
            max_frequency=8000.0,
            sampling_rate=rate,
            norm="slaney",
            mel_scale="slaney",
        )
        return cls(rate, size, int(held["hop_length"]), np.asarray(mels).T)

    def frames(self, seconds: float) -> int:
        return round(seconds * self.rate / self.hop)

    def of_wave(self, wave: FloatArray, window: float) -> FloatArray:
        """(frames, bands) float32 of samples (t,), with silence behind them until ``window`` is
        full."""
        import torch

        count = self.frames(window)
        padded = torch.zeros(count * self.hop)
        held = torch.from_numpy(np.ascontiguousarray(wave[: len(padded)], dtype=np.float32))
        padded[: len(held)] = held
        bins = torch.stft(
            padded, self.size, self.hop, window=torch.hann_window(self.size), return_complex=True
        )
        power = bins[:, :-1].abs() ** 2
        bands = torch.from_numpy(self.mels).float() @ power
        found = torch.clamp(bands, min=FLOOR).log10()
        found = torch.maximum(found, found.max() - RANGE)
        return np.ascontiguousarray(((found + 4.0) / 4.0).T.numpy())
