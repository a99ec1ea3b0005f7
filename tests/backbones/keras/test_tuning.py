"""What is tuned inside of Keras: the losses are torch's, and the numbers serve either engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tensorflow_here import tensorflow_is_here

import supertune
from supertune import registry
from supertune.config import Recipe
from supertune.contracts import Encoding, HeadSpec, Problem
from supertune.errors import InputError
from supertune.model import load
from supertune.opening import engine_of, reference
from supertune.pipeline import read
from supertune.training import fitting
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens

pytestmark = pytest.mark.skipif(not tensorflow_is_here(), reason="needs the extra tensorflow")
SAID = (
    ("a good film, and a long one", "a"),
    ("so good that I saw it twice", "a"),
    ("not good but kind", "a"),
    ("the best of all", "a"),
    ("bad and dull", "b"),
    ("a long bad film about nothing", "b"),
    ("bored", "b"),
    ("why was it made at all", "b"),
)
TEXTS = tuple(text for text, _ in SAID)
KEYS = {"epochs": 3, "batch_size": 3}
WHOLE = {"epochs": 6, "batch_size": 8}  # every step sees every row
AS_TORCH = 1e-3  # of a loss
OPTIONS: dict[str, Any] = {"folds": 2, "repeats": 1, "threads": 1, "max_length": 24, "seed": 0}


class Fit:
    """One method on a backbone, from ``start`` on if given."""

    def __init__(self, where: str, method: str, start: Any = None, **keys: Any) -> None:
        backbone = engine_of(where).open(reference(where), device="cpu", threads=1)
        self.lens = CachedLens(backbone, Encoding(max_length=24), ActivationCache(None))
        self.method = registry.method(method)
        self.options = self.method.options(**{**KEYS, **keys})
        examples = read(list(SAID), Recipe(max_length=24)).train
        self.problem = Problem(examples, HeadSpec(2), self.lens, seed=0)
        begin = backbone.inject

        def inject(injection: Any, *, seed: int, numbers: Any = None) -> Any:
            return begin(injection, seed=seed, numbers=start if numbers is None else numbers)

        backbone.inject = inject
        self.tuned = fitting.fit(self.method, self.problem, self.options)

    def restored(self, other: Fit) -> Any:
        """The logits of numbers tuned elsewhere, over this backbone."""
        state = other.tuned.state()
        made = fitting.restore(self.method, state, self.options, self.problem.head, self.lens)
        return made.logits(TEXTS, self.lens)

    @property
    def logits(self) -> Any:
        return self.tuned.logits(TEXTS, self.lens)


def start_in_torch(low: str, method: str, **keys: Any) -> Any:
    backbone = engine_of(low).open(reference(low), device="cpu", threads=1)
    one = registry.method(method)
    tunable = backbone.inject(one.injection(backbone.offer, one.options(**keys)), seed=0)
    with tunable:
        pass
    return tunable.kept


@pytest.mark.parametrize("method", ["top_blocks", "lora", "adapter", "bitfit", "full"])
def test_losses_are_those_of_torch_and_numbers_serve_either_engine(low, encoder, method) -> None:
    start = start_in_torch(low, method)
    torch = Fit(low, method, start)
    keras = Fit(str(encoder), method, start)
    np.testing.assert_allclose(keras.tuned.losses, torch.tuned.losses, rtol=AS_TORCH)
    assert len(keras.tuned.losses) == 9
    assert keras.tuned.tuned_parameters == torch.tuned.tuned_parameters
    assert np.abs(keras.restored(torch) - torch.logits).max() < 1e-4
    assert np.abs(torch.restored(keras) - keras.logits).max() < 1e-4
    moved = [np.abs(a - start[name]).max() for name, a in keras.tuned.tunable.kept.items()]
    assert min(moved) > 0, "a gradient did not arrive"


def test_the_backbone_is_what_it_was_and_a_seed_gives_the_same_bytes(encoder) -> None:
    one = Fit(str(encoder), "lora", learning_rate=0.05)
    backbone = one.lens.backbone
    before = CachedLens(
        engine_of(str(encoder)).open(reference(str(encoder)), device="cpu", threads=1),
        Encoding(max_length=24),
        ActivationCache(None),
    )
    assert np.array_equal(
        before.features(TEXTS),
        CachedLens(backbone, before.encoding, ActivationCache(None)).features(TEXTS),
    )
    frozen = one.tuned.readout.apply(before.features(TEXTS))
    assert np.abs(one.logits - frozen).max() > 0.01
    again = Fit(str(encoder), "lora", learning_rate=0.05)
    assert one.tuned.losses == again.tuned.losses
    for name, array in one.tuned.tunable.kept.items():
        assert np.array_equal(array, again.tuned.tunable.kept[name]), name


def test_rows_left_out_are_answered_from_the_cut_as_they_are_predicted(encoder) -> None:
    one = Fit(str(encoder), "top_blocks")
    held = one.tuned.held_out(TEXTS, one.lens)
    np.testing.assert_allclose(held, one.logits, atol=1e-4)


@pytest.mark.parametrize(
    "keys",
    [
        {"seeds": 2, "interpolation": 0.5},
        {"early_stopping": 0.25},
        {"label_smoothing": 0.1, "layer_decay": 0.5, "head_learning_rate": 0.01},
        {"head_start": "zero", "lr_ratio": 4.0, "use_rslora": True},
    ],
)
def test_keys_mean_what_they_mean_in_torch(low, encoder, keys) -> None:
    start = start_in_torch(low, "lora", blocks="all")
    torch, keras = (
        Fit(where, "lora", start, blocks="all", **keys) for where in (low, str(encoder))
    )
    np.testing.assert_allclose(keras.tuned.losses, torch.tuned.losses, rtol=AS_TORCH)
    np.testing.assert_allclose(keras.logits, torch.logits, atol=5e-3)


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"dropout": 0.1}, "key_not_carried_out"),
        ({"r_drop": 1.0}, "key_not_carried_out"),
        ({"use_dora": True}, "keras_cannot_tune"),
        ({"lora_dropout": 0.1}, "keras_cannot_tune"),
        ({"init": "pissa"}, "keras_cannot_tune"),
        ({"targets": ("nothing",)}, "target_not_found"),
        ({"blocks": (7,)}, "block_out_of_range"),
        ({"readout": "verbalizer"}, "verbalizer_impossible"),
    ],
)
def test_what_keras_does_not_carry_out_is_refused_by_name(encoder, keys, code) -> None:
    with pytest.raises(InputError) as caught:
        Fit(str(encoder), "lora", **keys)
    assert caught.value.code == code


WITHOUT_TORCH = """
import json, sys, warnings
warnings.simplefilter('ignore')

class NoTorch:
    def find_spec(self, name, *rest):
        if name == "torch":
            raise ImportError("no torch here")

sys.meta_path.insert(0, NoTorch())
import supertune
model = supertune.load(sys.argv[1], threads=1, backbone=sys.argv[2])
print(json.dumps(model.predict_proba(["good", "a dull story"]).tolist()))
"""
ASKED = ["good", "a dull story"]


@pytest.mark.parametrize("method", ["top_blocks", "linear_probe"])
def test_a_folder_tuned_by_one_engine_predicts_by_the_other(
    low, encoder, tmp_path, python, method
) -> None:
    """In Keras in a process that cannot import torch."""
    keys = {"epochs": 2} if method == "top_blocks" else {}
    shares = {}
    for name, where in (("torch", low), ("keras", str(encoder))):
        model = supertune.fit(
            list(SAID), method=method, backbone=where, output=tmp_path / name, **keys, **OPTIONS
        )
        shares[name] = model.predict_proba(ASKED)
        done = python(WITHOUT_TORCH, str(tmp_path / name), str(encoder))
        assert done.returncode == 0, done.stderr
        np.testing.assert_allclose(json.loads(done.stdout), shares[name], atol=1e-4)
    by_torch = load(tmp_path / "keras", threads=1, backbone=low).predict_proba(ASKED)
    np.testing.assert_allclose(by_torch, shares["keras"], atol=1e-4)


def test_other_weights_are_not_taken_for_those_that_were_converted(low, encoder, tmp_path) -> None:
    supertune.fit(list(SAID), method="linear_probe", backbone=low, output=tmp_path / "m", **OPTIONS)
    other = tmp_path / "other"
    other.mkdir()
    for path in encoder.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    import keras

    from supertune.backbones.keras.model import quiet

    with quiet():
        changed = keras.saving.load_model(str(other / "model.keras"))
        changed.save(str(other / "model.keras"))
    with pytest.raises(InputError) as caught:
        load(tmp_path / "m", threads=1, backbone=other)
    assert caught.value.code == "backbone_changed"


def own_model(folder: Path, encoder: Path) -> Path:
    """A model of somebody's own with Keras's MultiHeadAttention, drawn at random, normalising
    before its halves; the tokenizer is minilm's."""
    import keras
    from keras import layers

    from supertune.backbones.keras.model import quiet

    folder.mkdir()
    (folder / "tokenizer.json").write_bytes((encoder / "tokenizer.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({"hidden_size": 16}))
    words = json.loads((encoder / "config.json").read_text())["vocab_size"]
    keras.utils.set_random_seed(0)
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    mask = keras.Input((None,), dtype="int32", name="attention_mask")
    hidden = layers.Embedding(words, 16)(ids)
    seen = layers.Reshape((1, -1))(mask)
    for _ in range(2):
        normed = layers.LayerNormalization()(hidden)
        found = layers.MultiHeadAttention(2, 8)(normed, normed, attention_mask=seen)
        hidden = layers.Add()([hidden, found])
        normed = layers.LayerNormalization()(hidden)
        inner = layers.Dense(32, activation="gelu")(normed)
        hidden = layers.Add()([hidden, layers.Dense(16)(inner)])
    with quiet():
        keras.Model([ids, mask], hidden).save(str(folder / "own.keras"))
    return folder


def test_lora_goes_into_the_attention_of_a_model_of_ones_own(encoder, tmp_path) -> None:
    folder = own_model(tmp_path / "own", encoder)
    keys = {"targets": ("query", "attention_output", "dense_3"), "learning_rate": 0.01, **WHOLE}
    one = Fit(str(folder), "lora", blocks=(1,), **keys)
    names = sorted(one.tuned.tunable.kept)
    assert one.lens.backbone.offer.depth == 2
    assert "blocks.1.multi_head_attention_1.query.lora_kernel_a" in names
    assert any(name.startswith("base_model.model.blocks.1.dense") for name in names)
    assert not any(".0." in name for name in names)
    assert one.tuned.losses[-1] < one.tuned.losses[0]
    again = fitting.restore(one.method, one.tuned.state(), one.options, one.problem.head, one.lens)
    np.testing.assert_allclose(again.logits(TEXTS, one.lens), one.logits, atol=1e-6)
    for method in ("adapter", "top_blocks", "layernorm"):
        other = Fit(str(folder), method, learning_rate=0.01, **WHOLE)
        assert other.tuned.losses[-1] < other.tuned.losses[0]
