"""What a voice reads of a text: the numbers of its phonemes, or of letters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from supertune.backbones.voices import phonemes
from supertune.errors import InputError

LATIN = 0x250  # code points below are of Latin letters and their marks


class Reader(Protocol):
    def __call__(self, text: str) -> list[int]:
        """The symbols of a text; empty where there is nothing to say."""
        ...


def reader(folder: Path, config: Mapping[str, Any]) -> Reader:
    """How a model folder's voice reads.

    Raises:
        InputError: ``not_a_backbone`` where the folder does not say.
    """
    if config.get("model_type") == "piper":
        known = dict(config.get("phonemes") or {})
        if not {*config.get("marks", ()), " "} <= known.keys():
            raise _unsaid(folder, "config.json without phonemes")
        return Piper(known, tuple(config["marks"]), str(config.get("espeak_voice", "en-us")))
    return Letters.of(folder)


class Piper:
    """Phonemes by number: one mark before, one behind each, one at the end."""

    def __init__(self, known: Mapping[str, int], marks: tuple[str, ...], voice: str) -> None:
        self.known, self.voice = known, voice
        self.first, self.between, self.last = (known[mark] for mark in marks)

    def __call__(self, text: str) -> list[int]:
        signs = [sign for sign in phonemes.of(text, self.voice) if sign in self.known]
        if not any(sign.isalpha() for sign in signs):
            return []
        found = [self.first, self.between]
        for sign in signs:
            found += [self.known[sign], self.between]
        return [*found, self.last]


class Letters:
    """As the tokenizer of a `VitsModel` reads: letters, or phonemes of espeak-ng."""

    def __init__(self, tokenizer: Any, phonemized: bool, voice: str) -> None:
        self.tokenizer, self.phonemized, self.voice = tokenizer, phonemized, voice

    @classmethod
    def of(cls, folder: Path) -> Letters:
        from transformers import VitsTokenizer

        try:
            tokenizer = VitsTokenizer.from_pretrained(folder)
        except (OSError, TypeError, ValueError) as error:
            raise _unsaid(folder, f"{type(error).__name__} opening its tokenizer") from error
        phonemized, tokenizer.phonemize = bool(tokenizer.phonemize), False
        return cls(tokenizer, phonemized, str(tokenizer.language or "en-us"))

    def __call__(self, text: str) -> list[int]:
        if self.phonemized:
            text = phonemes.of(text, self.voice)
        elif self.tokenizer.is_uroman and any(s.isalpha() and ord(s) >= LATIN for s in text):
            raise _not_latin(text)
        known = self.tokenizer.get_vocab()
        signs = text if self.phonemized else self.tokenizer.normalize_text(text)
        if not any(sign.isalpha() and sign in known for sign in signs):
            return []
        return [int(one) for one in self.tokenizer(text)["input_ids"]]


def _not_latin(text: str) -> InputError:
    return InputError(
        "not_romanised",
        "This voice reads Latin letters.",
        received=text[:40],
        allowed="a text in Latin letters",
        next="Put it into Latin letters first, as the package uroman does.",
    )


def _unsaid(folder: Path, received: str) -> InputError:
    return InputError(
        "not_a_backbone",
        f"{folder.name} does not say what its voice reads.",
        received=received,
        allowed="vocab.json and tokenizer_config.json of a VitsTokenizer, or phonemes of Piper",
        next="Save the tokenizer beside the model, or choose piper-joe.",
    )
