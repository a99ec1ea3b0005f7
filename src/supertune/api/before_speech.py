"""Speech for a report: sentences before and after a voice was learned, beside its speaker's own."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from supertune.config import Recipe
from supertune.contracts import (
    Examples,
    FloatArray,
    Lens,
    Recording,
    Speaking,
    Synthesising,
    Voicing,
)
from supertune.contracts.voices import SYNTHETIC
from supertune.data.sounds import decoding, playing

SHOWN = 4
SAMPLE = "Good morning. This is how the voice sounds."


def section(
    tuned: Voicing, examples: Examples, lens: Lens, recipe: Recipe, *, shown: bool
) -> dict[str, Any]:
    """``spoken`` of a report: the notice that the voice is synthetic, its speaker's agreement, and
    sentences to be listened to; none of a row unless ``shown``."""
    voice = lens.backbone
    assert isinstance(voice, Synthesising)
    rows = [one for one in examples.inputs if isinstance(one, Recording)] if shown else []
    sentences = []
    asked: list[tuple[str, Recording | None]] = [(one.said, one) for one in rows[:SHOWN]]
    for text, own in asked or [(SAMPLE, None)]:
        sides: dict[str, tuple[FloatArray, int]] = {
            "before": (voice.spoken(text, Speaking()), voice.rate),
            "after": (tuned.spoken(text, Speaking(), lens), voice.rate),
        }
        if own is not None:
            sides["the speaker"] = decoding.mono(own)
        listed = [
            {
                "name": name,
                "clip": _encoded(playing.sound, *one),
                "spectrogram": _encoded(playing.spectrogram, *one),
            }
            for name, one in sides.items()
        ]
        sentences.append({"text": text, "sides": listed})
    return {"spoken": {"notice": SYNTHETIC, "consent": recipe.consent, "sentences": sentences}}


def _encoded(made: Callable[[Any, int], bytes], samples: FloatArray, rate: int) -> str:
    return base64.b64encode(made(samples, rate)).decode("ascii")
