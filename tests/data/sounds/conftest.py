"""Recordings that are computed: tones, noise and silence, in any format that is written here."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from supertune.contracts import Recording

Samples = npt.NDArray[np.float32]
RATE = 16_000


def tone(hertz: float = 440.0, seconds: float = 0.4, rate: int = RATE) -> Samples:
    """A tone with an overtone that fades away."""
    at = np.arange(round(seconds * rate)) / rate
    made = np.sin(2 * np.pi * hertz * at) + 0.4 * np.sin(2 * np.pi * 2.01 * hertz * at)
    return (0.3 * made * np.exp(-3 * at / seconds)).astype(np.float32)


def noise(seed: int = 0, seconds: float = 0.4, rate: int = RATE) -> Samples:
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return (0.1 * drawn).astype(np.float32)


def melody(seed: int, seconds: float = 0.6) -> Samples:
    """Some tones one after the other: no two seeds sound alike."""
    drawn = np.random.default_rng(seed)
    return np.concatenate(
        [tone(float(drawn.uniform(200, 2_000)), seconds / 6) for _ in range(6)]
    ).astype(np.float32)


def encoded(
    samples: Samples, kind: str = "WAV", subtype: str | None = None, rate: int = RATE
) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=kind, subtype=subtype)
    return stream.getvalue()


def recording(samples: Samples, name: str = "a.wav", rate: int = RATE) -> Recording:
    return Recording.of(encoded(samples, rate=rate), name)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
