"""Textual inversion: a new word, found so that pictures are drawn by it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from supertune.contracts import Denoising, Injection, Offer, Options, Picture
from supertune.errors import InputError
from supertune.methods._denoising import DenoisingOptions, meant, new_words, words


class TextualInversionOptions(DenoisingOptions):
    """Keys of ``textual_inversion``."""

    steps: int = Field(400, ge=1, le=100_000)
    learning_rate: float = Field(2e-2, gt=0, le=10)
    weight_decay: float = Field(0.0, ge=0)
    word: str | None = Field(
        None, description="the new word; the one of the captions that the text encoder lacks"
    )
    start: str | None = Field(
        None, description="a known word that it begins as; the one that it stands beside"
    )
    vectors: int = Field(4, ge=1, le=16, description="tokens that the word is made of")


class TextualInversion:
    """See `supertune.contracts.GradientMethod`."""

    name = "textual_inversion"
    summary = "A new word of the text encoder, learned from a few pictures"
    reference = "Gal et al. 2022, arXiv:2208.01618"
    needs = frozenset({"denoise", "torch"})
    objectives = frozenset({"denoise"})
    simplicity = 29
    options: type[Options] = TextualInversionOptions

    def settled(
        self,
        options: TextualInversionOptions,
        pictures: Sequence[Picture],
        backbone: Denoising,
    ) -> TextualInversionOptions:
        """With the word and what it begins as, by the captions.

        Raises:
            InputError: ``word_unclear``, ``word_not_in_captions``, ``word_known``.
        """
        if options.word is None:
            found = new_words(pictures, backbone.known)
            if len(found) != 1:
                raise _unclear(found, pictures)
            options = options.model_copy(update={"word": found[0]})
        word = str(options.word)
        if backbone.known(word):
            raise InputError(
                "word_known",
                f"The text encoder knows '{word}' already.",
                received=word,
                allowed="a word of your own, such as wug or <mine>",
                next="Choose another with --set word=NAME, and put it into the captions.",
            )
        without = [str(one) for one in pictures if word not in one.caption]
        if without:
            raise InputError(
                "word_not_in_captions",
                f"The new word '{word}' is not said of every picture.",
                received=f"{len(without)} of {len(pictures)} without it, e.g. {without[0]}",
                allowed=f"captions such as 'a {word} clock'",
                next=f"Put it into each caption, or into the concept: --concept 'a {word}'.",
            )
        if options.start is None:
            start = meant(pictures, word, backbone.known)
            options = options.model_copy(update={"start": start})
        return options

    def injection(self, offer: Offer, options: TextualInversionOptions) -> Injection:
        settings = {"word": options.word, "start": options.start, "vectors": options.vectors}
        return Injection("word", (0,), settings)

    def passes(self, options: TextualInversionOptions, rows: int) -> float:
        """See `supertune.contracts.GradientMethod`."""
        return options.passes(rows)


METHOD = TextualInversion()


def _unclear(found: Sequence[str], pictures: Sequence[Picture]) -> InputError:
    return InputError(
        "word_unclear",
        "Which word of the captions is to be learned is not clear.",
        received=f"unknown to the text encoder: {', '.join(found[:5]) or 'none'}; "
        f"said: {', '.join(words(pictures)[:8])}",
        allowed="one word that the text encoder does not know",
        next="Name it, for example --concept 'a wug clock' --set word=wug.",
    )
