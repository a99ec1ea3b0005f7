"""What is heard of a recording: copies, noise, silence, distortion; parts of a long one."""

from __future__ import annotations

import numpy as np
from tests.data.sounds.conftest import encoded, melody, noise, recording, tone

from supertune.contracts import Examples, Recording
from supertune.data.sounds import checks, copies, decoding, hearing, segmenting, varying


def examples(*inputs: Recording) -> Examples:
    return Examples(inputs, np.zeros(len(inputs), int), ("a",), np.arange(1, len(inputs) + 1))


def test_copies_in_other_formats_are_found_and_others_are_not() -> None:
    songs = [melody(seed, 1.2) for seed in range(12)]
    originals = [recording(song, f"{seed}.wav") for seed, song in enumerate(songs)]
    copied = [
        Recording.of(encoded(songs[0], "OGG", "VORBIS"), "0.ogg"),
        recording(0.3 * songs[1], "quiet.wav"),
        recording(decoding.resampled(songs[2], 16_000, 8_000), "8k.wav", rate=8_000),
    ]
    found = copies.clusters([*originals, *copied])
    assert found == [[0, 12], [1, 13], [2, 14]]


def test_copies_whose_ends_were_trimmed_are_found() -> None:
    songs = [melody(seed, 1.2) for seed in range(12)]
    cut = round(0.04 * len(songs[0]))
    copied = [songs[0][cut:], songs[1][:-cut], songs[2][cut:-cut], songs[3][cut // 2 : -cut]]
    given = [recording(song, f"{place}.wav") for place, song in enumerate([*songs, *copied])]
    assert copies.clusters(given) == [[0, 12], [1, 13], [2, 14], [3, 15]]


def test_what_is_wrong_with_recordings_is_said_of_their_rows() -> None:
    loud = np.clip(9 * tone(), -1, 1)
    rows = (
        recording(melody(1)),
        recording(np.zeros(6_000, np.float32)),
        recording(loud),
        recording(noise()),
        recording(melody(2, 0.06)),
        recording(np.concatenate([melody(seed, 8.0) for seed in range(4)])),
    )
    found = {one.code: one.rows for one in checks.noticed(examples(*rows))}
    assert found["silent_recording"] == (2,)
    assert found["clipped_recording"] == (3,)
    assert found["noisy_recording"] == (4,)
    assert found["short_recording"] == (5,)
    assert found["long_recording"] == (6,)
    assert "lengths_differ" in found


def test_a_long_recording_is_cut_in_its_pauses() -> None:
    rate = 16_000
    samples = np.tile(noise(0, 1.0), 70)
    for pause in (25, 47):
        samples[pause * rate : pause * rate + 8_000] = 0
    ends = [end for _, end in segmenting.parts(samples, rate)]
    assert len(ends) == 3
    assert 25 * rate <= ends[0] <= 25 * rate + 8_000
    assert 47 * rate <= ends[1] <= 47 * rate + 8_000
    assert ends[-1] == len(samples)
    assert segmenting.parts(samples[: 20 * rate], rate) == [(0, 20 * rate)]


def test_a_view_is_another_sound_and_always_the_same() -> None:
    one = recording(melody(3))
    first, second = (varying.varied(one, number) for number in (1, 2))
    assert isinstance(first, Recording)
    assert isinstance(second, Recording)
    assert len({one, first, second}) == 3
    heard = decoding.waveform(first)
    assert np.array_equal(heard, decoding.waveform(first))
    assert abs(len(heard) - len(decoding.waveform(one))) <= varying.SHIFT * decoding.RATE
    assert not np.array_equal(heard[:4_000], decoding.waveform(second)[:4_000])


def test_a_recording_is_decoded_once_however_many_ask() -> None:
    one = recording(melody(77))
    (first,), (again,) = hearing.of([one]), hearing.of([one])
    assert first is again
    assert (round(first.seconds, 2), first.rate, first.channels) == (0.6, 16_000, 1)
