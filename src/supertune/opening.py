"""Backbones by name: where they are, which engine knows them, and one copy a process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from supertune import registry
from supertune.catalogue import hub
from supertune.catalogue.entries import model
from supertune.catalogue.places import cache_folder
from supertune.catalogue.resolve import resolve
from supertune.config import Recipe
from supertune.contracts import Backbone, BackboneRef, Engine
from supertune.contracts.remote import Terms
from supertune.training.cache import ActivationCache

Progress = Callable[[str, int, int | None], None]

_opened: dict[tuple[str | bool, ...], Backbone] = {}


def engine_of(name: str) -> Engine:
    """``ENGINE:NAME`` chooses an engine; without a prefix it is the catalogue's for that name, the
    one that knows what is in that folder, or transformers."""
    prefix, sign, _ = name.partition(":")
    if sign and (called := registry.engine_called(prefix)) is not None:
        return called
    entry = model(name)
    if entry is not None:
        return registry.engine(entry.engine)
    return registry.engine_in(hub.cached(name) or Path(name).expanduser())


def reference(
    name: str,
    progress: Progress | None = None,
    *,
    fetch: bool = True,
    terms: Terms | None = None,
) -> BackboneRef:
    """Where a backbone is; it is fetched into the cache when it is nowhere yet. ``terms``: under
    which it may be asked, where it is at a server."""
    engine = engine_of(name)
    bare = name.removeprefix(f"{getattr(engine, 'prefix', engine.name)}:")
    bare = bare.removeprefix(f"{engine.name}:")
    if not getattr(engine, "folders", False):
        return BackboneRef(bare, engine.name, terms=terms)
    path = Path(bare).expanduser()
    if hasattr(engine, "knows") and (path.exists() or engine.knows(path)):
        return BackboneRef(path.resolve().name, engine.name, path)
    located = resolve(bare, progress=progress, fetch=fetch)
    if bare == name:  # only now is it known what a model that was fetched is
        engine = engine_of(name)
    # A folder's place on this machine is nobody's business in an adapter's files.
    name = located.folder.resolve().name if located.source == "folder" else located.name
    return BackboneRef(name, engine.name, located.folder)


def open_backbone(ref: BackboneRef, recipe: Recipe) -> Backbone:
    """The loaded backbone; one copy a process, shared by everything that tunes on it."""
    engine = registry.engine(ref.engine)
    key = (ref.engine, str(ref.folder or ref.name), recipe.device, recipe.packing)
    metered = getattr(engine, "metered", False)
    if metered or (*key, recipe.precision) not in _opened:
        opened = engine.open(
            ref,
            device=recipe.device,
            threads=recipe.threads,
            precision=recipe.precision,
            packing=recipe.packing,
        )
        if metered:
            return opened
        # Under "auto" and under what it came to, the same copy.
        shared = _opened.setdefault((*key, opened.precision), opened)
        _opened[(*key, recipe.precision)] = shared
    return _opened[(*key, recipe.precision)]


def activation_cache() -> ActivationCache:
    """The cache on disk that all fits of this person share."""
    return ActivationCache(cache_folder() / "activations")
