"""EfficientNet-Lite0 as a model of Keras: the same vectors of real pictures as torch gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tensorflow_here import tensorflow_is_here

import supertune
from supertune.catalogue.corpora import few_shot
from supertune.catalogue.resolve import resolve
from supertune.contracts import Encoding
from supertune.errors import InputError
from supertune.opening import engine_of, reference

pytestmark = pytest.mark.skipif(not tensorflow_is_here(), reason="needs the extra tensorflow")


@pytest.fixture(scope="module")
def model(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from supertune.backbones.keras.converting import convert

    source = resolve("efficientnet-lite0").folder
    return convert(source, tmp_path_factory.mktemp("keras") / "lite0-keras")


@pytest.fixture(scope="module")
def rows(own_activations: Path) -> list[Any]:
    found, _ = few_shot("emoji", per_class=4, test_rows=0, seed=0)
    return [row for row in found if row[1] in ("Flags", "Food & Drink")]


@pytest.mark.parametrize("keys", [{}, {"resolution": 96, "resize_mode": "crop"}])
def test_it_sees_what_the_same_weights_see_in_torch(model, rows, keys) -> None:
    encoding = Encoding(**keys)
    given = [row[0] for row in rows[:6]]
    found = []
    for where in ("efficientnet-lite0", str(model)):
        one = engine_of(where).open(reference(where), device="cpu", threads=1)
        found.append(one.features(one.tokens(given, encoding), encoding))
    assert np.abs(found[0] - found[1]).max() <= 1e-4
    assert found[0].shape == (6, 1280)
    assert np.abs(found[0]).max() > 0.5


def test_a_probe_learned_in_torch_answers_in_keras(model, rows, tmp_path) -> None:
    options = {"folds": 2, "repeats": 1, "threads": 1, "resolution": 96, "advice": False}
    torch = supertune.fit(
        rows,
        task="image_classification",
        method="linear_probe",
        backbone="efficientnet-lite0",
        output=tmp_path / "m",
        **options,
    )
    asked = [row[0] for row in rows[:3]]
    keras = supertune.load(tmp_path / "m", threads=1, backbone=str(model))
    np.testing.assert_allclose(keras.predict_proba(asked), torch.predict_proba(asked), atol=1e-4)


def test_pictures_that_nothing_is_said_of_are_refused(model, tmp_path) -> None:
    mute = tmp_path / "mute"
    mute.mkdir()
    (mute / "model.keras").write_bytes((model / "model.keras").read_bytes())
    (mute / "config.json").write_text(json.dumps({"hidden_size": 1280}))
    with pytest.raises(InputError) as caught:
        engine_of(str(mute)).offers(reference(str(mute)))
    assert caught.value.code == "image_processor_unreadable"
