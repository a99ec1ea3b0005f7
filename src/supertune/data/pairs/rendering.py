"""Texts of any length, translated line by line and put together again.

Line breaks and blanks around lines stay. A line with more tokens than translators are used to is
cut between sentences. Placeholders are shown as words that are copied; where a translation lost one
nevertheless, what stands between them is translated by itself, and they are put back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from supertune import limits, placeholders
from supertune.contracts import Lens, Rendering, Translated, Translating, translator
from supertune.contracts.translation import Mixing
from supertune.data.pairs import noticed

AHEAD = 256  # texts that are looked at at a time, to put those of like length together
TOKENS = 1024  # of the sources of a batch
LONG = 160  # tokens of a line that is translated whole
FAR, SHORT = 3.0, 30  # times the source's length, and characters below which that says nothing
_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Asked:
    """What is translated by: see `translated`."""

    lens: Lens
    how: Rendering
    keep: bool
    cut: int
    mixing: Mixing | None

    @property
    def backbone(self) -> Translating:
        return translator(self.lens)


def translated(
    texts: Sequence[str],
    lens: Lens,
    how: Rendering,
    *,
    keep: bool = False,
    cut: int | None = None,
    mixing: Mixing | None = None,
) -> Iterator[Translated]:
    """(n,) translations; see `supertune.contracts.Rendered`.

    Args:
        cut: where runs begin; the decoder by default.
        mixing: what else has a say in each next word.
    """
    start = lens.backbone.offer.depth if cut is None else cut
    asked = Asked(lens, how, keep, start, mixing)
    for at in range(0, len(texts), AHEAD):
        yield from _some(texts[at : at + AHEAD], asked)


def parts(text: str, lens: Lens) -> list[tuple[str, bool]]:
    """The parts in which a text is translated, in their order, and of each whether it stays as it
    is."""
    return _parts(text, Asked(lens, Rendering(), False, lens.backbone.offer.depth, None))


def _some(texts: Sequence[str], asked: Asked) -> list[Translated]:
    parts = [_parts(text, asked) for text in texts]
    wanted = dict.fromkeys(part for text in parts for part, plain in text if not plain)
    shown = {part: placeholders.masked(part) for part in wanted}
    made = _all(list(dict.fromkeys(one.text for one in shown.values())), asked)
    found = {}
    for part, one in shown.items():
        back = one.back(made[one.text].text)
        if back is not None:
            others = [(one.back(other.text), other) for other in made[one.text].others]
            kept = tuple(replace(other, text=text) for text, other in others if text is not None)
            found[part] = replace(made[one.text], text=back, others=kept)
    found |= _around([part for part in shown if part not in found], asked)
    return [_joined(text, held, found) for text, held in zip(texts, parts, strict=True)]


def _joined(
    text: str, parts: Sequence[tuple[str, bool]], found: dict[str, Translated]
) -> Translated:
    made = [found[part] for part, plain in parts if not plain]
    whole = "".join(part if plain else found[part].text for part, plain in parts)
    doubts = {doubt for one in made for doubt in one.doubts} | set(doubts_of(text, whole))
    surety = sum(one.surety for one in made) / len(made) if made else 0.0
    return Translated(whole, surety, tuple(sorted(doubts)), _others(text, whole, parts, made))


def _others(
    text: str, whole: str, parts: Sequence[tuple[str, bool]], made: Sequence[Translated]
) -> tuple[Translated, ...]:
    """The next best of a text, where it was translated in one piece: of several, which goes with
    which is not known."""
    if len(made) != 1:
        return ()
    found = dict[str, Translated]()
    for other in made[0].others:
        said = "".join(part if plain else other.text for part, plain in parts)
        if said != whole:
            doubts = tuple(sorted(doubts_of(text, said)))
            found.setdefault(said, Translated(said, other.surety, doubts))
    return tuple(found.values())


def _parts(text: str, asked: Asked) -> list[tuple[str, bool]]:
    """What is translated of a text, and what stays as it is."""
    found: list[tuple[str, bool]] = []
    for line in re.split(r"(\s*[\r\n]+\s*)", text):
        bare = line.strip()
        if not _LETTER.search(bare):
            found.append((line, True))
            continue
        before, after = line[: line.index(bare)], line[line.index(bare) + len(bare) :]
        found.append((before, True))
        for number, part in enumerate(_cut(bare, asked)):
            found += [(" ", True)] if number else []
            found.append((part, False))
        found.append((after, True))
    return [(part, plain) for part, plain in found if part]


def _cut(line: str, asked: Asked) -> list[str]:
    """A line of more than `LONG` tokens in its sentences, and these in halves where they are as
    long: of many sentences at once such models leave some out."""
    if len(line) <= LONG or len(asked.backbone.read([line])[0]) <= LONG:
        return [line]
    pieces = [piece for piece in _ENDS.split(line) if piece]
    if len(pieces) == 1:
        words = line.split()
        if len(words) < 2:
            return [line[at : at + 2 * LONG] for at in range(0, len(line), 2 * LONG)]
        pieces = [" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])]
    return [part for piece in pieces for part in _cut(piece, asked)]


def _all(texts: Sequence[str], asked: Asked) -> dict[str, Translated]:
    """Texts in batches of like length."""
    backbone = asked.backbone
    activations = asked.lens.activations if asked.keep else asked.lens.backbone.activations
    pieces = backbone.read(texts)
    order = sorted(range(len(texts)), key=lambda i: (len(pieces[i]), texts[i]))
    found: dict[str, Translated] = {}
    while order:
        limits.check()
        room = max(1, AHEAD // asked.how.beams)
        count = max(1, min(len(order), room, TOKENS // max(1, len(pieces[order[0]]))))
        taken, order = order[:count], order[count:]
        some = [pieces[i] for i in taken]
        states = backbone.states(activations(some, asked.cut), asked.cut)
        made = backbone.translated(states, some, asked.how, asked.mixing)
        found |= {texts[i]: one for i, one in zip(taken, made, strict=True)}
    return found


def _differ(source: str, text: str) -> bool:
    return placeholders.of(source) != placeholders.of(text)


def _around(texts: Sequence[str], asked: Asked) -> dict[str, Translated]:
    """Texts whose placeholders were lost, translated between them."""
    if not texts:
        return {}
    apart = {text: placeholders.apart(text) for text in texts}
    wanted = dict.fromkeys(
        part.strip() for parts in apart.values() for part, held in parts
        if not held and _LETTER.search(part)
    )  # fmt: skip
    made = _all(list(wanted), asked)
    found = {}
    for text, parts in apart.items():
        whole, sureties = "", []
        for part, held in parts:
            bare = part.strip()
            if held or bare not in made:
                whole += part
                continue
            whole += part.replace(bare, made[bare].text, 1)
            sureties.append(made[bare].surety)
        surety = sum(sureties) / len(sureties) if sureties else 0.0
        found[text] = Translated(whole, surety, ("placeholders",))
    return found


def doubts_of(source: str, text: str) -> list[str]:
    """What speaks against a translation, by its looks; see `Translated.doubts`."""
    if not _LETTER.search(source):
        return []
    if not text.strip():
        return ["empty"]
    found = ["copied"] if noticed.copied(source, text) else []
    if repeats(text) and not repeats(source):
        found.append("repeats")
    first, second = len(source.strip()), len(text.strip())
    if max(first, second) >= SHORT and not 1 / FAR <= second / first <= FAR:
        found.append("length")
    return found + (["placeholders"] if _differ(source, text) else [])


def repeats(text: str) -> bool:
    """Whether the same few words come again and again."""
    words = text.split()
    if len(words) < 8:
        return False
    threes = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    twos = [tuple(words[i : i + 2]) for i in range(len(words) - 1)]
    return len(set(threes)) < 0.5 * len(threes) or len(set(twos)) < 0.4 * len(twos)
