"""Our own safetensors files are those of the library, byte by byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from supertune.catalogue.weights import Tensor, digest, write
from supertune.errors import InputError


def test_a_file_has_the_librarys_bytes_whatever_the_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in {"b.weight": (3, 5), "a": (7,), "b.bias": (3,), "é": (1, 2, 3)}.items()
    }
    tensors = {name: Tensor(a.shape, lambda a=a: a) for name, a in reversed(arrays.items())}
    write(tensors, tmp_path)
    save_file(arrays, tmp_path / "theirs.safetensors", {"format": "pt"})
    ours = load_file(tmp_path / "model.safetensors")
    assert {name: array.tolist() for name, array in ours.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
    plain = {name: a for name, a in arrays.items() if name.isascii()}
    write({name: Tensor(a.shape, lambda a=a: a) for name, a in plain.items()}, tmp_path)
    save_file(plain, tmp_path / "theirs.safetensors", {"format": "pt"})
    theirs = (tmp_path / "theirs.safetensors").read_bytes()
    assert (tmp_path / "model.safetensors").read_bytes() == theirs


def test_values_that_do_not_fill_their_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        write({"a": Tensor((2, 2), lambda: np.zeros(3))}, tmp_path)
    assert caught.value.code == "weights_layout"


def test_a_digest_is_over_all_parts_but_no_adapter(tmp_path: Path) -> None:
    for name, data in {"model-2": b"2", "model-1": b"1", "adapter_model": b"3"}.items():
        (tmp_path / f"{name}.safetensors").write_bytes(data)
    assert digest(tmp_path) == hashlib.sha256(b"12").hexdigest()
