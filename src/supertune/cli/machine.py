"""What `supertune doctor` looks at: each check answers with ok, warn or fail, and the remedy."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Literal

from supertune.catalogue import data_sets, entries, index, network, resolve
from supertune.catalogue.packages import FAULTS
from supertune.catalogue.places import cache_folder, room
from supertune.cli.cache import free
from supertune.cli.requirements import declared
from supertune.errors import SupertuneError
from supertune.report.wording import count, size

Status = Literal["ok", "warn", "fail"]
PYTHONS = ((3, 11), (3, 13))
LITTLE_SPACE, NO_SPACE = 2_000_000_000, 200_000_000
LITTLE_MEMORY = 2_000_000_000


@dataclass(frozen=True)
class Check:
    """One thing looked at; ``remedy`` is a command or a sentence, empty where all is well."""

    name: str
    status: Status
    message: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def examine() -> Iterator[Check]:
    """Every check in the order it is shown, the slow ones last."""
    yield python()
    yield from packages()
    yield cache()
    yield disk()
    yield activations()
    yield models()
    yield hub()
    yield pip()
    yield npm()
    yield memory()
    yield torch()


def python() -> Check:
    here = platform.python_version()
    least, most = (".".join(map(str, version)) for version in PYTHONS)
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return Check("python", "ok", f"Python {here} on {platform.system()}")
    return Check(
        "python",
        "fail",
        f"Python {here} is outside {least} to {most}",
        f"Install Python {most} and make a new environment with it.",
    )


def packages() -> Iterator[Check]:
    """The declared dependencies, those outside their range one by one."""
    try:
        wanted = declared()
    except metadata.PackageNotFoundError:
        yield Check("packages", "warn", "supertune is not installed", "pip install supertune")
        return
    needed = [each for each in wanted if each.extra is None]
    wrong = [each for each in needed if not each.satisfied]
    for each in wrong:
        has = f"is {each.installed}" if each.installed else "is missing"
        status: Status = "warn" if each.installed else "fail"
        yield Check(f"package {each.name}", status, f"{has}; wanted {each.range}", each.command)
    if not wrong:
        yield Check("packages", "ok", f"all {len(needed)} in their ranges")
    for extra in ("files",):
        absent = [each.name for each in wanted if each.extra == extra and not each.satisfied]
        if absent:
            yield Check(
                f"extra {extra}",
                "ok",
                f"{', '.join(absent)} not installed: no parquet or xlsx tables",
                f'pip install "supertune[{extra}]"',
            )


def cache() -> Check:
    try:
        folder = room("models")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (SupertuneError, OSError) as error:
        return Check(
            "cache",
            "fail",
            f"{cache_folder()} cannot be written ({error})".splitlines()[0],
            "Set SUPERTUNE_CACHE to a folder that can.",
        )
    return Check("cache", "ok", f"{cache_folder()} can be written")


def disk() -> Check:
    left = free()
    if left >= LITTLE_SPACE:
        return Check("disk", "ok", f"{size(left)} free")
    return Check(
        "disk",
        "warn" if left >= NO_SPACE else "fail",
        f"only {size(left)} free where the cache is",
        "`supertune cache show` says what can go; SUPERTUNE_CACHE moves it to another disk.",
    )


def activations() -> Check:
    from supertune.training.cache import ActivationCache

    try:
        with ActivationCache(cache_folder() / "activations") as kept:
            stats, findings = kept.stats(), kept.findings
    except SupertuneError as error:
        return Check("activations", "fail", error.message, error.next or "")
    if findings:
        return Check(
            "activations", "warn", findings[0].message, "supertune cache clear activations --yes"
        )
    limit = size(stats["limit_bytes"]) if stats["limit_bytes"] else "nothing"
    return Check("activations", "ok", f"{size(stats['bytes'])} kept, at most {limit}")


def models() -> Check:
    have = [entry.name for entry in entries.models() if resolve.fetched(entry)]
    if have:
        return Check("models", "ok", f"ready without a network: {', '.join(have)}")
    return Check("models", "warn", "none is in the cache", "supertune models pull minilm")


def hub() -> Check:
    why = network.hub_unreachable(ask_again=True)
    if why is None:
        return Check("hub", "ok", "can be reached")
    return Check(
        "hub",
        "warn",
        why,
        "Names of `supertune models` work without it; for others, give a folder.",
    )


def pip() -> Check:
    return _index("pip index", lambda: index.pip_indexes()[0])


def npm() -> Check:
    needing = [each.name for each in data_sets.datasets() if each.package.registry == "npm"]
    remedy = f"Only the data sets {', '.join(needing)} need it."
    return _index("npm index", index.npm_registry, remedy)


def _index(name: str, address: Callable[[], str], else_: str = "") -> Check:
    """Whether the client says where its index is, and whether a server answers there."""
    remedy = else_ or "Models and data sets that are not in the cache cannot be fetched."
    if why := network.switched_off():
        return Check(name, "warn", why, remedy)
    try:
        page = address()
    except FAULTS as error:
        return Check(name, "warn", str(error), remedy)
    shown = urllib.parse.urlsplit(page)._replace(query="", fragment="")
    shown = shown._replace(netloc=shown.netloc.rpartition("@")[2])  # no password on a screen
    why = _answers(f"{page.rstrip('/')}/")
    if why is None:
        return Check(name, "ok", f"{shown.geturl()} answers")
    return Check(name, "warn", f"{shown.geturl()}: {why}", remedy)


def _answers(page: str) -> str | None:
    told: list[str | None] = []

    def ask() -> None:
        try:
            index.get(page, {}, method="HEAD", timeout=network.PROBE_SECONDS).close()
            told.append(None)
        except urllib.error.HTTPError as error:
            told.append(None if error.code < 500 else f"answers {error.code}")
        except FAULTS as error:
            told.append(str(getattr(error, "reason", error)))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(network.PROBE_SECONDS)
    return told[0] if told else f"no answer within {network.PROBE_SECONDS:.0f} s"


def memory() -> Check:
    import psutil

    now = psutil.virtual_memory()
    told = f"{size(now.available)} of {size(now.total)} available"
    if now.available >= LITTLE_MEMORY:
        return Check("memory", "ok", told)
    return Check("memory", "warn", told, "Close other programs, or take --backbone minilm.")


def torch() -> Check:
    """Imported last: it takes seconds."""
    try:
        import torch as library
    except Exception as error:  # noqa: BLE001  a broken build raises whatever its loader does
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Check("torch", "fail", f"cannot be imported: {said}", "pip install torch")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = library.get_num_threads()
    told = f"torch {library.__version__}, {_device(library)}, {count(threads, 'thread')} of {cores}"
    if 2 * threads < (cores or 1) and "OMP_NUM_THREADS" in os.environ:
        return Check("torch", "warn", told, f"Unset OMP_NUM_THREADS, or give --threads {cores}.")
    return Check("torch", "ok", told)


def _device(library: Any) -> str:
    if library.cuda.is_available():
        return f"GPU {library.cuda.get_device_name(0)}"
    if library.backends.mps.is_available():
        return "Apple GPU (--device mps)"
    return "no GPU"
