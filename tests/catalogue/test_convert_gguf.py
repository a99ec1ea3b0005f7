"""The converted SmolLM2 is a plain Transformers model that speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.catalogue.conftest import Kept

from supertune.catalogue import archives, entries
from supertune.catalogue.convert_gguf import convert
from supertune.catalogue.gguf_file import read
from supertune.catalogue.resolve import resolve
from supertune.catalogue.weights import digest
from supertune.errors import InputError

ENTRY = entries.MODELS[2]


@pytest.fixture(scope="module")
def original(kept: Kept) -> bytes:
    package = kept(ENTRY.package)
    return next(data for _, data in archives.members(package, lambda name: name == ENTRY.inside))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(resolve("smollm2").folder)


def test_it_goes_on_with_a_sentence(tokenizer: Any) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(resolve("smollm2").folder).eval()
    given = tokenizer("The capital of France is", return_tensors="pt")
    answer = model.generate(**given, max_new_tokens=3, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0])


def test_a_digit_is_a_word_and_bytes_come_back(tokenizer: Any) -> None:
    assert tokenizer.tokenize("In 2024") == ["In", "Ġ", "2", "0", "2", "4"]
    text = "<|im_start|>user\nDéjà vu 42 中文 🙂<|im_end|>"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert (ids[0], ids[-1]) == (1, 2)
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert asked.endswith("<|im_start|>user\nHi<|im_end|>\n")


def test_converting_again_gives_the_pinned_weights(tmp_path: Path, original: bytes) -> None:
    convert(original, tmp_path)
    assert digest(tmp_path) == ENTRY.weights_sha256
    assert {path.name for path in tmp_path.iterdir()} == {
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


@pytest.mark.slow
def test_numbers_are_decoded_as_the_formats_own_library_does(
    tmp_path: Path, original: bytes
) -> None:
    import gguf

    (tmp_path / "a.gguf").write_bytes(original)
    theirs = gguf.GGUFReader(tmp_path / "a.gguf")
    ours = read(original)
    assert set(ours.tensors) == {tensor.name for tensor in theirs.tensors}
    kinds: dict[int, Any] = {}
    for tensor in theirs.tensors:
        kinds.setdefault(int(tensor.tensor_type), tensor)
    assert len(kinds) >= 3, "every kind of tensor in the file is compared"
    for tensor in kinds.values():
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        found = ours.tensors[tensor.name].values()
        np.testing.assert_array_equal(found, expected.reshape(found.shape))
    assert ours.settings["llama.block_count"] == 30
    assert theirs.fields["llama.block_count"].contents() == 30
    del theirs  # it maps the file


@pytest.mark.parametrize(
    "data", [b"", b"GGUF", b"E5S1" + bytes(99), b"GGUF\x03\0\0\0" + b"\xff" * 99]
)
def test_a_file_of_another_layout_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        convert(data, tmp_path)
    assert caught.value.code == "weights_layout"
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_short_is_refused(tmp_path: Path, original: bytes) -> None:
    with pytest.raises(InputError) as caught:
        convert(original[: len(original) // 2], tmp_path)
    assert caught.value.code == "weights_layout"
