"""What decoders write although nobody said it: texts of silence, and one thing again and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supertune.contracts import Clip

NOTHING_SAID, UNSURE = 0.6, -1.0  # as Radford et al. 2022 (arXiv:2212.04356) chose them
QUIET = 1e-3  # root mean square of the loudest tenth of a second, below which nobody speaks
TIMES = 4  # repeats of something in a row that nobody says
_LONGEST = 40  # tokens of what is repeated


def silent(clip: Clip, silence: float, surety: float) -> bool:
    """Whether nothing is said: by the model's own word, or because there is hardly a sound."""
    return (silence > NOTHING_SAID and surety < UNSURE) or loudness(clip) < QUIET


def loudness(clip: Clip) -> float:
    """Root mean square of the loudest tenth of a second, at most 1."""
    from supertune.backbones.transformers.speech.model import wave_of
    from supertune.data.sounds.decoding import RATE

    wave, step = wave_of(clip), RATE // 10
    whole = wave[: max(step, len(wave) // step * step)]
    if len(whole) < step:
        return float(np.sqrt(np.mean(whole.astype(np.float64) ** 2))) if len(whole) else 0.0
    power = (whole.reshape(-1, step).astype(np.float64) ** 2).mean(axis=1)
    return float(np.sqrt(power.max()))


def unrepeated(tokens: Sequence[int], *, ended: bool = True) -> tuple[list[int], bool]:
    """The tokens with what stands there `TIMES` times or more in a row only once, and whether there
    was such. One token counts from twice as many times on: people do say "no no no no". A text that
    did not end loses what it begins again with."""
    found, cut = list(tokens), False
    if not ended:
        again = _begun_again(found)
        found, cut = found[: len(found) - again], again > 0
    for size in range(1, _LONGEST + 1):
        least = 2 * TIMES if size == 1 else TIMES
        at = 0
        while at + size * least <= len(found):
            piece = found[at : at + size]
            times = 1
            while found[at + times * size : at + (times + 1) * size] == piece:
                times += 1
            if times >= least:
                del found[at + size : at + times * size]
                cut = True
            at += 1
    return found, cut


def _begun_again(tokens: Sequence[int]) -> int:
    """How many tokens at the end are those at the beginning."""
    most = len(tokens) // 2
    return next((size for size in range(most, 0, -1) if tokens[-size:] == tokens[:size]), 0)
