"""Whisper, from CTranslate2's layout to a folder that plain transformers loads."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from tests.catalogue.conftest import Kept

from supertune.catalogue import archives, convert_whisper, entries
from supertune.catalogue.archives import members
from supertune.catalogue.ctranslate2_file import read
from supertune.catalogue.entry import Package
from supertune.catalogue.resolve import resolve
from supertune.errors import InputError

PROMPTS = Package(
    "debian",
    "asterisk-core-sounds-en-wav",
    "1.6.1-1",
    "asterisk-core-sounds-en-wav_1.6.1-1_all.deb",
    "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
    18_272_864,
)
PROMPT = "agent-loginok.wav"


@pytest.fixture(scope="module")
def prompt(kept: Kept) -> Any:
    """A recording of a real prompt, 16 kHz."""
    import soundfile
    import soxr

    wanted = members(kept(PROMPTS), lambda name: name.endswith(f"/{PROMPT}"))
    wave, rate = soundfile.read(io.BytesIO(next(data for _, data in wanted)), dtype="float32")
    return soxr.resample(wave, rate, 16000)


def test_plain_transformers_transcribes_a_real_prompt(prompt: Any) -> None:
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor
    from transformers.utils import logging

    logging.set_verbosity_error()
    folder = resolve("whisper-base").folder
    model = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    processor = WhisperProcessor.from_pretrained(folder)
    heard = processor(prompt, sampling_rate=16000, return_tensors="pt").input_features
    with torch.inference_mode():
        written = model.generate(heard, language="en", task="transcribe")
    assert processor.batch_decode(written, skip_special_tokens=True) == [" Agent logged in."]
    assert set(model.generation_config.lang_to_id) >= {"<|en|>", "<|fr|>", "<|it|>"}
    assert len(model.generation_config.alignment_heads) == 8
    text = "Composez le numéro."
    assert processor.tokenizer.decode(processor.tokenizer(text).input_ids[2:-1]).strip() == text


def test_a_half_of_the_weights_is_refused(kept: Kept, tmp_path: Path) -> None:
    entry = entries.model("whisper-base")
    assert entry is not None
    held = [kept(package) for package in entry.packages]
    parts = dict(archives.members(held[1], lambda name: name.startswith(entry.inside)))
    with pytest.raises(InputError, match="layout") as caught:
        convert_whisper.convert(parts, tmp_path)
    assert caught.value.code == "weights_layout"
    small = {name: data for name, data in parts.items() if not name.endswith(".part2")}
    small["model.bin.part1"] = _file("LstmSpec", [])
    with pytest.raises(InputError, match="layout"):
        convert_whisper.convert(small, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_variables_are_read_by_name_and_an_alias_stands_for_one() -> None:
    name, tensors = read(
        _file("WhisperSpec", [("a/weight", (2,), 4, b"\0\x3c\0\x40")], ("b", "a/weight"))
    )
    assert name == "WhisperSpec"
    assert tensors["a/weight"].values().tolist() == [1.0, 2.0]
    assert tensors["b"].values().tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        struct.pack("<I", 5),
        b"\x06\0\0\0" + b"\xff" * 50,
        pytest.param("short", id="bytes that do not fill the shape"),
        pytest.param("alias", id="alias of nothing"),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(data: Any) -> None:
    made = {
        "short": _file("WhisperSpec", [("a", (3,), 4, b"\0\x3c\0\x40")]),
        "alias": _file("WhisperSpec", [], ("b", "a")),
    }
    with pytest.raises(InputError) as caught:
        read(made.get(data, data))
    assert caught.value.code == "weights_layout"


def _file(
    specification: str,
    variables: list[tuple[str, tuple[int, ...], int, bytes]],
    alias: tuple[str, str] | None = None,
) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    made = struct.pack("<I", 6) + text(specification) + struct.pack("<II", 3, len(variables))
    for name, shape, kind, data in variables:
        made += text(name) + struct.pack("<B", len(shape)) + struct.pack(f"<{len(shape)}I", *shape)
        made += struct.pack("<BI", kind, len(data)) + data
    made += struct.pack("<I", int(alias is not None))
    return made + b"".join(map(text, alias or ()))


def test_the_generation_settings_are_whispers_own() -> None:
    folder = resolve("whisper-base").folder
    settings = json.loads((folder / "generation_config.json").read_text("utf-8"))
    assert settings["begin_suppress_tokens"] == [220, 50257]
    assert len(settings["lang_to_id"]) == 99
    assert settings["no_timestamps_token_id"] == 50363
    assert settings["prev_sot_token_id"] == 50361
