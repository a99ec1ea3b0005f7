"""CLIP and SigLIP, tiny and random: held to what transformers itself computes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests import tiny_towers
from tests.backbones.transformers.pictures.conftest import picture

from supertune.backbones.transformers import ENGINE, declared
from supertune.backbones.transformers.model import TransformersBackbone
from supertune.contracts import BackboneRef, Encoding
from supertune.errors import InputError

TEXTS = ("a photo of a cat.", "a photo of a bee hive.", "red", "a photo of a dog.", "a" * 60)
PLAIN = Encoding()


def opened(folder: Path) -> TransformersBackbone:
    return ENGINE.open(BackboneRef(folder.name, "transformers", folder), device="cpu", threads=None)


@pytest.fixture(scope="module", params=["clip", "siglip"])
def towers(request, tmp_path_factory) -> TransformersBackbone:
    folder = tmp_path_factory.mktemp("towers") / f"tiny-random-{request.param}"
    return opened(getattr(tiny_towers, request.param)(folder))


@pytest.fixture(scope="module")
def squares():
    """Of the side that the model reads, so that nothing is resized."""
    return [picture((28, 28), seed) for seed in range(5)]


def theirs(backbone: TransformersBackbone, squares) -> np.ndarray:
    """(pictures, texts) logits of plain transformers."""
    import io

    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    folder = backbone.ref.folder
    images = [Image.open(io.BytesIO(one.read())) for one in squares]
    pixels = AutoImageProcessor.from_pretrained(folder)(images, return_tensors="pt")
    full = {"padding": "max_length", "max_length": tiny_towers.TEXT["max_position_embeddings"]}
    clip = backbone.model.config.model_type == "clip"
    how = {"padding": True, "max_length": full["max_length"]} if clip else full
    tokens = AutoTokenizer.from_pretrained(folder)(
        list(TEXTS), truncation=True, return_tensors="pt", **how
    )
    given = {"input_ids": tokens["input_ids"]}
    given |= {"attention_mask": tokens["attention_mask"]} if clip else {}
    with torch.no_grad():
        found = AutoModel.from_pretrained(folder)(**given, pixel_values=pixels["pixel_values"])
    return found.logits_per_image.numpy()


def test_pictures_and_names_give_the_logits_of_transformers(towers, squares):
    features = towers.features(towers.tokens(squares, PLAIN), PLAIN)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    names = towers.naming.vectors(TEXTS)
    ours = features @ names.T * towers.naming.scale + towers.naming.bias
    wanted = theirs(towers, squares)
    np.testing.assert_allclose(ours, wanted, atol=1e-5)
    assert np.ptp(wanted, axis=1).min() > 0.05, "else anything would agree"


def test_a_name_has_the_same_bits_whatever_stands_beside_it(towers):
    together = towers.naming.vectors(TEXTS)
    for place, text in enumerate(TEXTS):
        np.testing.assert_array_equal(towers.naming.vectors([text])[0], together[place])
    np.testing.assert_array_equal(towers.naming.vectors(TEXTS[::-1])[::-1], together)


def test_the_offer_tells_sizes_and_names_without_a_weight(towers):
    offer = towers.offer
    assert (offer.modality, offer.pooling) == ("image", "projected")
    assert (offer.width, offer.depth, offer.resolution) == (32, 4, 28)
    assert {"features", "names", "blocks", "layers", "linears"} <= offer.capabilities
    assert "tokens" not in offer.capabilities
    assert len(towers.blocks) == 4


def test_all_layers_are_read_at_once_with_the_projection_last(towers, squares):
    tokens = towers.tokens(squares, PLAIN)
    readings = towers.layered.readings(tokens)
    last = towers.layered.parts()[-1]
    assert (last.layer, last.pooling) == (4, "projected")
    for encoding in (PLAIN, Encoding(layer=2), Encoding(pooling="mean"), Encoding(pooling="cls")):
        np.testing.assert_array_equal(
            towers.layered.picked(readings, encoding), towers.features(tokens, encoding)
        )
    assert towers.features(tokens, PLAIN).shape[1] == last.end - last.start


@pytest.mark.parametrize("encoding", [Encoding(layer=2), Encoding(pooling="mean")])
def test_names_are_compared_with_the_projection_and_with_nothing_else(towers, encoding):
    with pytest.raises(InputError) as caught:
        towers.naming.check(encoding)
    assert caught.value.code == "names_not_comparable"


def test_a_projection_that_is_not_there_is_refused(tiny_picture, squares):
    with pytest.raises(InputError) as caught:
        tiny_picture("vit").tokens(squares, Encoding(pooling="projected"))
    assert caught.value.code == "no_projection"


@pytest.fixture
def blind(tmp_path) -> Path:
    """A CLIP folder without its tower of texts."""
    from safetensors.numpy import load_file, save_file

    folder = tiny_towers.clip(tmp_path / "tiny-random-half")
    (path,) = folder.glob("*.safetensors")
    kept = {name: one for name, one in load_file(path).items() if not name.startswith("text_")}
    save_file(kept, path, {"format": "pt"})
    return folder


def test_without_a_tower_of_texts_pictures_are_read_and_no_names(blind, squares):
    whole = declared.offer(tiny_towers.clip(blind.parent / "whole"))
    offer = declared.offer(blind)
    assert offer.capabilities == whole.capabilities - {"names", "text_tower"}
    half = opened(blind)
    assert half.naming is None
    assert half.features(half.tokens(squares, PLAIN), PLAIN).shape == (5, tiny_towers.WIDTH)


def test_without_a_tokenizer_names_are_refused_and_pictures_read(tmp_path, squares):
    folder = tiny_towers.clip(tmp_path / "tiny-random-mute")
    for path in (*folder.glob("tokenizer*"), *folder.glob("vocab*"), *folder.glob("merges*")):
        path.unlink()
    mute = opened(folder)
    assert len(mute.features(mute.tokens(squares, PLAIN), PLAIN)) == 5
    with pytest.raises(InputError) as caught:
        mute.naming.vectors(TEXTS)
    assert caught.value.code == "tokenizer_unreadable"


def test_sizes_come_from_the_weights_where_the_configuration_leaves_them_out(tmp_path):
    folder = tiny_towers.clip(tmp_path / "tiny-random-terse")
    before = declared.offer(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    (folder / "preprocessor_config.json").unlink()
    path.write_text(json.dumps({**config, "vision_config": {}}), "utf-8")
    assert declared.offer(folder) == before
