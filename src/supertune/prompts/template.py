"""The template language: ``{text}``, one ``{answer}``, and braces written twice.

A row of one text is shown by ``{text}``, a row of several by ``{text1}``, ``{text2}`` ...; some
of several may be left out, never all.
"""

from __future__ import annotations

import difflib

from supertune.contracts import Input, fields_of
from supertune.data.templates import ANSWER, Part, escaped, fields, ordered, parts
from supertune.errors import InputError


def names(count: int) -> tuple[str, ...]:
    """What the texts of a row are called in a template: ``text``, or ``text1``, ``text2`` ..."""
    return ("text",) if count == 1 else tuple(f"text{i}" for i in range(1, count + 1))


def check(template: str, count: int = 1) -> str:
    """The template, when rows of ``count`` texts can be asked by it.

    Raises:
        InputError: ``bad_template`` (braces), ``unknown_template_field``,
            ``template_without_answer``, ``template_answers_twice``, ``template_hides_text``.
    """
    shown = names(count)
    found = [part for part in parts(template) if part.name is not None]
    for part in found:
        if part.name not in (*shown, ANSWER):
            raise _unknown(template, part, shown)
    answers = [part.place for part in found if part.name == ANSWER]
    if not answers:
        raise _refused(
            "template_without_answer",
            "The template has no place for the answer.",
            template,
            shown,
            "Put {answer} where the model is to say a word for the label.",
        )
    if len(answers) > 1:
        raise _refused(
            "template_answers_twice",
            "The template has more than one place for the answer.",
            f"{{answer}} at characters {', '.join(map(str, answers))} of {template!r}",
            shown,
            "Leave one {answer} and write the others out.",
        )
    if len(found) == 1:
        raise _refused(
            "template_hides_text",
            "The template does not show the text, so every row would be asked the same.",
            template,
            shown,
            f"Put {' or '.join(f'{{{name}}}' for name in shown)} into the template.",
        )
    return template


def text_comes_first(template: str) -> bool:
    """Whether some text stands before the answer. Causal models read nothing behind it."""
    return next(part.name for part in parts(template) if part.name is not None) != ANSWER


def before_answer(template: str) -> str:
    """The literal text right before the answer; nothing where it stands first."""
    return next((part.literal for part in parts(template) if part.name == ANSWER), "")


def numbered(template: str, columns: tuple[str, ...], count: int) -> str:
    """The template with a row's texts in place of the columns' names.

    Args:
        columns: those named beside the template, as in `supertune.data.templates.ordered`.
        count: how many texts a row has. Columns joined into one text are one.
    """
    known, order = names(count), ordered(template, columns)
    named = fields(template)
    if set(named) <= set(known):
        return template
    if count == 1 and len(named) == 1:
        place = {named[0]: known[0]}
    elif len(order) == count:
        place = dict(zip(order, known, strict=True))
    else:
        return template
    return "".join(
        escaped(part.literal)
        + ("" if part.name is None else f"{{{place.get(part.name, part.name)}}}")
        for part in parts(template)
    )


def several(template: str, count: int) -> str:
    """A template of one text for rows of several, one a line."""
    return template.replace("{text}", "\n".join(f"{{{name}}}" for name in names(count)))


def filled(template: str, value: Input, answer: str) -> str:
    """A row with its answer, as the model would read it. A word that begins with a space takes
    the place of the space before it."""
    texts = tuple(map(str, fields_of(value)))
    put = {**dict(zip(names(len(texts)), texts, strict=True)), ANSWER: answer}
    found = ""
    for part in parts(template):
        spaced = part.name == ANSWER and part.literal[-1:].isspace()
        found += part.literal
        if part.name is not None:
            found += put[part.name].lstrip() if spaced else put[part.name]
    return found


def _allowed(shown: tuple[str, ...]) -> str:
    texts = " and ".join(f"{{{name}}}" for name in shown)
    more = ", at least one of them" if len(shown) > 1 else ""
    return f"{texts}{more}, and one {{answer}}; {{{{ and }}}} for braces themselves"


def _unknown(template: str, part: Part, shown: tuple[str, ...]) -> InputError:
    near = difflib.get_close_matches(str(part.name), [*shown, ANSWER], n=1)
    return InputError(
        "unknown_template_field",
        f"The template has a field '{part.name}', which no row has.",
        received=f"character {part.place} of {template!r}",
        allowed=_allowed(shown),
        next=f"Did you mean {{{near[0]}}}?" if near else f"Write {{{shown[0]}}} for the text.",
    )


def _refused(
    code: str, message: str, received: str, shown: tuple[str, ...], step: str
) -> InputError:
    return InputError(code, message, received=received, allowed=_allowed(shown), next=step)
