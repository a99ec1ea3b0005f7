"""What tokens mean to a decoder of speech: languages, tasks, times, and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from supertune.backbones.transformers.speech.expecting import Prior
from supertune.errors import InputError, unknown_name

SPACING = 0.02  # seconds between two tokens of times
_HINTS = 223  # tokens of hints at most: half of what the decoder reads, less one


class Vocabulary:
    """A tokenizer with the generation settings of a model folder.

    Args:
        settings: the content of ``generation_config.json``.
        most: positions of the decoder.
    """

    def __init__(self, tokenizer: Any, settings: Mapping[str, Any], most: int) -> None:
        self.tokenizer, self.settings, self.most = tokenizer, settings, most
        named: Mapping[str, int] = settings.get("lang_to_id") or {}
        self._languages = {name.strip("<|>"): number for name, number in named.items()}
        self.start = int(settings["decoder_start_token_id"])
        self.end = int(settings["eos_token_id"])
        self.no_times = int(settings["no_timestamps_token_id"])
        self.first_time = self.no_times + 1
        self.silence = self.no_times - 1  # "nothing is said" stands in front of it
        self.suppressed = tuple(settings.get("suppress_tokens") or ())
        self.suppressed_first = tuple(settings.get("begin_suppress_tokens") or ())
        self._prior: tuple[tuple[str, ...], Prior] | None = None
        self.latest_first = int(settings.get("max_initial_timestamp_index") or 50)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._languages)

    def language(self, code: str) -> int:
        """The token of a language.

        Raises:
            InputError: ``unknown_language``.
        """
        if code not in self._languages:
            raise unknown_name("language", code, self.languages)
        return self._languages[code]

    @property
    def language_tokens(self) -> list[int]:
        return list(self._languages.values())

    def prompt(
        self, language: str, *, timestamps: bool = False, hints: Sequence[str] = ()
    ) -> list[int]:
        """The tokens in front of what is said, hints first."""
        said = [self.start]
        if self._languages:
            said += [self.language(language), int(self.settings["task_to_id"]["transcribe"])]
        if not timestamps:
            said.append(self.no_times)
        if hints:
            told = self.plain(" " + ", ".join(hints) + ".")
            said = [int(self.settings["prev_sot_token_id"]), *told[:_HINTS], *said]
        return said

    def prior(self, texts: tuple[str, ...]) -> Prior:
        """What texts of a field make likely; that of the last ones is held."""
        if self._prior is None or self._prior[0] != texts:
            rows = [self.plain(" " + " ".join(text.split())) for text in texts]
            self._prior = texts, Prior(rows, self.end)
        return self._prior[1]

    def plain(self, text: str) -> list[int]:
        """The tokens of a text alone."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def spelled(self, text: str) -> list[int]:
        """The tokens of a text as it is written down, and the one that ends it.

        Raises:
            InputError: ``transcript_too_long``.
        """
        found = [*self.plain(" " + " ".join(text.split())), self.end]
        if len(found) > self.most // 2:
            raise InputError(
                "transcript_too_long",
                "A transcript is longer than a decoder writes down of one recording.",
                received=f"{len(found)} tokens: {text[:60]}...",
                allowed=f"at most {self.most // 2} tokens, some 150 words",
                next="Cut the recording and its transcript into shorter ones.",
            )
        return found

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens as a text, without those that mean something else."""
        held = [token for token in tokens if token < self.end]
        return str(self.tokenizer.decode(held)).strip()
