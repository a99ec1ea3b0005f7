"""From a text to the pieces of it that are spoken one after another, and the pauses between them.

Sentences end at a full stop, a question or exclamation mark or an empty line; what is longer than
`LONGEST` characters is parted again at commas, or else between words. ``<break time="500ms"/>``,
as in SSML, is a pause; no other tag is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from supertune.contracts import Utterance
from supertune.errors import InputError

LONGEST = 240  # characters of a piece
MOST = 100_000  # characters of a text
PAUSE, MOST_PAUSE = 0.5, 30.0  # seconds of a break that says no time, and at most
_TAG = re.compile(r"<(/?[A-Za-z!?][^<>]*)>")
_BREAK = re.compile(
    r"break(?:\s+time\s*=\s*[\"']\s*([0-9.]+)\s*(ms|s)\s*[\"'])?\s*/?", re.IGNORECASE
)
_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|[。！？]+[”’」』）]*|\s*\n\s*\n\s*")
_SHORT = re.compile(r"(?:^|[\s(])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|No|vs|e\.g|i\.e|etc|z\.B|bzw)\.\s+$")
_CLAUSE = re.compile(r"(?<=[,;:—、，；：])\s*")


def pieces(text: str, pause: float) -> list[Utterance]:
    """What is spoken, in order, with ``pause`` seconds between sentences and none behind the last.

    Raises:
        InputError: ``bad_text``, ``nothing_to_say``, ``text_too_long``, ``unknown_tag``,
            ``bad_break``.
    """
    _check(text)
    found: list[Utterance] = []
    for words, silence in _parts(text):
        for place, sentence in enumerate(_sentences(words)):
            if place and found:
                found[-1] = Utterance(found[-1].text, found[-1].pause + pause)
            parts = list(_cut(sentence))
            found += [Utterance(part) for part in parts]
        if silence and found:
            found[-1] = Utterance(found[-1].text, found[-1].pause + silence)
        elif silence:
            found.append(Utterance("", silence))
    if not any(re.search(r"\w", one.text) for one in found):
        raise InputError(
            "nothing_to_say",
            "There is nothing to say in the text.",
            received=repr(text[:40]),
            allowed="a text with words in it",
            next='For example supertune speak piper-joe "Good morning."',
        )
    return found


def _check(text: str) -> None:
    if not isinstance(text, str):
        raise InputError(
            "bad_text",
            "What is spoken is a text.",
            received=type(text).__name__,
            allowed="a string",
            next='For example supertune.speak("piper-joe", "Good morning.").',
        )
    if len(text) > MOST:
        raise InputError(
            "text_too_long",
            "The text is too long to be spoken at once.",
            received=f"{len(text):,} characters",
            allowed=f"at most {MOST:,} characters",
            next="Speak it chapter by chapter.",
        )


def _parts(text: str) -> Iterator[tuple[str, float]]:
    """Text between tags, and the silence behind it."""
    at = 0
    for tag in _TAG.finditer(text):
        yield text[at : tag.start()], _silence(tag)
        at = tag.end()
    yield text[at:], 0.0


def _silence(tag: re.Match[str]) -> float:
    said = _BREAK.fullmatch(tag[1].strip())
    if said is None:
        raise InputError(
            "bad_break" if tag[1].lower().startswith("break") else "unknown_tag",
            "A tag in the text is not understood.",
            received=f"{tag[0][:60]} at character {tag.start() + 1}",
            allowed='<break time="500ms"/> or <break time="1.5s"/>',
            next="Correct it or leave it out; a plain < is read as text before a blank or a digit.",
        )
    if said[1] is None:
        return PAUSE
    try:
        seconds = float(said[1]) / (1000 if said[2].lower() == "ms" else 1)
    except ValueError:
        seconds = float("inf")
    if seconds > MOST_PAUSE:
        raise InputError(
            "bad_break",
            "A break is no pause that can be made.",
            received=f"{tag[0][:60]} at character {tag.start() + 1}",
            allowed=f"0 to {MOST_PAUSE:g} seconds",
            next='For example <break time="500ms"/>.',
        )
    return seconds


def _sentences(text: str) -> list[str]:
    plain = "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text)
    found, first = [], 0
    for end in _END.finditer(plain):
        if _ends(plain, end):
            found.append(plain[first : end.end()])
            first = end.end()
    return [" ".join(one.split()) for one in (*found, plain[first:]) if one.strip()]


def _ends(text: str, end: re.Match[str]) -> bool:
    """Whether a sentence ends there: not behind an abbreviation, nor before a small letter."""
    if end[0].count("\n") > 1 or end[0][0] in "。！？":
        return True
    follows = text[end.end() : end.end() + 1]
    return not follows.islower() and _SHORT.search(text[: end.end()]) is None


def _cut(sentence: str) -> Iterator[str]:
    """Of no more than `LONGEST` characters each."""
    held = ""
    for part in (word for clause in _CLAUSE.split(sentence) for word in _words(clause)):
        if held and len(held) + 1 + len(part) > LONGEST:
            yield held
            held = ""
        held = f"{held} {part}" if held else part
    if held:
        yield held


def _words(clause: str) -> Iterator[str]:
    """The clause, or where that is too long its words, and of those pieces."""
    if len(clause) <= LONGEST:
        yield clause
        return
    for word in clause.split():
        yield from (word[at : at + LONGEST] for at in range(0, len(word), LONGEST))
