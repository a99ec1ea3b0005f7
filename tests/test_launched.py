"""What the launcher of several processes says of them, without a library being loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from supertune import launched


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, (1, 0, True)),
        ({"WORLD_SIZE": "1", "RANK": "3"}, (1, 3, True)),  # a cluster's own variable, alone
        ({"WORLD_SIZE": "4"}, (4, 0, True)),
        ({"WORLD_SIZE": "4", "RANK": "0"}, (4, 0, True)),
        ({"WORLD_SIZE": "4", "RANK": "2"}, (4, 2, False)),
    ],
)
def test_the_first_of_several_speaks(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], expected: tuple[int, int, bool]
) -> None:
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert (launched.count(), launched.rank(), launched.first()) == expected


@pytest.mark.parametrize(("said", "sharded"), [("true", True), ("1", True), ("false", False)])
def test_fsdp_is_asked_for_as_accelerate_writes_it(
    monkeypatch: pytest.MonkeyPatch, said: str, sharded: bool
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", said)
    assert launched.sharded() is sharded


def test_asking_loads_neither_torch_nor_numpy_nor_pydantic() -> None:
    program = (
        "import sys; from supertune import launched; launched.first(); "
        "print([name for name in ('torch', 'numpy', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
