"""supertune's side of the comparisons: in process, backbone open, cache in a folder of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune import pipeline
from supertune.catalogue.places import cache_folder
from supertune.catalogue.resolve import resolve
from supertune.config import recipe
from supertune.contracts import Examples, FloatArray, Tuned
from supertune.pipeline import Candidate, Workshop
from supertune.training.cache import ActivationCache

BACKBONE = "minilm"
PROBE = Candidate(BACKBONE, "linear_probe")


@dataclass(frozen=True, eq=False)
class Fitted:
    workshop: Workshop
    examples: Examples
    tuned: Tuned
    estimate: float  # accuracy by cross-validation

    def features(self, texts: Sequence[str]) -> FloatArray:
        """(n, d) through prediction's own batches."""
        lens = self.workshop.lens(BACKBONE)
        assert lens is not None
        return lens.features(texts, prediction=True)

    def answers(self, texts: Sequence[str]) -> list[str]:
        logits = self.tuned.logits(texts, self.workshop.lens(BACKBONE))
        return [self.examples.labels[i] for i in logits.argmax(axis=1)]


def folder() -> Path:
    """Where plain libraries load the same weights from."""
    return resolve(BACKBONE).folder


def read(rows: Sequence[tuple[str, str]]) -> Examples:
    settled = recipe({"method": "linear_probe", "backbone": BACKBONE})
    return pipeline.labelled(pipeline.read(list(rows), settled).train)


def fit(examples: Examples, cache: Path, precision: str = "fp32") -> Fitted:
    """10 x 5-fold cross-validation and the model on all rows; what is in ``cache`` is used."""
    keys = {"method": "linear_probe", "backbone": BACKBONE, "precision": precision}
    settled = recipe(keys)
    with ActivationCache(cache) as store:
        workshop = Workshop(settled, store=store)
        assessed = pipeline.assess(workshop, PROBE, examples, workshop.folds(examples))
        tuned = pipeline.tune(workshop, PROBE, examples)
    hits = assessed.answers.argmax(axis=2) == examples.targets
    return Fitted(workshop, examples, tuned, float(hits.mean()))


def whole_fit(rows: Sequence[tuple[str, str]], precision: str = "fp32") -> Any:
    """`supertune.fit` with reading, checks, baselines, intervals and the report."""
    import supertune

    return supertune.fit(list(rows), backbone=BACKBONE, method="linear_probe", precision=precision)


@contextmanager
def own_cache() -> Iterator[Path]:
    """An empty cache folder with the models and data sets that are there already."""
    shared, before = cache_folder(), os.environ.get("SUPERTUNE_CACHE")
    with tempfile.TemporaryDirectory() as own:
        for name in ("models", "data"):
            (Path(own) / name).symlink_to(shared / name, target_is_directory=True)
        os.environ["SUPERTUNE_CACHE"] = own
        try:
            yield Path(own)
        finally:
            if before is None:
                del os.environ["SUPERTUNE_CACHE"]
            else:
                os.environ["SUPERTUNE_CACHE"] = before
