"""bf16: when it is taken, and how near it is to float32."""

from __future__ import annotations

import numpy as np
import pytest

import supertune
from supertune import pipeline
from supertune.backbones.transformers import ENGINE, precision
from supertune.catalogue.corpora import few_shot
from supertune.catalogue.resolve import resolve
from supertune.config import recipe
from supertune.contracts import BackboneRef, Encoding

AGREED = 0.99  # share of one file's rows with the same label; docs/log.md has .999 over eight
NEAR = 0.03  # largest difference of a probability


def opened(wanted):
    ref = BackboneRef("minilm", "transformers", resolve("minilm").folder)
    return ENGINE.open(ref, device="cpu", threads=None, precision=wanted)


def test_what_is_asked_for_is_taken():
    assert [opened(wanted).precision for wanted in ("fp32", "bf16")] == ["fp32", "bf16"]


@pytest.mark.parametrize(
    ("ratio", "apart", "taken"),
    [(1.2, 0.0, "fp32"), (1.4, 0.01, "bf16"), (1.4, 0.04, "fp32"), (9.0, float("inf"), "fp32")],
)
def test_auto_takes_it_where_it_is_faster_and_says_the_same(
    tmp_path, monkeypatch, ratio, apart, taken
):
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path))
    monkeypatch.setattr(precision, "_ratio", lambda: ratio)
    monkeypatch.setattr(precision, "_apart", lambda backbone: apart)
    assert precision.settled(opened("fp32"), "auto") == taken


def test_both_questions_are_asked_once_a_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path))
    asked = []
    monkeypatch.setattr(precision, "_ratio", lambda: asked.append("fast") or 2.0)
    monkeypatch.setattr(precision, "_apart", lambda _b: asked.append("near") or 0.01)
    backbone = opened("fp32")
    assert [precision.settled(backbone, "auto") for _ in range(3)] == ["bf16"] * 3
    assert asked == ["fast", "near"]


@pytest.mark.parametrize("name", ["minilm", "e5", "smollm2"])
def test_real_backbones_say_nearly_the_same(request, name):
    backbone = request.getfixturevalue(name)
    assert 0 < precision._apart(backbone) < precision.BORNE


def test_a_backbone_that_rounding_breaks_is_found_out(tiny):
    backbone = tiny("bert")
    with backbone.at("fp32"):
        sound = precision._apart(backbone)
    assert sound < precision.BORNE
    weight = backbone.blocks[-1].output.dense.weight
    kept = weight.data.clone()
    weight.data *= float("inf")
    try:
        assert precision._apart(backbone) == float("inf")
    finally:
        weight.data = kept


def test_products_are_rounded_and_what_is_added_up_is_not(minilm):
    import torch

    seen = {}
    dense = minilm.blocks[0].intermediate.dense
    norm = minilm.blocks[0].output.LayerNorm
    handles = [
        layer.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out.dtype}))
        for name, layer in (("dense", dense), ("norm", norm))
    ]
    how = Encoding(max_length=16)
    with minilm.at("bf16"):
        found = minilm.features(minilm.tokens(["a dull film"], how), how)
    for handle in handles:
        handle.remove()
    assert seen == {"dense": torch.bfloat16, "norm": torch.float32}
    assert found.dtype == np.float32
    assert dense.weight.dtype == torch.float32


@pytest.mark.parametrize("method", ["linear_probe", "lora"])
def test_predictions_agree_with_float32(method):
    rows, held = few_shot("bbc-news", per_class=8, test_rows=400, seed=1)
    texts = [text for text, _ in held]
    keys = {"method": method, "backbone": "minilm", "max_length": 48, "folds": 2, "repeats": 1}
    keys |= {"options": {"epochs": 4}} if method == "lora" else {}
    model = supertune.fit(rows, test=held[:20], precision="fp32", **keys)
    exact = model.predict_proba(texts)
    backbone = pipeline.open_backbone(pipeline.reference("minilm"), recipe({"precision": "fp32"}))
    with backbone.at("bf16"):
        rounded = model.predict_proba(texts[::-1])[::-1]
    assert np.abs(exact - rounded).max() > 0
    assert np.abs(exact - rounded).max() < NEAR
    same = exact.argmax(axis=1) == rounded.argmax(axis=1)
    assert same.mean() >= AGREED
    two = np.sort(exact[~same], axis=1)[:, -2:]
    assert (two[:, 1] - two[:, 0] < 2 * NEAR).all(), "only what was nearly even changes"


def test_a_saved_model_keeps_its_precision_and_its_bits(tmp_path):
    rows = [(f"{word} film number {i}", word) for i in range(6) for word in ("good", "bad")]
    model = supertune.fit(
        rows, method="linear_probe", backbone="minilm", precision="bf16", folds=2, repeats=1
    )
    model.save(tmp_path / "model")
    assert model.report.data["precision"] == "bf16"
    again = supertune.load(tmp_path / "model")
    assert again.recipe.precision == "bf16"
    texts = ["a good one", "a bad and much longer one than the other"]
    np.testing.assert_array_equal(model.predict_proba(texts), again.predict_proba(texts))


def test_precisions_share_no_activation(tmp_path):
    ref = pipeline.reference("minilm")
    keys = [
        pipeline.open_backbone(ref, recipe({"precision": wanted})).arithmetic
        for wanted in ("fp32", "bf16")
    ]
    assert keys[0] != keys[1]
