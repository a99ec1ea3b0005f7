"""A long recording in parts that a model can read, cut where least is heard.

No detector of speech is asked: the quietest fifth of a second near the end of what fits is where
it is cut, which is a pause wherever there is one.
"""

from __future__ import annotations

import numpy as np

from supertune.data.sounds.varying import Samples

MOST = 30.0  # seconds of a part
_EARLIEST = 2 / 3  # of it, before which it is not cut
_QUIET = 0.2  # seconds over which loudness is measured


def parts(samples: Samples, rate: int, most: float = MOST) -> list[tuple[int, int]]:
    """First and last sample (exclusive) of each part, which lie end to end."""
    longest, width = int(most * rate), max(1, int(_QUIET * rate))
    if len(samples) <= longest:
        return [(0, len(samples))]
    power = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    found, start = [], 0
    while len(samples) - start > longest:
        first = start + int(_EARLIEST * longest)
        starts = np.arange(first, start + longest - width)
        quietest = int(starts[np.argmin(power[starts + width] - power[starts])])
        end = quietest + width // 2
        found.append((start, end))
        start = end
    return [*found, (start, len(samples))]
