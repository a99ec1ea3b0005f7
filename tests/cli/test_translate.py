"""Translation from the command line: fit, translate, predict, and files that are gone on with."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Run

import supertune as tune
from supertune.api import resuming
from supertune.catalogue.corpora import few_pairs
from supertune.errors import InputError

FIT = {"task": "translation", "backbone": "bergamot-en-pt", "method": "top_blocks"}
BACKBONE = "bergamot-en-pt"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables of real pairs."""
    train, test = few_pairs("gnome-help-pt", train_rows=60, test_rows=40, seed=2)
    folder = tmp_path_factory.mktemp("pairs")
    for name, rows in (("train", train), ("test", test)):
        short = [row for row in rows if len(row[0]) < 70][:8]
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("source", "target", "page"), *short])
    return folder


@pytest.fixture(scope="module")
def fitted(pairs: Path) -> tune.Model:
    return tune.fit(
        pairs / "train.csv", output=pairs / "model", test=pairs / "test.csv", epochs=2,
        batch_size=4, advice=False, threads=1, time_limit=600, **FIT,
    )  # fmt: skip


def test_a_fit_judges_texts_beside_the_untuned_model_and_the_source(
    fitted: tune.Model, pairs: Path
) -> None:
    report = json.loads((pairs / "model" / "report.json").read_text("utf-8"))
    assert report["metric"] == "chrf"
    assert set(report["baselines"]) == {"untuned", "copied"}
    assert report["baselines"]["copied"]["value"] < report["baselines"]["untuned"]["value"]
    assert 0 <= report["test"]["low"] <= report["test"]["value"] <= report["test"]["high"] <= 100
    assert "version:" in report["translation"]["signatures"]["bleu"]
    told = report["translated"]
    assert told["rows"] == 8
    assert len(told["pairs"]) == told["changed"] == told["better"] + told["worse"]
    page = (pairs / "model" / "report.html").read_text("utf-8")
    assert "Before and after" in page
    assert told["pairs"][0]["source"].split("<")[0][:20] in page


def test_a_model_folder_answers_in_a_new_process_to_the_letter(
    fitted: tune.Model, pairs: Path, python: Any
) -> None:
    texts = ["Copied %d of {total} files.\n\n  Open the <b>Files</b> application.", ""]
    here = fitted.predict(texts).tolist()
    assert here[0].count("\n\n  ") == 1
    assert all(one in here[0] for one in ("%d", "{total}", "<b>", "</b>"))
    assert here[1] == ""
    code = (
        "import sys, json, supertune; m = supertune.load(sys.argv[1], threads=1); "
        "print(json.dumps(m.predict(json.loads(sys.argv[2])).tolist()))"
    )
    done = python(code, str(pairs / "model"), json.dumps(texts))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == here


def test_explain_tells_word_by_word_what_was_written_from_what(
    fitted: tune.Model, pairs: Path, supertune: Run
) -> None:
    assert fitted.training_rows is not None
    text = str(fitted.training_rows.inputs[0])
    found = fitted.explain(text)
    done = supertune("explain", str(pairs / "model"), text, "--threads", "1", "--json")
    assert done.code == 0, done.err
    (told,) = json.loads(done.out)["explanations"]
    assert told["answer"]["translation"] == fitted.predict([text])[0]
    assert told["nearest"][0]["source"] == text
    assert [one["text"] for one in told["words"]] == [one.word.text for one in found.words]
    assert told["faithfulness"]["words"] == found.tested > 0
    done = supertune("explain", str(pairs / "model"), text, "--threads", "1", "--no-rows")
    assert done.code == 0, done.err
    assert "Each word, and what the decoder looked at" in done.out
    assert "Pairs learned from" not in done.out
    refused = supertune("explain", str(pairs / "model"), text, "--way", "terms", "--json")
    assert (refused.code, refused.error["code"]) == (2, "unknown_way")


def test_predict_writes_translations_beside_the_rows(
    fitted: tune.Model, pairs: Path, supertune: Run, tmp_path: Path
) -> None:
    done = supertune("predict", str(pairs / "model"), str(pairs / "test.csv"), "-o",
               str(tmp_path / "out.csv"), "--threads", "1")  # fmt: skip
    assert done.code == 0, done.err
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (pairs / "test.csv").open(encoding="utf-8", newline="") as stream:
        asked = [row["source"] for row in csv.DictReader(stream)]
    assert [row["source"] for row in rows] == asked
    assert [row["translation"] for row in rows] == fitted.predict(asked).tolist()
    assert "doubts" in rows[0]


def test_a_backbone_translates_as_it_is_with_a_glossary_and_a_beam(
    supertune: Run, tmp_path: Path
) -> None:
    terms = tmp_path / "terms.csv"
    terms.write_text("term,name\nwallpaper,plano de fundo\n", encoding="utf-8")
    asked = "Click the desktop and choose the wallpaper."
    plain = supertune("translate", BACKBONE, asked, "--json", "--threads", "1")
    done = supertune("translate", BACKBONE, asked, "--json", "--threads", "1", "--beams", "2",
               "--glossary", str(terms))  # fmt: skip
    texts = [json.loads(one.out)["translations"][0]["translation"] for one in (plain, done)]
    assert "papel de parede" in texts[0]
    assert "plano de fundo" in texts[1]


@pytest.fixture(scope="module")
def folded(pairs: Path) -> tune.Model:
    """Judged by folds; a method that is fitted in no time."""
    few = {"backbone": BACKBONE, "method": "knn_memory", "folds": 2, "repeats": 1}
    return tune.fit(pairs / "train.csv", output=pairs / "folded", task="translation",
                    advice=False, threads=1, **few)  # fmt: skip


def test_a_model_leaves_to_a_person_what_it_is_not_sure_of(folded: tune.Model, pairs: Path) -> None:
    assert folded.calibration["confidence"].shape == (1, 8)
    estimate = json.loads((pairs / "folded" / "report.json").read_text("utf-8"))["estimate"]
    assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 100
    texts = ["Open the settings.", "aaaa bbbb cccc dddd"]
    none = folded.predictions(texts, max_error=0.05)
    assert none.given == (None, None)  # eight rows prove nothing
    assert none.marks()["abstained"] == 2
    rows = np.linspace(-2.0, -0.01, 400)
    enough = {"confidence": rows[None], "wrong": rows[None] < -1.0, "units": np.array([400])}
    sure = replace(folded, calibration=enough)
    least = sure.abstains(0.05)
    assert least is not None
    assert -1.2 < least.value < -0.8
    told = tune.translate(sure, texts, max_error=0.05)
    plain = tune.translate(sure, texts)
    for one, other in zip(told, plain, strict=True):
        given = not other["doubts"] and other["surety"] >= least.value
        assert one["translation"] == (other["translation"] if given else None)
    with pytest.raises(InputError) as caught:
        tune.translate(BACKBONE, texts, max_error=0.05)
    assert caught.value.code == "no_calibration"


def test_a_file_gone_on_with_in_the_middle_of_a_window_has_the_bytes_of_one_that_was_not_stopped(
    pairs: Path, tmp_path: Path
) -> None:
    source, output = pairs / "train.csv", tmp_path / "out.jsonl"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune.translate(BACKBONE, source, output=output, threads=1, progress=stop)
    part = resuming.part_of(output)
    kept = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join(kept[:4]))  # its key and three of eight rows
    tune.translate(BACKBONE, source, output=output, threads=1)
    assert output.read_bytes() == b"".join(kept[1:])


def test_an_interrupted_command_names_what_it_kept_and_what_to_call_again(
    supertune: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "out.txt"

    def stopped(*_: object, **__: object) -> None:
        resuming.part_of(output).write_text('{"key": "a"}\n', encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(tune.api, "translate", stopped)
    asked = ("translate", BACKBONE, "a file.txt", "-o", str(output))
    done = supertune(*asked)
    assert done.code == 130
    assert f"What is done is in {output}.part" in " ".join(done.err.split())
    assert f"  supertune translate {BACKBONE} 'a file.txt' -o {output}" in done.err
    assert supertune(*asked, "--json").error["next"].endswith("--json")


def test_an_interrupted_file_goes_on_behind_its_last_row(tmp_path: Path) -> None:
    """1,000 lines in their order, whatever stopped it, and nothing twice."""
    lines = [f"{number}." if number % 50 else f"Open file {number}." for number in range(1000)]
    source, output = tmp_path / "lines.txt", tmp_path / "out.txt"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    calls: list[int] = []

    def stop(_: str, done: int, __: int | None) -> None:
        calls.append(done)
        if done >= 512 and len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune.translate(BACKBONE, source, output=output, threads=1, progress=stop)
    part = tmp_path / "out.txt.part"
    assert not output.exists()
    with part.open("a", encoding="utf-8") as stream:
        stream.write('{"source": "cut o')  # as a crash leaves it
    (told,) = tune.translate(BACKBONE, source, output=output, threads=1, progress=stop)
    assert told == {"output": str(output), "rows": 1000, "doubtful": 0}
    made = output.read_text("utf-8").splitlines()
    assert [text for text in made if text.rstrip(".").isdigit()] == [
        text for text in lines if text.rstrip(".").isdigit()
    ]
    assert all(str(number) in made[number] for number in range(0, 1000, 50))
    assert not part.exists()
    part.write_text('{"key": "another"}\n{"doubts": []}\n', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        tune.translate(BACKBONE, source, output=output, threads=1, overwrite=True)
    assert caught.value.code == "cannot_resume"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"beams": 0}, "bad_option"),
        ({"beam": 2}, "bad_option"),
        ({"beams": 2, "n_best": 3}, "bad_option"),
        ({"output": "x.docx"}, "unknown_format"),
        ({"glossary": {"a": ""}}, "bad_glossary"),
        ({"model": "minilm"}, "no_translator"),
        ({"text": "nope", "source": [{"source": "a", "other": "b"}]}, None),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(asked: dict[str, Any], code: str | None) -> None:
    asked = {"model": BACKBONE, "source": ["Open."], "threads": 1, **asked}
    if code is None:
        assert tune.translate(**asked)[0]["source"] == "a"
        return
    with pytest.raises(InputError) as caught:
        tune.translate(**asked)
    assert caught.value.code == code
    assert caught.value.next


def test_several_translations_are_told_from_the_likeliest_on(
    supertune: Run, tmp_path: Path
) -> None:
    asked = ["Copied %d files to the folder.", "One.\n\nTwo."]
    done = supertune("translate", BACKBONE, *asked, "--n-best", "3", "--threads", "1", "--json")
    assert done.code == 0, done.err
    one, two = json.loads(done.out)["translations"]
    assert two["others"] == []  # lines are translated each by itself
    found = [one, *one["others"]]
    assert len({each["translation"] for each in found}) == len(found) >= 2
    assert all("%d" in each["translation"] for each in found)
    (plain,) = tune.translate(BACKBONE, asked[:1], threads=1, beams=3)
    assert (plain["translation"], "others" in plain) == (one["translation"], False)
    tune.translate(BACKBONE, asked, output=tmp_path / "a.csv", threads=1, beams=3, n_best=3)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        assert json.loads(next(csv.DictReader(stream))["others"]) == one["others"]


def test_formats_hold_the_same_rows(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.csv", "a.tsv"):
        tune.translate(BACKBONE, ["Yes.", "No, thanks."], output=tmp_path / name, threads=1)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    for name, sign in (("a.csv", ","), ("a.tsv", "\t")):
        with (tmp_path / name).open(encoding="utf-8", newline="") as stream:
            found = list(csv.DictReader(stream, delimiter=sign))
        assert [one["translation"] for one in found] == [one["translation"] for one in rows]
    assert resuming.FORMATS == (".jsonl", ".csv", ".tsv", ".txt")
