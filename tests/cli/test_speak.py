"""Speech from the command line and from Python: files, tags, pauses, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny_voices
from tests.conftest import Run
from tests.tiny_voices import needs_espeak

import supertune as tune
from supertune.errors import InputError


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_voices.vits(tmp_path_factory.mktemp("speak") / "tiny-random-vits"))


@needs_espeak
@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_a_real_voice_writes_a_file_that_says_it_is_synthetic(
    supertune: Run, tmp_path: Path, ending: str
) -> None:
    import soundfile

    place = tmp_path / f"said.{ending}"
    done = supertune(
        "speak", "piper-joe", 'One. <break time="500ms"/> Two.', "--out", place, "--json"
    )
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [one["text"] for one in told["sentences"]] == ["One.", "Two."]
    first, second = told["sentences"]
    assert second["start"] == pytest.approx(first["seconds"] + 0.5, abs=1e-3)
    assert 0 < told["real_time_factor"] < 100
    assert "samples" not in told
    with soundfile.SoundFile(place) as found:
        assert found.samplerate == told["rate"] == 22050
        assert len(found) / found.samplerate == pytest.approx(told["seconds"], abs=1e-3)
        assert found.comment.startswith("Synthetic speech")
        assert "synthetic voice" in found.artist


@needs_espeak
def test_what_a_real_voice_says_is_understood(tmp_path: Path) -> None:
    place = tmp_path / "said.wav"
    tune.speak("piper-joe", "The weather is nice today.", output=place)
    (heard,) = tune.transcribe("whisper-base", place, language="en")
    assert heard["text"].strip(" .").lower() == "the weather is nice today"


def test_each_sentence_is_handed_over_as_it_is_made(tiny: str) -> None:
    heard: list[tuple[str, int]] = []
    made = tune.speak(
        tiny,
        "one two. Three four.",
        pause=0.5,
        each=lambda one, s: heard.append((one.text, len(s))),
    )
    assert [text for text, _ in heard] == ["one two.", "Three four."]
    assert sum(size for _, size in heard) == len(made["samples"])
    silence = made["samples"][heard[0][1] - 4000 : heard[0][1]]
    assert not silence.any()
    assert made["written"] is None


def test_a_sentence_sounds_the_same_whatever_stands_before_it(tiny: str) -> None:
    alone = tune.speak(tiny, "three four.")["samples"]
    after = tune.speak(tiny, "One two.\n\nthree four.")["samples"]
    np.testing.assert_array_equal(after[-len(alone) :], alone)


def test_a_text_may_come_from_a_file(supertune: Run, tiny: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("good morning", "utf-8")
    place = tmp_path / "said.wav"
    done = supertune("speak", tiny, "--file", tmp_path / "text.txt", "-o", place, "--speed", "2")
    assert done.code == 0, done.err
    assert "good morning" in done.out
    assert "marked as synthetic speech" in done.out
    assert place.is_file()


@pytest.mark.parametrize(
    ("text", "how", "code"),
    [
        ("good", {"speed": 9}, "bad_option"),
        ("good", {"pause": -1}, "bad_option"),
        ("good", {"pitch": 3}, "bad_option"),
        ("good", {"output": "said.mp3"}, "output_suffix"),
        ("good", {"output": "nowhere/said.wav"}, "output_parent_missing"),
        ("good", {"output": "there.wav"}, "output_exists"),
        ("你好", {}, "no_words_known"),
        ("...", {}, "nothing_to_say"),
        ("<b>good</b>", {}, "unknown_tag"),
        (7, {}, "bad_text"),
    ],
)
def test_what_cannot_be_spoken_is_refused_by_name(
    tiny: str,
    text: Any,
    how: dict[str, Any],
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.wav").touch()
    with pytest.raises(InputError) as caught:
        tune.speak(tiny, text, **how)
    assert caught.value.code == code
    assert caught.value.next
    assert [one.name for one in tmp_path.iterdir()] == ["there.wav"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (["minilm", "hello"], "no_voice"),
        (["piper-jo", "hello"], "unknown_backbone"),
        (["piper-joe"], "text_or_file"),
        (["piper-joe", "hello", "--file", "text.txt"], "text_or_file"),
        (["piper-joe", "--file", "none.txt"], "text_unreadable"),
    ],
)
def test_the_command_refuses_with_exit_code_2(supertune: Run, given: list[str], code: str) -> None:
    done = supertune("speak", *given, "--json")
    assert done.code == 2
    assert done.error["code"] == code
