"""Voices as backbones: what is read of a text, and what is spoken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny_voices
from tests.tiny_voices import needs_espeak

from supertune import registry
from supertune.backbones.voices import phonemes
from supertune.contracts import Speaking, Synthesising
from supertune.errors import EnvironmentFault, InputError
from supertune.opening import engine_of, reference

STILL = Speaking(variation=0.0, rhythm=0.0)


def opened(name: str) -> Any:
    ref = reference(name)
    return registry.engine(ref.engine).open(ref, device="cpu", threads=None)


@pytest.fixture(scope="module")
def joe() -> Any:
    return opened("piper-joe")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return opened(str(tiny_voices.vits(tmp_path_factory.mktemp("voices") / "tiny-random-vits")))


@needs_espeak
def test_text_becomes_phonemes_with_its_marks() -> None:
    said = phonemes.of("Hello, world! Isn't it 3.5?", "en-us")
    assert re.sub("[ˈˌ]", "", said) == "həloʊ, wɜːld! ɪzənt ɪt θɹiː pɔɪnt faɪv?"
    assert phonemes.of("?!", "en-us") == ""
    assert phonemes.of("-v fr --help", "en-us").startswith("vˈiː")


@needs_espeak
def test_the_real_voice_says_a_sentence_alike_each_time(joe: Any) -> None:
    assert isinstance(joe, Synthesising)
    assert joe.rate == 22050
    first, again = (joe.spoken("Please hold the line.", Speaking()) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert 0.7 < len(first) / joe.rate < 2
    assert 0.1 < np.abs(first).max() <= 1
    other = joe.spoken("Please hold the line.", Speaking(seed=1))
    assert len(other) != len(first) or not np.array_equal(other, first)


@needs_espeak
def test_speed_is_told_to_the_durations(joe: Any) -> None:
    slow, fast = (
        len(joe.spoken("Please hold the line.", STILL.model_copy(update={"speed": speed})))
        for speed in (0.5, 2.0)
    )
    assert 2.5 < slow / fast < 4.5


def test_a_folder_of_transformers_speaks_as_transformers_does(tiny: Any) -> None:
    import torch
    from transformers import VitsModel, VitsTokenizer

    folder = tiny.ref.folder
    assert engine_of(str(folder)).name == "voices"
    plain = VitsModel.from_pretrained(folder).eval()
    plain.noise_scale = plain.noise_scale_duration = 0.0
    ids = VitsTokenizer.from_pretrained(folder)("good morning", return_tensors="pt").input_ids
    assert tiny.symbols("Good morning!") == ids[0].tolist()
    with torch.inference_mode():
        wanted = plain(ids).waveform[0].numpy()
    made = tiny.spoken("Good morning!", STILL)
    assert made.shape == wanted.shape
    np.testing.assert_allclose(made, wanted, atol=1e-5)


def test_what_cannot_be_said_has_no_symbols(tiny: Any) -> None:
    assert tiny.symbols("你好") == []
    assert len(tiny.spoken("...", STILL)) == 1


def test_its_offer_is_known_without_weights(tiny: Any, joe: Any) -> None:
    assert joe.offer.parameters == sum(p.numel() for p in joe.module.parameters())
    assert tiny.offer.architecture == "VitsModel"
    assert tiny.offer.capabilities == {"synthesise", "torch"}


def test_without_espeak_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(phonemes.shutil, "which", lambda name: None)
    monkeypatch.setattr(phonemes.sys, "platform", "linux")
    with pytest.raises(EnvironmentFault) as caught:
        phonemes.of("a text that nothing remembers", "en-us")
    assert caught.value.code == "phonemizer_missing"
    assert caught.value.next == "sudo apt-get install espeak-ng"


@needs_espeak
def test_a_voice_that_espeak_lacks_is_named() -> None:
    with pytest.raises(InputError) as caught:
        phonemes.of("hello", "xx-klingon")
    assert caught.value.code == "unknown_language"


def test_several_speakers_are_refused(tmp_path: Path) -> None:
    folder = tiny_voices.vits(tmp_path / "crowd", num_speakers=3, speaker_embedding_size=4)
    with pytest.raises(InputError) as caught:
        opened(str(folder))
    assert caught.value.code == "speakers_unsupported"


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = tiny_voices.vits(tmp_path / "mute")
    (folder / "vocab.json").unlink()
    with pytest.raises(InputError) as caught:
        opened(str(folder))
    assert caught.value.code == "not_a_backbone"
