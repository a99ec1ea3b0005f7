"""Encoders of texts as models of Keras: the same vectors as torch gives, and what is refused."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tensorflow_here import tensorflow_is_here

import supertune
from supertune.contracts import Encoding
from supertune.errors import InputError
from supertune.opening import engine_of, reference

TEXTS = (
    "Good.",
    "The parcel came two days late and nobody answered the phone.",
    ("a film of two halves", "the second is better"),
    "",
    "word " * 100,
)
ROWS = [("a good film", "a"), ("so good", "a"), ("bad and dull", "b"), ("a long bad film", "b")]
needed = pytest.mark.skipif(not tensorflow_is_here(), reason="needs the extra tensorflow")


def features(name: str | Path, encoding: Encoding) -> Any:
    backbone = engine_of(str(name)).open(reference(str(name)), device="cpu", threads=1)
    return backbone.features(backbone.tokens(TEXTS, encoding), encoding)


@needed
@pytest.mark.parametrize("pooling", [None, "cls", "mean"])
def test_it_sees_what_the_same_weights_see_in_torch(low, encoder, pooling) -> None:
    encoding = Encoding(max_length=24, pooling=pooling)
    assert (reference(str(encoder)).engine, reference(low).engine) == ("keras", "transformers")
    theirs = features(low, encoding)
    assert np.abs(features(encoder, encoding) - theirs).max() <= 1e-4
    assert np.abs(theirs).max() > 0.1


@needed
def test_a_saved_model_sees_the_same(encoder, tmp_path) -> None:
    import keras

    from supertune.backbones.keras.model import quiet

    folder = tmp_path / "saved"
    with quiet():
        model = keras.saving.load_model(str(encoder / "model.keras"))
        model.export(str(folder), verbose=False)
    for name in ("tokenizer.json", "config.json", "modules.json"):
        shutil.copyfile(encoder / name, folder / name)
    encoding = Encoding(max_length=24)
    assert reference(str(folder)).engine == "keras"
    np.testing.assert_allclose(features(folder, encoding), features(encoder, encoding), atol=1e-5)


PREDICTED = """
import json, sys
import supertune
model = supertune.load(sys.argv[1], threads=1)
shares = model.predict_proba(["good", "a dull story"])
print(json.dumps([shares.tolist(), sorted({"torch", "transformers", "peft"} & set(sys.modules))]))
"""


@needed
def test_a_model_on_it_predicts_in_a_process_without_torch(encoder, tmp_path, python) -> None:
    options = {"folds": 2, "repeats": 1, "threads": 1, "max_length": 24}
    model = supertune.fit(
        ROWS, method="linear_probe", backbone=str(encoder), output=tmp_path / "m", **options
    )
    done = python(PREDICTED.replace("import supertune", QUIET, 1), str(tmp_path / "m"))
    assert done.returncode == 0, done.stderr
    shares, heavy = json.loads(done.stdout)
    assert heavy == []
    np.testing.assert_allclose(shares, model.predict_proba(["good", "a dull story"]), atol=1e-6)


# TensorFlow warns of itself when it is imported.
QUIET = "import warnings; warnings.simplefilter('ignore'); import supertune"


# --- what is refused before TensorFlow is needed ----------------------------------------------


def layer(kind: str, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": {"name": kind.lower(), **config}}


def written(folder: Path, *layers: dict[str, Any], width: bool = True) -> Path:
    """A .keras file of these layers without any weights."""
    folder.mkdir()
    described = layer("Functional", "keras.src.models.functional", layers=list(layers))
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(described))
    (folder / "tokenizer.json").write_text("{}")
    if width:
        (folder / "config.json").write_text(json.dumps({"hidden_size": 8}))
    return folder


IDS = layer("InputLayer", dtype="int32") | {
    "config": {"name": "input_ids", "dtype": "int32", "batch_shape": [None, None]}
}


@pytest.mark.parametrize(
    ("layers", "code"),
    [
        ([IDS, layer("Lambda")], "keras_code"),
        ([IDS, layer("Attention", "somebodys.module")], "keras_code"),
        ([layer("InputLayer", dtype="float32")], "keras_inputs"),
    ],
)
def test_a_model_that_is_no_encoder_of_plain_layers_is_refused(tmp_path, layers, code) -> None:
    folder = written(tmp_path / "k", *layers)
    with pytest.raises(InputError) as caught:
        supertune.fit(ROWS, method="linear_probe", backbone=str(folder))
    assert caught.value.code == code


def test_a_bad_file_is_refused_by_name(tmp_path) -> None:
    def refused(folder: Path) -> str:
        with pytest.raises(InputError) as caught:
            supertune.fit(ROWS, method="linear_probe", backbone=str(folder))
        return caught.value.code

    assert refused(written(tmp_path / "narrow", IDS, width=False)) == "keras_width"
    torn = written(tmp_path / "torn", IDS)
    (torn / "model.keras").write_bytes(b"PK\x03\x04 not whole")
    assert refused(torn) == "not_keras"
    mute = written(tmp_path / "mute", IDS)
    (mute / "tokenizer.json").unlink()
    assert refused(mute) == "tokenizer_unreadable"
    assert refused(tmp_path / "nowhere.keras") == "not_keras"


def test_what_is_no_bert_is_not_converted(tmp_path) -> None:
    from supertune.backbones.keras.converting import convert

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(InputError) as caught:
        convert(tmp_path, tmp_path / "to")
    assert caught.value.code == "no_keras"
    assert not (tmp_path / "to").exists()
