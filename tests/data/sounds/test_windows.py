"""Windows of long recordings, and what both of two windows heard."""

from __future__ import annotations

import pytest

from supertune.contracts import Recording, Segment, Written
from supertune.data.sounds.windows import clips, joined, seamed

ONE = Recording("0" * 64, "one.wav")


def test_windows_cover_a_recording_and_share_what_was_asked_for() -> None:
    found = clips(ONE, 70.0, (10.0, 30.0), 4.0)
    assert [(clip.start, clip.end) for clip in found] == [(0, 30), (26, 56), (52, 70)]
    assert {clip.window for clip in found} == {30.0}
    assert len(clips(ONE, 30.0, (10.0, 30.0), 4.0)) == 1


@pytest.mark.parametrize(
    ("seconds", "window"), [(7.5, 10.0), (9.5, 10.0), (9.6, 20.0), (19.9, 30.0), (30.0, 30.0)]
)
def test_a_recording_is_read_in_the_shortest_window_that_holds_it(
    seconds: float, window: float
) -> None:
    (found,) = clips(ONE, seconds, (10.0, 20.0, 30.0), 4.0)
    assert (found.seconds, found.window) == (seconds, window)


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("press one to call", "to call the agent", "press one to call the agent"),
        ("press one, to Call", "One to call! the agent", "press one, to Call the agent"),
        ("all is said", "something else", "all is said something else"),
        ("wait the", "the the agent", "wait the the agent"),
    ],
)
def test_words_that_both_windows_heard_are_written_once(
    first: str, second: str, whole: str
) -> None:
    assert " ".join(part for part in seamed(first, second) if part) == whole


def test_a_piece_that_a_window_cut_off_is_taken_from_the_next() -> None:
    before, clip = clips(ONE, 50.0, (10.0, 30.0), 4.0)
    first = Written(
        "One. Two and", "en", (Segment(0.0, 25.0, "One."), Segment(26.5, 30.0, "Two and"))
    )
    second = Written(
        "Two and three. Four.",
        "en",
        (Segment(26.2, 33.0, "Two and three."), Segment(34.0, 36.0, "Four.")),
    )
    found = joined([first, second], [before, clip])
    assert [one.text for one in found.segments] == ["One.", "Two and three.", "Four."]
    assert found.text == "One. Two and three. Four."
    ends = [time for one in found.segments for time in (one.start, one.end)]
    assert ends == sorted(ends)


def test_doubts_of_any_window_are_told_and_silence_is_no_text() -> None:
    held = clips(ONE, 50.0, (10.0, 30.0), 4.0)
    quiet = Written("", "en", (), -2.0, ("silence",))
    said = Written("Hello.", "fr", (Segment(26.0, 50.0, "Hello."),), -0.2)
    found = joined([quiet, said], held)
    assert (found.text, found.language, found.doubts) == ("Hello.", "fr", ("silence",))
    assert found.surety == -0.2
