"""Texts out of the likeliest token of each moment, as CTC has them (Graves et al. 2006).

What repeats is written once, blanks not at all. No language model takes part, so that neither
beams nor hints would change much: they are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supertune.backbones.transformers.speech import guarding
from supertune.backbones.transformers.speech.characters import Characters
from supertune.contracts import Clip, Listening, Segment, Written
from supertune.errors import InputError

PAUSE, LONG = 0.5, 6.0  # seconds between two pieces at least, and of one from which it may end


@dataclass(frozen=True)
class Emitted:
    """One token, the moments at which it is heard, and its log-likelihood at the first."""

    token: int
    first: int
    last: int
    surety: float


def refuse(how: Listening, name: str) -> None:
    """What greedy decoding cannot do.

    Raises:
        InputError: ``beams_unsupported``, ``hints_unsupported``, ``domain_text_unsupported``.
    """
    asked = {
        "beams": how.beams > 1,
        "hints": bool(how.hints and how.bias),
        "domain_text": bool(how.domain_text and how.domain_weight),
    }
    for option, given in asked.items():
        if given:
            raise InputError(
                f"{option}_unsupported",
                f"{name} writes the likeliest character of each moment, one text at a time.",
                received=_shown(option, getattr(how, option)),
                allowed=f"no {option} with a CTC model",
                next=f"Leave {option} out, or choose a backbone with a decoder: whisper-base.",
            )


def _shown(option: str, value: Any) -> str:
    return f"{len(value)} texts" if option == "domain_text" else f"{option} {value}"


def emitted(chances: Any, blank: int) -> list[Emitted]:
    """The tokens of (T, V) log-likelihoods, in their order."""
    sure, best = (each.tolist() for each in chances.max(dim=1))
    found: list[Emitted] = []
    before = blank
    for place, token in enumerate(best):
        if token == before and token != blank:
            one = found[-1]
            found[-1] = Emitted(token, one.first, place, one.surety)
        elif token != blank:
            found.append(Emitted(token, place, place, sure[place]))
        before = token
    return found


def told(chances: Any, clip: Clip, words: Characters, how: Listening, language: str) -> Written:
    """What (T, V) log-likelihoods of a clip say."""
    found = emitted(chances, words.blank)
    sure = [one.surety for one in found]
    surety = sum(sure) / len(sure) if sure else float(chances[:, words.blank].mean())
    if how.guard and guarding.loudness(clip) < guarding.QUIET:
        return Written("", language, (), surety, ("silence",))
    text = words.text([one.token for one in found])
    pieces = [Segment(clip.start, clip.end, text)] if text else []
    if how.timestamps:
        pieces = _pieces(found, clip.seconds / len(chances), clip, words)
    return Written(text, language, tuple(pieces), surety)


def _pieces(
    found: Sequence[Emitted], moment: float, clip: Clip, words: Characters
) -> list[Segment]:
    """Whole words, cut at pauses and where a piece grows long; ``moment``: seconds of one."""
    groups: list[list[list[Emitted]]] = []
    for word in _words(found, words):
        if groups:
            first, last = groups[-1][0][0].first, groups[-1][-1][-1].last
            near = (word[0].first - last) * moment < PAUSE
            if near and (word[-1].last - first) * moment < LONG:
                groups[-1].append(word)
                continue
        groups.append([word])
    made: list[Segment] = []
    for held in groups:
        start = clip.start + held[0][0].first * moment
        end = clip.start + (held[-1][-1].last + 1) * moment
        text = " ".join(words.text([one.token for one in word]) for word in held)
        made.append(Segment(round(start, 3), round(end, 3), " ".join(text.split())))
    return [one for one in made if one.text]


def _words(found: Sequence[Emitted], words: Characters) -> list[list[Emitted]]:
    """Tokens by word; what stands between two belongs to neither."""
    groups: list[list[Emitted]] = []
    fresh = True
    for one in found:
        if words.is_space(one.token):
            fresh = True
            continue
        if fresh:
            groups.append([])
        groups[-1].append(one)
        fresh = False
    return groups
