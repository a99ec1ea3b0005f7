"""Pictures through encoders of several families: what they declare, and what vectors are."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from supertune.backbones.transformers import ENGINE, declared
from supertune.backbones.transformers import pixels as pixels_module
from supertune.contracts import BackboneRef, Encoding, Picture
from supertune.data.pictures.decoding import opened
from supertune.errors import InputError

TRANSFORMERS = ("vit", "dinov2", "registers", "deit", "beit")
CONVOLUTIONS = ("resnet", "convnext", "efficientnet_lite")
ALL = (*TRANSFORMERS, *CONVOLUTIONS)
SPECIALS = {"vit": 1, "dinov2": 1, "registers": 4, "deit": 2, "beit": 1}


def pixels(backbone, pictures, side=28):
    import torch

    made = backbone.reader.preprocessing
    squares = np.stack([made.square(opened(one), side) for one in pictures])
    return torch.from_numpy(made.normalised(squares))


@pytest.mark.parametrize("family", ALL)
def test_each_family_declares_what_it_is(family, picture_folder, tiny_picture):
    offer = declared.offer(picture_folder(family))
    assert (offer.modality, offer.family, offer.resolution) == ("image", "encoder", 28)
    assert offer.depth == len(tiny_picture(family).blocks)
    assert offer.width == 32
    assert {"features", "blocks", "layers", "torch"} <= offer.capabilities
    prompted = {"vit", "dinov2", "registers", "deit"}
    assert ("block_prompts" in offer.capabilities) == (family in prompted)
    assert ("biases" in offer.capabilities) == (family in TRANSFORMERS or family == "convnext")


def test_swin_has_features_alone(picture_folder, pictures):
    offer = declared.offer(picture_folder("swin"))
    assert offer.capabilities & {"blocks", "layers", "features"} == {"features"}


@pytest.mark.parametrize("family", ALL)
@pytest.mark.parametrize("how", ["cls", "mean", "cls_mean"])
def test_a_vector_is_that_of_the_model_itself(family, how, tiny_picture, pictures):
    import torch

    backbone, encoding = tiny_picture(family), Encoding(pooling=how)
    found = backbone.features(backbone.tokens(pictures, encoding), encoding)
    with torch.no_grad():
        last = backbone.model(pixels(backbone, pictures)).last_hidden_state
    if last.dim() == 4:
        wanted = last.mean((2, 3))
    else:
        first, mean = last[:, 0], last[:, SPECIALS[family] :].mean(1)
        wanted = {"cls": first, "mean": mean, "cls_mean": torch.cat([first, mean], 1)}[how]
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("family", ALL)
def test_the_bits_of_a_row_do_not_depend_on_its_neighbours(family, tiny_picture, pictures):
    backbone, encoding = tiny_picture(family), Encoding()
    tokens = backbone.tokens(pictures, encoding)
    together = backbone.features(tokens, encoding)
    alone = np.concatenate([backbone.features([each], encoding) for each in tokens])
    np.testing.assert_array_equal(together, alone)
    loose = backbone.features(tokens, encoding, exact=False)
    np.testing.assert_allclose(loose, together, atol=2e-5)


@pytest.mark.parametrize("family", ["vit", "dinov2", "registers", "efficientnet_lite"])
def test_another_resolution_is_read_as_the_model_reads_it(family, tiny_picture, pictures):
    import torch

    backbone, encoding = tiny_picture(family), Encoding(resolution=42, pooling="mean")
    found = backbone.features(backbone.tokens(pictures, encoding), encoding)
    more = {"interpolate_pos_encoding": True} if family == "vit" else {}
    with torch.no_grad():
        last = backbone.model(pixels(backbone, pictures, 42), **more).last_hidden_state
    mean = last.mean((2, 3)) if last.dim() == 4 else last[:, SPECIALS[family] :].mean(1)
    np.testing.assert_allclose(found, mean, atol=2e-5)


def test_a_resolution_that_patches_do_not_fill_is_refused(tiny_picture, pictures):
    backbone = tiny_picture("vit")
    with pytest.raises(InputError, match="35") as caught:
        backbone.tokens(pictures, Encoding(resolution=30))
    assert caught.value.code == "bad_resolution"


def test_a_text_is_refused(tiny_picture):
    with pytest.raises(InputError) as caught:
        tiny_picture("vit").tokens(["a cat"], Encoding())
    assert caught.value.code == "not_a_picture"


@pytest.mark.parametrize("family", ALL)
def test_one_pass_gives_all_layers_to_the_bit(family, tiny_picture, pictures):
    backbone = tiny_picture(family)
    layered, tokens = backbone.layered, backbone.tokens(pictures, Encoding())
    readings = layered.readings(tokens)
    assert readings.shape == (len(pictures), layered.parts()[-1].end)
    for layer in range(1, backbone.offer.depth + 1):
        for how in ("cls", "mean", "cls_mean"):
            encoding = Encoding(layer=layer, pooling=how)
            np.testing.assert_array_equal(
                layered.picked(readings, encoding), backbone.features(tokens, encoding)
            )


@pytest.mark.parametrize("family", ALL)
def test_a_run_goes_on_from_the_activations_of_any_block(family, tiny_picture, pictures):
    import torch

    backbone, encoding = tiny_picture(family), Encoding()
    assert all(backbone.resumes(cut) for cut in range(1, backbone.offer.depth))
    pieces = [pieces[0] for pieces in backbone.tokens(pictures, encoding)]
    whole = backbone.features([(piece,) for piece in pieces], encoding)
    entering = np.stack(backbone.activations(pieces, 2))
    batch = backbone.tensors(pieces, len(pieces), len(pieces[0]))
    with torch.no_grad():
        found = backbone.forward(batch, encoding, cut=2, hidden=torch.from_numpy(entering))
    np.testing.assert_allclose(found, whole, atol=2e-5)
    with backbone.tapped(2) as taken:
        backbone.features([(piece,) for piece in pieces], encoding)
    for piece, states in zip(pieces, entering, strict=True):
        np.testing.assert_array_equal(taken[piece.bare], states)


def test_an_inner_layer_is_reached_from_a_cut_below_it(tiny_picture, pictures):
    import torch

    backbone, encoding = tiny_picture("dinov2"), Encoding(layer=3)
    tokens = backbone.tokens(pictures, encoding)
    pieces = [pieces[0] for pieces in tokens]
    batch = backbone.tensors(pieces, len(pieces), len(pieces[0]))
    hidden = torch.from_numpy(np.stack(backbone.activations(pieces, 1)))
    with torch.no_grad():
        found = backbone.forward(batch, encoding, cut=1, hidden=hidden)
    np.testing.assert_allclose(found, backbone.features(tokens, encoding), atol=2e-5)


def test_of_many_small_pictures_few_squares_are_held(tiny_picture, pictures, monkeypatch):
    monkeypatch.setattr(pixels_module, "MOST", 2)
    backbone, encoding = tiny_picture("vit"), Encoding()
    backbone.reader.forget()
    one_by_one = [backbone.features(backbone.tokens([one], encoding), encoding) for one in pictures]
    assert len(backbone.reader._squares) == 2 < len(pictures)
    together = backbone.features(backbone.tokens(pictures, encoding), encoding)
    np.testing.assert_array_equal(together, np.concatenate(one_by_one))


def test_the_catalogue_s_notes_say_how_a_folder_is_best_read(picture_folder, tmp_path):
    import json
    import shutil

    folder = tmp_path / "noted"
    shutil.copytree(picture_folder("dinov2"), folder)
    noted = {"layer": 3, "pooling": "mean", "resolution": 14}
    (folder / declared.ORIGIN).write_text(json.dumps(noted), "utf-8")
    offer, plain = declared.offer(folder), declared.offer(picture_folder("dinov2"))
    assert (offer.layer, offer.pooling, offer.resolution) == (3, "mean", 14)
    assert (plain.layer, plain.pooling, plain.resolution) == (None, "cls_mean", 28)
    assert replace(offer, **{n: getattr(plain, n) for n in (*noted, "max_length")}) == plain
    backbone = ENGINE.open(BackboneRef("noted", "transformers", folder), device="cpu", threads=None)
    image = io.BytesIO()
    from PIL import Image

    Image.new("RGB", (9, 9), "red").save(image, format="PNG")
    one = [Picture.of(image.getvalue(), "red.png")]
    said, plain_said = Encoding(layer=3, pooling="mean", resolution=14), Encoding()
    found = backbone.features(backbone.tokens(one, plain_said), plain_said)
    np.testing.assert_array_equal(found, backbone.features(backbone.tokens(one, said), said))
