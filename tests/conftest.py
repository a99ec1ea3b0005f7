"""Fixtures that several folders share.

Models and data sets come from the person's own cache (they are large and never change); what
fits write there, activations, goes to a folder of this run, so that no test is fast or right
because of an earlier run.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Python = Callable[..., "subprocess.CompletedProcess[str]"]

# Most tests compare numbers to float32's rounding; those of bf16 ask for it.
os.environ.setdefault("SUPERTUNE_PRECISION", "fp32")
# What would help takes a second a fit; tests of it ask for it.
os.environ.setdefault("SUPERTUNE_ADVICE", "0")
# No test asks the keyring of whoever runs it.
os.environ.setdefault("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")

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


# --- commands ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said where."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        loaded = json.loads(self.out)
        assert isinstance(loaded, dict)
        return loaded

    @property
    def error(self) -> dict[str, Any]:
        assert set(self.answer) == {"error"}
        error: dict[str, Any] = self.answer["error"]
        assert set(error) == {"code", "message", "received", "allowed", "next"}
        return error


Run = Callable[..., Done]


@pytest.fixture
def supertune(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """``supertune("models", "--json")`` in this process."""
    from supertune.cli.main import main

    before = dict(os.environ)
    # As a person's own -W does: warnings stay what pytest makes of them.
    monkeypatch.setattr(sys, "warnoptions", ["error"])

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return Done(code, out, err)

    yield run
    # What main() settles for its process must not reach the next test.
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


# --- rows and models --------------------------------------------------------------------------

# Where the method does not matter: no backbone, and few folds.
QUICK = {"method": "bag_of_words", "folds": 3, "repeats": 2}


def write_rows(path: Path, rows: Sequence[Sequence[str]], titles: Sequence[str]) -> Path:
    """A csv file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([titles, *rows])
    return path


@dataclass(frozen=True)
class Files:
    """Sentences of film reviews: 20 to learn from, 60 to judge by, and the rows in them."""

    train: Path
    test: Path
    rows: tuple[tuple[str, str], ...]
    held: tuple[tuple[str, str], ...]

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self.rows]


@pytest.fixture(scope="session")
def reviews(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    from supertune.catalogue.corpora import few_shot

    folder = tmp_path_factory.mktemp("reviews")
    rows, held = few_shot("pang-lee", per_class=10, test_rows=60, seed=5)
    titles = ("sentence", "mood")
    return Files(
        write_rows(folder / "reviews.csv", rows, titles),
        write_rows(folder / "held.csv", held, titles),
        tuple(rows),
        tuple(held),
    )


@pytest.fixture(scope="session")
def _fitted(reviews: Files, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A model folder of some options, fitted when it is first asked for."""
    import supertune

    known: dict[str, Path] = {}

    def fitted(name: str, **options: Any) -> Path:
        if name not in known:
            folder = tmp_path_factory.mktemp("models") / name
            supertune.fit(reviews.train, output=folder, **options)
            known[name] = folder
        return known[name]

    return fitted


@pytest.fixture(scope="session")
def words(_fitted: Callable[..., Path]) -> Path:
    """A bag of words on the reviews; not to be written to."""
    return _fitted("words", **QUICK)


@pytest.fixture(scope="session")
def probe(_fitted: Callable[..., Path]) -> Path:
    """A linear probe on minilm; not to be written to."""
    return _fitted("probe", **{**QUICK, "method": "linear_probe", "backbone": "minilm"})


@pytest.fixture
def copied(words: Path, tmp_path: Path) -> Path:
    """A bag of words that a test may damage."""
    return Path(shutil.copytree(words, tmp_path / "copied"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the person is in: empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


# --- pipelines that draw ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pixel_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of random weights: a denoiser of pixels, 16 a side, by a small BERT; not to be written to."""
    from tests.random_pipelines import random_pixel_pipeline

    return random_pixel_pipeline(tmp_path_factory.mktemp("pixels") / "pixel")


@pytest.fixture(scope="session")
def latent_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of random weights, laid out as Stable Diffusion is; not to be written to."""
    from tests.random_pipelines import random_latent_pipeline

    return random_latent_pipeline(tmp_path_factory.mktemp("latents") / "latent")


def write_wugs(folder: Path, count: int = 6) -> Path:
    """Round things with a hand, each of its own place, size and colour."""
    import numpy as np
    from PIL import Image, ImageDraw

    folder.mkdir(parents=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        image = Image.new("RGB", (40, 40), "white")
        pen = ImageDraw.Draw(image)
        x, y = map(int, rng.integers(0, 15, 2))
        side = int(rng.integers(14, 24))
        colour = tuple(int(value) for value in rng.integers(0, 200, 3))
        pen.ellipse([x, y, x + side, y + side], fill=colour, outline="black")
        pen.line([x + side // 2, y + side // 2, x + side // 2, y + 2], fill="black")
        image.save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def translator_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``translator_folder("t5")``: a tiny translator of transformers, taught for a moment."""
    from tests import tiny_translators

    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            kept = tmp_path_factory.mktemp("translators") / f"tiny-{family}"
            made[family] = getattr(tiny_translators, family)(kept)
        return made[family]

    return folder
