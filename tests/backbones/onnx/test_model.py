"""Encoders of texts as ONNX files: the same vectors as torch gives, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, save
from tests.contract.cases import lowest
from tests.onnx_encoders import exported

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
ENCODING = Encoding(max_length=24)
ROWS = [("a good film", "a"), ("so good", "a"), ("bad and dull", "b"), ("a long bad film", "b")]


@pytest.fixture(scope="module")
def low(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two blocks of minilm, for torch."""
    return lowest("minilm", 2, tmp_path_factory.mktemp("low"), words=4000)


@pytest.fixture(scope="module")
def encoder(low: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as an ONNX file in a folder."""
    return exported(Path(low), tmp_path_factory.mktemp("graphs") / "low-onnx")


def opened(name: str | Path) -> Any:
    return engine_of(str(name)).open(reference(str(name)), device="cpu", threads=1)


def features(backbone: Any, encoding: Encoding = ENCODING) -> Any:
    return backbone.features(backbone.tokens(TEXTS, encoding), encoding)


@pytest.mark.parametrize("pooling", [None, "cls", "mean", "last"])
@pytest.mark.parametrize("long_text", ["truncate", "head_tail", "chunk"])
def test_it_sees_what_the_same_weights_see_in_torch(low, encoder, pooling, long_text) -> None:
    encoding = Encoding(max_length=24, pooling=pooling, long_text=long_text)
    ours, theirs = features(opened(encoder), encoding), features(opened(low), encoding)
    assert np.abs(ours - theirs).max() <= 1e-4
    assert np.abs(theirs).max() > 0.1


def test_a_file_and_its_folder_are_one_backbone(encoder) -> None:
    folder, file = reference(str(encoder)), reference(str(encoder / "model.onnx"))
    assert (folder.engine, folder.name, file.engine, file.name) == (
        *("onnx", "low-onnx"),
        *("onnx", "model.onnx"),
    )
    assert opened(encoder).sha256 == opened(encoder / "model.onnx").sha256
    assert engine_of("onnx:" + str(encoder)).name == "onnx"


def test_a_folder_with_safetensors_is_torch_s(encoder, tmp_path) -> None:
    both = tmp_path / "both"
    shutil.copytree(encoder, both)
    (both / "model.safetensors").write_bytes(b"")
    assert engine_of(str(both)).name == "transformers"


PREDICTED = """
import json, sys
import supertune
model = supertune.load(sys.argv[1], threads=1)
shares = model.predict_proba(["good", "a dull story"])
heavy = {"torch", "transformers", "peft", "tensorflow"} & set(sys.modules)
print(json.dumps([shares.tolist(), sorted(heavy)]))
"""


def test_a_model_on_it_predicts_in_a_process_without_torch(encoder, tmp_path, python) -> None:
    options = {"folds": 2, "repeats": 1, "threads": 1, "max_length": 24}
    model = supertune.fit(
        ROWS, method="linear_probe", backbone=str(encoder), output=tmp_path / "m", **options
    )
    done = python(PREDICTED, str(tmp_path / "m"))
    assert done.returncode == 0, done.stderr
    shares, heavy = json.loads(done.stdout)
    assert heavy == []
    assert shares == model.predict_proba(["good", "a dull story"]).tolist()


FITTED = """
import json, sys

class WithoutTorch:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, WithoutTorch())
import supertune

rows, backbone, folder = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
options = {"folds": 2, "repeats": 1, "threads": 1, "max_length": 24}
model = supertune.fit(rows, method="linear_probe", backbone=backbone, output=folder, **options)
print(json.dumps(model.predict_proba(["good"]).tolist()))
"""


def test_a_fit_on_it_does_not_need_torch(encoder, tmp_path, python) -> None:
    """Nobody has measured this machine: its cache is empty."""
    rows = [(f"{text} {number}", label) for number in range(2) for text, label in ROWS]
    given = [json.dumps(rows), str(encoder), str(tmp_path / "m")]
    done = python(FITTED, *given, SUPERTUNE_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    model = supertune.load(tmp_path / "m", threads=1)
    assert json.loads(done.stdout) == model.predict_proba(["good"]).tolist()


def test_weights_that_changed_are_noticed(encoder, tmp_path) -> None:
    place = tmp_path / "g"
    shutil.copytree(encoder, place)
    options = {"folds": 2, "repeats": 1, "threads": 1, "max_length": 24}
    supertune.fit(
        ROWS, method="nearest_centroid", backbone=str(place), output=tmp_path / "m", **options
    )
    content = bytearray((place / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "other").mkdir()
    for path in place.iterdir():
        if path.is_file():
            shutil.copyfile(path, tmp_path / "other" / path.name)
    (tmp_path / "other" / "model.onnx").write_bytes(content)
    with pytest.raises(InputError) as caught:
        supertune.load(tmp_path / "m", backbone=tmp_path / "other")
    assert caught.value.code == "backbone_changed"


# --- small graphs made by hand ----------------------------------------------------------------

Made = Callable[..., Path]
TEXT = {"input_ids": ["n", "t"], "attention_mask": ["n", "t"]}


@pytest.fixture
def made(encoder: Path, tmp_path: Path) -> Made:
    """A graph whose outputs are rows of a table by token, beside the tokenizer of minilm."""

    def write(
        inputs: dict[str, list[Any]],
        outputs: dict[str, list[Any]],
        *,
        kind: int = TensorProto.INT64,
        outside: str = "",
    ) -> Path:
        table = np.random.default_rng(0).standard_normal((4000, 8)).astype(np.float32)
        weights = helper.make_tensor("table", TensorProto.FLOAT, table.shape, table.tobytes(), True)
        if outside:
            weights.ClearField("raw_data")
            weights.data_location = TensorProto.EXTERNAL
            weights.external_data.add(key="location", value=outside)
        nodes = [helper.make_node("Gather", ["table", next(iter(inputs))], ["rows"])]
        for name, shape in outputs.items():
            if len(shape) == 3:
                nodes.append(helper.make_node("Identity", ["rows"], [name]))
            else:
                nodes.append(helper.make_node("ReduceMax", ["rows"], [name], axes=[1], keepdims=0))
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info(n, kind, shape) for n, shape in inputs.items()],
            [helper.make_tensor_value_info(n, 1, shape) for n, shape in outputs.items()],
            [weights],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        folder = tmp_path / "made"
        folder.mkdir()
        save(model, str(folder / "model.onnx"))
        shutil.copyfile(encoder / "tokenizer.json", folder / "tokenizer.json")
        return folder

    return write


def test_a_vector_a_text_is_taken_as_it_is(made) -> None:
    folder = made(TEXT, {"last_hidden_state": ["n", "t", 8], "sentence_embedding": ["n", 8]})
    backbone = opened(folder)
    assert (backbone.offer.pooling, backbone.offer.width) == ("projected", 8)
    vectors = features(backbone)
    assert not np.allclose(vectors, features(backbone, Encoding(max_length=24, pooling="mean")))
    assert features(backbone, Encoding(max_length=24, pooling="projected")).shape == (5, 8)


def test_a_graph_without_hidden_states_has_no_other_pooling(made) -> None:
    backbone = opened(made(TEXT, {"sentence_embedding": ["n", 8]}))
    with pytest.raises(InputError, match="no vectors of that kind") as caught:
        backbone.tokens(TEXTS, Encoding(pooling="mean"))
    assert (caught.value.code, caught.value.allowed) == ("pooling_unavailable", "projected")


def test_a_graph_of_one_shape_gives_the_same(made) -> None:
    shaped = {"input_ids": [3, 24], "attention_mask": [3, 24]}
    folder = made(shaped, {"last_hidden_state": [3, 24, 8]}, kind=TensorProto.INT32)
    backbone = opened(folder)
    assert backbone.offer.max_length == 24
    vectors = features(backbone)
    table = np.random.default_rng(0).standard_normal((4000, 8)).astype(np.float32)
    ids = backbone.tokens(TEXTS, ENCODING)[1][0].ids
    np.testing.assert_allclose(vectors[1], table[list(ids)].mean(0), atol=1e-5)


STATES = {"last_hidden_state": ["n", "t", 8]}


def broken(folder: Path, how: str) -> Path:
    """The path to name, after a folder was spoilt."""
    file = folder / "model.onnx"
    if how == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    elif how == "cut short":
        file.write_bytes(file.read_bytes()[:5000])
    elif how == "other bytes":
        file.write_bytes(b"<html>not found</html>" * 9)
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "several":
        shutil.copyfile(file, folder / "a.onnx")
        file.rename(folder / "b.onnx")
    elif how == "nowhere":
        return folder / "none.onnx"
    elif how == "bad tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("no tokenizer", "tokenizer_unreadable"),
        ("bad tokenizer", "tokenizer_unreadable"),
        ("cut short", "not_onnx"),
        ("other bytes", "not_onnx"),
        ("empty", "not_onnx"),
        ("several", "onnx_ambiguous"),
        ("nowhere", "not_onnx"),
    ],
)
def test_a_bad_file_is_refused_by_name(made, how, code) -> None:
    path = broken(made(TEXT, STATES), how)
    with pytest.raises(InputError) as caught:
        supertune.fit(ROWS, method="linear_probe", backbone=str(path))
    assert caught.value.code == code
    assert caught.value.next


@pytest.mark.parametrize(
    ("inputs", "outputs", "options", "code"),
    [
        (TEXT, STATES, {"outside": "model.onnx_data"}, "weights_missing"),
        (TEXT, STATES, {"outside": "../../weights"}, "not_onnx"),
        ({"pixel_values": ["n", 3, 8, 8]}, STATES, {}, "onnx_inputs"),
        ({**TEXT, "bbox": ["n", "t"]}, STATES, {}, "onnx_inputs"),
        ({"tokens": ["n", "t"]}, STATES, {}, "onnx_inputs"),
        (TEXT, {"logits": ["n", 2]}, {}, "onnx_outputs"),
        (TEXT, {"last_hidden_state": ["n", "t", "d"]}, {}, "onnx_outputs"),
    ],
)
def test_a_graph_that_is_no_encoder_of_texts_is_refused(
    made, inputs, outputs, options, code
) -> None:
    folder = made(inputs, outputs, **options)
    with pytest.raises(InputError) as caught:
        supertune.fit(ROWS, method="linear_probe", backbone=str(folder))
    assert caught.value.code == code


def test_what_it_cannot_do_is_refused_before_a_weight_is_read(made) -> None:
    folder = made(TEXT, STATES)
    with pytest.raises(InputError) as caught:
        supertune.fit(ROWS, method="lora", backbone=str(folder))
    assert caught.value.code == "method_does_not_fit"


def test_a_device_that_is_not_there_is_refused(made) -> None:
    folder = str(made(TEXT, STATES))
    with pytest.raises(InputError) as caught:
        engine_of(folder).open(reference(folder), device="cuda", threads=1)
    assert caught.value.code == "device_unavailable"
