"""Who judges a voice: whisper-base writes down what is said, and a lower layer tells voices apart.

All is band-limited to 4 kHz first, so that recordings of a telephone and a voice of 22,050 Hz are
heard alike. It has no part in training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from supertune import limits
from supertune.backbones.transformers import ENGINE
from supertune.backbones.transformers.batching import Batch
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
KEPT = 1000  # sounds of which is remembered what was heard

Heard = tuple[str, FloatArray]


class Listener:
    """One loaded judge."""

    def __init__(self) -> None:
        located = resolve(JUDGE)
        ref = BackboneRef(JUDGE, ENGINE.name, located.folder)
        opened = ENGINE.open(ref, device="cpu", threads=None)
        assert isinstance(opened, SpeechBackbone)
        self.backbone = opened
        self._known: dict[tuple[str, int, str | None], Heard] = {}

    def window(self, wave: FloatArray) -> float:
        """Seconds that are read of a clip."""
        seconds = len(wave) / RATE + ROOM
        return next((one for one in WINDOWS if seconds <= one), self.backbone.window)

    def heard(
        self, several: Sequence[FloatArray], rate: int, language: str | None
    ) -> tuple[list[str], FloatArray]:
        """What is said in each of samples (t,), in a language that is heard where None is given;
        and (n, d) the mean over time of what the layer makes of each. The last sounds are
        remembered: a voice that was restored is held to say the same."""
        found = []
        for samples in several:
            key = hashlib.sha256(np.ascontiguousarray(samples).data).hexdigest(), rate, language
            if key not in self._known:
                self._known[key] = self._listened(samples, rate, language)
                if len(self._known) > KEPT:
                    self._known.pop(next(iter(self._known)))
            found.append(self._known[key])
        vectors = [vector for _, vector in found]
        return [text for text, _ in found], np.stack(vectors) if vectors else np.zeros((0, 0))

    def voices(self, several: Sequence[FloatArray], rate: int) -> FloatArray:
        """(n, d) the second of what `heard` gives, bit for bit. Nothing above the layer runs."""
        found = []
        for samples in several:
            limits.check()
            wave = limited(samples, rate)
            given = self._spectrum(wave)
            batch = Batch({"input_features": given}, torch.ones(1, given.shape[-1] // 2))
            with self.backbone.lock, torch.inference_mode():
                found.append(_vector(self.backbone.cutting.entering(batch, LAYER), wave))
        return np.stack(found)

    def _listened(self, samples: FloatArray, rate: int, language: str | None) -> Heard:
        limits.check()
        wave = limited(samples, rate)
        with self.backbone.lock, torch.inference_mode():
            found = self.backbone.body(
                input_features=self._spectrum(wave), output_hidden_states=True
            )
        text = self._written(wave, found.last_hidden_state, language)
        return text, _vector(found.hidden_states[LAYER], wave)

    def _spectrum(self, wave: FloatArray) -> Any:
        """(1, mels, frames)."""
        made = self.backbone.spectrum.of_wave(wave, self.window(wave))
        return torch.from_numpy(made)[None].transpose(1, 2)

    def _written(self, wave: FloatArray, states: Any, language: str | None) -> str:
        said = Recording.of(playing.flac(wave), "spoken")
        clip = Clip(said, 0.0, len(wave) / RATE, self.window(wave))
        spoken = language or self.backbone.heard(states)[0]
        how = Listening(language=spoken)
        return self.backbone.written(states, [clip], [spoken], how)[0].text


def _vector(states: Any, wave: FloatArray) -> FloatArray:
    """(d,) the mean over time of states (1, T, d), silence behind the sound left out."""
    frames = max(1, round(len(wave) / RATE * FRAMES))
    return np.asarray(states[0, :frames].mean(dim=0).numpy())


def limited(samples: FloatArray, rate: int) -> FloatArray:
    """(t,) at the judge's own rate, without anything above 4 kHz, at one loudness."""
    narrow = decoding.resampled(np.asarray(samples, dtype=np.float32), rate, BAND)
    wide = decoding.resampled(narrow, BAND, RATE)
    loud = float(np.sqrt((wide.astype(np.float64) ** 2).mean()))
    return np.asarray(wide * np.float32(0.05 / max(loud, 1e-4)), dtype=np.float32)
