"""An ONNX file read by its wire format, from bytes that are written here."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.catalogue.onnx_file import Node, read
from supertune.errors import InputError


def varint(value: int) -> bytes:
    low = bytes([value & 127 | (128 if value > 127 else 0)])
    return low + (varint(value >> 7) if value > 127 else b"")


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name: str, values: np.ndarray, kind: int = 1, *, packed: bool = False) -> bytes:
    dims = [varint(size) for size in values.shape]
    shape = field(1, b"".join(dims)) if packed else b"".join(field(1, n) for n in values.shape)
    return shape + field(2, kind) + field(8, name) + field(9, values.tobytes())


def model(*parts: bytes) -> bytes:
    return field(1, 8) + varint(5 << 3 | 5) + b"abcd" + field(7, b"".join(parts))


ROWS = np.arange(300, dtype="<f4").reshape(2, 150)


def test_arrays_come_by_name_whether_named_or_given_by_an_operation() -> None:
    steps = np.array([3, -1], dtype="<i8")
    constant = field(2, "c") + field(4, "Constant") + field(5, field(5, tensor("", steps, 7)))
    matmul = field(1, "x") + field(1, "w") + field(2, "y") + field(4, "MatMul")
    graph = read(
        model(field(5, tensor("w", ROWS)), field(5, tensor("v", ROWS.T.copy(), packed=True)),
              field(1, constant), field(1, matmul))
    )  # fmt: skip
    assert graph.nodes[1] == Node("MatMul", ("x", "w"), ("y",))
    np.testing.assert_array_equal(graph.tensors["w"].values(), ROWS)
    np.testing.assert_array_equal(graph.tensors["v"].values(), ROWS.T)
    np.testing.assert_array_equal(graph.tensors["c"].values(), steps)
    assert graph.tensors["w"].shape == (2, 150)


def test_numbers_of_other_kinds_are_passed_over() -> None:
    half = ROWS.astype("<f2")
    graph = read(model(field(5, tensor("half", half, 10)), field(5, tensor("w", ROWS))))
    assert set(graph.tensors) == {"w"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GGUF and more that is no message at all",
        model(field(5, tensor("w", ROWS)))[:-40],
        model(field(5, field(1, 9) + field(2, 1) + field(8, "w") + field(9, b"short"))),
        field(7, 3),
        b"\x3a" + b"\xff" * 12,
    ],
    ids=["empty", "another format", "cut short", "too few bytes", "no message", "endless number"],
)
def test_what_is_not_laid_out_so_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read(data)
    assert caught.value.code == "weights_layout"
