"""What methods promise, on recordings: a tiny random Whisper read by each that serves it.

The promises themselves are held on texts and pictures; here it is that recordings keep them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny_listeners
from tests.data.sounds.conftest import recording, tone

from supertune import pipeline, registry
from supertune.config import recipe
from supertune.contracts import GradientMethod, misfit
from supertune.pipeline import Candidate, Workshop

ROWS = [
    (recording(tone(hertz, 0.3 + 0.02 * place), f"{name}{place}.wav"), name)
    for name, hertz in (("high", 1500.0), ("low", 250.0), ("middle", 600.0))
    for place in range(4)
]
NEW = [recording(tone(hertz, 0.5), "new.wav") for hertz in (1400.0, 280.0)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_listeners.whisper(tmp_path_factory.mktemp("contract") / "whisper")


def names() -> Iterator[str]:
    from supertune.backbones.transformers.declared_speech import CAPABILITIES

    for name in registry.names("methods"):
        method = registry.method(name)
        serves = "classify" in method.objectives and method.needs and method.needs <= CAPABILITIES
        if serves and not getattr(method, "modalities", None):
            yield name


def few(name: str) -> dict[str, Any]:
    if not isinstance(registry.method(name), GradientMethod):
        return {}
    return {"epochs": 2, "batch_size": 4}


@pytest.mark.parametrize("name", sorted(names()))
def test_a_method_learns_recordings_and_leaves_the_backbone_as_it_was(
    folder: Path, name: str
) -> None:
    settled = recipe(
        {
            "task": "audio_classification",
            "backbone": str(folder),
            "method": name,
            "options": few(name),
            "threads": 1,
        }
    )
    examples = pipeline.labelled(pipeline.read(ROWS, settled).train)
    workshop = Workshop(settled)
    lens = workshop.lens(str(folder))
    assert misfit(registry.method(name), "classify", lens.backbone.offer, "audio") is None
    before = lens.backbone.fingerprint()
    tuned = pipeline.tune(workshop, Candidate(str(folder), name), examples)
    answers = tuned.logits(NEW, lens)
    assert answers.shape == (2, 3)
    assert np.isfinite(answers).all()
    assert np.abs(answers[0] - answers[1]).max() > 1e-6
    assert lens.backbone.fingerprint() == before
    again = tuned.logits(NEW[1:], lens)
    assert np.allclose(again, answers[1:], atol=1e-3)


def test_the_methods_that_the_issue_names_are_among_them() -> None:
    assert set(names()) >= {
        *("linear_probe", "layered_probe", "nearest_centroid", "lora", "adapter", "ia3"),
        *("bitfit", "top_blocks", "contrastive", "full"),
    }


def test_views_are_learned_from_beside_the_rows(folder: Path) -> None:
    settled = recipe(
        {
            "task": "audio_classification",
            "backbone": str(folder),
            "method": "linear_probe",
            "options": {"views": 2},
            "threads": 1,
        }
    )
    examples = pipeline.labelled(pipeline.read(ROWS, settled).train)
    workshop = Workshop(settled)
    seen = pipeline.tune(workshop, Candidate(str(folder), "linear_probe"), examples)
    bare = settled.model_copy(update={"options": {"views": 0}})
    plain = pipeline.tune(Workshop(bare), Candidate(str(folder), "linear_probe"), examples)
    lens = workshop.lens(str(folder))
    found = [tuned.logits(NEW, lens) for tuned in (seen, plain)]
    assert found[0].shape == found[1].shape == (2, 3)
    assert not np.allclose(found[0], found[1], atol=1e-4)
