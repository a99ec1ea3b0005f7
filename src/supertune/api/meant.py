"""Which task is meant where nobody named one: what its source is says so, or the usual one."""

from __future__ import annotations

from typing import Any

from supertune import registry
from supertune.config import Recipe, recipe
from supertune.contracts import Recognising
from supertune.errors import InputError


def settled(data: Any, options: dict[str, Any]) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe, and how its task was found, in sentences.

    Raises:
        InputError: ``bad_recipe``, ``task_unclear``.
    """
    if options.get("task") is not None or options.get("numbers") or options.get("text"):
        return _folded(recipe(options)), ()
    why = {
        task.name: told
        for task in registry.tasks()
        if isinstance(task, Recognising) and (told := task.recognised(data)) is not None
    }
    if len(why) > 1:
        raise InputError(
            "task_unclear",
            "These rows could be meant for several tasks.",
            received="; ".join(f"{name}: {told}" for name, told in why.items()),
            allowed="one of them",
            next=f"Name it, for example --task {next(iter(why))}.",
        )
    said = tuple(f"task: {name} ({told})" for name, told in why.items())
    found = recipe({**options, **({"task": next(iter(why))} if why else {})})
    return _folded(found), said


def _folded(found: Recipe) -> Recipe:
    """With as many folds and repeats as the objective has by default, where none were given."""
    if found.task not in registry.names("tasks"):
        return found
    judge = registry.objective(registry.task(found.task).objective)
    own = {
        name: getattr(judge, name)
        for name in ("folds", "repeats")
        if hasattr(judge, name) and name not in found.model_fields_set
    }
    return found.model_copy(update=own) if own else found
