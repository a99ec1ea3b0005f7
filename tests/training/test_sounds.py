"""Training on recordings: the second layer of whisper-base, tuned on a few sounds of instruments.

What every method promises is asked in tests/contract, of a tiny model.
"""

from __future__ import annotations

import numpy as np

import supertune as tune
from supertune.catalogue.corpora import few_shot

LABELS = ("bass", "perc")


def test_a_tuned_encoder_tells_sounds_apart_and_is_loaded_as_it_was(own_activations, tmp_path):
    drawn = few_shot("instruments", per_class=2, test_rows=40, seed=0)
    sounds, others = ([one for one in rows if one[1] in LABELS] for rows in drawn)
    model = tune.fit(
        sounds,
        test=others[:3],
        output=tmp_path / "model",
        task="audio_classification",
        backbone="whisper-base",
        layer=2,
        method="lora",
        options={"epochs": 4, "views": 1, "batch_size": 4},
        threads=1,
        advice=False,
    )
    # The first and third step see the rows as they are, the others a view of each, of which the
    # losses lie higher.
    assert model.tuned.losses[2] < model.tuned.losses[0] < model.tuned.losses[3]
    assert not any(one.code == "loss_did_not_fall" for one in model.tuned.findings)
    asked = [sound for sound, _ in sounds]
    found, again = model.predictions(asked), tune.load(tmp_path / "model").predictions(asked)
    assert list(found.labels) == [label for _, label in sounds]
    np.testing.assert_array_equal(found.probabilities, again.probabilities)
