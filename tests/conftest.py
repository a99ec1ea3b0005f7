"""Fixtures that several folders share.

Models and data sets come from the person's own cache (they are large and never change); what
fits write there, activations, goes to a folder of this run, so that no test is fast or right
because of an earlier run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Python = Callable[..., "subprocess.CompletedProcess[str]"]

_SOURCE = Path(__file__).resolve().parents[1] / "src"


@pytest.fixture(scope="session", autouse=True)
def own_activations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of this run whose models/ and data/ are the shared ones."""
    import importlib.util

    if importlib.util.find_spec("supertune.catalogue.places") is None:
        return tmp_path_factory.mktemp("cache")
    from supertune.catalogue.places import cache_folder

    shared = cache_folder()
    own = tmp_path_factory.mktemp("cache")
    for name in ("models", "data"):
        (shared / name).mkdir(parents=True, exist_ok=True)
        (own / name).symlink_to(shared / name, target_is_directory=True)
    os.environ["SUPERTUNE_CACHE"] = str(own)  # subprocesses inherit it
    return own


@pytest.fixture(scope="session")
def python() -> Python:
    """Run code in a fresh interpreter: ``python("import supertune", paths=[...])``."""

    def run(
        code: str,
        *arguments: str,
        paths: Sequence[Path] = (),
        timeout: float = 120,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(str(folder) for folder in (*paths, _SOURCE))
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *arguments],
            env={**os.environ, "PYTHONPATH": path, **environment},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
        )

    return run


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the outside package of ``tests/outside`` is installed, by pip, as a person would."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target)]
    done = subprocess.run(
        [*command, str(Path(__file__).parent / "outside")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return target
