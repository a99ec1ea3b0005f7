"""multistyle as a backbone: any sides, published styles, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from supertune.backbones.stylizers import ENGINE, offer
from supertune.catalogue.entries import model
from supertune.catalogue.resolve import resolve
from supertune.contracts import BackboneRef, Encoding, Injection, Stylizing
from supertune.data.pictures import styles
from supertune.errors import InputError


@pytest.fixture(scope="module")
def backbone() -> Any:
    return ENGINE.open(
        BackboneRef("multistyle", "stylizers", resolve("multistyle").folder),
        device="cpu",
        threads=1,
    )


def _photograph(side: int) -> np.ndarray[Any, Any]:
    return styles.pixels(styles.sample("china.jpg"), side)


def test_what_it_offers_is_what_the_catalogue_says_and_what_it_has(backbone: Any) -> None:
    entry = model("multistyle")
    assert entry is not None
    assert entry.offer == offer(26) == backbone.offer
    assert isinstance(backbone, Stylizing)
    assert sum(one.numel() for one in backbone.module.parameters()) == entry.offer.parameters
    assert backbone.sha256 == entry.weights_sha256
    assert backbone.side(Encoding()) == 256
    assert backbone.side(Encoding(resolution=64)) == 64


@pytest.mark.parametrize(("height", "width"), [(33, 50), (32, 49), (16, 17)])
def test_sides_that_are_no_multiples_of_four_are_reflected_and_cut_back(
    backbone: Any, height: int, width: int
) -> None:
    whole = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    style = torch.from_numpy(backbone.styles[3])
    with torch.no_grad():
        painted = backbone.paint(whole, style)
        assert painted.shape == whole.shape
        wide = torch.nn.functional.pad(whole, (0, -width % 4, 0, -height % 4), mode="reflect")
        assert torch.equal(backbone.module(wide, style)[:, :, :height, :width], painted)


def test_published_paintings_are_computed_once_a_picture(backbone: Any) -> None:
    picture = _photograph(48)
    found = backbone.published(picture)
    assert [one.shape[0] for one in found] == [26] * 4
    assert backbone.published(picture)[0] is found[0]
    pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        again = backbone.seen(backbone.paint(pixels, torch.from_numpy(backbone.styles[7])))
    assert torch.equal(found[2][7:8], again.together[2])


def test_only_a_style_can_be_tuned(backbone: Any) -> None:
    with pytest.raises(InputError) as caught:
        backbone.inject(Injection("LORA", (0,)), seed=0)
    assert caught.value.code == "injection_unsupported"
    tunable = backbone.inject(Injection("unfreeze", None, {"norms": True, "start": 5}), seed=0)
    assert np.array_equal(tunable.kept["style"], backbone.styles[5])
    assert tunable.tuned_parameters == 990
    with pytest.raises(ValueError, match="not numbers of this model"):
        tunable.keep({"style": np.zeros(3, np.float32)})


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("not_a_backbone", "{"),
        ("unknown_architecture", json.dumps({"model_type": "bert"})),
        ("unknown_architecture", "[]"),
    ],
)
def test_another_folder_is_refused(tmp_path: Path, code: str, content: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        ENGINE.offers(BackboneRef("x", "stylizers", tmp_path))
    assert caught.value.code == code


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(resolve("multistyle").folder, tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    held = load_file(path)
    save_file({name: value for name, value in held.items() if "expand.2" not in name}, path)
    with pytest.raises(InputError) as caught:
        ENGINE.open(BackboneRef("x", "stylizers", tmp_path / "m"), device="cpu", threads=1)
    assert caught.value.code == "weights_do_not_fit"
