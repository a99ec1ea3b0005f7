"""Converted encoders of pictures give what their published files give."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.catalogue.conftest import Kept

from supertune import architectures
from supertune.catalogue import archives, convert_dinov2, convert_efficientnet, entries
from supertune.catalogue.entry import ModelEntry
from supertune.catalogue.resolve import resolve
from supertune.catalogue.weights import digest
from supertune.errors import InputError

DINOV2, LITE0 = (entries.model(name) for name in ("dinov2-small", "efficientnet-lite0"))
# The first six numbers of the class token and of three patches at the end of the trunk, which
# onnxruntime 1.32.0 gave for `waves` on the published graph, its trunk's end made an output.
RECORDED = {
    0: (0.51248, -0.502854, 1.698006, -3.621417, -0.698607, -0.233272),
    1: (0.967415, -0.997282, 0.444028, -3.549112, -1.367063, -1.256998),
    100: (0.79802, 1.696011, 0.875637, -3.825616, -1.08154, -1.831409),
    256: (1.103483, 0.325676, 0.635446, -3.775501, -0.785775, -2.112467),
}


def waves(side: int = 224) -> Any:
    """(1, 3, side, side) of numbers that anybody can make again."""
    import torch

    count = np.arange(3 * side * side, dtype=np.float64).reshape(1, 3, side, side)
    return torch.from_numpy((np.sin(count * 0.37) + np.cos(count * 0.0113)).astype(np.float32))


@pytest.fixture(scope="module")
def original(kept: Kept) -> Callable[[ModelEntry], bytes]:
    def found(entry: ModelEntry) -> bytes:
        read = archives.members(kept(entry.package), lambda name: name == entry.inside)
        return next(data for _, data in read)

    return found


def opened(name: str) -> Any:
    from transformers import AutoModel

    return AutoModel.from_pretrained(resolve(name).folder).eval()


def test_dinov2_agrees_with_onnxruntime_on_the_published_graph() -> None:
    import torch

    model = opened("dinov2-small")
    assert type(model).__name__ == "Dinov2Model"
    with torch.inference_mode():
        found = model(waves()).last_hidden_state[0]
    for place, numbers in RECORDED.items():
        np.testing.assert_allclose(found[place, :6], numbers, atol=1e-4)


def test_efficientnet_agrees_with_a_pass_over_its_published_arrays(
    original: Callable[[ModelEntry], bytes],
) -> None:
    import torch

    assert LITE0 is not None
    # The published file itself, to be compared with; nothing of it is run.
    arrays = torch.load(io.BytesIO(original(LITE0)), weights_only=True)
    architectures.register("efficientnet_lite")
    with torch.inference_mode():
        found = opened("efficientnet-lite0")(waves()).last_hidden_state
        wanted = _by_hand(arrays, waves())
    assert found.shape == (1, 1280, 7, 7)
    assert float(wanted.abs().max()) > 1
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def _by_hand(arrays: dict[str, Any], hidden: Any) -> Any:
    """EfficientNet-Lite0 by PyTorch's functions, from the names of the published file."""
    from torch.nn import functional as f

    def step(hidden: Any, conv: str, norm: str, *, stride: int = 1, active: bool = True) -> Any:
        weight = arrays[f"{conv}.weight"]
        kernel, size = weight.shape[-1], hidden.shape[-1]
        spare = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        hidden = f.pad(hidden, (spare // 2, spare - spare // 2) * 2)
        groups = hidden.shape[1] // weight.shape[1]
        hidden = f.conv2d(hidden, weight, stride=stride, groups=groups)
        mean, spread, scale, shift = (
            arrays[f"{norm}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        hidden = (hidden - mean) / (spread + 1e-3).sqrt() * scale + shift
        return hidden.clamp(0, 6) if active else hidden

    hidden = step(hidden, "_conv_stem", "_bn0", stride=2)
    for number in range(16):
        name, entering = f"_blocks.{number}", hidden
        if f"{name}._expand_conv.weight" in arrays:
            hidden = step(hidden, f"{name}._expand_conv", f"{name}._bn0")
        stride = 2 if number in (1, 3, 5, 11) else 1
        hidden = step(hidden, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride)
        hidden = step(hidden, f"{name}._project_conv", f"{name}._bn2", active=False)
        hidden = hidden + entering if hidden.shape == entering.shape else hidden
    return step(hidden, "_conv_head", "_bn1")


@pytest.mark.parametrize(
    ("entry", "convert"),
    [(DINOV2, convert_dinov2.convert), (LITE0, convert_efficientnet.convert)],
    ids=["dinov2-small", "efficientnet-lite0"],
)
def test_converting_again_gives_the_pinned_weights(
    entry: ModelEntry,
    convert: Callable[[bytes, Path], None],
    original: Callable[[ModelEntry], bytes],
    tmp_path: Path,
) -> None:
    convert(original(entry), tmp_path)
    assert digest(tmp_path) == entry.weights_sha256
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"config.json", "model.safetensors", "preprocessor_config.json"}


@pytest.mark.parametrize("convert", [convert_dinov2.convert, convert_efficientnet.convert])
def test_another_file_is_refused(convert: Callable[[bytes, Path], None], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        convert(b"\x80\x04cposix\nsystem\n.", tmp_path)
    assert caught.value.code == "weights_layout"
