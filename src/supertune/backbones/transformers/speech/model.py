"""One loaded encoder and decoder of speech: what the encoder makes of clips, and losses of texts.

The encoder reads one clip at a time, so that its numbers do not depend on the clips beside it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.backbones.transformers import loading
from supertune.backbones.transformers.model import TransformersBackbone
from supertune.backbones.transformers.speech import decoding
from supertune.backbones.transformers.speech.spectrum import Spectrum
from supertune.backbones.transformers.speech.vocabulary import Vocabulary
from supertune.contracts import (
    BackboneRef,
    Clip,
    FloatArray,
    Injection,
    Listening,
    Offer,
    Recording,
    Tunable,
    Written,
)
from supertune.data.sounds import decoding as sounds
from supertune.data.sounds import formats
from supertune.limits import check

SHORT = (10.0, 20.0)  # seconds of windows; in one of 3 or 4 many words are lost
HELD = 300_000_000  # bytes of states that are held in memory for whoever asks next
IGNORED = -100
Numbers = Mapping[str, npt.NDArray[Any]]


class SpeechBackbone(TransformersBackbone):
    """See `supertune.contracts.Backbone` and `supertune.contracts.Transcribing`.

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
        super().__init__(
            ref, offer, device=device, threads=threads, precision=precision, packing=False
        )
        self._held: OrderedDict[str, FloatArray] = OrderedDict()

    @cached_property
    def spectrum(self) -> Spectrum:
        assert self.ref.folder is not None
        return Spectrum.of(self.ref.folder)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        assert self.ref.folder is not None
        settings = json.loads((self.ref.folder / "generation_config.json").read_text("utf-8"))
        return Vocabulary(loading.tokenizer(self.ref), settings, self.offer.max_length)

    @property
    def window(self) -> float:
        return float(self.model.config.max_source_positions * 2 / self.spectrum.frames(1.0))

    @property
    def shorter(self) -> tuple[float, ...]:
        return tuple(one for one in SHORT if one < self.window)

    @property
    def languages(self) -> tuple[str, ...]:
        return self.vocabulary.languages

    def seconds(self, recording: Recording) -> float:
        return formats.header(recording).seconds

    def spelled(self, text: str) -> list[int]:
        return self.vocabulary.spelled(text)

    def resumes(self, cut: int) -> bool:
        """What of the encoder is tuned is computed from the sound on where texts are learned."""
        return cut >= self.offer.depth or super().resumes(cut)

    # --- the encoder ---------------------------------------------------------------------------

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """(frames, d) float32 states of each `Clip`; below the decoder (frames, mels) of its
        spectrum. Other pieces as any encoder has them."""
        import torch

        if pieces and not isinstance(pieces[0], Clip):
            return super().activations(pieces, cut, dropout=dropout, draw=draw)
        found = []
        with self.lock, torch.inference_mode():
            for clip in pieces:
                check()
                if cut < self.offer.depth:
                    found.append(self.read(clip))
                    continue
                name = repr(clip)
                if self.tuned or name not in self._held:
                    spectrum = torch.from_numpy(self.read(clip)).to(self.device)
                    states = self._encoded(spectrum[None])[0].float().cpu().numpy()
                    if self.tuned:
                        found.append(states)
                        continue
                    self._hold(name, states)
                self._held.move_to_end(name)
                found.append(self._held[name])
        return found

    def _hold(self, name: str, states: FloatArray) -> None:
        self._held[name] = states
        while sum(one.nbytes for one in self._held.values()) > HELD and len(self._held) > 1:
            self._held.popitem(last=False)

    def read(self, clip: Clip) -> FloatArray:
        """(frames, mels) of its window."""
        wave = wave_of(clip)
        return self.spectrum.of_wave(wave, clip.window)

    def _encoded(self, spectra: Any) -> Any:
        """(B, frames, mels) -> (B, T, d), of any length up to the encoder's own."""
        return self.body(input_features=spectra.transpose(1, 2)).last_hidden_state

    def states(self, kept: Sequence[FloatArray], cut: int) -> Any:
        import torch

        given = torch.from_numpy(np.stack(kept)).to(self.device)
        return given if cut >= self.offer.depth else self._encoded(given)

    # --- the decoder ---------------------------------------------------------------------------

    def losses(
        self,
        states: Any,
        texts: Sequence[Sequence[int]],
        language: str,
        smoothing: float = 0.0,
    ) -> tuple[Any, Any]:
        import torch

        prompt = self.vocabulary.prompt(language)
        longest = max(map(len, texts))
        end = self.vocabulary.end
        # The prompt, then each text; what is wanted at a place is the token behind it.
        ids = torch.full((len(texts), len(prompt) + longest - 1), end, dtype=torch.long)
        wanted = torch.full_like(ids, IGNORED)
        ids[:, : len(prompt)] = torch.tensor(prompt)
        for row, text in enumerate(texts):
            ids[row, len(prompt) : len(prompt) + len(text) - 1] = torch.tensor(text[:-1])
            first = len(prompt) - 1
            wanted[row, first : first + len(text)] = torch.tensor(text)
        ids, wanted = ids.to(self.device), wanted.to(self.device)
        decoder = self.model.get_decoder()
        last = decoder(
            input_ids=ids, encoder_hidden_states=states, use_cache=False
        ).last_hidden_state
        asked = wanted != IGNORED  # nothing else goes through the vocabulary
        logits = self.model.proj_out(last[asked])
        each = torch.nn.functional.cross_entropy(
            logits, wanted[asked], reduction="none", label_smoothing=smoothing
        )
        counts = asked.sum(dim=1)
        sums = torch.zeros(len(texts), device=each.device, dtype=each.dtype)
        rows = torch.repeat_interleave(torch.arange(len(texts), device=each.device), counts)
        return sums.index_add(0, rows, each), counts

    def heard(self, states: Any) -> list[str]:
        return decoding.heard(self, states)

    def written(
        self, states: Any, clips: Sequence[Clip], languages: Sequence[str], how: Listening
    ) -> list[Written]:
        return decoding.written(self, states, clips, languages, how)

    def inject(self, injection: Injection, *, seed: int, numbers: Numbers | None = None) -> Tunable:
        from supertune.backbones.transformers.tuning import inject

        return inject(self, injection, seed, numbers)


def wave_of(clip: Clip) -> FloatArray:
    """(t,) samples of what is heard, the whole recording decoded."""
    wave = _waveform(clip.recording)
    first = round(clip.start * sounds.RATE)
    return wave[first : first + max(1, round(clip.seconds * sounds.RATE))]


_LAST: list[tuple[Recording, FloatArray]] = []  # windows of one recording come one after another


def _waveform(recording: Recording) -> FloatArray:
    for held, wave in _LAST:
        if held == recording:
            return wave
    _LAST[:] = [(recording, sounds.waveform(recording))]
    return _LAST[0][1]
