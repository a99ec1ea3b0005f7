"""How an `Alignment` is found: the translation is written once more word by word, watched, and
again with each word of its source unknown.

Shapes: T words of a translation of L tokens, W words of a source of S tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import limits, placeholders
from supertune.contracts import Aligning, FloatArray, Input, Lens, Looking, Rendering, translator
from supertune.data.pairs import rendering
from supertune.errors import InputError
from supertune.explaining.alignment import Alignment, Word, WrittenWord
from supertune.explaining.near_pairs import near_pairs
from supertune.explaining.subject import Subject

WAY = "attention"
NEAREST = 3
TOKENS = 1024  # of a batch
_WORD = r"\w+(?:['\u2019-]\w+)*|[^\w\s]"
_LETTER = re.compile(r"\w")


def aligned(
    subject: Subject, value: Input, *, way: str | None = None, context: bool = True
) -> Alignment:
    """Why ``subject``, whose `Subject.tuned` is an `Aligning`, translates a text as it does.

    Args:
        way: ``"attention"``, the only one.
        context: whether pairs that were learned from may be named.

    Raises:
        InputError: ``unknown_way``, ``text_too_long``.
    """
    tuned, lens, text = subject.tuned, subject.lens, str(value)
    assert isinstance(tuned, Aligning)
    assert lens is not None
    if way not in (None, WAY):
        raise InputError(
            "unknown_way",
            f"A translation is not explained by {way}.",
            received=str(way),
            allowed=WAY,
            next="Leave the way out.",
        )
    (whole,) = tuned.translate([text], lens, Rendering())
    words, asked = [], 0
    sides = _sides(tuned, lens, text, whole.text)
    with tuned.entered(lens) as cut:
        for side in sides:
            made = _Watched.of(side, lens, cut)
            words += made.words()
            asked += made.asked
    nearest = near_pairs(subject.rows, text, NEAREST) if context else []
    return Alignment(text, whole.text, whole.surety, whole.doubts, words, nearest, asked)


@dataclass(frozen=True)
class _Side:
    """A source and its translation, and where they begin in the texts that they are parts of."""

    source: str
    target: str
    starts: tuple[int, int] = (0, 0)


def _sides(tuned: Aligning, lens: Lens, text: str, whole: str) -> list[_Side]:
    """What was translated by itself; all together where a translation was not put together."""
    parts = rendering.parts(text, lens)
    wanted = [part for part, plain in parts if not plain]
    if not wanted:
        return []
    made = iter(tuned.translate(wanted, lens, Rendering()) if len(wanted) > 1 else ())
    if len(wanted) == 1:
        return [_stripped(text, whole)]
    found, start, begun = [], 0, 0
    for part, plain in parts:
        start = text.index(part, start) if not plain else start
        said = part if plain else next(made).text
        if not plain:
            found.append(_Side(part, said, (start, begun)))
            start += len(part)
        begun += len(said)
        if not whole.startswith(said, begun - len(said)):
            return [_stripped(text, whole)]
    return found if begun == len(whole) else [_stripped(text, whole)]


def _stripped(text: str, whole: str) -> _Side:
    starts = tuple(len(one) - len(one.lstrip()) for one in (text, whole))
    return _Side(text.strip(), whole.strip(), (starts[0], starts[1]))


@dataclass(frozen=True, eq=False)
class _Cut:
    """A text in words, and the tokens of each; a sign that shares its only token with the word
    before it is none."""

    words: list[Word]
    tokens: list[list[int]]

    @classmethod
    def of(
        cls, seen: str, text: str, start: int, stands: dict[str, str], spans: list[tuple[int, int]]
    ) -> _Cut:
        """``seen`` is the text as the model sees it, with words that stand for placeholders;
        ``spans`` are of its tokens."""
        marks = [rf"(?<!\w){one}(?!\w)" for one in stands]
        words, tokens, at, free = [], [], 0, 0
        for match in re.finditer("|".join([*marks, _WORD]), seen):
            name = stands.get(match.group(), match.group())
            at = max(text.find(name, at), at)
            own = [
                i for i, (a, b) in enumerate(spans)
                if i >= free and a < match.end() and b > match.start()
            ]  # fmt: skip
            if own:
                words.append(Word(name, start + at, start + at + len(name)))
                tokens.append(own)
                free = own[-1] + 1
            at += len(name)
        return cls(words, tokens)

    @property
    def lettered(self) -> list[int]:
        """Those of the words that are no signs."""
        return [place for place, word in enumerate(self.words) if _LETTER.search(word.text)]


@dataclass(frozen=True, eq=False)
class _Watched:
    """What was seen of one `_Side`.

    Attributes:
        looked: (T, W) shares.
        likely: (T,) log-likelihoods.
        losses: (T, those of the W that are no signs) what `likely` loses without each.
    """

    source: _Cut
    target: _Cut
    looked: FloatArray
    likely: FloatArray
    losses: FloatArray
    asked: int

    @classmethod
    def of(cls, side: _Side, lens: Lens, cut: int) -> _Watched:
        backbone = translator(lens)
        assert isinstance(backbone, Looking)
        ((seen, written),) = placeholders.shown([side.source], [side.target])
        one = placeholders.masked(side.source)
        held = [placeholder for placeholder, _, _ in one.held]
        stands = dict(zip(one.words, held, strict=True)) if seen != side.source else {}
        spans = backbone.spans(seen), backbone.spans(written, answer=True)
        source = _Cut.of(seen, side.source, side.starts[0], stands, spans[0])
        target = _Cut.of(written, side.target, side.starts[1], stands, spans[1])
        (piece,) = backbone.read([seen])
        text = backbone.spelled(written)
        _refuse_long(len(piece), len(text), lens.backbone.offer.max_length)
        states = backbone.states(lens.backbone.activations([piece], cut), cut)
        (shares,) = backbone.looked(states, [text])
        pieces = [piece, *(backbone.hidden(piece, source.tokens[i]) for i in source.lettered)]
        chances = _likely(lens, pieces, text, cut)
        each = np.array([_sums(row, target.tokens) for row in chances])
        looked = np.array([[_share(shares, a, b) for b in source.tokens] for a in target.tokens])
        looked = looked.reshape(len(target.words), len(source.words))
        return cls(source, target, looked, each[0], (each[:1] - each[1:]).T, len(pieces))

    def words(self) -> list[WrittenWord]:
        """The words of the translation."""
        made, lettered = [], self.source.lettered
        tested = set(self.target.lettered) if len(lettered) > 1 else set()
        for place, word in enumerate(self.target.words):
            order = np.argsort(-self.looked[place], kind="stable")
            sources = tuple((self.source.words[i], float(self.looked[place, i])) for i in order)
            falls = other = None
            if place in tested:
                most = int(np.argmax(self.looked[place, lettered]))
                losses = self.losses[place]
                falls = float(losses[most])
                other = float((losses.sum() - losses[most]) / (len(losses) - 1))
            made.append(WrittenWord(word, sources, float(self.likely[place]), falls, other))
        return made


def _refuse_long(source: int, target: int, most: int) -> None:
    if max(source, target) > most:
        raise InputError(
            "text_too_long",
            "A text that was learned from as a whole is too long to be explained word by word.",
            received=f"{source} tokens, translation {target}",
            allowed=f"at most {most} tokens on each side",
            next="Ask about one of its sentences.",
        )


def _likely(
    lens: Lens, pieces: Sequence[Any], text: list[int], cut: int
) -> list[npt.NDArray[np.float64]]:
    """For each source (L,) log-likelihoods of the same translation."""
    backbone = translator(lens)
    count = max(1, TOKENS // max(len(text), len(pieces[0])))
    found = []
    for start in range(0, len(pieces), count):
        limits.check()
        some = pieces[start : start + count]
        states = backbone.states(lens.backbone.activations(some, cut), cut)
        held = backbone.contexts(states, [text] * len(some))
        found += [np.asarray(chances, dtype=np.float64) for _, chances in held]
    return found


def _sums(chances: FloatArray, tokens: Sequence[list[int]]) -> list[float]:
    return [float(chances[some].sum()) for some in tokens]


def _share(shares: FloatArray, target: list[int], source: list[int]) -> float:
    """How much was looked at a word of the source when a word was written, of all."""
    return float(shares[np.ix_(target, source)].sum() / len(target))
