"""A rough guess at the language of some texts, enough to choose a backbone by.

Scripts are told by their letters; languages in Latin script by their commonest short words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

_SCRIPTS = (
    ("zh", "\u3400", "\u9fff"),
    ("ja", "\u3040", "\u30ff"),
    ("ko", "\uac00", "\ud7af"),
    ("ru", "\u0400", "\u04ff"),
    ("ar", "\u0600", "\u06ff"),
    ("he", "\u0590", "\u05ff"),
    ("hi", "\u0900", "\u097f"),
    ("th", "\u0e00", "\u0e7f"),
    ("el", "\u0370", "\u03ff"),
)
_SHORT_WORDS = {
    "en": "the and of to in is it that this was for with not are but you have be on as",
    "fr": "le la les et des est une dans pas pour que qui ce du je il elle avec mais très",
    "de": "der die das und ist nicht ein eine ich mit auf für sich den dem auch es zu wird sehr",
    "es": "el los las y es una en no por que con para se muy del pero como más este su",
    "pt": "o os as e é uma em não por que com para se muito do da mas como mais este",
    "it": "il gli le e è una in non per che con si molto del della ma come più questo di",
    "nl": "de het een en is niet van ik dat in op met voor maar zijn ook er te aan dit",
}
_SHORT = {code: frozenset(words.split()) for code, words in _SHORT_WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")


def guess_language(texts: Iterable[str], limit: int = 200) -> str | None:
    """ISO code of the language most of ``texts`` seem to be in; None when it can't be told."""
    votes: Counter[str] = Counter()
    for number, text in enumerate(texts):
        if number >= limit:
            break
        found = _of_text(text[:600])
        if found:
            votes[found] += 1
    if not votes:
        return None
    language, count = votes.most_common(1)[0]
    return language if count * 2 >= sum(votes.values()) else None


@lru_cache(maxsize=4096)  # a fit asks about the same rows several times
def _of_text(text: str) -> str | None:
    letters = [char for char in text if char.isalpha()]
    if not letters:
        return None
    for code, first, last in _SCRIPTS:
        # Japanese mixes kana with Chinese characters: a tenth of kana settles it.
        share = sum(first <= char <= last for char in letters) / len(letters)
        if code == "zh" and share > 0.3:
            kana = sum("\u3040" <= char <= "\u30ff" for char in letters) / len(letters)
            return "ja" if kana > 0.1 else "zh"
        if share > 0.3:
            return code
    words = Counter(_WORD.findall(text.lower()))
    scores = {
        code: sum(words[word] for word in listed.split()) for code, listed in _SHORT_WORDS.items()
    }
    best = max(scores, key=lambda code: scores[code])
    ties = sum(score == scores[best] for score in scores.values())
    return best if scores[best] > 0 and ties == 1 else None


def short_words(text: str) -> Counter[str]:
    """How many words of a text are among the commonest short ones of each language."""
    words = _WORD.findall(text.casefold())
    return Counter({code: sum(word in some for word in words) for code, some in _SHORT.items()})


def speaks(languages: tuple[str, ...], language: str | None) -> bool:
    """Whether a backbone of these languages suits; unknown on either side counts as yes."""
    return language is None or not languages or "*" in languages or language in languages
