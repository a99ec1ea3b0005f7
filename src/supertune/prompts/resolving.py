"""From what a person gave, or a preset, to a `Prompt`: the template, the words, the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from supertune.contracts import Prompt
from supertune.errors import InputError
from supertune.prompts import presets
from supertune.prompts.presets import Preset
from supertune.prompts.template import before_answer, check, several
from supertune.prompts.verbalizer import check as checked_words

Verbalizer = Mapping[str, "str | Sequence[str]"]


def resolve(
    labels: Sequence[str],
    *,
    template: str | None = None,
    verbalizer: Verbalizer | None = None,
    preset: str | None = None,
    language: str | None = None,
    fields: int = 1,
    instruction: str | None = None,
    chat: bool | None = None,
) -> Prompt:
    """The prompt for rows with these labels.

    Args:
        labels: the C names, in order. Those that are known (positive, ham, oui ...) get the words
            of a preset; others stand for themselves.
        template: the person's own; ``verbalizer`` likewise, label to word or words.
        preset: ``sentiment``, ``sentiment/fr`` or ``sentiment/fr/2``; by the labels if None.
        language: of the rows, as `guess_language` says it; English where there is no preset.
        fields: how many texts a row has.
        instruction: what stands in front of every row.
        chat: whether the backbone's own chat template is put around.

    Raises:
        InputError: see `supertune.prompts.template.check`, `supertune.prompts.verbalizer.check`
            and `supertune.prompts.presets.chosen`; ``instruction_shows_text``.
    """
    return candidates(
        labels,
        template=template,
        verbalizer=verbalizer,
        preset=preset,
        language=language,
        fields=fields,
        instruction=instruction,
        chat=chat,
    )[0]


def candidates(
    labels: Sequence[str],
    *,
    template: str | None = None,
    verbalizer: Verbalizer | None = None,
    preset: str | None = None,
    language: str | None = None,
    fields: int = 1,
    instruction: str | None = None,
    chat: bool | None = None,
) -> tuple[Prompt, ...]:
    """All prompts worth a try, no two alike, `resolve`'s first.

    Arguments and errors as in `resolve`. What the person gave is in every one of them. Presets
    in the rows' language come first, then those in English.
    """
    shown = _instruction(instruction)
    found: dict[Prompt, None] = {}
    refused: InputError | None = None
    for one in _presets(labels, template, preset, language):
        given = one.verbalizer(labels) if verbalizer is None else verbalizer
        try:
            prompt = _prompt(template or one.template, given, labels, fields, own=bool(template))
        except InputError as error:
            refused = refused or error
            continue
        found[replace(prompt, shown=shown, chat=bool(chat))] = None
    if not found:
        assert refused is not None
        raise refused
    return tuple(found)


def _presets(
    labels: Sequence[str], own: str | None, wanted: str | None, language: str | None
) -> list[Preset]:
    spoken = language if language in presets.LANGUAGES else "en"
    if wanted is not None:
        found = list(presets.chosen(wanted, spoken))
    else:
        kind = presets.kind_of(labels)
        kinds = presets.OPEN if kind in presets.OPEN else (kind,)
        codes = dict.fromkeys((spoken, "en"))
        found = [one for code in codes for kind in kinds for one in presets.presets(kind, code)]
    if own is not None:
        # Behind a colon a label is named ("Sentiment: positive"), in a sentence described.
        naming = _names_label(own)
        found.sort(key=lambda one: _names_label(one.template) != naming)
    return found


def _names_label(text: str) -> bool:
    return before_answer(text).rstrip(" ")[-1:] in (":", "：", "\t")


def _prompt(
    text: str, given: Verbalizer, labels: Sequence[str], fields: int, *, own: bool
) -> Prompt:
    shape = check(text if own else several(text, fields), fields)
    words = checked_words(given, labels)
    if before_answer(shape)[-1:].isspace():  # the space belongs to the word
        words = tuple(tuple(word.lstrip() for word in each) for each in words)
    return Prompt(shape, words)


def _instruction(given: str | None) -> str:
    if given is None or not given.strip():
        return ""
    if "{answer}" in given or "{text" in given:
        raise InputError(
            "instruction_shows_text",
            "The instruction is the same in front of every row, so it has no fields.",
            received=given,
            allowed="a text without {text} and {answer}",
            next="Put {text} and {answer} into the template instead.",
        )
    return given.rstrip("\n") + "\n"
