"""``supertune plan``: what a fit would read, try and cost, with nothing trained or written."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Files, Run

import supertune as product


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*")) if folder.exists() else set()


def test_a_machine_that_has_nothing_is_told_what_would_be_fetched(
    supertune: Run, reviews: Files, here: Path, empty_cache: Path
) -> None:
    done = supertune("plan", reviews.train, "--json")
    assert (done.code, done.err) == (0, "")
    answer = done.answer
    assert [one["name"] for one in answer["to_fetch"]] == ["minilm", "e5-small"]
    assert all(one["bytes"] is None or one["bytes"] > 1e6 for one in answer["to_fetch"])
    assert answer["next"][0] == "supertune models pull minilm"
    assert answer["rows"] == 20
    assert answer["data"]["columns"]["label"] == "mood"
    tried = [(one["backbone"], one["method"]) for one in answer["candidates"]]
    assert tried[0] == (None, "bag_of_words")
    assert ("minilm", "linear_probe") in tried
    assert ("e5-small", "contrastive") in tried
    assert {one["method"] for one in answer["unfit"]} >= {"full", "majority"}
    assert all(one["why"] for one in answer["unfit"])
    assert answer["seconds"] > 0
    assert answer["memory_bytes"] > 1e8
    assert answer["disk_bytes"] > 1e5
    kept = {path.name for path in everything(empty_cache)}
    assert kept <= {"measured.json"}, "nothing is fetched; the machine's speed is remembered"
    assert everything(here) == set(), "nothing is written"


def test_people_read_columns_candidates_reasons_and_costs(
    supertune: Run, reviews: Files, here: Path
) -> None:
    done = supertune("plan", reviews.train)
    assert done.code == 0
    for part in (
        "column 'sentence'",
        "Candidates",
        "name it with --method: ",
        "not coop:",
        "cross-validation",
        "Next",
    ):
        assert part in done.out, part
    assert "supertune fit" in done.out


def test_what_was_asked_for_is_planned(supertune: Run, reviews: Files) -> None:
    done = supertune(
        *("plan", reviews.train, "--method", "lora", "--backbone", "minilm", "--json"),
        *("--test", reviews.test, "--metric", "macro_f1", "--time-limit", "1s"),
    )
    assert done.code == 0, done.out
    answer = done.answer
    assert [(c["backbone"], c["method"]) for c in answer["candidates"]] == [("minilm", "lora")]
    assert answer["metric"] == "macro_f1"
    assert answer["judged_on"] == "60 test rows"
    assert "only lora was asked for" in {one["why"] for one in answer["unfit"]}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--method", "lorra"), "unknown_method"),
        (("--method", "lora", "--set", "rank=0"), "bad_recipe"),
        (("--label", "moood"), "label_column_missing"),
        (("--metric", "acuracy"), "unknown_metric"),
    ],
)
def test_what_a_fit_would_refuse_is_refused(
    supertune: Run, reviews: Files, options: tuple[str, ...], code: str
) -> None:
    done = supertune("plan", reviews.train, *options, "--json")
    assert done.code == 2
    assert done.error["code"] in {code, "bad_option"}


def test_a_plan_and_its_fit_agree(reviews: Files) -> None:
    options = {"method": "bag_of_words", "folds": 3, "repeats": 2}
    planned = product.plan(reviews.train, **options)
    fitted = product.fit(reviews.train, **options)
    assert planned.data["rows"] == fitted.report.data["data"]["rows"]
    assert planned.data["judged_on"] in fitted.report.data["estimate"]["how"]
    assert planned.data["seconds"] == pytest.approx(fitted.report.data["cost"]["predicted_seconds"])
    assert str(planned) == repr(planned) == planned.text()


def test_rows_without_labels_are_planned_for(supertune: Run, reviews: Files, here: Path) -> None:
    pool = here / "pool.csv"
    lines = [f"it was seen {number} times and is still good" for number in range(40)]
    pool.write_text("\n".join(["sentence", *lines]), encoding="utf-8")
    done = supertune("plan", reviews.train, "--unlabeled", pool, "--backbone", "minilm", "--json")
    assert done.code == 0
    assert done.answer["data"]["unlabelled"] == 40
    assert "semi_supervised" in [one["method"] for one in done.answer["candidates"]]
