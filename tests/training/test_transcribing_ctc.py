"""Tuning encoders with a CTC head: what is tuned, that it learns, and the whole line.

No such weights are at hand: a tiny random wav2vec 2.0 learns which melody says which letters.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests import tiny_listeners
from tests.conftest import Run
from tests.data.sounds.conftest import encoded, melody

import supertune as tune
from supertune import registry
from supertune.backbones.transformers import declared
from supertune.config import Recipe, method_options
from supertune.errors import InputError
from supertune.training import worded

TEXTS = ("go on", "stop it", "wait", "yes please", "not now", "good bye")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_listeners.ctc(tmp_path_factory.mktemp("ctc") / "tiny-random-ctc", depth=2)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rows")
    lines = ["audio,text"]
    for place, text in enumerate(TEXTS):
        (made / f"{place}.wav").write_bytes(encoded(melody(place, 1.2)))
        lines.append(f"{place}.wav,{text}")
    (made / "rows.csv").write_text("\n".join(lines), "utf-8")
    return made / "rows.csv"


@pytest.mark.parametrize(
    ("name", "given", "blocks", "begins"),
    [
        ("lora", {}, (1,), 1),
        ("lora", {"blocks": "all"}, (0, 1), 0),
        ("bitfit", {}, (1,), 1),
        ("top_blocks", {"count": 1}, (1,), 1),
    ],
)
def test_blocks_are_those_of_the_upper_half_and_runs_begin_there(
    folder: Path, name: str, given: dict[str, Any], blocks: tuple[int, ...], begins: int
) -> None:
    offer, method = declared.offer(folder), registry.method(name)
    recipe = Recipe(task="speech_to_text", method=name, options=given)
    injection = worded.injected(method, offer, method_options(recipe, name))  # type: ignore[arg-type]
    assert injection.blocks == blocks
    assert worded.entry(min(blocks), offer) == begins


@pytest.mark.parametrize("name", ["lora", "top_blocks", "bitfit"])
def test_a_fit_learns_and_the_folder_writes_the_same_down(
    folder: Path, rows: Path, tmp_path: Path, supertune: Run, name: str
) -> None:
    model = tune.fit(
        rows, task="speech_to_text", backbone=str(folder), method=name, epochs=8, folds=2,
        learning_rate=0.02, batch_size=3, advice=False, output=tmp_path / "model", threads=1,
    )  # fmt: skip
    report = json.loads((tmp_path / "model" / "report.json").read_text("utf-8"))
    assert set(report["baselines"]) == {"untuned"}
    losses = [value for _, value in report["notes"]["curves"][0]["points"]]
    assert sum(losses[-4:]) < sum(losses[:4])
    sounds = [str(rows.parent / "0.wav"), str(rows.parent / "1.wav")]
    told = [one["text"] for one in tune.transcribe(model, sounds, threads=1)]
    done = supertune("transcribe", tmp_path / "model", sounds[0], "--threads", "1", "--json")
    assert done.answer["recordings"][0]["text"] == told[0]


def test_a_backbone_as_it_is_writes_down_a_long_recording(
    folder: Path, tmp_path: Path, supertune: Run
) -> None:
    (tmp_path / "long.wav").write_bytes(encoded(melody(0, 34.0)))
    done = supertune("transcribe", folder, tmp_path / "long.wav", "--timestamps", "--json")
    (found,) = done.answer["recordings"]
    starts = [piece["start"] for piece in found["segments"]]
    assert starts == sorted(starts)
    assert found["segments"][-1]["end"] > 30
    refused = supertune("transcribe", folder, tmp_path / "long.wav", "--beams", "2", "--json")
    assert (refused.code, refused.error["code"]) == (2, "beams_unsupported")


def test_methods_that_need_a_decoder_and_letters_that_are_not_known_are_refused(
    folder: Path, rows: Path, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"task": "speech_to_text", "backbone": str(folder), "threads": 1}
    with pytest.raises(InputError) as caught:
        tune.fit(rows, method="decoder_prompts", **asked)
    assert "decoder_prompts" in str(caught.value)
    odd = rows.with_name("odd.csv")
    odd.write_text(rows.read_text("utf-8").replace("wait", "wait 7"), "utf-8")
    with pytest.raises(InputError) as caught:
        tune.fit(odd, method="bitfit", epochs=1, folds=2, **asked)
    assert caught.value.code == "characters_unknown"


@pytest.mark.parametrize("told", ["hints", "domain_text"])
@pytest.mark.parametrize("asked", [tune.fit, tune.plan])
def test_hints_are_refused_before_any_work(folder: Path, rows: Path, asked: Any, told: str) -> None:
    done: list[str] = []
    more = {"progress": lambda stage, *_: done.append(stage)} if asked is tune.fit else {}
    given = {"task": "speech_to_text", "backbone": str(folder), "method": "lora", "threads": 1}
    with pytest.raises(InputError) as caught:
        asked(rows, **{told: ("Zoiper",)}, **given, **more)
    assert caught.value.code == f"{told}_unsupported"
    assert {"hints": "--hint", "domain_text": "--domain-text"}[told] in str(caught.value.next)
    assert set(done) <= {"read rows"}
