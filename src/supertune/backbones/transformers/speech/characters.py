"""Texts as the characters that a model with a CTC head tells apart, and back."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from supertune.errors import InputError

KIND = "Wav2Vec2CTCTokenizer"
_LISTED = 12  # characters that a message names


class Characters:
    """The vocabulary of a tokenizer of characters.

    Args:
        blank: the token that stands for nothing new.
        name: of the backbone, for messages.

    Raises:
        InputError: ``tokenizer_unreadable`` where tokens are no characters.
    """

    def __init__(self, tokenizer: Any, blank: int, name: str) -> None:
        self.blank = blank
        known: dict[str, int] = tokenizer.get_vocab()
        special = set(tokenizer.all_special_ids) | {blank}
        space = str(getattr(tokenizer, "word_delimiter_token", None) or " ")
        signs = {sign: number for sign, number in known.items() if number not in special}
        self.signs = {
            sign: number for sign, number in signs.items() if len(sign) == 1 and sign != space
        }
        if type(tokenizer).__name__ != KIND or not any(map(str.isalpha, self.signs)):
            raise InputError(
                "tokenizer_unreadable",
                f"The tokens of {name} are no characters.",
                received=f"{type(tokenizer).__name__} of {len(known)} tokens",
                allowed=f"vocab.json with one token a letter, as {KIND} of transformers reads it",
                next="Choose another backbone of speech, such as whisper-base.",
            )
        self._space = known.get(space)
        self._shown = {number: sign for sign, number in signs.items()}
        if self._space is not None:
            self._shown[self._space] = " "
        self._lower = bool(getattr(tokenizer, "do_lower_case", False))

    def spelled(self, text: str) -> list[int]:
        """The tokens of a text: letters in the case that is known, punctuation that is not known
        left out, words apart.

        Raises:
            InputError: ``characters_unknown``.
        """
        found: list[int] = []
        unknown: list[str] = []
        for word in self._words(text):
            if found and self._space is not None:
                found.append(self._space)
            for sign in word:
                number = self._number(sign)
                if number is not None:
                    found.append(number)
                elif unicodedata.category(sign)[0] in "LNM":
                    unknown.append(sign)
        if unknown:
            raise InputError(
                "characters_unknown",
                "A transcript has characters that the backbone cannot write.",
                received=f"{' '.join(sorted(set(unknown))[:_LISTED])} in: {text[:60]}",
                allowed=" ".join(sorted(self.signs)),
                next="Spell them with those, numbers in words; or choose a backbone that writes "
                "them, such as whisper-base.",
            )
        return found

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens of which repeats and blanks are gone, as a text."""
        made = "".join(self._shown.get(token, "") for token in tokens)
        return " ".join((made.lower() if self._lower else made).split())

    def is_space(self, token: int) -> bool:
        """Whether a token stands between two words."""
        return token == self._space

    def _words(self, text: str) -> list[str]:
        plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
        # A dash stands between words unless the vocabulary has it; other signs join nothing.
        apart = (" " if sign in "-\u2013\u2014/" and sign not in self.signs else sign
                 for sign in plain)  # fmt: skip
        return "".join(apart).split()

    def _number(self, sign: str) -> int | None:
        forms = (sign, sign.lower(), sign.upper())
        return next((self.signs[form] for form in forms if form in self.signs), None)
