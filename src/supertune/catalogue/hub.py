"""Models of the hub: those in its client's cache, found without importing it, and the rest."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from supertune.catalogue.network import hub_unreachable
from supertune.catalogue.placing import Progress
from supertune.errors import InputError

WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
UNWANTED = ["onnx/*", "openvino/*", "original/*", "checkpoint*/*", "runs/*"]
# Of pipelines that draw, what is not read: the same weights again, and a judge of pictures.
UNWANTED += ["safety_checker/*", "*.fp16.safetensors", "*non_ema*", "v1-*.safetensors", "v2-*"]
LISTINGS = ("config.json", "model_index.json")  # of a model, and of a pipeline of several


class NotThere(Exception):
    """The hub could not be asked, or did not give the model; says why."""


def cache() -> Path:
    """Where the hub's client keeps what it has fetched; the same environment variables."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser()
    if os.environ.get("HF_HOME"):
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "huggingface" / "hub"


def cached(repository: str) -> Path | None:
    """The newest whole snapshot of a model in the client's cache."""
    kept = cache() / f"models--{repository.replace('/', '--')}"
    try:
        revision = (kept / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    folder = kept / "snapshots" / revision
    return folder if whole(folder) else None


def all_cached() -> Iterator[tuple[str, Path]]:
    """Hub id and folder of every whole model in the client's cache, by name."""
    for kept in sorted(cache().glob("models--*--*")):
        repository = kept.name.removeprefix("models--").replace("--", "/", 1)
        folder = cached(repository)
        if folder is not None:
            yield repository, folder


def whole(folder: Path) -> bool:
    """Whether a folder has its configuration and every file of weights that it speaks of."""
    if (folder / LISTINGS[1]).is_file():
        return any(folder.glob("*/*.safetensors"))
    if not (folder / LISTINGS[0]).is_file():
        return False
    parts = folder / "model.safetensors.index.json"
    try:
        if parts.is_file():
            named = json.loads(parts.read_text(encoding="utf-8"))["weight_map"].values()
            return all((folder / name).is_file() for name in set(named))
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return any(folder.glob("*.safetensors"))


def fetch(repository: str, progress: Progress | None = None, *, into: Path | None = None) -> Path:
    """The model's folder, downloaded by the hub's client: configuration, tokenizer, safetensors.

    Args:
        into: a folder to download to, instead of the client's cache.

    Raises:
        NotThere: the hub is switched off, cannot be reached, or failed.
        InputError: ``unknown_backbone``, ``gated_backbone``, ``weights_missing``.
    """
    if (why := hub_unreachable()) is not None:
        raise NotThere(why)
    from huggingface_hub import errors, snapshot_download

    try:
        folder = Path(
            snapshot_download(
                repository,
                allow_patterns=WANTED,
                ignore_patterns=UNWANTED,
                local_dir=into,
                tqdm_class=_bar(repository, progress),
            )
        )
    except errors.GatedRepoError as error:
        raise InputError(
            "gated_backbone",
            f"The hub gives {repository} only to those who have agreed to its terms.",
            received=repository,
            next="Agree on the model's page, then log in: hf auth login",
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise _unknown(repository) from error
    except Exception as error:  # the client and its libraries raise dozens of kinds
        raise NotThere(_first_line(error)) from error
    if into is None and not whole(folder):
        raise InputError(
            "weights_missing",
            f"{repository} has no weights in a form that can be opened without running code.",
            received=", ".join(sorted(path.name for path in folder.iterdir())),
            allowed="config.json and *.safetensors",
            next="Look for a copy with safetensors, or convert it once and give its folder.",
        )
    return folder


def _unknown(repository: str) -> InputError:
    return InputError(
        "unknown_backbone",
        f"The hub has no model '{repository}', or not for you.",
        received=repository,
        allowed="owner/name as on the model's page",
        next="Check the spelling; `supertune models` lists names that need no hub.",
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _bar(repository: str, progress: Progress | None) -> Any:
    """The client's bar, never drawn: it tells its bytes to ``progress``."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    class Bar(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:
            # Of its three bars, one counts files and one what travelled; this is the third.
            name = str(settings.get("name") or "")
            self._tells = settings.get("unit") == "B" and not name.endswith("transfer")
            super().__init__(*args, **{**settings, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if self._tells and progress is not None:
                progress(f"fetch {repository}", int(self.n), int(self.total or 0) or None)

    return Bar
