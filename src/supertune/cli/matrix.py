"""What there is and what works with what, from declarations alone: no weight, no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from supertune import registry
from supertune.catalogue import entries, hub, resolve
from supertune.contracts import BackboneRef, Engine, Method, Offer, Task, misfit
from supertune.errors import SupertuneError

NONE = "none"
T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """A backbone that can be named now.

    ``offer`` is None for the choice of no backbone, and where ``problem`` says why the engine
    does not want the model.
    """

    name: str
    engine: str | None
    offer: Offer | None
    folder: Path | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Fit:
    """One cell: whether they work together, and if not, ``why``."""

    task: str
    method: str
    backbone: str
    why: str | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "method": self.method,
            "backbone": self.backbone,
            "fits": self.why is None,
            "why": self.why,
        }


def tasks() -> tuple[list[Task], list[SupertuneError]]:
    """Every task, and what is wrong with those that do not load."""
    return _loaded("tasks", registry.task)


def engines() -> tuple[list[Engine], list[SupertuneError]]:
    """Every engine, and what is wrong with those that do not load."""
    return _loaded("backbones", registry.engine)


def methods() -> tuple[list[Method], list[SupertuneError]]:
    """Every method, simplest first, and what is wrong with those that do not load."""
    found, broken = _loaded("methods", registry.method)
    return sorted(found, key=lambda method: (method.simplicity, method.name)), broken


def _loaded(group: str, load: Callable[[str], T]) -> tuple[list[T], list[SupertuneError]]:
    """One broken package of an outsider must not hide the rest."""
    found: list[T] = []
    broken: list[SupertuneError] = []
    for name in registry.names(group):
        try:
            found.append(load(name))
        except SupertuneError as error:
            broken.append(error)
    return found, broken


def backbones() -> list[Known]:
    """No backbone, the catalogue's, those in the hub's cache, and those engines of their own."""
    known = [Known(NONE, None, None)]
    for entry in entries.models():
        folder = resolve.fetched(entry)
        known.append(Known(entry.name, entry.engine, entry.offer, folder))
    for name, folder in hub.all_cached():
        known.append(_offered(registry.engine_in(folder).name, name, folder))
    named = {each.engine for each in known}
    # One whose backbones are folders has none before somebody names one, unless it says what one
    # offers at most.
    others = [
        each
        for each in engines()[0]
        if hasattr(each, "typical") or not getattr(each, "folders", False)
    ]
    own = [each.name for each in others if each.name not in named | {"transformers"}]
    return known + [_offered(name, name, None) for name in own]


def _offered(engine: str, name: str, folder: Path | None) -> Known:
    one = registry.engine(engine)
    typical: Offer | None = getattr(one, "typical", None)
    if folder is None and typical is not None:
        prefix = getattr(one, "prefix", None)
        called = engine if prefix is None else f"{prefix}:MODEL"
        return Known(called, engine, typical, None)
    try:
        offer = one.offers(BackboneRef(name, engine, folder))
    except SupertuneError as error:
        return Known(name, engine, None, folder, error.message)
    return Known(name, engine, offer, folder)


def fits(only: Sequence[Method] | None = None) -> Iterator[Fit]:
    """Tasks x methods (``only`` these) x backbones."""
    every = backbones()
    for task in tasks()[0]:
        for method in methods()[0] if only is None else only:
            for known in every:
                why = known.problem or _misfit(method, task, known)
                yield Fit(task.name, method.name, known.name, why)


def fitting(known: Known) -> dict[str, list[str]]:
    """By task, the methods that work on this backbone."""
    return {
        task.name: [
            method.name
            for method in methods()[0]
            if not (known.problem or _misfit(method, task, known))
        ]
        for task in tasks()[0]
    }


def _misfit(method: Method, task: Task, known: Known) -> str | None:
    """A backbone reads rows of its own kind, where the task has such."""
    rows = task.modalities[0]
    if known.offer is not None and known.offer.modality in task.modalities:
        rows = known.offer.modality
    return misfit(method, task.objective, known.offer, rows)
