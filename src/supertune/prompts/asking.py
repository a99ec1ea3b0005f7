"""The prompts of one fit: what the recipe says, for the rows that are there."""

from __future__ import annotations

from typing import Any

from supertune import registry
from supertune.config import Recipe
from supertune.contracts import Examples, Finding, Prompt, Task, Tuned, asked_by, fields_of
from supertune.data.cells import listed
from supertune.data.joining import as_one
from supertune.data.language import guess_language
from supertune.data.templates import asks
from supertune.errors import InputError
from supertune.prompts.resolving import candidates
from supertune.prompts.template import numbered

_KEYS = ("template", "verbalizer", "preset", "instruction")


def check(recipe: Recipe, task: Task, examples: Examples) -> None:
    """Refuse what the person said about prompts where it cannot be used.

    Raises:
        InputError: see `supertune.prompts.resolving.resolve`; ``prompt_does_not_fit`` for rows
            that are not asked in words.
    """
    said = [key for key in _KEYS if key in _given(recipe)]
    if task.objective == "generate":
        said = [key for key in said if key != "instruction"]
    if not said:
        return
    if not _in_words(task):
        raise InputError(
            "prompt_does_not_fit",
            f"Rows of {task.name} are not asked in words.",
            received=", ".join(said),
            allowed="a prompt where texts get labels",
            next=f"Leave {said[0]} out, or choose another task; `supertune tasks` lists them.",
        )
    try:
        candidates(examples.labels, **_arguments(recipe, examples))
    except InputError as error:
        # Labels whose own names collide are only a fault for those who ask by them.
        if error.code != "verbalizer_collides" or recipe.verbalizer is not None:
            raise


def prompts(recipe: Recipe, task: Task, examples: Examples) -> tuple[Prompt, ...]:
    """All prompts worth a try for these rows, the one to ask by first: the person's own, or
    presets by the names of the labels and the language of the rows. None where rows are not asked
    in words, or the labels' names cannot stand for them."""
    if task.objective == "generate":  # what stands in front of each request
        own = (recipe.instruction or "").strip()
        return (Prompt("{text}", (), own, chat=recipe.chat is not False),)
    if not _in_words(task) or not examples.labels or not len(examples):
        return ()
    language = guess_language(map(as_one, examples.inputs))
    try:
        return candidates(examples.labels, language=language, **_arguments(recipe, examples))
    except InputError:
        return ()  # `check` has raised it where the person can mend it


def unused(recipe: Recipe, tuned: Tuned) -> list[Finding]:
    """``prompt_not_used``: the person gave a prompt, and what was fitted does not ask in words."""
    said = [key for key in _KEYS if key in _given(recipe)]
    if registry.task(recipe.task).objective == "generate":
        return []
    if not said or asked_by(tuned) is not None:
        return []
    message = (
        f"{listed(said)} had no effect: the method does not ask in words. Methods that do are "
        "zero_shot_prompt, prompt_search and in_context, and those that train, on smollm2."
    )
    return [Finding("prompt_not_used", message)]


def _in_words(task: Task) -> bool:
    return task.objective == "classify" and "text" in task.modalities


def _given(recipe: Recipe) -> dict[str, Any]:
    found = {key: value for key in _KEYS if (value := getattr(recipe, key)) is not None}
    if not asks(recipe.template):
        found.pop("template", None)  # it joins columns
    return found


def _arguments(recipe: Recipe, examples: Examples) -> dict[str, Any]:
    first = examples.inputs[0] if len(examples) else ""
    count = len(fields_of(first))
    found = _given(recipe)
    if "template" in found:
        found["template"] = numbered(found["template"], recipe.text, count)
    return {**found, "chat": recipe.chat, "fields": count}
