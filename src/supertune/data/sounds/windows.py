"""Recordings of any length, read window by window, and put together again.

A window begins some seconds before the one before it ends; what both heard is taken once, joined
where their words agree. Windows of like length are written down together, and each depends on
nothing beside it but by float32 rounding.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from supertune import limits, transcripts
from supertune.contracts import (
    Clip,
    Lens,
    Listening,
    Recording,
    Segment,
    Transcribing,
    Written,
)
from supertune.data.language import guess_language
from supertune.data.sounds import skipping

TOGETHER = 16  # clips that are written down at a time
ASKED = 8  # recordings that are asked which language they are in
SEAM = 40  # words on both sides of a seam that are compared
CUT = 0.3  # seconds before the end of a window within which a piece may have been cut off
MARGIN = 0.5  # seconds of silence behind what is heard in a window shorter than the longest
AHEAD = 64  # recordings that are looked at at a time, to put clips of like length together


def whole(recording: Recording, lens: Lens, windows: Sequence[float]) -> Clip:
    """All of a recording that is no longer than the last of ``windows``."""
    backbone = lens.backbone
    assert isinstance(backbone, Transcribing)
    seconds = min(windows[-1], backbone.seconds(recording))
    return Clip(recording, 0.0, seconds, shortest(seconds, windows))


def shortest(seconds: float, windows: Sequence[float]) -> float:
    """The first of ``windows``, ascending, that holds so many seconds with some silence behind
    them; the last where none does."""
    return next((one for one in windows if seconds + MARGIN <= one), windows[-1])


def language_of(said: Sequence[str], recordings: Sequence[Recording], lens: Lens) -> str | None:
    """The language that is spoken: as given, as transcripts read, or as it is heard."""
    backbone, given = lens.backbone, lens.encoding.language
    assert isinstance(backbone, Transcribing)
    known = backbone.languages
    if given is not None or not known:
        return given
    read = guess_language(said)
    if read in known:
        return read
    some, cut = recordings[:ASKED], backbone.offer.depth
    held = [whole(one, lens, (backbone.window,)) for one in some]
    heard = backbone.heard(backbone.states(lens.activations(held, cut), cut))
    return Counter(heard).most_common(1)[0][0]


def clips(
    recording: Recording, seconds: float, windows: Sequence[float], overlap: float
) -> list[Clip]:
    """The windows of a recording of so many seconds: the `shortest` where one holds it, else such
    of the last's length that share ``overlap`` seconds."""
    found, start, most = list[Clip](), 0.0, windows[-1]
    if seconds <= most:
        return [Clip(recording, 0.0, seconds, shortest(seconds, windows))]
    while True:
        length = min(most, seconds - start)
        found.append(Clip(recording, start, length, most))
        if start + length >= seconds:
            return found
        start = round(start + most - overlap, 3)


def written(
    recordings: Sequence[Recording],
    lens: Lens,
    how: Listening,
    windows: Sequence[float],
    *,
    keep: bool = False,
    cut: int | None = None,
) -> Iterator[Written]:
    """(n,) what is said in each; see `supertune.contracts.Writing`.

    Args:
        windows: seconds that may be read at a time, ascending.
        cut: where runs begin; the decoder by default.
    """
    backbone = lens.backbone
    assert isinstance(backbone, Transcribing)
    for start in range(0, len(recordings), AHEAD):
        part = recordings[start : start + AHEAD]
        parts = [clips(one, backbone.seconds(one), windows, how.overlap) for one in part]
        flat = [clip for held in parts for clip in held]
        entry = lens.backbone.offer.depth if cut is None else cut
        found = _all(flat, lens, how, keep, entry)
        if how.guard:
            found = _unskipped(flat, found, lens, how, windows, entry)
        place = 0
        for held in parts:
            yield joined(found[place : place + len(held)], held)
            place += len(held)


def _all(flat: Sequence[Clip], lens: Lens, how: Listening, keep: bool, cut: int) -> list[Written]:
    backbone = lens.backbone
    assert isinstance(backbone, Transcribing)
    activations = lens.activations if keep else lens.backbone.activations
    found: dict[int, Written] = {}
    order = sorted(range(len(flat)), key=lambda i: (flat[i].window, flat[i].seconds, i))
    while order:
        window = flat[order[0]].window
        taken = [i for i in order[:TOGETHER] if flat[i].window == window]
        order = order[len(taken) :]
        limits.check()
        some = [flat[i] for i in taken]
        states = backbone.states(activations(some, cut), cut)
        if how.language is not None or not backbone.languages:
            languages = [how.language or ""] * len(some)
        else:
            languages = backbone.heard(states)
        texts = backbone.written(states, some, languages, how)
        found |= dict(zip(taken, texts, strict=True))
    return [found[i] for i in range(len(flat))]


def _unskipped(
    flat: Sequence[Clip],
    found: Sequence[Written],
    lens: Lens,
    how: Listening,
    windows: Sequence[float],
    cut: int,
) -> list[Written]:
    """Those of which too little is written, read again in parts."""
    kept = list(found)
    for place, (clip, one) in enumerate(zip(flat, found, strict=True)):
        if not skipping.suspicious(clip, one):
            continue
        parts = [
            replace(part, window=shortest(part.seconds, windows)) for part in skipping.parts(clip)
        ]
        same = how.model_copy(update={"language": one.language or None})
        kept[place] = skipping.fuller(one, _all(parts, lens, same, False, cut))
    return kept


def joined(parts: Sequence[Written], held: Sequence[Clip]) -> Written:
    """What is said in all windows of one recording."""
    if len(parts) == 1:
        return parts[0]
    timed = any(len(one.segments) > 1 or _within(one, clip) for one, clip in zip(parts, held))
    segments = list(parts[0].segments)
    for before, clip, part in zip(held, held[1:], parts[1:]):
        if timed:
            segments = _after(segments, part.segments, before, clip)
        elif segments and part.text:
            kept, more = seamed(segments[-1].text, part.text)
            segments[-1] = replace(segments[-1], text=kept)
            segments += [replace(one, text=more) for one in part.segments if more]
        else:
            segments += part.segments
    heard = [one for one in parts if one.text] or list(parts)
    return replace(
        heard[0],
        text=" ".join(one.text for one in segments),
        segments=tuple(segments),
        surety=sum(one.surety for one in heard) / len(heard),
        doubts=tuple(dict.fromkeys(doubt for one in parts for doubt in one.doubts)),
    )


def _within(one: Written, clip: Clip) -> bool:
    """Whether the only piece of a window says when it is heard."""
    ends = [(piece.start, piece.end) for piece in one.segments]
    return bool(ends) and ends != [(clip.start, clip.end)]


def seamed(text: str, more: str) -> tuple[str, str]:
    """The texts of two windows, without what both heard: they meet where their words agree
    longest."""
    first, second = text.split(), more.split()
    tail, head = first[-SEAM:], second[:SEAM]
    plain = [[transcripts.normalised(word) for word in words] for words in (tail, head)]
    match = difflib.SequenceMatcher(None, plain[0], plain[1], False).find_longest_match()
    if not match.size or (match.size == 1 and match.b > 1):
        return text, more
    kept = first[: len(first) - len(tail) + match.a + match.size]
    return " ".join(kept), " ".join(second[match.b + match.size :])


def _after(
    segments: list[Segment], more: Sequence[Segment], before: Clip, clip: Clip
) -> list[Segment]:
    """Pieces of two windows. One that the first window cut off is the second's, which heard the end
    of it; else the first's are kept, and of the second's those that lie behind them."""
    cut_off = [one for one in segments if one.end >= before.end - CUT and one.start >= clip.start]
    kept = [one for one in segments if one not in cut_off]
    last = kept[-1].end if kept else clip.start
    found = [one for one in more if (one.start + one.end) / 2 >= last]
    if not found:
        return segments
    return [*kept, *(replace(one, start=max(one.start, last)) for one in found)]
