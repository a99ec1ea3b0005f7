"""A recording in stretches that can be silenced."""

from __future__ import annotations

import numpy as np
from tests.data.sounds.conftest import melody, recording

from supertune.contracts import Contribution
from supertune.data.sounds import decoding
from supertune.explaining.stretches import PARTS, Stretches

PARTED = Stretches(recording(melody(4, 1.2)))


def test_a_stretch_that_is_taken_away_is_silent_and_the_others_are_as_they_were() -> None:
    whole = decoding.waveform(PARTED.value)
    left = decoding.waveform(PARTED.without([3]))
    places = np.linspace(0, len(whole), PARTS + 1).astype(int)
    margin = 100  # samples in which it fades
    assert np.abs(left[places[3] + margin : places[4] - margin]).max() < 1e-4
    for part in (0, 7, 11):
        inside = slice(places[part] + margin, places[part + 1] - margin)
        assert np.allclose(left[inside], whole[inside], atol=1e-3)
    assert PARTED.without([]) == PARTED.value
    assert np.abs(decoding.waveform(PARTED.only([]))).max() < 1e-4


def test_shares_go_to_the_stretch_that_they_lie_in() -> None:
    ends = (PARTED.ends * 100).round().astype(int)
    given = Contribution(
        spans=((0, int(ends[2]), int(ends[3])), (0, int(ends[11]), int(ends[12]))),
        shares=np.array([0.5, -0.25]),
        rest=0.0,
    )
    found = PARTED.gathered(given)
    assert (found[2], found[11], np.count_nonzero(found)) == (0.5, -0.25, 2)


def test_a_line_of_time_says_what_spoke_for_and_against() -> None:
    strengths = np.zeros(PARTS)
    strengths[1], strengths[5] = 1.0, -0.3
    text = "".join(piece for piece, _ in PARTED.marked(strengths))
    assert text.startswith("a.wav  0 s · ++· · · - ")
    assert text.endswith(" 1.20 s")
