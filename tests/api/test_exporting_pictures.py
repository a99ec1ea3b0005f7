"""`supertune.export --format onnx` of what answers to pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contract.cases import lowest

import supertune
from supertune.contracts import Picture
from supertune.errors import InputError
from supertune.opening import engine_of, reference
from supertune.pipeline import as_calibrated

FAST = {"folds": 2, "repeats": 1, "threads": 1, "method": "linear_probe"}


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Red and blue noise: wide and high, a large JPEG that was turned, one seen through."""
    from PIL import Image

    folder, rows = tmp_path_factory.mktemp("painted"), []
    drawn = np.random.default_rng(0)
    for number, size in enumerate([(40, 30), (30, 52), (700, 400), (33, 33), (64, 20), (20, 64)]):
        label = ("red", "blue")[number % 2]
        noise = drawn.integers(0, 120, (*size[::-1], 3), dtype=np.uint8)
        noise[..., 2 * (number % 2)] += 120
        image, path = Image.fromarray(noise), folder / f"{number}.png"
        if number == 2:
            path = path.with_suffix(".jpg")
            exif = image.getexif()
            exif[0x0112] = 6  # a camera held upright
            image.save(path, exif=exif, quality=95)
        else:
            if number == 3:
                image.putalpha(Image.fromarray(drawn.integers(0, 256, size, dtype=np.uint8)))
            image.save(path)
        rows.append((str(path), label))
    return rows


@pytest.fixture(scope="module")
def low_dinov2(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return lowest("dinov2-small", 2, tmp_path_factory.mktemp("low"))


def opened(name: str | Path) -> Any:
    return engine_of(str(name)).open(reference(str(name)), device="cpu", threads=1)


def features(backbone: Any, files: list[str], encoding: Any) -> Any:
    pictures = [Picture.of(Path(one).read_bytes(), one) for one in files]
    return backbone.features(backbone.tokens(pictures, encoding), encoding)


@pytest.mark.parametrize(
    ("backbone", "int8", "reading"),
    [
        ("efficientnet-lite0", True, {"resolution": 64, "resize_mode": "pad"}),
        ("dinov2", False, {"resolution": 28, "resize_mode": "crop"}),
    ],
)
def test_a_graph_of_pictures_answers_without_supertune_or_torch(
    painted, low_dinov2, tmp_path, backbone, int8, reading
) -> None:
    named = low_dinov2 if backbone == "dinov2" else backbone
    model = supertune.fit(painted, backbone=named, **FAST, **reading)
    done = supertune.export(model, tmp_path / "graph", format="onnx", int8=int8)
    assert done["difference"] <= (0.02 if int8 else 1e-4)
    assert (done["bytes"] < 4_000_000) == int8, "a quarter of 13.5 MB, of convolutions alone"
    assert (done["rows"], done["answers_changed"]) == (len(painted), 0)
    asked = [path for path, _ in painted]
    program = [sys.executable, str(tmp_path / "graph" / "predict.py"), *asked]
    ran = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", check=True)
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    shares = np.array([one["probabilities"] for one in found])
    np.testing.assert_allclose(shares, model.predict_proba(asked), atol=0.02 if int8 else 2e-4)
    assert [one["answer"] for one in found] == model.predict(asked).tolist()
    if not int8:
        graph, encoding = opened(tmp_path / "graph"), model.workshop.lens(named).encoding
        ours, theirs = (features(one, asked, encoding) for one in (opened(named), graph))
        np.testing.assert_allclose(theirs, ours, atol=1e-4)  # it is a backbone again
    said = (tmp_path / "graph" / "predict.py").read_text("utf-8")
    assert "supertune" not in said
    assert "torch" not in said


@pytest.mark.parametrize(
    ("backbone", "reading"),
    [
        ("efficientnet-lite0", {"resolution": 64, "resize_mode": "pad"}),
        ("dinov2", {"resolution": 28}),
        ("dinov2", {"resolution": 28, "layer": 1, "pooling": "mean"}),
    ],
)
def test_the_page_of_a_merged_folder_gives_the_labels_of_pictures(
    painted, low_dinov2, tmp_path, monkeypatch, backbone, reading
) -> None:
    named = low_dinov2 if backbone == "dinov2" else backbone
    model = supertune.fit(painted, backbone=named, **FAST, **reading)
    done = supertune.export(model, tmp_path / "plain", format="merged")
    assert done["difference"] <= 1e-5
    page = (tmp_path / "plain" / "README.md").read_text("utf-8")
    assert "texts" not in page
    files = [path for path, _ in painted]
    code = "\n".join(block.split("```")[0] for block in page.split("```python\n")[1:])
    code = code.replace('["one picture.jpg", "another picture.png"]', repr(files))
    monkeypatch.chdir(tmp_path / "plain")
    said: dict[str, Any] = {}
    exec(code, said)
    assert said["labels"] == model.predict(files).tolist()
    logits = model.tuned.logits(
        [Picture.of(Path(one).read_bytes(), one) for one in files],
        model.workshop.lens(model.backbone),
    )
    scores = as_calibrated(logits, model.calibration)
    np.testing.assert_allclose(said["scores"].numpy(), scores, atol=1e-4)


def test_vectors_of_an_inner_block_are_no_graph(painted, low_dinov2, tmp_path) -> None:
    reading: dict[str, Any] = {"resolution": 28, "layer": 1}
    model = supertune.fit(painted, backbone=low_dinov2, **FAST, **reading)
    with pytest.raises(InputError) as caught:
        supertune.export(model, tmp_path / "graph", format="onnx")
    assert caught.value.code == "no_onnx"
    assert list(tmp_path.iterdir()) == []
