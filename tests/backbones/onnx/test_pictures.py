"""Encoders of pictures as ONNX files: the same vectors as torch gives, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contract.cases import lowest

import supertune
from supertune.catalogue.resolve import resolve
from supertune.contracts import Encoding, Picture
from supertune.errors import InputError
from supertune.opening import engine_of, reference

SIDES = {"dinov2-small": 28, "efficientnet-lite0": 64}
BESIDE = ("config.json", "preprocessor_config.json", "supertune-origin.json")


def exported(folder: Path, to: Path, side: int) -> Path:
    """``model.onnx`` of a transformers folder, of any size where it has no positions; by the older
    exporter of torch, which takes a second."""
    import torch
    from transformers import AutoModel

    from supertune import architectures

    config = json.loads((folder / "config.json").read_text("utf-8"))
    own = architectures.register(config["model_type"])

    class States(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = AutoModel.from_pretrained(str(folder), dtype=torch.float32).eval()
            if not own:
                self.body.set_attn_implementation("eager")

        def forward(self, pixel_values: Any) -> Any:
            return self.body(pixel_values=pixel_values).last_hidden_state

    to.mkdir(parents=True)
    axes = {"pixel_values": {0: "n", **({2: "h", 3: "w"} if own else {})}}
    axes["last_hidden_state"] = {0: "n", **({2: "y", 3: "x"} if own else {})}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            States(),
            (torch.zeros(2, 3, side, side),),
            str(to / "model.onnx"),
            input_names=["pixel_values"],
            output_names=["last_hidden_state"],
            dynamic_axes=axes,
            dynamo=False,
            opset_version=17,
        )
    for name in BESIDE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, to / name)
    return to


@pytest.fixture(scope="module", params=list(SIDES))
def pair(
    request: pytest.FixtureRequest, own_activations: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, int]:
    """A folder of torch, the same as an ONNX file, and a side that both read."""
    side, place = SIDES[request.param], tmp_path_factory.mktemp(request.param)
    if request.param == "dinov2-small":
        folder = lowest("dinov2-small", 2, place)
    else:
        whole = resolve(request.param).folder
        assert whole is not None
        folder = str(whole)
    return folder, exported(Path(folder), place / "graph", side), side


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    from PIL import Image

    found, drawn = [], np.random.default_rng(0)
    for number, size in enumerate([(90, 60), (40, 130), (64, 64)]):
        stream = io.BytesIO()
        Image.fromarray(drawn.integers(0, 255, (*size, 3), dtype=np.uint8)).save(stream, "PNG")
        found.append(Picture.of(stream.getvalue(), f"{number}.png"))
    return found


def opened(name: str | Path) -> Any:
    return engine_of(str(name)).open(reference(str(name)), device="cpu", threads=1)


def test_it_sees_what_the_same_weights_see_in_torch(pair, pictures) -> None:
    folder, graph, side = pair
    ours, theirs = opened(graph), opened(folder)
    assert ours.offer.pooling == theirs.offer.pooling
    for more in ({}, {"resize_mode": "crop"}, {"resize_mode": "pad", "pooling": "mean"}):
        encoding = Encoding(resolution=side, **more)
        found, wanted = (
            one.features(one.tokens(pictures, encoding), encoding) for one in (ours, theirs)
        )
        assert np.abs(found - wanted).max() <= 1e-4, more
        assert np.abs(wanted).max() > 0.1


PREDICTED = """
import sys
sys.modules["torch"] = None
import json, supertune
print(json.dumps(supertune.load(sys.argv[1]).predict(sys.argv[2:]).tolist()))
"""


def test_a_model_on_it_predicts_without_torch(pair, pictures, python, tmp_path) -> None:
    _, graph, side = pair
    rows = []
    for number, picture in enumerate(pictures):
        (tmp_path / picture.name).write_bytes(picture.read())
        rows += [(str(tmp_path / picture.name), "ab"[number % 2])]
    rows += [(path, label) for path, label in rows[:1]]
    options = {"folds": 2, "repeats": 1, "method": "nearest_centroid", "resolution": side}
    model = supertune.fit(
        rows,
        backbone=str(graph),
        output=tmp_path / "m",
        **options,  # type: ignore[arg-type]
    )
    files = [path for path, _ in rows]
    ran = python(PREDICTED, str(tmp_path / "m"), *files)
    assert json.loads(ran.stdout) == model.predict(files).tolist(), ran.stderr


def test_what_it_cannot_read_is_refused(pair, tmp_path) -> None:
    _, graph, side = pair
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copyfile(graph / "model.onnx", bare / "model.onnx")
    with pytest.raises(InputError) as caught:
        opened(bare)
    assert caught.value.code == "image_processor_unreadable"
    (bare / "preprocessor_config.json").write_text('{"size": 28, "resample": 3}', "utf-8")
    with pytest.raises(InputError, match="image_mean"):
        opened(bare)
    backbone = opened(graph)
    with pytest.raises(InputError) as caught:
        backbone.tokens(["a text"], Encoding(resolution=side))
    assert caught.value.code == "not_a_picture"
    if "dinov2" in str(graph):
        with pytest.raises(InputError) as caught:
            backbone.side = backbone.rows.side(Encoding(resolution=56))
        assert caught.value.code == "bad_resolution"
