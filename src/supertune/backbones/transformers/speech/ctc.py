"""One loaded encoder of speech with a CTC head: wav2vec 2.0, HuBERT, WavLM.

It reads samples and gives each moment, of some 20 ms, a likelihood of every character or of none
(Graves et al. 2006, *Connectionist temporal classification*). A clip is read alone and as long as
it is, so that its numbers depend neither on the clips beside it nor on silence behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from supertune.backbones.transformers import loading
from supertune.backbones.transformers.batching import Batch
from supertune.backbones.transformers.model import TransformersBackbone
from supertune.backbones.transformers.packing import SAME
from supertune.backbones.transformers.sounds import SoundReader
from supertune.backbones.transformers.speech import collapsing
from supertune.backbones.transformers.speech.characters import Characters
from supertune.backbones.transformers.speech.model import wave_of
from supertune.contracts import (
    BackboneRef,
    Clip,
    FloatArray,
    Listening,
    Offer,
    Recording,
    Written,
)
from supertune.data.sounds import decoding, formats
from supertune.errors import InputError
from supertune.limits import check

WINDOW = 30.0  # seconds that are read at a time: attention grows with their square
LEAST = 0.1  # seconds, which give each of these models some moments
_NOWHERE = Recording("", "")


@dataclass(frozen=True)
class Kept:
    """What is kept of clips, where runs go on from block ``cut``: (T, d) states that enter it, or
    (t, 1) samples where none do. Runs are put off until it is known what for."""

    arrays: tuple[FloatArray, ...]
    cut: int


class CtcBackbone(TransformersBackbone):
    """See `supertune.contracts.Backbone` and `supertune.contracts.Transcribing`.

    Raises:
        InputError: ``sampling_rate_unsupported``, ``tokenizer_unreadable``.
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
        self._goes_on: dict[int, bool] = {}

    @cached_property
    def characters(self) -> Characters:
        blank = int(self.model.config.pad_token_id)
        return Characters(loading.tokenizer(self.ref), blank, self.ref.name)

    @property
    def window(self) -> float:
        return WINDOW

    @property
    def shorter(self) -> tuple[float, ...]:
        return ()  # a clip is read as long as it is

    @property
    def languages(self) -> tuple[str, ...]:
        return ()

    def seconds(self, recording: Recording) -> float:
        return formats.header(recording).seconds

    def spelled(self, text: str) -> list[int]:
        return self.characters.spelled(text)

    # --- the encoder ---------------------------------------------------------------------------

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """(T, d) float32 of what enters block ``cut`` of each `Clip`, above all blocks what they
        give; (t, 1) its samples where no run could begin there. Other pieces as any encoder has
        them."""
        import torch

        if pieces and not isinstance(pieces[0], Clip):
            return super().activations(pieces, cut, dropout=dropout, draw=draw)
        found: list[FloatArray] = []
        direct = cut == 0 or not self._continues(cut)
        with self.lock, torch.inference_mode():
            for clip in pieces:
                check()
                samples = self.read(clip)
                if direct:
                    found.append(samples[:, None])
                else:
                    states = self.cutting.entering(self._batch(samples), cut)[0]
                    found.append(states.float().cpu().numpy())
        return found

    def read(self, clip: Clip) -> FloatArray:
        """(t,) samples as the feature extractor gives them."""
        assert isinstance(self.reader, SoundReader)
        front = self.reader.front
        if front.rate != decoding.RATE:
            raise InputError(
                "sampling_rate_unsupported",
                f"{self.ref.name} reads another number of samples a second than is made here.",
                received=str(front.rate),
                allowed=str(decoding.RATE),
                next="Choose another backbone of speech, such as whisper-base.",
            )
        wave = wave_of(clip)
        missing = round(LEAST * front.rate) - len(wave)
        if missing > 0:
            wave = np.pad(wave, (0, missing))
        return front.made(wave, len(wave), _NOWHERE)

    def _batch(self, samples: FloatArray) -> Batch:
        import torch

        values = torch.from_numpy(np.array(samples))[None].to(self.device)
        return Batch({"input_values": values}, torch.ones_like(values))

    def states(self, kept: Sequence[FloatArray], cut: int) -> Kept:
        return Kept(tuple(kept), cut)

    def _last(self, array: FloatArray, cut: int) -> Any:
        """(T, d) what the whole encoder gives, from what `activations` gave."""
        import torch

        if array.shape[1] == 1:
            with self.running(self._batch(array[:, 0])) as laid:
                return self.body(**laid.inputs).last_hidden_state[0]
        states = torch.from_numpy(np.array(array)).to(self.device)  # a store gives what is fixed
        return states if cut >= self.offer.depth else self._above(states, cut)

    def _above(self, states: Any, cut: int) -> Any:
        """(T, d) entering block ``cut`` -> (T, d). What is below reads a moment of silence, which
        costs next to nothing and is thrown away."""
        silence = np.zeros(round(LEAST * decoding.RATE), dtype=np.float32)
        with self.running(self._batch(silence), cut, states[None]) as laid:
            return self.body(**laid.inputs).last_hidden_state[0]

    def _continues(self, cut: int) -> bool:
        """Whether `_above` gives what the whole model gives, tried out once."""
        import torch

        if cut >= self.offer.depth:
            return True
        if cut not in self._goes_on:
            drawn = np.random.default_rng(0).standard_normal(decoding.RATE // 2)
            batch = self._batch((0.1 * drawn).astype(np.float32))
            with self.lock, torch.inference_mode(), self.at("fp32"):
                with self.running(batch) as laid:
                    whole = self.body(**laid.inputs).last_hidden_state[0]
                resumed = self._above(self.cutting.entering(batch, cut)[0], cut)
            apart = float((whole - resumed).abs().max())
            self._goes_on[cut] = bool(apart <= SAME * float(whole.abs().max()))
        return self._goes_on[cut]

    def resumes(self, cut: int) -> bool:
        return self._continues(cut) and super().resumes(cut)

    # --- the head ------------------------------------------------------------------------------

    def _chances(self, array: FloatArray, cut: int) -> Any:
        """(T, V) log-likelihoods, in float32."""
        import torch

        logits = self.model.lm_head(self._last(array, cut))
        return torch.log_softmax(logits.float(), dim=-1)

    def losses(
        self,
        states: Kept,
        texts: Sequence[Sequence[int]],
        language: str,
        smoothing: float = 0.0,
    ) -> tuple[Any, Any]:
        """Of all ways to write each text over the moments of its clip. What is smoothed is the
        mean over moments and vocabulary, times the characters (Kim et al. 2017,
        arXiv:1711.02212).

        Raises:
            InputError: ``transcript_too_long`` where a clip has fewer moments than its text needs.
        """
        import torch

        sums = []
        for array, text in zip(states.arrays, texts, strict=True):
            chances = self._chances(array, states.cut)
            _refuse_longer(text, len(chances))
            one = torch.nn.functional.ctc_loss(
                chances.cpu()[:, None],  # on a GPU sums have no fixed order
                torch.tensor([list(text)], dtype=torch.long),
                torch.tensor([len(chances)]),
                torch.tensor([len(text)]),
                blank=self.characters.blank,
                reduction="none",
            )[0].to(chances.device)
            if smoothing:
                one = (1 - smoothing) * one - smoothing * len(text) * chances.mean()
            sums.append(one)
        counts = torch.tensor([max(1, len(text)) for text in texts], device=self.device)
        return torch.stack(sums), counts

    def heard(self, states: Kept) -> list[str]:
        return [""] * len(states.arrays)

    def written(
        self, states: Kept, clips: Sequence[Clip], languages: Sequence[str], how: Listening
    ) -> list[Written]:
        """(B,) what is said in each, by the likeliest character of each moment.

        Raises:
            InputError: ``beams_unsupported``, ``hints_unsupported``.
        """
        import torch

        collapsing.refuse(how, self.ref.name)
        found: list[Written] = []
        with self.lock, torch.inference_mode():
            for array, clip, language in zip(states.arrays, clips, languages, strict=True):
                check()
                chances = self._chances(array, states.cut)
                found.append(collapsing.told(chances, clip, self.characters, how, language))
        return found


def _refuse_longer(text: Sequence[int], moments: int) -> None:
    repeats = sum(a == b for a, b in pairwise(text))  # a blank must stand between them
    if len(text) + repeats > moments:
        raise InputError(
            "transcript_too_long",
            "A transcript has more characters than its recording has moments to say them in.",
            received=f"{len(text)} characters, {moments} moments",
            allowed="one moment, of some 20 ms, for each character",
            next="Correct the transcript, or the start and end of its recording.",
        )
