"""Prompts on the command line, and rows that are written with their answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.conftest import Files, Run, write_rows

import supertune as package

QUICK = ("--method", "bag_of_words", "--set", "folds=3", "--set", "repeats=1")
FILMS = (
    *(("这部电影太棒了！", "积极"), ("剧情无聊, 浪费时间。", "消极"), ("演员表现出色", "积极")),
    *(("特效很差", "消极"), ("非常感人", "积极"), ("太长了，看睡着了", "消极")),
)

ENGLISH = (
    *(("a joy to watch", "good"), ("dull and far too long", "bad"), ("warm, funny, true", "good")),
    *(("a waste of time", "bad"), ("I loved every minute", "good"), ("the plot is a mess", "bad")),
    *(("worth a long review", "good"), ("no review can save it", "bad")),
)


def answered(path: Path, *more: str) -> Path:
    lines = [f"输入：{text} 输出：{label}" for text, label in FILMS]
    path.write_text("\n".join([*lines, *more]) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of rows that are written with their answers; not to be written to."""
    folder = tmp_path_factory.mktemp("films")
    rows = answered(folder / "rows.txt", "输入：还没看 输出：")
    options = {"method": "bag_of_words", "folds": 3, "repeats": 1}
    package.fit(rows, output=folder / "model", **options)
    return folder / "model"


@pytest.mark.parametrize("name", ["rows.txt", "rows.csv"])
def test_rows_with_their_answers_are_fitted_as_they_stand(
    supertune: Run, here: Path, name: str
) -> None:
    answered(here / name, "输入：还没看 输出：")
    done = supertune("fit", name, *QUICK, "-o", "model")
    assert done.code == 0, done
    assert "written as '输入： ... 输出： ...' (7 rows, 6 with an answer)" in done.err
    assert "e.g. text: 这部电影太棒了！  label: 积极" in done.err
    report = json.loads((here / "model" / "report.json").read_text("utf-8"))
    assert report["data"]["rows"] == 6
    assert report["recipe"]["template"] == "输入：{text} 输出：{answer}"


def test_rows_in_python_are_read_alike(films: Path) -> None:
    lines = [f"输入：{text} 输出：{label}" for text, label in FILMS]
    model = package.fit([*lines, "输入：还没看 输出："], method="bag_of_words", folds=3, repeats=1)
    texts = [text for text, _ in FILMS]
    loaded = package.load(films)
    assert model.predict_proba(texts).tolist() == loaded.predict_proba(texts).tolist()


def test_further_rows_are_answered_by_the_same_markers(
    supertune: Run, films: Path, here: Path
) -> None:
    texts = ["非常感人", "特效很差", "好看"]
    lines = [f"输入：{texts[0]} 输出：", f"输入：{texts[1]}", texts[2]]
    (here / "new.txt").write_text("\n".join(lines) + "\n", "utf-8")
    done = supertune("predict", films, "new.txt", "-o", "answers.csv", "--json")
    assert done.code == 0, done
    with (here / "answers.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["text"] for row in rows] == lines, "the rows stay as they are"
    assert set(rows[0]) == {"text", "prediction", "confidence", "p_积极", "p_消极"}
    plain = package.load(films).predict(texts)
    assert [row["prediction"] for row in rows] == plain.tolist()


def test_texts_in_python_are_answered_by_the_same_markers(films: Path) -> None:
    model, texts = package.load(films), ["非常感人", "特效很差", "好看"]
    written = [f"输入：{texts[0]} 输出：", f"输入:{texts[1]} 输出：积极", texts[2]]
    assert model.predict_proba(written).tolist() == model.predict_proba(texts).tolist()
    assert model.predict(["输入： 输出："]).tolist() == model.predict([""]).tolist()


@pytest.fixture(scope="module")
def english() -> package.Model:
    lines = [f"Review: {text} Sentiment: {label}" for text, label in ENGLISH]
    return package.fit(lines, method="bag_of_words", folds=3, repeats=1)


def test_texts_in_python_may_be_written_as_the_rows_were_in_english_too(
    english: package.Model,
) -> None:
    assert english.recipe.template == "Review: {text} Sentiment: {answer}"
    texts = ["A joy of a film.", "Two dull hours"]
    for written in ("Review: {} Sentiment:", "review:{}  sentiment: bad", "Review: {}"):
        given = [written.format(text) for text in texts]
        assert english.predict_proba(given).tolist() == english.predict_proba(texts).tolist()


def test_markers_are_taken_off_once_whichever_way_a_text_comes(english: package.Model) -> None:
    twice = ["Review: Review: too long Sentiment:"]
    once = english.predict_proba(twice).tolist()
    ((_, answers),) = english.stream(twice)
    assert answers.scored.tolist() == once
    assert once != english.predict_proba(["too long"]).tolist(), "the inner one is a word"


def test_a_text_on_the_command_line_may_be_written_so_too(supertune: Run, films: Path) -> None:
    (written,) = supertune("predict", films, "输入：非常感人 输出：", "--json").answer[
        "predictions"
    ]
    (plain,) = supertune("predict", films, "非常感人", "--json").answer["predictions"]
    assert written == plain


def test_it_is_evaluated_and_gone_on_from_by_such_rows(
    supertune: Run, films: Path, here: Path
) -> None:
    answered(here / "held.txt")
    done = supertune("evaluate", films, "held.txt", "--json")
    assert done.code == 0, done
    assert done.answer["rows"] == 6
    (here / "more.txt").write_text("输入：很好 输出：积极\n输入：很坏 输出：消极\n", "utf-8")
    on = supertune("fit", "more.txt", "--from", films, "-o", "on", "--json")
    assert on.code == 0, on
    assert on.answer["rows"] == 8


def test_its_recipe_repeats_it(supertune: Run, films: Path, here: Path) -> None:
    answered(here / "rows.txt", "输入：还没看 输出：")
    done = supertune("fit", "rows.txt", "--recipe", films / "recipe.yaml", "-o", "again", "--json")
    assert done.code == 0, done
    tuned = "tuned.safetensors"
    assert (here / "again" / tuned).read_bytes() == (films / tuned).read_bytes()


def test_a_prompt_is_kept_in_the_recipe(supertune: Run, reviews: Files, here: Path) -> None:
    template, words = "{text} All in all, it was {answer}.", "positive=great,fun; negative=dull"
    given = ("--template", template, "--verbalizer", words, "--preset", "sentiment")
    done = supertune("fit", reviews.train, *QUICK, *given, "-o", "model", "--json")
    assert done.code == 0, done
    kept = json.loads((here / "model" / "supertune.json").read_text("utf-8"))["recipe"]
    assert kept["template"] == template
    assert kept["verbalizer"] == {"positive": ["great", "fun"], "negative": ["dull"]}
    assert kept["preset"] == "sentiment"
    assert kept["text"] == ["sentence"]
    again = supertune("plan", reviews.train, "--recipe", "model/recipe.yaml", "--json")
    assert again.code == 0, again


def test_a_prompt_that_shows_one_text_changes_nothing_in_what_is_read(
    supertune: Run, reviews: Files, here: Path, words: Path
) -> None:
    options = ("--set", "folds=3", "--set", "repeats=2", "--template", "{text} So {answer}")
    fitted = supertune("fit", reviews.train, *QUICK, *options, "-o", "model", "--json")
    assert fitted.code == 0, fitted
    tuned = "tuned.safetensors"
    assert (here / "model" / tuned).read_bytes() == (words / tuned).read_bytes()


def test_a_prompt_of_several_columns_is_fitted_and_answers_files_that_name_them_otherwise(
    supertune: Run, reviews: Files, here: Path
) -> None:
    rows = [(f"film {i}", text, mood) for i, (text, mood) in enumerate(reviews.rows)]
    write_rows(here / "rows.csv", rows, ("title", "body", "mood"))
    options = ("--template", "{body} ({title}) was {answer}.", "--label", "mood")
    done = supertune("fit", "rows.csv", *QUICK, *options, "-o", "model", "--json")
    assert done.code == 0, done
    assert done.answer["columns"]["text"] == ["body", "title"]
    write_rows(here / "new.csv", rows[:4], ("name", "said", "truth"))
    columns = ("--text", "said", "--text", "name")
    assert supertune("predict", "model", "new.csv", *columns, "-o", "a.csv").code == 0
    assert supertune("predict", "model", "rows.csv", "-o", "b.csv").code == 0
    kept = ("prediction", "confidence")
    with (here / "a.csv").open(newline="") as one, (here / "b.csv").open(newline="") as other:
        first = [[row[key] for key in kept] for row in csv.DictReader(one)]
        assert first == [[row[key] for key in kept] for row in csv.DictReader(other)][:4]
    judged = supertune("evaluate", "model", "new.csv", *columns, "--label", "truth", "--json")
    assert judged.code == 0, judged
    short = supertune("predict", "model", "new.csv", "--text", "said", "-o", "c.csv", "--json")
    assert short.error["code"] == "text_column_missing"
    assert not (here / "c.csv").exists()


def test_help_shows_how_a_prompt_is_given(supertune: Run) -> None:
    done = supertune("fit", "--help")
    for said in ("--verbalizer", "--preset", "{text} It was {answer}."):
        assert said in " ".join(done.out.split()), said
