"""What a person should know about recordings before they trust a score."""

from __future__ import annotations

import numpy as np

from supertune.contracts import Examples, Finding, Recording
from supertune.data.cells import counted
from supertune.data.sounds import hearing
from supertune.data.sounds.segmenting import MOST

CLIPPED = 1e-3  # share of samples at the limit from which it is heard
NOISE = 0.4  # flatness of the spectrum from which little but noise is there
NARROW = 2.0  # highest sampling rate to lowest from which it is said
SHORT = 0.1  # seconds below which little can be heard
UNEVEN = 20.0  # longest recording to shortest from which it is said


def noticed(examples: Examples) -> list[Finding]:
    """``silent_recording``, ``clipped_recording``, ``noisy_recording``, ``short_recording``,
    ``long_recording``, ``rates_differ``, ``lengths_differ``."""
    held = [(i, one) for i, one in enumerate(examples.inputs) if isinstance(one, Recording)]
    heard = hearing.of([one for _, one in held])
    rows = np.array([examples.rows[i] for i, _ in held], dtype=np.int64)
    seconds = np.array([one.seconds for one in heard])
    rates = np.array([one.rate for one in heard])
    silent = np.array([one.silent for one in heard], dtype=bool)
    found = [
        _of(
            "silent_recording",
            rows[silent],
            "{} {is} silent throughout; correct {it} or take {it} out.",
        ),
        _of(
            "clipped_recording",
            rows[np.array([one.clipped for one in heard]) > CLIPPED],
            "{} {was} recorded too loud: samples stand at the limit, and sound distorted.",
        ),
        _of(
            "noisy_recording",
            rows[np.array([one.flatness for one in heard]) > NOISE],
            "{} {has} the spectrum of noise; listen to {it}.",
            "info",
        ),
        _of(
            "short_recording",
            rows[(seconds < SHORT) & ~silent],
            f"{{}} {{is}} shorter than {SHORT:g} s.",
            "info",
        ),
        _of(
            "long_recording",
            rows[seconds > MOST],
            f"{{}} {{is}} longer than {MOST:g} s and read in parts, cut where least is heard; the "
            "parts count alike.",
            "info",
        ),
    ]
    return [one for one in found if one is not None] + _spread(seconds, rates)


def _spread(seconds: np.ndarray, rates: np.ndarray) -> list[Finding]:
    found = []
    if len(rates) and rates.max() >= NARROW * rates.min():
        message = (
            f"Recordings are sampled {rates.min():,} to {rates.max():,} times a second. If a class "
            "comes in one rate, the model may learn how it was recorded."
        )
        found.append(Finding("rates_differ", message, (), "info"))
    if len(seconds) and seconds.max() >= UNEVEN * max(1e-3, seconds.min()):
        message = (
            f"Recordings last {seconds.min():.2g} to {seconds.max():.2g} s. If a class comes in "
            "one length, the model may learn the length."
        )
        found.append(Finding("lengths_differ", message, (), "info"))
    return found


def _of(code: str, rows: np.ndarray, message: str, severity: str = "warning") -> Finding | None:
    if not len(rows):
        return None
    one = len(rows) == 1
    words = {"is": "is" if one else "are", "was": "was" if one else "were"}
    words |= {"has": "has" if one else "have", "it": "it" if one else "them"}
    said = message.format(counted(len(rows), "recording"), **words)
    return Finding(code, said, tuple(map(int, rows)), severity)  # type: ignore[arg-type]
