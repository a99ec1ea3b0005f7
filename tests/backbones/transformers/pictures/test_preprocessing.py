"""A picture becomes the same numbers as by transformers' own image processors."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.backbones.transformers import preprocessing
from supertune.contracts import BackboneRef
from supertune.data.pictures.decoding import opened
from supertune.errors import InputError

PROCESSORS = {
    "vit": ("ViTImageProcessorPil", {"size": {"height": 36, "width": 36}}),
    "bit": (
        "BitImageProcessorPil",
        {"size": {"shortest_edge": 40}, "crop_size": {"height": 36, "width": 36}},
    ),
    "deit": (
        "DeiTImageProcessorPil",
        {"size": {"height": 40, "width": 40}, "crop_size": {"height": 36, "width": 36}},
    ),
    "convnext": ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 36}}),
    "convnext-large": ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 384}}),
    "raw": (
        "ViTImageProcessorPil",
        {"size": {"height": 36, "width": 36}, "do_normalize": False, "do_rescale": False},
    ),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_it_gives_what_transformers_gives(name, pictures, tmp_path):
    import transformers

    kind, settings = PROCESSORS[name]
    made = getattr(transformers, kind)(**settings)
    made.save_pretrained(tmp_path)
    ours = preprocessing.declared(BackboneRef(name, "transformers", tmp_path))
    for one in pictures:
        image = opened(one)
        wanted = np.asarray(made(image, return_tensors="np")["pixel_values"])
        found = ours.normalised(ours.square(image, ours.side)[None])
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_another_side_shows_as_much_of_the_picture(tmp_path, pictures):
    import transformers

    made = transformers.BitImageProcessorPil(
        size={"shortest_edge": 40}, crop_size={"height": 36, "width": 36}
    )
    made.save_pretrained(tmp_path)
    ours = preprocessing.declared(BackboneRef("bit", "transformers", tmp_path))
    large = transformers.BitImageProcessorPil(
        size={"shortest_edge": 80}, crop_size={"height": 72, "width": 72}
    )
    wanted = np.asarray(large(opened(pictures[5]), return_tensors="np")["pixel_values"])
    found = ours.normalised(ours.square(opened(pictures[5]), 72)[None])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_folder_that_does_not_say_how_is_refused(picture_folder, tmp_path):
    with pytest.raises(InputError, match=r"preprocessor_config\.json") as caught:
        preprocessing.declared(BackboneRef("bare", "transformers", tmp_path))
    assert caught.value.code == "image_processor_unreadable"
