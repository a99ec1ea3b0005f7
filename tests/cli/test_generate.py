"""Pictures from the command line: fit, generate, predict, evaluate, plan, on random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.conftest import Run, write_wugs

import supertune as tune
from supertune.config import recipe_text
from supertune.contracts import Picture

QUICK: dict[str, Any] = {"task": "image_generation", "epochs": 1, "learning_rate": 0.02}
DRAW = ("--steps", "2", "--guidance", "2")


@pytest.fixture(scope="module")
def wugs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wugs(tmp_path_factory.mktemp("data") / "wugs", 4)


@pytest.fixture(scope="module")
def fitted(wugs: Path, pixel_pipeline: Path, own_activations: Path) -> tune.Model:
    return tune.fit(
        wugs, output=wugs.parent / "model", backbone=str(pixel_pipeline), method="lora",
        concept="a wug clock", **QUICK,
    )  # fmt: skip


def test_a_report_says_how_much_less_it_is_wrong_than_untuned(fitted: tune.Model) -> None:
    report: dict[str, Any] = fitted.report.data
    assert (report["metric"], report["larger_is_better"]) == ("skill", True)
    assert set(report["metrics"]) == {"skill", "denoising_loss"}
    assert report["baselines"]["untuned"]["value"] == 0.0
    estimate = report["estimate"]
    assert estimate["low"] <= estimate["value"] <= estimate["high"] < 1
    assert report["data"]["labels"] == [{"name": "a wug clock", "rows": 4}]
    assert (fitted.recipe.folds, fitted.recipe.repeats) == (2, 1)
    bands = report["denoising"]["bands"]
    assert len(bands) == 4
    assert all(band["tuned"] > 0 for band in bands)


def test_a_report_shows_pictures_before_and_after(fitted: tune.Model) -> None:
    rows = fitted.report.data["generated"]["rows"]
    assert [row["name"] for row in rows] == ["learned from", "before", "after"]
    assert [len(row["pictures"]) for row in rows] == [4, 8, 8]
    names = [figure["name"] for figure in fitted.report.data["generated"]["figures"]]
    assert [name.split()[0] for name in names] == ["change", "share"]
    assert rows[1]["pictures"] != rows[2]["pictures"]
    page = fitted.report.html()
    assert "What it draws" in page
    assert rows[2]["pictures"][0] in page


def test_nothing_of_the_rows_is_in_a_report_without_rows(wugs: Path, pixel_pipeline: Path) -> None:
    model = tune.fit(
        wugs, backbone=str(pixel_pipeline), method="lora", concept="a wug clock", keep_rows=False,
        **QUICK,
    )  # fmt: skip
    shown = model.report.data["generated"]["rows"]
    assert [row["name"] for row in shown] == ["before", "after"]
    assert model.training_rows is None


def test_a_saved_model_draws_the_same_in_a_fresh_process(
    fitted: tune.Model, python: Any, tmp_path: Path
) -> None:
    code = """
import hashlib, sys, warnings
warnings.simplefilter("ignore")
import supertune
made = supertune.load(sys.argv[1]).generate("a wug clock", n=2, seed=3, steps=2)
print(*[hashlib.sha256(one.tobytes()).hexdigest() for one in made])
"""
    done = python(code, str(fitted.folder), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    here = supertune_bytes(fitted)
    assert done.stdout.split()[-2:] == here


def supertune_bytes(model: tune.Model) -> list[str]:
    import hashlib

    made = model.generate("a wug clock", n=2, seed=3, steps=2)
    return [hashlib.sha256(one.tobytes()).hexdigest() for one in made]


def test_generate_writes_a_grid_or_files_and_says_what_comes_next(
    fitted: tune.Model, supertune: Run, here: Path
) -> None:
    done = supertune("generate", fitted.folder, "a wug", "a cat", "--n", 3, *DRAW, "-o", "g.png")
    assert done.code == 0, done
    assert "6 pictures, seeds 0 to 2" in done.out
    assert "--seed 3" in done.out
    with Image.open("g.png") as grid:
        assert grid.size == (3 * 18 - 2, 2 * 18 - 2)
        pixels = np.asarray(grid)
    done = supertune(
        "generate", fitted.folder, "a wug", "a cat", "--n", 3, *DRAW, "-o", "drawn", "--json"
    )
    answer = done.answer
    assert answer["seeds"] == [0, 1, 2, 0, 1, 2]
    assert answer["sampling"]["steps"] == 2
    assert [Path(one).name for one in answer["written"]][:2] == ["01-0000.png", "01-0001.png"]
    with Image.open("drawn/02-0001.png") as one:
        assert np.array_equal(np.asarray(one), pixels[18:34, 18:34])


def test_a_backbone_draws_untuned_and_the_same_whatever_the_number(
    pixel_pipeline: Path, fitted: tune.Model
) -> None:
    how = {"steps": 2, "seed": 1}
    one = tune.generate(pixel_pipeline, "a cat", n=1, **how)["pictures"][0]
    several = tune.generate(str(pixel_pipeline), ["a clock", "a cat"], n=2, **how)["pictures"]
    assert np.array_equal(one, several[2])
    tuned = fitted.generate("a cat", n=1, **how)[0]
    assert not np.array_equal(one, tuned)


def test_a_model_is_asked_about_pictures_and_judged(
    fitted: tune.Model, wugs: Path, supertune: Run, here: Path
) -> None:
    done = supertune("predict", fitted.folder, wugs, "-o", "losses.csv")
    assert done.code == 0, done
    assert (here / "losses.csv").read_text().startswith("image,denoising_loss,untuned_loss")
    judged = supertune("evaluate", fitted.folder, wugs, "--json").answer
    assert judged["metric"] == "skill"
    assert judged["estimate"]["value"] > 0
    refused = supertune("explain", fitted.folder, wugs / "0.png", "--json")
    assert (refused.code, refused.error["code"]) == (2, "cannot_explain")
    assert len(fitted.predict([wugs / "0.png"])) == 1


def test_what_a_fit_would_do_is_planned(wugs: Path, pixel_pipeline: Path, supertune: Run) -> None:
    rest = ("--backbone", pixel_pipeline, "--concept", "a wug", "--method", "lora")
    done = supertune("plan", wugs, "--task", "image_generation", *rest)
    assert done.code == 0, done
    assert "label a wug: 4 rows" in done.out
    assert "2-fold" in done.out


def test_the_recipe_repeats_the_fit_bit_for_bit(
    fitted: tune.Model, wugs: Path, supertune: Run, here: Path
) -> None:
    (here / "recipe.yaml").write_bytes(recipe_text(fitted.recipe))
    done = supertune("fit", wugs, "--recipe", "recipe.yaml", "-o", "again")
    assert done.code == 0, done
    name = "pytorch_lora_weights.safetensors"
    assert fitted.folder is not None
    assert (here / "again" / name).read_bytes() == (fitted.folder / name).read_bytes()


def test_a_fit_goes_on_from_a_model_with_new_pictures(
    fitted: tune.Model, wugs: Path, tmp_path: Path
) -> None:
    more = write_wugs(tmp_path / "more", 5) / "4.png"
    again = tune.fit([more], from_=fitted.folder, epochs=1)
    assert again.training_rows is not None
    assert len(again.training_rows) == 5
    assert {one.caption for one in again.training_rows.inputs if isinstance(one, Picture)} == {
        "a wug clock"
    }
