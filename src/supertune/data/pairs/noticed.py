"""What a person should know about translations before anything is learned from them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from supertune import placeholders
from supertune.contracts import Examples, Finding
from supertune.data.cells import counted
from supertune.data.language import guess_language, short_words

FAR = 3.0  # times the usual ratio of lengths, or a third of it, that hardly belong together
SHORT = 20  # characters, below which a ratio says nothing
ALONE = 25  # characters of a side whose language is told by itself
SURE = 3  # short words of another language more than of the usual one
COPIED = 12  # characters, below which a name or a number may well be the same


def about(examples: Examples) -> list[Finding]:
    """``copied_target``, ``wrong_language``, ``length_mismatch``, ``placeholder_mismatch``,
    ``several_translations``."""
    assert examples.targets is not None
    sources = [str(text) for text in examples.inputs]
    targets = [str(text) for text in examples.targets]
    found = (
        _told(examples, "copied_target", "whose translation is the source itself",
              [i for i, (a, b) in enumerate(zip(sources, targets, strict=True)) if copied(a, b)]),
        _told(examples, "wrong_language", "that seem to have a side in another language than the "
              "others", _strangers(sources, targets)),
        _told(examples, "length_mismatch", "whose sides are too unlike in length to belong "
              "together", _unlike(sources, targets)),
        _told(examples, "placeholder_mismatch", "whose placeholders or tags differ between the "
              "sides", [i for i, (a, b) in enumerate(zip(sources, targets, strict=True))
                        if placeholders.of(a) != placeholders.of(b)]),
        _told(examples, "several_translations", "of sources that are translated in several ways",
              _several(sources, targets)),
    )  # fmt: skip
    return [one for one in found if one is not None]


def copied(source: str, target: str) -> bool:
    """Whether a text of some length was left as it was."""
    plain = [" ".join(text.casefold().split()) for text in (source, target)]
    return plain[0] == plain[1] and len(plain[0]) >= COPIED and " " in plain[0]


def _told(examples: Examples, code: str, what: str, index: Sequence[int]) -> Finding | None:
    if not index:
        return None
    message = f"{counted(len(index), 'pair')} {what}; look at them, they are learned from as well."
    return Finding(code, message, tuple(int(examples.rows[i]) for i in index))


def _strangers(sources: Sequence[str], targets: Sequence[str]) -> list[int]:
    """Texts that seem to be in another language than most of their side, by more than a word or
    two: languages that are near each other share short ones."""
    odd: set[int] = set()
    for side in (sources, targets):
        usual = guess_language(side)
        for i, text in enumerate(side if usual else ()):
            told = guess_language([text]) if len(text) >= ALONE else None
            if told in (None, usual):
                continue
            found = short_words(text)
            if told not in found or found[told] - found[str(usual)] >= SURE:
                odd.add(i)
    return sorted(odd)


def _unlike(sources: Sequence[str], targets: Sequence[str]) -> list[int]:
    ratios = np.array([len(b) / max(1, len(a)) for a, b in zip(sources, targets, strict=True)])
    usual = float(np.median(ratios)) if len(ratios) else 1.0
    long = [max(len(a), len(b)) >= SHORT for a, b in zip(sources, targets, strict=True)]
    far = (ratios > FAR * usual) | (ratios < usual / FAR)
    return np.flatnonzero(far & np.array(long, dtype=bool)).tolist()


def _several(sources: Sequence[str], targets: Sequence[str]) -> list[int]:
    ways: dict[str, Counter[str]] = defaultdict(Counter)
    for source, target in zip(sources, targets, strict=True):
        ways[source][target] += 1
    return [i for i, source in enumerate(sources) if len(ways[source]) > 1]
