"""Tasks, engines and methods by name: the file's name is the key, outsiders use entry points.

``methods/lora.py`` defines a module-level ``METHOD``; ``tasks/*.py`` a ``TASK``;
``backbones/*.py`` an ``ENGINE``, ``objectives/*.py`` an ``OBJECTIVE``. A package of yours adds one
with an entry point in the group ``supertune.methods``, ``supertune.tasks``,
``supertune.backbones`` or ``supertune.objectives``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from typing import Any, cast

from supertune.contracts import Engine, Judge, Method, Task
from supertune.errors import InputError, unknown_name

_ATTRIBUTE = {
    "tasks": "TASK",
    "backbones": "ENGINE",
    "methods": "METHOD",
    "objectives": "OBJECTIVE",
}


@cache
def _outsiders(group: str) -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=f"supertune.{group}")}


@cache
def names(group: str) -> tuple[str, ...]:
    """All keys of ``"tasks"``, ``"backbones"``, ``"methods"`` or ``"objectives"``; nothing is
    imported."""
    package = importlib.import_module(f"supertune.{group}")
    own = {module.name for module in pkgutil.iter_modules(package.__path__)}
    return tuple(sorted(own | set(_outsiders(group))))


@cache
def _load(group: str, name: str) -> Any:
    if name not in names(group):
        raise unknown_name(group.rstrip("s"), name, names(group))
    outsider = _outsiders(group).get(name)
    if outsider is None:
        module = importlib.import_module(f"supertune.{group}.{name}")
        return getattr(module, _ATTRIBUTE[group])
    try:
        return outsider.load()
    except Exception as error:
        raise InputError(
            "plugin_broken",
            f"The entry point '{outsider.value}' for {group} '{name}' does not load.",
            received=f"{type(error).__name__}: {error}",
            next=f"Repair or uninstall the package that provides '{name}'.",
        ) from error


def task(name: str) -> Task:
    return cast(Task, _load("tasks", name))


def engine(name: str) -> Engine:
    return cast(Engine, _load("backbones", name))


def method(name: str) -> Method:
    return cast(Method, _load("methods", name))


def objective(name: str) -> Judge:
    return cast(Judge, _load("objectives", name))


def tasks() -> Iterator[Task]:
    return (task(name) for name in names("tasks"))


def engines() -> Iterator[Engine]:
    return (engine(name) for name in names("backbones"))


def methods() -> Iterator[Method]:
    return (method(name) for name in names("methods"))
