"""From a name to a model folder: local folder, cache, hub if reachable, registry package."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from supertune.catalogue import archives, hub
from supertune.catalogue.entries import MODELS, model
from supertune.catalogue.entry import ModelEntry, Package
from supertune.catalogue.packages import archive, sha256_of
from supertune.catalogue.places import cache_folder, room
from supertune.catalogue.placing import Progress, alone, origin, put
from supertune.errors import EnvironmentFault, InputError, unknown_name

Source = Literal["folder", "cache", "hub", "package"]


@dataclass(frozen=True)
class Located:
    """A model folder; ``source`` says where it was found."""

    name: str
    folder: Path
    source: Source


def resolve(name: str, *, progress: Progress | None = None, fetch: bool = True) -> Located:
    """The folder of a model named by catalogue name, hub id, or path.

    Args:
        fetch: whether the network may be used when it is not on this machine.

    Raises:
        InputError: ``unknown_backbone``, ``not_a_backbone``, ``gated_backbone``.
        EnvironmentFault: ``no_network`` naming every place tried; ``not_fetched`` without
            ``fetch``; ``package_changed``, ``weights_changed``, ``cache_unwritable``, ``no_space``.
    """
    path = Path(name).expanduser()
    if any((path / listing).is_file() for listing in hub.LISTINGS):
        return Located(name, path, "folder")
    entry = model(name)
    if entry is not None:
        return _from_catalogue(entry, progress, fetch)
    if path.is_dir() or name.startswith((".", "/", "~")) or path.is_absolute():
        raise InputError(
            "not_a_backbone",
            f"{name} holds no model.",
            received="a folder without config.json" if path.is_dir() else "no such folder",
            allowed="a folder written by save_pretrained",
            next="Check the path, or choose a name from `supertune models`.",
        )
    if "/" not in name:
        raise unknown_name("backbone", name, [entry.name for entry in MODELS])
    return _from_hub(name, progress, fetch)


def pull(name: str, *, progress: Progress | None = None) -> Located:
    """Like `resolve`, and what is in the cache is compared with the pinned sha256 first.

    Raises:
        InputError, EnvironmentFault: as `resolve`.
    """
    entry = model(name)
    if entry is not None and (folder := fetched(entry)) and _changed(entry, folder):
        with alone(folder, progress):
            shutil.rmtree(folder, ignore_errors=True)
    return resolve(name, progress=progress)


def fetched(entry: ModelEntry) -> Path | None:
    """The folder of a catalogue model in the cache, if it is there and whole."""
    folder = cache_folder() / "models" / entry.name
    noted = origin(folder)
    wanted = {"weights_sha256": entry.weights_sha256, **_best_read(entry)}
    same = noted is not None and all(noted.get(name) == value for name, value in wanted.items())
    return folder if same else None


def _from_catalogue(entry: ModelEntry, progress: Progress | None, fetch: bool) -> Located:
    if folder := fetched(entry):
        return Located(entry.name, folder, "cache")
    if not fetch:
        raise _not_fetched(entry.name)
    folder = room("models") / entry.name
    found: list[Source] = []
    with alone(folder, progress):
        if fetched(entry) is None:
            put(folder, lambda partial: _fill(entry, partial, progress, found))
    return Located(entry.name, folder, found[0] if found else "cache")


def _fill(
    entry: ModelEntry, partial: Path, progress: Progress | None, found: list[Source]
) -> dict[str, Any]:
    """Fill ``partial`` from the first place that has the pinned weights; what is noted of it."""
    reason = "has no copy of these weights"
    place = entry.hub
    if entry.hub is not None:
        try:
            _twin(entry.hub, partial, progress)
            if changed := _changed(entry, partial):
                raise hub.NotThere(f"its {changed} is not the pinned one")
            found.append("hub")
        except (hub.NotThere, InputError) as error:
            reason = error.message if isinstance(error, InputError) else str(error)
            _empty(partial)
    if not found:
        place = f"{entry.package.name}=={entry.package.version}"
        held = [_package(entry, package, reason, progress) for package in entry.packages]
        _unpack(entry, held, partial, progress)
        if changed := _changed(entry, partial):
            raise _weights_changed(entry, changed, partial)
        found.append("package")
    return {
        "name": entry.name,
        "source": found[0],
        "from": place,
        "package_sha256": entry.package.sha256,
        "weights_sha256": entry.weights_sha256,
        "licence": entry.licence,
        "languages": list(entry.offer.languages),
        **_best_read(entry),
    }


def _best_read(entry: ModelEntry) -> dict[str, Any]:
    """How pictures are best read, where that was measured rather than declared by the model."""
    offer = entry.offer
    if not offer.resolution:
        return {}
    noted = {"pooling": offer.pooling, "resolution": offer.resolution, "layer": offer.layer}
    return {**noted, "resize_mode": offer.resize_mode} if offer.resize_mode else noted


def _twin(repository: str, partial: Path, progress: Progress | None) -> None:
    """The hub's copy: from its client's cache if it is there, else downloaded."""
    kept = hub.cached(repository)
    if kept is None:
        hub.fetch(repository, progress, into=partial)
        shutil.rmtree(partial / ".cache", ignore_errors=True)
        return
    wanted = {path for pattern in hub.WANTED for path in kept.rglob(pattern)}
    for path in sorted(wanted):
        place = partial / path.relative_to(kept)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _package(
    entry: ModelEntry, package: Package, hub_reason: str, progress: Progress | None
) -> Path:
    try:
        return archive(package, progress)
    except EnvironmentFault as error:
        if error.code != "no_network":
            raise
        client = package.client
        raise EnvironmentFault(
            "no_network",
            f"{entry.name} is not on this machine and could not be fetched.",
            received=f"local folder ./{entry.name}: none; "
            f"cache {cache_folder() / 'models' / entry.name}: none; hub: {hub_reason}; "
            f"package {package.name} through {client}'s index: {error.received}",
            allowed=error.allowed,
            next=error.next,
        ) from error


def _unpack(
    entry: ModelEntry, packages: Sequence[Path], target: Path, progress: Progress | None
) -> None:
    if progress is not None:
        progress(f"unpack {entry.name}", 0, None)
    package, inside = packages[0], entry.inside
    if entry.layout == "folder":
        for name, data in archives.members(package, lambda n: n.startswith(inside)):
            place = target / name.removeprefix(inside)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        return
    if entry.layout in _OF_SEVERAL:
        wanted = [archives.members(each, lambda n: n.startswith(inside)) for each in packages]
        _OF_SEVERAL[entry.layout](dict(chain.from_iterable(wanted)), target)
        return
    convert = _CONVERTED[entry.layout]
    for _, data in archives.members(package, lambda n: n == entry.inside):
        convert(data, target)


def _converter(module: str) -> Callable[[Any, Path], None]:
    def convert(given: Any, target: Path) -> None:
        import_module(f"supertune.catalogue.{module}").convert(given, target)

    return convert


# By layout: what makes a model folder of several files of the package, by their names there.
_OF_SEVERAL: Mapping[str, Callable[[Mapping[str, bytes], Path], None]] = {
    "nanodet": _converter("convert_nanodet"),  # a graph and its weights
    "whisper": _converter("convert_whisper"),  # weights in two parts, tokenizer, settings
    "piper": _converter("convert_piper"),  # a graph and its description
    "bergamot": _converter("convert_bergamot"),  # weights, words, a list of likely translations
    "diffusion": _converter("emoji_diffusion"),  # its text encoder; the denoiser is of our own
}
# By layout: what makes a model folder of the one file in the package.
_CONVERTED: Mapping[str, Callable[[bytes, Path], None]] = {
    "e5": _converter("convert_e5"),
    "gguf": _converter("convert_gguf"),
    "dinov2": _converter("convert_dinov2"),
    "efficientnet": _converter("convert_efficientnet"),
    "multistyle": _converter("convert_multistyle"),
}


def _changed(entry: ModelEntry, folder: Path) -> str | None:
    """The name of the first file that is not the pinned one."""
    for name, pinned in entry.sha256.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != pinned:
            return name
    return None


def _weights_changed(entry: ModelEntry, name: str, folder: Path) -> EnvironmentFault:
    path = folder / name
    return EnvironmentFault(
        "weights_changed",
        f"{name} of {entry.name} is not the pinned one; it was thrown away.",
        received=f"sha256 {sha256_of(path)}" if path.is_file() else "no such file",
        allowed=f"sha256 {entry.sha256[name]}",
        next="Report it, with the output of `supertune doctor`.",
    )


def _not_fetched(name: str) -> EnvironmentFault:
    return EnvironmentFault(
        "not_fetched",
        f"{name} is not in the cache yet.",
        received=f"{cache_folder() / 'models' / name}: none",
        next=f"`supertune models pull {name}` fetches it.",
    )


def _from_hub(name: str, progress: Progress | None, fetch: bool) -> Located:
    kept = hub.cached(name)
    if kept is not None:
        return Located(name, kept, "cache")
    if not fetch:
        raise _not_fetched(name)
    try:
        return Located(name, hub.fetch(name, progress), "hub")
    except hub.NotThere as error:
        raise EnvironmentFault(
            "no_network",
            f"The model '{name}' was not found anywhere.",
            received=f"local folder {name}: none; hub cache {hub.cache()}: none; "
            f"hub: {error}; catalogue: no such name",
            allowed=", ".join(entry.name for entry in MODELS)
            + ", a folder, or a hub id when online",
            next="Choose a name from `supertune models`, or fetch it where there is a network; "
            "`supertune doctor` checks it.",
        ) from error
