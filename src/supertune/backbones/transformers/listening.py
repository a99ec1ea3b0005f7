"""Recordings as a model is called with them: spectra or samples, of windows of a few lengths.

How they are made is transformers' own feature extractor's affair; here is only how long a window
is, which hidden states of it are of sound and not of the silence behind it, and what of a spectrum
a further view leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.backbones.transformers import loading
from supertune.contracts import BackboneRef, FloatArray, Recording
from supertune.data.sounds import varying
from supertune.data.sounds.varying import Samples
from supertune.errors import InputError

# Seconds. Whisper reads silence behind a clip as it was pretrained to; of windows below ten
# seconds its vectors tell less (docs/log.md).
SPECTRA = (10.0, 20.0, 30.0)
WAVES = (1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0)
# SpecAugment (Park et al. 2019, arXiv:1904.08779): most of the bands and of the time of a mask.
BANDS, TIME, MASKS = 0.12, 0.1, 2


@dataclass(frozen=True)
class Front:
    """How samples become what a model is called with.

    Attributes:
        extractor: transformers' own.
        rate: samples a second that it wants.
        windows: seconds; a recording is read in the shortest that holds it.
        key: by which the model is given them.
        hop: samples between hidden states; 0 where the model says how many there are.
        fixed: all windows are filled up to one length by the extractor itself.
        masked: the model is told which samples are sound.
    """

    extractor: Any
    rate: int
    windows: tuple[float, ...]
    key: str
    hop: int
    fixed: bool
    masked: bool

    @property
    def longest(self) -> float:
        return self.windows[-1]

    def window(self, samples: int) -> int:
        """Samples of the window that holds so many."""
        seconds = (each for each in self.windows if samples <= each * self.rate)
        return int(next(seconds, self.longest) * self.rate)

    def made(self, samples: Samples, window: int, recording: Recording) -> FloatArray:
        """What the model is given of one piece, without the axis of rows."""
        given: dict[str, Any] = {"sampling_rate": self.rate, "return_tensors": "np"}
        if not self.fixed:
            given |= {"padding": "max_length", "max_length": window, "truncation": True}
        found = np.asarray(self.extractor(samples, **given)[self.key][0], dtype=np.float32)
        if not recording.view or found.ndim == 1:
            return found
        return _masked(found, len(samples) / window, recording, self.fixed)


def declared(ref: BackboneRef, config: Mapping[str, Any]) -> Front:
    """By ``preprocessor_config.json``.

    Raises:
        InputError: ``audio_processor_unreadable``.
    """
    from transformers import AutoFeatureExtractor

    assert ref.folder is not None
    try:
        with loading.quiet():
            made = AutoFeatureExtractor.from_pretrained(str(ref.folder), local_files_only=True)
        key, rate = str(made.model_input_names[0]), int(made.sampling_rate)
        if config.get("model_type") == "whisper":
            hop = int(made.hop_length) * 2  # its second convolution halves them
            longest = int(config["max_source_positions"]) * hop / rate
            windows = tuple(each for each in SPECTRA if each < longest)
            return Front(made, rate, (*windows, longest), key, hop, False, False)
        if hasattr(made, "num_mel_bins"):  # AST: patches of a spectrum of one length
            seconds = int(made.max_length) / 100
            return Front(made, rate, (seconds,), key, 0, True, False)
        return Front(made, rate, WAVES, key, 0, False, bool(made.return_attention_mask))
    except Exception as error:
        raise InputError(
            "audio_processor_unreadable",
            f"How {ref.name} wants its recordings cannot be read.",
            received=(str(error).splitlines() or [type(error).__name__])[0],
            allowed="preprocessor_config.json as a feature extractor of transformers writes it",
            next="Save it beside the weights with feature_extractor.save_pretrained(folder).",
        ) from error


def _masked(found: FloatArray, share: float, recording: Recording, last: bool) -> FloatArray:
    """A spectrum with some bands and times at its mean; ``last``: bands are the last axis."""
    spectrum = found if not last else found.T
    chance = np.random.default_rng([*varying.drawn(recording).integers(0, 2**31, 2), 1])
    bands, frames = spectrum.shape[0], max(1, int(spectrum.shape[1] * min(1.0, share)))
    masked, mean = spectrum.copy(), spectrum[:, :frames].mean()
    for _ in range(MASKS):
        width = int(chance.integers(0, int(BANDS * bands) + 1))
        first = int(chance.integers(0, bands - width + 1))
        masked[first : first + width] = mean
        width = int(chance.integers(0, int(TIME * frames) + 1))
        first = int(chance.integers(0, frames - width + 1))
        masked[:, first : first + width] = mean
    return masked.T if last else masked


def any_window(encoder: Any) -> None:
    """Let Whisper's encoder read windows shorter than its own: the first of its positions are
    used, and nothing of its weights or its configuration is another afterwards."""
    whole = int(encoder.config.max_source_positions)

    def shorten(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = args[0] if args else kwargs["input_features"]
        _set(encoder, min(whole, int(given.shape[-1]) // 2))

    def restore(*_: Any) -> None:
        _set(encoder, whole)

    encoder.register_forward_pre_hook(shorten, with_kwargs=True)
    encoder.register_forward_hook(restore, always_call=True)


def _set(encoder: Any, positions: int) -> None:
    encoder.config.max_source_positions = positions
    encoder.embed_positions.num_embeddings = positions
