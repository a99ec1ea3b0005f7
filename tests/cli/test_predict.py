"""``supertune predict``: answers beside the rows of any source, in their order."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Files, Run, write_rows

import supertune as product
from supertune.data import readers

ADDED = ["prediction", "confidence", "unlike", "p_negative", "p_positive"]


@pytest.fixture(scope="module")
def expected(words: Path, reviews: Files) -> tuple[list[str], list[float]]:
    """Labels of the held-out rows, and their probabilities of "positive", asked in Python."""
    model = product.load(words)
    texts = [text for text, _ in reviews.held]
    return model.predict(texts).tolist(), model.predict_proba(texts)[:, 1].tolist()


def sources(folder: Path, reviews: Files, kind: str) -> Path:
    """The held-out rows in another form."""
    rows = [{"id": str(i), "sentence": t, "mood": y} for i, (t, y) in enumerate(reviews.held)]
    path = folder / f"rows.{kind}"
    if kind == "csv":
        return write_rows(path, [tuple(row.values()) for row in rows], tuple(rows[0]))
    if kind == "tsv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, delimiter="\t").writerows([rows[0], *(r.values() for r in rows)])
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif kind == "json":
        path.write_text(json.dumps(rows), "utf-8")
    elif kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        import openpyxl

        book = openpyxl.Workbook()
        assert book.active is not None
        for row in [list(rows[0]), *(list(r.values()) for r in rows)]:
            book.active.append(row)
        book.save(path)
    return path


def answers(path: Path) -> tuple[list[str], list[float]]:
    table = readers.read(path)
    values = table.values
    labels = [str(cell) for cell in values["prediction"]]
    return labels, [float(cell) for cell in values["p_positive"]]


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("csv", "jsonl"),
        ("tsv", "csv"),
        ("jsonl", "parquet"),
        ("json", "tsv"),
        ("parquet", "csv"),
        ("xlsx", "csv"),
    ],
)
def test_any_form_in_and_any_form_out_in_the_order_of_the_rows(
    supertune: Run,
    reviews: Files,
    words: Path,
    here: Path,
    expected: tuple[list[str], list[float]],
    kind: str,
    target: str,
) -> None:
    source = sources(here, reviews, kind)
    done = supertune("predict", words, source, "-o", f"out.{target}", "--json")
    assert done.code == 0, done.out
    assert done.answer["rows"] == 60
    assert done.answer["output"] == f"out.{target}"
    labels, chances = answers(here / f"out.{target}")
    assert labels == expected[0]
    assert np.allclose(chances, expected[1], atol=1e-6)
    counted = {name: labels.count(name) for name in ("negative", "positive")}
    assert done.answer["predictions"] == counted
    table = readers.read(here / f"out.{target}")
    assert list(table.names) == ["id", "sentence", "mood", *ADDED]
    assert [str(cell) for cell in table.values["id"]] == [str(i) for i in range(60)]
    confidence = [float(cell) for cell in table.values["confidence"]]
    assert np.allclose(confidence, [max(p, 1 - p) for p in expected[1]], atol=2e-6)


def test_a_folder_of_texts_is_predicted(
    supertune: Run, reviews: Files, words: Path, here: Path, expected: Any
) -> None:
    for i, (text, label) in enumerate(reviews.held[:6]):
        (here / "texts" / label).mkdir(parents=True, exist_ok=True)
        (here / "texts" / label / f"{i}.txt").write_text(text, "utf-8")
    done = supertune("predict", words, "texts", "-o", "out.csv", "--text", "text", "--json")
    assert done.code == 0, done.out
    table = readers.read(here / "out.csv")
    given = dict(zip([t.strip() for t, _ in reviews.held], expected[0], strict=True))
    found = [given[str(text).strip()] for text in table.values["text"]]
    assert found == [str(cell) for cell in table.values["prediction"]]


def test_stdin_to_stdout_as_a_program(
    reviews: Files, words: Path, expected: tuple[list[str], list[float]]
) -> None:
    command = [sys.executable, "-m", "supertune", "predict", str(words), "-", "--format", "jsonl"]
    done = subprocess.run(
        command, input=reviews.test.read_bytes(), capture_output=True, timeout=60, env=os.environ
    )
    assert (done.returncode, done.stderr) == (0, b"")
    rows = [json.loads(line) for line in done.stdout.decode("utf-8").split("\n") if line]
    assert [row["prediction"] for row in rows] == expected[0]
    assert list(rows[0]) == ["sentence", "mood", *ADDED]


def test_stdout_is_csv_and_nothing_else(
    supertune: Run, reviews: Files, words: Path, expected: tuple[list[str], list[float]]
) -> None:
    done = supertune("predict", words, reviews.test)
    assert (done.code, done.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["prediction"] for row in rows] == expected[0]
    assert list(rows[0]) == ["sentence", "mood", *ADDED]


def test_texts_are_answered_at_once(supertune: Run, words: Path) -> None:
    texts = ["a warm, funny and moving film", "dull. and far too long"]
    done = supertune("predict", words, *texts, "--json")
    assert done.code == 0
    listed = done.answer["predictions"]
    model = product.load(words)
    assert [one["prediction"] for one in listed] == model.predict(texts).tolist()
    for one, row in zip(listed, model.predict_proba(texts), strict=True):
        assert list(one["probabilities"].values()) == row.tolist(), "not rounded"
    assert done.answer["next"]
    shown = supertune("predict", words, *texts)
    assert shown.out.startswith(f"{listed[0]['prediction']}  {listed[0]['confidence']:.2f}")


def test_columns_that_collide_are_renamed_and_that_is_said(
    supertune: Run, reviews: Files, words: Path, here: Path
) -> None:
    rows = [(t, "mine", "1") for t, _ in reviews.held[:5]]
    write_rows(here / "r.csv", rows, ("sentence", "prediction", "p_positive"))
    done = supertune("predict", words, "r.csv", "-o", "out.csv", "--json")
    assert done.code == 0, done.out
    assert set(done.answer["renamed"]) == {"prediction", "p_positive"}
    table = readers.read(here / "out.csv")
    assert set(table.values["prediction"]) == {"mine"}, "the person's own column is kept"
    free = done.answer["renamed"]["prediction"]
    assert set(table.values[free]) <= {"negative", "positive"}
    shown = supertune("predict", words, "r.csv", "-o", "out.csv", "--overwrite")
    assert f"the answer's is '{free}'" in shown.out
    assert f"the answer's is '{free}'" in supertune("predict", words, "r.csv").err


def test_json_of_a_file_needs_an_output(supertune: Run, words: Path, reviews: Files) -> None:
    done = supertune("predict", words, reviews.test, "--json")
    assert (done.code, done.error["code"]) == (2, "output_needed")
    assert "-o" in done.error["next"]


def test_an_answer_file_is_kept_unless_overwrite(
    supertune: Run, words: Path, reviews: Files, here: Path
) -> None:
    (here / "out.csv").write_text("mine")
    done = supertune("predict", words, reviews.test, "-o", "out.csv", "--json")
    assert (done.code, done.error["code"]) == (2, "output_exists")
    assert (here / "out.csv").read_text() == "mine"
    assert supertune("predict", words, reviews.test, "-o", "out.csv", "--overwrite").code == 0
    assert os.listdir(here) == ["out.csv"]


def test_an_unreadable_row_late_in_a_file_leaves_no_answers(
    supertune: Run, words: Path, here: Path
) -> None:
    lines = "".join(f'{{"sentence": "row {i}"}}\n' for i in range(5000))
    (here / "r.jsonl").write_text(lines + '{"sentence" 5}\n', "utf-8")
    done = supertune("predict", words, "r.jsonl", "-o", "out.csv", "--json")
    assert (done.code, done.error["code"]) == (2, "broken_json")
    assert "5001" in done.error["received"]
    assert os.listdir(here) == ["r.jsonl"]


def test_an_empty_text_is_answered_like_any_other(supertune: Run, words: Path, here: Path) -> None:
    write_rows(here / "r.csv", [("", "a"), ("a fine film", "b")], ("sentence", "id"))
    done = supertune("predict", words, "r.csv", "-o", "out.csv", "--json")
    assert done.code == 0, done.out
    assert done.answer["rows"] == 2


def test_the_text_column_may_be_called_otherwise(
    supertune: Run, words: Path, here: Path, reviews: Files
) -> None:
    write_rows(here / "r.csv", [(t,) for t, _ in reviews.held], ("comment",))
    refused = supertune("predict", words, "r.csv", "-o", "out.csv", "--json")
    assert (refused.code, refused.error["code"]) == (2, "text_column_missing")
    done = supertune("predict", words, "r.csv", "-o", "out.csv", "--text", "comment", "--json")
    assert done.code == 0, done.out
    assert done.answer["rows"] == 60


def test_memory_and_order_hold_over_windows(supertune: Run, words: Path, here: Path) -> None:
    from supertune.model import WINDOW

    rows = [(f"row {i} of a film", str(i)) for i in range(2 * WINDOW + 3)]
    write_rows(here / "r.csv", rows, ("sentence", "id"))
    assert supertune("predict", words, "r.csv", "-o", "out.csv").code == 0
    with (here / "out.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["id"] for row in csv.DictReader(stream)] == [n for _, n in rows]


def test_a_bare_peft_folder_answers_once_its_labels_are_said(
    supertune: Run, reviews: Files, here: Path
) -> None:
    fast = ["--set", "folds=2", "--set", "epochs=1", "--set", "max_length=16", "--set", "rank=1"]
    one = ["--method", "lora", "--backbone", "minilm", "--test", reviews.test, "-o", "m"]
    assert supertune("fit", reviews.train, *one, *fast).code == 0
    assert supertune("export", "m", "--to", "plain").code == 0
    whole = supertune("predict", "plain", "so dull", "--json")
    assert whole.code == 0, whole.out
    (here / "plain" / "head.json").unlink()
    lost = supertune("predict", "plain", "so dull", "--json")
    assert (lost.code, lost.error["code"]) == (2, "labels_needed")
    told = ("--labels", "negative,positive", "--backbone", "minilm")
    found = supertune("predict", "plain", "so dull", "--json", *told)
    assert (found.code, found.answer["predictions"]) == (0, whole.answer["predictions"])


def test_workers_need_ray_and_a_file_to_write_slices_beside(
    supertune: Run, words: Path, reviews: Files, here: Path
) -> None:
    done = supertune("predict", words, reviews.test, "-o", "out.csv", "--workers", "2")
    assert (done.code, f"{done.err}".count("workers_without_ray")) == (2, 1)
    for asked in ((reviews.test,), ("a text", "another", "-o", "out.csv"), ("-", "-o", "out.csv")):
        done = supertune("predict", words, *asked, "--ray", "local", "--json")
        assert (done.code, done.error["code"]) == (2, "output_needed")
    assert not (here / "out.csv").exists()
