"""Tuned numbers merged into plain folders, over the families of architectures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.backbones.transformers.conftest import FAMILIES

from supertune.backbones.transformers import ENGINE, exporting
from supertune.contracts import BackboneRef, Encoding, Injection
from supertune.errors import InputError

TEXTS = ("the film was very good", "a long dull story of two")


def written(backbone, folder, kind="LORA", adapter=None, config=None, weights=None):
    folder.mkdir()
    exporting.write_merged(
        backbone.ref,
        backbone.offer,
        folder,
        adapter=adapter or {},
        adapter_config=config,
        weights=weights or {},
    )
    return ENGINE.open(BackboneRef("merged", "transformers", folder), device="cpu", threads=None)


def shifted(tunable):
    rng = np.random.default_rng(0)
    tunable.keep(
        {
            name: array + rng.normal(0, 0.05, array.shape).astype(array.dtype)
            for name, array in tunable.kept.items()
        }
    )
    return tunable


def vectors(backbone):
    return backbone.features(backbone.tokens(TEXTS, Encoding()), Encoding(), exact=False)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_merged_adapter_computes_the_same_in_every_family(tiny, tmp_path, family):
    backbone = tiny(family)
    tunable = shifted(backbone.inject(Injection("LORA", (2, 3), {"r": 2}), seed=0))
    with tunable:
        ours = vectors(backbone)
    assert not np.allclose(ours, vectors(backbone), atol=1e-4)
    merged = written(backbone, tmp_path / "m", adapter=tunable.kept, config=tunable.config())
    assert np.abs(vectors(merged) - ours).max() <= 1e-5 * np.abs(ours).max()


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_were_tuned_take_the_place_of_the_backbone_s(tiny, tmp_path, family):
    backbone = tiny(family)
    with backbone.inject(Injection("unfreeze", (2, 3)), seed=0) as tunable:
        pass
    shifted(tunable)
    with tunable:
        ours = vectors(backbone)
    assert not np.allclose(ours, vectors(backbone), atol=1e-4)
    merged = written(backbone, tmp_path / "m", weights=tunable.kept)
    assert np.abs(vectors(merged) - ours).max() <= 1e-5 * np.abs(ours).max()


def test_of_two_stacks_both_are_written(tiny, tmp_path):
    from transformers import AutoModel

    written(tiny("t5"), tmp_path / "m")
    whole, notes = AutoModel.from_pretrained(str(tmp_path / "m"), output_loading_info=True)
    assert not notes["missing_keys"]
    assert any(name.startswith("decoder.") for name, _ in whole.named_parameters())
    config = json.loads((tmp_path / "m" / "config.json").read_text("utf-8"))
    assert config["use_cache"] is True


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("LILY", {"target_modules": ["query", "value"]}, "not supported for Lily"),
        ("PROMPT_TUNING", {"num_virtual_tokens": 2}, "puts vectors before the text"),
    ],
)
def test_what_peft_cannot_merge_is_refused_with_its_reason(tiny, tmp_path, kind, settings, reason):
    backbone = tiny("bert")
    if kind == "LILY":
        tunable = backbone.inject(Injection(kind, None, settings), seed=0)
        adapter, config = tunable.kept, tunable.config()
    else:
        adapter, config = {}, {"peft_type": kind, **settings}
    with pytest.raises(InputError) as caught:
        written(backbone, tmp_path / "m", adapter=adapter, config=config)
    assert caught.value.code == "cannot_merge"
    assert reason in caught.value.message


def test_modules_beside_the_weights_are_refused(tiny, tmp_path):
    with pytest.raises(InputError) as caught:
        written(tiny("bert"), tmp_path / "m", weights={"adapter.0.down": np.zeros((2, 2))})
    assert caught.value.code == "cannot_merge"


def test_a_pooler_that_the_backbone_lacks_is_not_made_up(tiny, tiny_folder, tmp_path):
    import shutil

    from safetensors.numpy import load_file, save_file

    bare = tmp_path / "bare"
    shutil.copytree(tiny_folder("bert"), bare)
    arrays = load_file(bare / "model.safetensors")
    kept = {name: array for name, array in arrays.items() if "pooler." not in name}
    assert len(kept) < len(arrays)
    save_file(kept, bare / "model.safetensors", {"format": "pt"})
    backbone = ENGINE.open(BackboneRef("bare", "transformers", bare), device="cpu", threads=None)
    written(backbone, tmp_path / "m")
    assert set(load_file(tmp_path / "m" / "model.safetensors")) == set(kept)
