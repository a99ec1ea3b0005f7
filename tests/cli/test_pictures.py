"""The commands over pictures: a folder in, a model out, answers beside files, labels by name."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Run
from tests.data.pictures.conftest import noise, write

import supertune as product
from supertune.api.labelling import labelling
from supertune.labelling import outputs

QUICK = ("--method", "linear_probe", "--backbone", "efficientnet-lite0", "--set", "folds=3")
QUICK += ("--set", "repeats=2", "--time-limit", "2s")  # which leaves no time to explain


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Emoji of three categories in train and test, drawn and fitted once; not to be written to."""
    from supertune.catalogue.corpora import few_shot

    folder = tmp_path_factory.mktemp("emoji")
    train, test = few_shot("emoji", per_class=6, test_rows=200, seed=0)
    kept = ("Flags", "Food & Drink", "Animals & Nature")
    for split, rows, most in (("train", train, 6), ("test", test, 8)):
        for label in kept:
            for picture in [one for one, name in rows if name == label][:most]:
                write(folder / split / label, {Path(picture.name).name: picture.read()})
    options: dict[str, Any] = {"method": "linear_probe", "backbone": "efficientnet-lite0"}
    product.fit(folder / "train", test=folder / "test", output=folder / "m", folds=3, repeats=2,
                time_limit=2, **options)  # fmt: skip
    return folder


@pytest.fixture
def emoji(place: Path, here: Path) -> Path:
    shutil.copytree(place, here / "e")
    return Path("e")


def table(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_folder_of_class_folders_is_fitted_without_naming_the_task(
    supertune: Run, emoji: Path
) -> None:
    done = supertune("fit", emoji / "train", "--test", emoji / "test", "-o", "mine", *QUICK)
    assert done.code == 0, done.err
    assert "task: image_classification (3 class folders with 18 pictures)" in done.err
    assert "e.g. picture: Animals & Nature/" in done.err
    report = json.loads(Path("mine/report.json").read_text("utf-8"))
    assert report["task"] == "image_classification"
    assert report["test"]["value"] > 0.6, "a chance of one in three"
    assert report["baselines"].keys() == {"majority"}
    assert report["commands"]["predict"] == "supertune predict mine NEW -o predictions.csv"
    assert 'predict(["new.png"])' in report["commands"]["python"]


def test_the_report_shows_pictures_unless_rows_are_left_out(supertune: Run, emoji: Path) -> None:
    page = (emoji / "m" / "report.html").read_text("utf-8")
    assert page.count('<img class="thumb"') >= 3
    report = (emoji / "m" / "report.json").read_text("utf-8")
    assert "Flags/" in report
    done = supertune("fit", emoji / "train", "-o", "bare", "--no-rows", *QUICK)
    assert done.code == 0, done.err
    for path in Path("bare").iterdir():
        content = path.read_bytes()
        assert b"<img" not in content
        assert b"Flags/" not in content
    assert not Path("bare/rows.jsonl").exists()


def test_a_model_of_pictures_answers_alike_from_a_folder_files_and_a_table(
    supertune: Run, emoji: Path
) -> None:
    files = sorted((emoji / "test" / "Flags").iterdir())
    assert supertune("predict", emoji / "m", emoji / "test" / "Flags", "-o", "a.csv").code == 0
    one = table("a.csv")
    assert [row["image"] for row in one] == [path.name for path in files]
    with Path("paths.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["scan"], *([str(path)] for path in files)])
    assert supertune("predict", emoji / "m", "paths.csv", "-o", "b.csv").code == 0
    keys = ("prediction", "confidence", "unlike")
    wanted = [[row.get(key) for key in keys] for row in one]
    assert [[row.get(key) for key in keys] for row in table("b.csv")] == wanted
    shown = supertune("predict", emoji / "m", *files)
    lines = shown.out.splitlines()
    for path, row in zip(files, one, strict=True):
        assert any(line.startswith(f"{path}  {row['prediction']}") for line in lines), lines
    answers = product.load(emoji / "m").predict(list(map(str, files)))
    assert answers.tolist() == [row["prediction"] for row in one]


def test_how_a_picture_becomes_a_square_goes_with_the_model(supertune: Run, emoji: Path) -> None:
    kept = json.loads((emoji / "m" / "supertune.json").read_text("utf-8"))
    assert kept["recipe"]["resize_mode"] == "pad", "what the catalogue says today"
    wrong = supertune("fit", emoji / "train", "-o", "w", *QUICK, "--set", "resize_mode=squeeze")
    assert wrong.code == 2
    assert "'stretch', 'pad' or 'crop'" in wrong.err
    assert not Path("w").exists()


def test_it_is_judged_planned_and_compared_as_texts_are(supertune: Run, emoji: Path) -> None:
    judged = supertune("evaluate", emoji / "m", emoji / "test", "--json").answer
    assert judged["rows"] == 24
    report = json.loads((emoji / "m" / "report.json").read_text("utf-8"))
    assert judged["estimate"] == report["test"]
    plan = supertune("plan", emoji / "train", "--json").answer
    assert plan["task"] == "image_classification"
    assert {each["backbone"] for each in plan["candidates"]} >= {"efficientnet-lite0"}
    same = supertune("compare", emoji / "m", emoji / "m", emoji / "test", "--json").answer
    assert same["answer"] == "cannot_tell"


def test_a_fit_goes_on_from_the_pictures_in_a_model_folder(supertune: Run, emoji: Path) -> None:
    (emoji / "train").rename(emoji / "gone")
    more = emoji / "more"
    write(more, {"Flags/noise.png": noise(1), "Food & Drink/noise.png": noise(2)})
    done = supertune("fit", more, "--from", emoji / "m", "-o", "next", "--json")
    assert done.code == 0, done.out
    assert done.answer["rows"] == 20


def test_pictures_to_label_are_listed_by_name_and_size(supertune: Run, emoji: Path) -> None:
    pool = emoji / "pool"
    for path in (emoji / "test").glob("*/*.png"):
        write(pool, {path.name: path.read_bytes()})
    done = supertune("label", emoji / "m", pool, "--next", 3)
    assert done.code == 0, done.err
    assert "(64 x 64 pixels)" in " ".join(done.out.split())
    assert supertune("label", pool, "--labels", "a,b", "-o", "next.json", "--next", 3).code == 0
    tasks = json.loads(Path("next.json").read_text("utf-8"))
    assert all((Path() / task["data"]["image"]).is_file() for task in tasks)


def test_labels_of_pictures_become_a_table_that_fits_from_where_it_lies(emoji: Path) -> None:
    pool, answers = emoji / "pool", Path("answers")
    for path in [*(emoji / "test").glob("F*/*.png")]:
        write(pool, {f"{path.parent.name[:2]} {path.name}": path.read_bytes()})
    answers.mkdir()
    with labelling(None, pool, answers / "pool-labels.jsonl", labels=("Fl", "Fo")) as begun:
        for row in begun.propose(12):
            begun.answer(row, str(row.input)[:2])
        taken = begun.undo()
        assert taken is not None
        outputs.answered(answers / "table.csv", begun.journal.labelled, begun.column)
    with labelling(None, pool, answers / "pool-labels.jsonl", labels=("Fl", "Fo")) as again:
        assert len(again.journal.labelled) == 11
        assert again.left == 5
    rows = table(answers / "table.csv")
    assert all((answers / row["image"]).is_file() for row in rows)
    model = product.fit(answers / "table.csv", method="majority", folds=2, repeats=1)
    assert model.labels == ("Fl", "Fo")
    assert model.task == "image_classification"
