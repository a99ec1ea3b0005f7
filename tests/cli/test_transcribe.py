"""Speech to text from the command line: fit, transcribe, predict, evaluate, on real prompts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Run

import supertune as tune
from supertune.catalogue.corpora import dataset
from supertune.contracts import Recording
from supertune.errors import InputError
from supertune.report import text

FIT = {"backbone": "whisper-base", "task": "speech_to_text", "method": "lora", "epochs": 2}
LEARNED = ("agent-loginok", "vm-goodbye", "conf-kicked", "agent-loggedoff")
HINTS = ("only person", "Zoiper")
FIELD = ("You are the only person who is here.", "Goodbye")  # the last is what a row says
JUDGED = ("conf-onlyperson", "agent-incorrect")


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory, own_activations: Path) -> Path:
    """Two tables of real prompts with what they say."""
    folder = dataset("prompts-en")
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as stream:
        said = {row["audio"].removesuffix(".wav"): row["text"] for row in csv.DictReader(stream)}
    made = tmp_path_factory.mktemp("prompts")
    for name, keys in (("train", LEARNED), ("test", JUDGED)):
        with (made / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            rows = [(str(folder / f"{key}.wav"), said[key]) for key in keys if key in said]
            csv.writer(stream).writerows([("audio", "text"), *rows])
    return made


@pytest.fixture(scope="module")
def fitted(prompts: Path) -> tune.Model:
    return tune.fit(
        prompts / "train.csv", output=prompts / "model", test=prompts / "test.csv",
        batch_size=2, window=6, advice=False, time_limit=600, hints=HINTS, domain_text=FIELD,
        keep=[f"{prompts / 'test.csv'}:fr"], **FIT,
    )  # fmt: skip


@pytest.fixture
def first(prompts: Path) -> str:
    """The path of the first recording that is judged."""
    with (prompts / "test.csv").open(encoding="utf-8", newline="") as stream:
        return next(csv.DictReader(stream))["audio"]


def test_a_fit_judges_words_beside_the_untuned_model(fitted: tune.Model, prompts: Path) -> None:
    report = json.loads((prompts / "model" / "report.json").read_text("utf-8"))
    assert report["metric"] == "wer"
    assert report["larger_is_better"] is False
    assert 0 <= report["test"]["low"] <= report["test"]["value"] <= report["test"]["high"]
    assert set(report["baselines"]) == {"untuned"}
    heard = report["transcription"]
    assert heard["words"] > 8
    assert len(heard["aligned"]) == len(JUDGED)
    assert heard["aligned"][0]["clip"]
    losses = [value for _, value in report["notes"]["curves"][0]["points"]]
    assert losses[-1] < losses[0]
    page = (prompts / "model" / "report.html").read_text("utf-8")
    assert "Said and written" in page
    assert "audio/ogg;base64" in page
    assert "wer" in page.lower()


def test_hints_and_what_must_not_be_forgotten_are_in_the_report(
    fitted: tune.Model, prompts: Path
) -> None:
    report = json.loads((prompts / "model" / "report.json").read_text("utf-8"))
    terms = report["terms"]
    assert (terms["given"], terms["mentions"]) == (2, 1)
    assert terms["estimate"]["value"] == 1.0
    assert set(terms["baselines"]) == {"untuned"}
    assert "--keep test.csv:fr" in report["commands"]["repeat"]
    (kept,) = report["retained"]
    assert (kept["language"], kept["rows"]) == ("fr", len(JUDGED))
    # English written down as if it were French.
    assert kept["before"]["value"] > report["baselines"]["untuned"]["value"]
    gap = kept["difference"]
    assert gap["low"] <= kept["after"]["value"] - kept["before"]["value"] <= gap["high"]
    page = (prompts / "model" / "report.html").read_text("utf-8").replace("\xa0", " ")
    assert "What it must not forget" in page
    assert "1 mention of the 2 names" in page
    assert report["domain_text"] == {"texts": 1, "words": 8}
    assert "the untuned model beside it too" in page
    assert FIELD[0] not in page
    assert "domain_text_repeats" in [one["code"] for one in report["findings"]]
    said = text.summary(report)
    assert "Kept: test.csv (fr), 2 rows, WER" in said
    assert "Hints as they are said, of 1 mention: 1" in said


def test_a_plan_counts_what_must_not_be_forgotten(prompts: Path, supertune: Run) -> None:
    asked = (
        "plan",
        prompts / "train.csv",
        "--task",
        "speech_to_text",
        "--method",
        "lora",
        "--json",
    )
    told = supertune(*asked).answer
    more = supertune(*asked, "--keep", f"{prompts / 'test.csv'}:fr").answer
    assert more["keep"] == [{"name": "test.csv", "rows": len(JUDGED)}]
    assert more["seconds"] > told["seconds"]
    assert "--keep test.csv:fr" in more["next"][-1]


def test_a_model_folder_answers_in_a_new_process_to_the_letter(
    fitted: tune.Model, prompts: Path, python: Any
) -> None:
    with (prompts / "test.csv").open(encoding="utf-8", newline="") as stream:
        paths = [row["audio"] for row in csv.DictReader(stream)]
    here = fitted.predict(paths).tolist()
    code = (
        "import sys, json, supertune; m = supertune.load(sys.argv[1]); "
        "print(json.dumps(m.predict(sys.argv[2:]).tolist()))"
    )
    done = python(code, str(prompts / "model"), *paths)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == here
    assert all(text.strip() for text in here)


def test_transcribe_prints_writes_and_answers_in_json(
    fitted: tune.Model, prompts: Path, first: str, here: Path, supertune: Run
) -> None:
    done = supertune("transcribe", prompts / "model", first, "-o", here / "out", "--format", "srt")
    assert done.code == 0, done.err
    (written,) = (here / "out").iterdir()
    assert written.suffix == ".srt"
    assert written.read_text("utf-8").startswith("1\n00:00:0")
    again = supertune("transcribe", prompts / "model", first, "-o", here / "out", "--format", "srt",
                      "--json")  # fmt: skip
    assert (again.code, again.error["code"]) == (2, "output_exists")
    assert "--skip" in again.error["next"]
    on = supertune("transcribe", prompts / "model", first, "-o", here / "out", "--format", "srt",
                   "--skip", "--json")  # fmt: skip
    assert (on.code, on.answer["recordings"]) == (0, [])
    whole = supertune("transcribe", "whisper-base", first, "--json").answer["recordings"]
    assert whole[0]["language"] == "en"
    assert "only person" in whole[0]["text"]


def test_hints_are_counted_where_a_table_says_what_was_said(
    fitted: tune.Model, prompts: Path, first: str, supertune: Run
) -> None:
    model, hint = prompts / "model", ("--hint", "conference", "--hint", "Zoiper")
    found = supertune("transcribe", model, prompts / "test.csv", *hint, "--json").answer
    assert found["terms"] == {"mentions": 1, "accuracy": 1.0}
    assert "conference" in found["recordings"][0]["said"]
    own = supertune("transcribe", model, prompts / "test.csv", "--json").answer["recordings"]
    assert all("said" in row for row in own)  # by the hints that the model was fitted with
    assert "terms" not in supertune("transcribe", model, first, *hint, "--json").answer


def test_predict_and_evaluate_serve_recordings(
    fitted: tune.Model, prompts: Path, here: Path, supertune: Run
) -> None:
    model, test = prompts / "model", prompts / "test.csv"
    assert supertune("predict", model, test, "-o", here / "said.csv").code == 0
    with (here / "said.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [set(row) for row in rows] == [{"audio", "text", "transcript"}] * len(rows)
    found = supertune("evaluate", model, test, "--json").answer
    assert found["metrics"]["wer"]["value"] == pytest.approx(
        json.loads((model / "report.json").read_text("utf-8"))["test"]["value"]
    )


def test_evaluate_asks_for_another_language_beside_the_untuned_model(
    fitted: tune.Model, prompts: Path, supertune: Run
) -> None:
    model, test = prompts / "model", prompts / "test.csv"
    found = json.loads((model / "report.json").read_text("utf-8"))
    other = supertune("evaluate", model, test, "--language", "fr", "--json").answer
    assert set(other["baselines"]) == {"untuned"}
    untuned = [one["baselines"]["untuned"]["value"] for one in (found, other)]
    assert untuned[0] < untuned[1]  # English written down as if it were French
    assert other["estimate"] == found["retained"][0]["after"]
    refused = supertune("evaluate", model, test, "--language", "klingon", "--json")
    assert (refused.code, refused.error["code"]) == (2, "unknown_language")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["minilm", "{first}"], "no_transcriber"),
        (["whisper-base", "{first}", "--format", "docx"], "unknown_format"),
        (["whisper-base", "{first}", "--language", "klingon"], "unknown_language"),
        (["whisper-base", "{first}", "--beams", "0"], "bad_option"),
        (["whisper-base", "no-such.wav"], "file_missing"),
        (["whisper-bass", "{first}"], "unknown_backbone"),
    ],
)
def test_what_cannot_be_written_down_is_refused(
    first: str, here: Path, supertune: Run, arguments: list[str], code: str | None
) -> None:
    done = supertune("transcribe", *[each.format(first=first) for each in arguments], "--json")
    assert done.code == 2
    assert code is None or done.error["code"] == code
    assert done.error["next"]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([("audio", "words_said"), ("{first}", "")], "no_transcripts"),
        ([("audio", "note"), ("{first}", "hello")], "no_transcripts"),
        ([("audio", "text"), ("no-such.wav", "hello")], "recording_missing"),
    ],
)
def test_rows_that_cannot_be_learned_from_are_refused(
    first: str, here: Path, supertune: Run, rows: list[tuple[str, str]], code: str
) -> None:
    path = here / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([[each.format(first=first) for each in row] for row in rows])
    done = supertune("fit", path, "--task", "speech_to_text", "--json",
                     "--backbone", "whisper-base", "--method", "lora")  # fmt: skip
    assert done.code == 2
    assert done.error["code"] == code


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--keep", "no-such.csv:en"], "file_missing"),
        (["--keep", "{test}:klingon"], "file_missing"),
        (["--keep", "{test}:xx"], "unknown_language"),
        (["--hint", "no-such.txt"], "file_missing"),
        (["--domain-text", "no-such.txt"], "file_missing"),
    ],
)
def test_what_cannot_be_kept_or_preferred_is_refused_before_a_fit(
    prompts: Path, here: Path, supertune: Run, options: list[str], code: str
) -> None:
    given = [each.format(test=prompts / "test.csv") for each in options]
    done = supertune("fit", prompts / "train.csv", "--task", "speech_to_text", "--json",
                     "--backbone", "whisper-base", "--method", "lora", *given)  # fmt: skip
    assert (done.code, done.error["code"]) == (2, code)
    assert done.error["next"]
    assert list(here.iterdir()) == []


def test_labels_have_no_untuned_model_that_could_forget(supertune: Run) -> None:
    rows = [("good", "a"), ("fine", "a"), ("bad", "b"), ("poor", "b")] * 4
    with pytest.raises(InputError, match="nothing to forget") as caught:
        tune.fit(rows, keep=rows, task="text_classification", method="bag_of_words")
    assert caught.value.code == "nothing_to_forget"


def test_a_microphone_is_heard_by_predict_and_transcribe(
    fitted: tune.Model, first: str, supertune: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The microphone is a recording that stands for one."""
    asked: list[float] = []

    def recorded(seconds: float) -> Recording:
        asked.append(seconds)
        return Recording.of(Path(first).read_bytes(), "microphone")

    monkeypatch.setattr("supertune.api.recorded", recorded)
    done = supertune("transcribe", fitted.folder, "--mic", "4", "--json")
    said = done.answer["recordings"][0]
    assert said["recording"] == "microphone"
    answers = supertune("predict", fitted.folder, "--mic", "3", "--json").answer
    assert answers["predictions"][0]["transcript"] == said["text"] != ""
    assert asked == [4.0, 3.0]


@pytest.mark.parametrize("command", ["predict", "transcribe"])
def test_a_microphone_and_a_file_are_not_both_read(
    command: str, first: str, supertune: Run
) -> None:
    done = supertune(command, "whisper-base", first, "--mic", "3", "--json")
    assert (done.code, done.error["code"]) == (2, "microphone_or_file")
    none = supertune(command, "whisper-base", "--json")
    assert (none.code, none.error["code"]) in {(2, "no_input"), (2, "no_recording")}
