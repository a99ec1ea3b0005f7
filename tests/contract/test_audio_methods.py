"""What methods promise, on recordings: a tiny random Whisper read by each that serves it.

The promises themselves are held on texts and pictures; here it is that recordings keep them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny_listeners
from tests.data.sounds.conftest import recording, tone

from supertune import pipeline, registry
from supertune.config import Recipe, recipe
from supertune.contracts import GradientMethod, misfit
from supertune.errors import InputError
from supertune.pipeline import Candidate, Workshop
from supertune.training import fitting
from supertune.training.cache import ActivationCache

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


def settled_for(folder: Path, method: str, **options: Any) -> Recipe:
    keys = {"task": "audio_classification", "backbone": str(folder), "threads": 1}
    return recipe({**keys, "method": method, "options": options})


@pytest.mark.parametrize("name", ["linear_probe", "bitfit", "full"])
def test_views_are_learned_from_beside_the_rows(folder: Path, name: str) -> None:
    answers = []
    for views in (0, 2):
        settled = settled_for(folder, name, **few(name), views=views)
        examples = pipeline.labelled(pipeline.read(ROWS, settled).train)
        workshop = Workshop(settled)
        tuned = pipeline.tune(workshop, Candidate(str(folder), name), examples)
        answers.append(tuned.logits(NEW, workshop.lens(str(folder))))
    assert answers[0].shape == answers[1].shape == (2, 3)
    assert not np.allclose(*answers, atol=1e-4)


def test_views_are_computed_once_and_taken_in_turn_by_the_epochs(folder: Path) -> None:
    settled = settled_for(folder, "bitfit")
    examples = pipeline.labelled(pipeline.read(ROWS, settled).train)
    workshop = Workshop(settled, store=ActivationCache(None))
    asked, method = workshop.problem(examples, str(folder)), registry.method("bitfit")

    def losses(**keys: int) -> list[float]:
        """Of four epochs of one step each that leave the model where it is."""
        still = {"epochs": 4, "learning_rate": 1e-12, "batch_size": 64}
        return list(fitting.fit(method, asked, method.options(**still, **keys)).losses)

    plain, first, second, again = losses(views=2)
    assert asked.lens.computed == 3 * len(ROWS), "what the head starts at, and two views"
    assert losses(views=2) == [plain, first, second, again]
    assert losses() == pytest.approx([plain] * 4, abs=1e-6)
    assert asked.lens.computed == 3 * len(ROWS)
    assert again == pytest.approx(plain, abs=1e-6)
    assert min(abs(one - other) for one, other in ((plain, first), (first, second))) > 1e-4


def test_rows_without_views_are_refused_where_steps_are_taken(folder: Path) -> None:
    settled = settled_for(folder, "bitfit")
    examples = pipeline.labelled(pipeline.read(ROWS, settled).train)
    asked = replace(Workshop(settled).problem(examples, str(folder)), varied=None)
    with pytest.raises(InputError) as caught:
        fitting.fit(registry.method("bitfit"), asked, registry.method("bitfit").options(views=1))
    assert caught.value.code == "no_views"
