"""Tasks, engines and methods by name: the file's name is the key, outsiders use entry points.

``methods/lora.py`` defines a module-level ``METHOD``; ``tasks/*.py`` a ``TASK``;
``backbones/*.py`` an ``ENGINE``, ``objectives/*.py`` an ``OBJECTIVE``, ``modalities/*.py`` a
``MODALITY``. A package of yours adds one with an entry point in the group ``supertune.methods``,
``supertune.tasks`` and so on. A file whose name begins with an underscore holds what several
share.

A file may stand for a whole *family* found at run time: ``methods/peft.py`` defines a ``FAMILY``,
and ``peft:LOHA`` is one of its members.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, cast

from supertune.contracts import Engine, Judge, Method, Modality, Task
from supertune.errors import InputError, unknown_name

_ATTRIBUTE = {
    "tasks": "TASK",
    "backbones": "ENGINE",
    "methods": "METHOD",
    "objectives": "OBJECTIVE",
    "modalities": "MODALITY",
}
_FAMILIES = {"methods": ("peft",)}


class Family(Protocol):
    """Methods that share one file, by name; finding them imports no framework."""

    name: str
    summary: str

    def names(self) -> tuple[str, ...]:
        """All members, those that are refused too."""
        ...

    def method(self, name: str) -> Method:
        """One member.

        Raises:
            InputError: when there is none of that name, or it cannot serve anything.
        """
        ...

    def table(self) -> list[dict[str, Any]]:
        """For each member where it runs, or why it is refused."""
        ...


@cache
def _outsiders(group: str) -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=f"supertune.{group}")}


@cache
def names(group: str) -> tuple[str, ...]:
    """All keys of ``"tasks"``, ``"backbones"``, ``"methods"`` (but a family's members),
    ``"objectives"`` or ``"modalities"``; nothing is imported."""
    package = importlib.import_module(f"supertune.{group}")
    own = {module.name for module in pkgutil.iter_modules(package.__path__)}
    own = {name for name in own if not name.startswith("_")} - set(_FAMILIES.get(group, ()))
    return tuple(sorted(own | set(_outsiders(group))))


def known(group: str, name: str) -> bool:
    """Whether ``name`` is a key or a family's member, refused ones included."""
    family, sign, member = name.partition(":")
    if sign and family in _FAMILIES.get(group, ()):
        return member in _family(group, family).names()
    return name in names(group)


def families() -> tuple[Family, ...]:
    """The families of methods."""
    return tuple(_family("methods", name) for name in _FAMILIES["methods"])


@cache
def _family(group: str, name: str) -> Family:
    return cast(Family, importlib.import_module(f"supertune.{group}.{name}").FAMILY)


@cache
def _load(group: str, name: str) -> Any:
    family, sign, member = name.partition(":")
    if sign and family in _FAMILIES.get(group, ()):
        return _family(group, family).method(member)
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


def engine_called(prefix: str) -> Engine | None:
    """The engine that a name such as ``openai:MODEL`` chooses, by its key or its ``prefix``."""
    if prefix in names("backbones"):
        return engine(prefix)
    return next((one for one in engines() if getattr(one, "prefix", None) == prefix), None)


def engine_in(path: Path) -> Engine:
    """The engine that ``knows`` what is at a path, or one of whose ``model_types`` config.json
    names there; else that of transformers."""
    kind = _model_type(path)
    for one in engines():
        knows = getattr(one, "knows", None)
        if (knows is not None and knows(path)) or kind in getattr(one, "model_types", ()):
            return one
    return engine("transformers")


def _model_type(folder: Path) -> str | None:
    """What config.json names; None without one, or without a mapping in it."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return str(config.get("model_type", "")) if isinstance(config, dict) else None


def method(name: str) -> Method:
    return cast(Method, _load("methods", name))


def objective(name: str) -> Judge:
    return cast(Judge, _load("objectives", name))


def modality(name: str) -> Modality:
    return cast(Modality, _load("modalities", name))


def tasks() -> Iterator[Task]:
    return (task(name) for name in names("tasks"))


def engines() -> Iterator[Engine]:
    return (engine(name) for name in names("backbones"))


def methods() -> Iterator[Method]:
    return (method(name) for name in names("methods"))
