"""The same arrays are the same bytes and the same hash."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.artifact.tensors import read_tensors, tensor_bytes, weights_sha256

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_bytes_and_hash_depend_neither_on_order_nor_on_memory_layout() -> None:
    one = {"a": VALUES, "b": VALUES.T}
    two = {"b": np.ascontiguousarray(VALUES.T), "a": np.asfortranarray(VALUES).astype(">f4")}
    assert tensor_bytes(one) == tensor_bytes(two)
    assert weights_sha256(one) == weights_sha256(two)


@pytest.mark.parametrize(
    "other",
    [
        {"b": VALUES},
        {"a": VALUES.reshape(4, 3)},
        {"a": VALUES.astype(np.float64)},
        {"a": VALUES + np.eye(3, 4, dtype=np.float32)},
        {"a": VALUES, "b": VALUES},
        {},
    ],
)
def test_another_name_shape_type_or_value_is_another_hash(other: dict[str, np.ndarray]) -> None:
    assert weights_sha256(other) != weights_sha256({"a": VALUES})


@pytest.mark.parametrize(
    "array",
    [
        VALUES[:, ::2],
        VALUES.T,
        np.float32(3),
        np.zeros((0, 5)),
        VALUES > 3,
        VALUES.astype(np.float16),
        VALUES.astype(np.int64),
        VALUES.astype(np.uint16),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_come_back_as_they_were(array: np.ndarray) -> None:
    back = read_tensors(tensor_bytes({"x": array}), "x")["x"]
    assert back.shape == array.shape
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


def test_objects_are_not_written() -> None:
    with pytest.raises(TypeError, match="not a number"):
        tensor_bytes({"x": np.array([{}])})


def test_texts_in_a_header_do_not_change_the_bytes_from_run_to_run(tmp_path):
    from safetensors import safe_open

    arrays = {"b": np.ones((2, 3), np.float32), "a": np.arange(4)}
    header = {f"key {i}": f"text {i}" for i in range(8)}
    made = {
        tensor_bytes(arrays, dict(order)) for order in (header.items(), [*header.items()][::-1])
    }
    (data,) = made
    assert all(tensor_bytes(arrays, header) == data for _ in range(8))
    assert read_tensors(data, "a")["b"].tolist() == arrays["b"].tolist()
    (tmp_path / "a.safetensors").write_bytes(data)
    with safe_open(tmp_path / "a.safetensors", "np") as opened:
        assert opened.metadata() == header
        assert opened.get_tensor("a").tolist() == [0, 1, 2, 3]
