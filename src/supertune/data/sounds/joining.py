"""Longer recordings out of short ones, one after another with a pause between.

A decoder tuned on short recordings alone unlearns to go on: of a long one it writes down the last
sentence and ends. Some that are put together keep it from that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from supertune.contracts import Recording
from supertune.data.sounds import decoding, playing

PAUSE = 0.3  # seconds behind each
LEAST = 0.4  # of the window is filled at least, drawn evenly up to all of it


def chosen(
    seconds: Sequence[float], count: int, most: float, rng: np.random.Generator
) -> list[list[int]]:
    """So many times, which recordings are put together: two or more each, no longer than ``most``
    seconds with their pauses, each recording about as often as any other; fewer where they are
    too long."""
    found: list[list[int]] = []
    waiting: list[int] = []
    for _ in range(4 * count if seconds else 0):
        if len(found) == count:
            break
        # Nothing is heard twice in one, so that nothing is learned of repeating.
        waiting = waiting or rng.permutation(len(seconds)).tolist()
        wanted, held, parts = rng.uniform(LEAST, 1.0) * most, 0.0, list[int]()
        while waiting and held < wanted and held + seconds[waiting[0]] + PAUSE <= most:
            held += seconds[waiting[0]] + PAUSE
            parts.append(waiting.pop(0))
        if len(parts) > 1:
            found.append(parts)
        elif not parts:
            waiting = waiting[1:]  # longer than any window
    return found


def together(recordings: Sequence[Recording]) -> Recording:
    """One after another, as FLAC of the rate that models read."""
    pause: npt.NDArray[np.float32] = np.zeros(round(PAUSE * decoding.RATE), dtype=np.float32)
    pieces = [piece for one in recordings for piece in (decoding.waveform(one), pause)]
    name = " + ".join(one.name for one in recordings)
    return Recording.of(playing.flac(np.concatenate(pieces)), name)
