"""Rows of a batch that no single run could take: recordings in windows of unlike length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import tiny_listeners
from tests.data.sounds.conftest import recording, tone

from supertune import pipeline
from supertune.config import recipe
from supertune.pipeline import Candidate, Workshop

SECONDS = (0.3, 6.0, 0.5, 12.0)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_recordings_of_unlike_length_are_learned_from_together(tmp_path: Path, method: str) -> None:
    folder = str(tiny_listeners.whisper(tmp_path / "whisper"))
    rows = [
        (recording(tone(hertz + place, seconds), f"{name}{place}.wav"), name)
        for name, hertz in (("high", 1500.0), ("low", 250.0))
        for place, seconds in enumerate(SECONDS)
    ]
    settled = recipe(
        {
            "task": "audio_classification", "backbone": folder, "method": method, "threads": 1,
            "options": {"epochs": 2, "batch_size": 8},
        }
    )  # fmt: skip
    examples = pipeline.labelled(pipeline.read(rows, settled).train)
    workshop = Workshop(settled)
    candidate, lens = Candidate(folder, method), workshop.lens(folder)
    tuned = pipeline.tune(workshop, candidate, examples)
    assert pipeline.verify(workshop, candidate, tuned, examples) is not None
    asked = list(examples.inputs)
    answers = tuned.logits(asked, lens)
    assert np.isfinite(answers).all()
    assert np.allclose(tuned.held_out(asked, lens), answers, atol=1e-4)  # type: ignore[attr-defined]
    alone = np.concatenate([tuned.logits([one], lens) for one in asked])
    assert np.allclose(alone, answers, atol=1e-4)
