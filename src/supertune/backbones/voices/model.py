"""A voice as a backbone: text in, samples out."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from supertune import limits, transcripts
from supertune.backbones._modules import fill
from supertune.backbones.voices import ENGINE, symbols
from supertune.catalogue.weights import digest
from supertune.contracts import (
    BackboneRef,
    Encoding,
    FloatArray,
    Injection,
    Input,
    Offer,
    Speaking,
    Tunable,
)
from supertune.contracts.voices import HEARD, PITCH, UNVOICED, VOICE, Spoken
from supertune.data.sounds import decoding, pitch
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.voices.listener import Listener

KEPT = 1000  # sentences and recordings of which is remembered what the judge heard


@dataclass(eq=False)
class VoiceBackbone:
    """See `supertune.contracts.Backbone` and `supertune.contracts.Synthesising`."""

    ref: BackboneRef
    offer: Offer
    sha256: str
    module: Any
    reader: symbols.Reader
    precision: Literal["fp32", "bf16"] = "fp32"
    arithmetic: str = field(default_factory=lambda: f"torch {torch.__version__}")
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _known: dict[tuple[Spoken, int], FloatArray] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def load(
        cls, ref: BackboneRef, config: Mapping[str, Any], threads: int | None
    ) -> VoiceBackbone:
        if threads is not None:
            torch.set_num_threads(threads)
        folder = ref.folder or Path(ref.name)
        module = _module(folder, config)
        module.eval().requires_grad_(False)
        reader = symbols.reader(folder, config)
        return cls(ref, ENGINE.offered(ref, dict(config)), digest(folder), module, reader)

    # --- see `supertune.contracts.Synthesising` ------------------------------------------------

    @property
    def rate(self) -> int:
        return int(self.module.config.sampling_rate)

    def symbols(self, text: str) -> list[int]:
        return self.reader(text)

    def spoken(self, text: str, how: Speaking) -> FloatArray:
        """(t,); silence of one sample where there is nothing to say."""
        limits.check()
        ids = self.symbols(text)
        if not ids:
            return np.zeros(1, dtype=np.float32)
        with self.lock, torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(_seed(text, how.seed))
            config = self.module.config
            self.module.noise_scale = _or(how.variation, config.noise_scale)
            self.module.noise_scale_duration = _or(how.rhythm, config.noise_scale_duration)
            found = self.module(
                torch.tensor([ids]), speaking_rate=how.speed * config.speaking_rate
            ).waveform
        return np.asarray(found[0].numpy(), dtype=np.float32)

    def judged(
        self, several: Sequence[FloatArray], rate: int, texts: Sequence[str], language: str | None
    ) -> list[FloatArray]:
        spoken = language or next(iter(self.offer.languages), None)
        written, vectors = self.listener.heard(several, rate, spoken)
        found = []
        for samples, text, told, vector in zip(several, texts, written, vectors, strict=True):
            heard = pitch.median(samples, rate)
            height = pitch.semitones(heard, PITCH) if np.isfinite(heard) else UNVOICED
            # A recogniser that repeats itself says no more than that nothing was understood.
            errors, words, *_ = transcripts.errors(text, told)
            errors = min(errors, words)
            found.append(np.concatenate([[errors, float(height)], vector]).astype(np.float32))
        return found

    @cached_property
    def listener(self) -> Listener:
        """The judge, fetched when it is first asked."""
        from supertune.backbones.voices.listener import Listener

        return Listener()

    # --- what is no feature of recordings ------------------------------------------------------

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[Any]:
        """Each recording is its own piece."""
        return [(value,) for value in inputs]

    def features(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        raise NotImplementedError("a voice has no features of recordings")

    def scores(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        raise NotImplementedError("a voice is not asked in words")

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """Of each `Spoken` what ``cut`` says, `HEARD` or `VOICE`; the last are remembered."""
        found = []
        for one in pieces:
            assert isinstance(one, Spoken)
            if (one, cut) not in self._known:
                self._known[one, cut] = self._judged(one, cut)
                if len(self._known) > KEPT:
                    self._known.pop(next(iter(self._known)))
            found.append(self._known[one, cut])
        return found

    def _judged(self, one: Spoken, cut: int) -> FloatArray:
        """(2 + d,) as `judged`, or (d,) the voice alone."""
        if cut == VOICE and (one, HEARD) in self._known:
            return self._known[one, HEARD][2:]
        if one.recording is None:
            samples, rate = self.spoken(one.text, Speaking()), self.rate
        else:
            samples, rate = decoding.mono(one.recording)
        if cut == VOICE:
            (voice,) = self.listener.voices([samples], rate)
            return np.asarray(voice)
        return self.judged([samples], rate, [one.text], one.language)[0]

    def tapped(self, cut: int) -> AbstractContextManager[Mapping[Any, FloatArray]]:
        return nullcontext({})

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()

    def inject(
        self,
        injection: Injection,
        *,
        seed: int,
        numbers: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Tunable:
        raise InputError(
            "injection_unsupported",
            f"A {self.offer.architecture} cannot be tuned so.",
            received=injection.kind,
            allowed="methods that change what it speaks",
            next="`supertune methods` prints what works with what.",
        )


def _or(given: float | None, own: float) -> float:
    return float(own if given is None else given)


def _seed(text: str, seed: int) -> int:
    """Its own for each text, so that a sentence sounds the same whatever stands before it."""
    return int.from_bytes(hashlib.sha256(f"{seed} {text}".encode("utf-8", "ignore")).digest()[:7])


def _module(folder: Path, config: Mapping[str, Any]) -> Any:
    """Raises: InputError ``weights_do_not_fit``, ``speakers_unsupported``."""
    if int(config.get("num_speakers", 1)) > 1:
        raise InputError(
            "speakers_unsupported",
            f"{folder.name} is a voice of several speakers.",
            received=f"{config['num_speakers']} speakers",
            allowed="a voice of one speaker",
            next="Choose another, such as piper-joe.",
        )
    if config.get("model_type") == "piper":
        from supertune.architectures.piper import PiperConfig, PiperModel

        made = PiperModel(PiperConfig.from_pretrained(folder))
        fill(made, folder, what="a Piper voice", example="piper-joe")
        return made
    from transformers import VitsModel

    from supertune.architectures.piper import merge_norms

    loaded, told = VitsModel.from_pretrained(folder, output_loading_info=True)
    if missing := [name for name in told["missing_keys"] if "posterior" not in name]:
        raise InputError(
            "weights_do_not_fit",
            f"The weights in {folder.name} are not those of its configuration.",
            received=f"{len(missing)} missing, such as {min(missing)}",
            allowed="the tensors of a VitsModel",
            next="Save the model again, or download it again.",
        )
    merge_norms(loaded)
    return loaded
