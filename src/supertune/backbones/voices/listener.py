"""Who judges a voice: whisper-base writes down what is said, and a lower layer tells voices apart.

All is band-limited to 4 kHz first, so that recordings of a telephone and a voice of 22,050 Hz are
heard alike. It has no part in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from supertune import limits
from supertune.backbones.transformers import ENGINE
from supertune.backbones.transformers.speech.model import SpeechBackbone
from supertune.catalogue.resolve import resolve
from supertune.contracts import BackboneRef, Clip, FloatArray, Listening, Recording
from supertune.data.sounds import decoding, playing
from supertune.data.sounds.decoding import RATE

JUDGE = "whisper-base"
BAND = 8000  # samples a second, of which half is the highest frequency that is heard
LAYER = 3  # of the encoder, whose states are averaged over time: voices are told best by it
FRAMES = 50  # a second, that the encoder makes
WINDOWS = (10.0, 20.0)  # seconds that are heard of what is shorter; else all of its window
ROOM = 0.5  # seconds of silence behind a clip


class Listener:
    """One loaded judge."""

    def __init__(self) -> None:
        located = resolve(JUDGE)
        ref = BackboneRef(JUDGE, ENGINE.name, located.folder)
        opened = ENGINE.open(ref, device="cpu", threads=None)
        assert isinstance(opened, SpeechBackbone)
        self.backbone = opened

    def window(self, wave: FloatArray) -> float:
        """Seconds that are read of a clip."""
        seconds = len(wave) / RATE + ROOM
        return next((one for one in WINDOWS if seconds <= one), self.backbone.window)

    def heard(
        self, several: Sequence[FloatArray], rate: int, language: str | None
    ) -> tuple[list[str], FloatArray]:
        """What is said in each of samples (t,), in a language that is heard where None is given;
        and (n, d) the mean over time of what the layer makes of each."""
        texts, vectors = [], []
        for samples in several:
            limits.check()
            wave = limited(samples, rate)
            states, vector = self._encoded(wave)
            texts.append(self._written(wave, states, language))
            vectors.append(vector)
        return texts, np.stack(vectors) if vectors else np.zeros((0, 0))

    def _encoded(self, wave: FloatArray) -> tuple[Any, FloatArray]:
        """(1, T, d) the encoder's states, and the vector."""
        backbone = self.backbone
        spectrum = torch.from_numpy(backbone.spectrum.of_wave(wave, self.window(wave)))
        with backbone.lock, torch.inference_mode():
            found = backbone.body(
                input_features=spectrum[None].transpose(1, 2), output_hidden_states=True
            )
        frames = max(1, round(len(wave) / RATE * FRAMES))
        vector = found.hidden_states[LAYER][0, :frames].mean(dim=0)
        return found.last_hidden_state, vector.numpy()

    def _written(self, wave: FloatArray, states: Any, language: str | None) -> str:
        said = Recording.of(playing.flac(wave), "spoken")
        clip = Clip(said, 0.0, len(wave) / RATE, self.window(wave))
        spoken = language or self.backbone.heard(states)[0]
        how = Listening(language=spoken)
        return self.backbone.written(states, [clip], [spoken], how)[0].text


def limited(samples: FloatArray, rate: int) -> FloatArray:
    """(t,) at the judge's own rate, without anything above 4 kHz, at one loudness."""
    narrow = decoding.resampled(np.asarray(samples, dtype=np.float32), rate, BAND)
    wide = decoding.resampled(narrow, BAND, RATE)
    loud = float(np.sqrt((wide.astype(np.float64) ** 2).mean()))
    return np.asarray(wide * np.float32(0.05 / max(loud, 1e-4)), dtype=np.float32)
