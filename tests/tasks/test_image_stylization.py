"""A style from one picture of it: fitted, judged, saved, loaded and painted with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.conftest import Run
from tests.data.pictures.conftest import encoded, noise

import supertune as tune
from supertune.data.pictures import styles

QUICK: dict[str, Any] = {"task": "image_stylization", "resolution": 64, "steps": 6, "threads": 1}
UNTUNED = {key: value for key, value in QUICK.items() if key != "steps"}


@pytest.fixture(scope="module")
def painting(tmp_path_factory: pytest.TempPathFactory, own_activations: Path) -> Path:
    path = tmp_path_factory.mktemp("style") / "painting.png"
    noise(1, 96).save(path)
    return path


@pytest.fixture(scope="module")
def fitted(painting: Path) -> tune.Model:
    return tune.fit(
        painting, method="style_vector", backbone="multistyle",
        output=painting.parent / "model", **QUICK,
    )  # fmt: skip


def test_one_picture_is_learned_from_in_quarters_and_judged_on_other_photographs(
    fitted: tune.Model,
) -> None:
    report = fitted.report.data
    assert report["metric"] == "skill"
    assert report["judged_on"] == "cross-validation"
    assert report["data"]["rows"] == 4
    assert set(report["metrics"]) == {"skill", "style_loss", "content_loss"}
    assert 0 < report["estimate"]["low"] <= report["estimate"]["value"] < 1
    assert report["baselines"]["nearest_style"]["value"] == 0
    assert report["verdict"]["answer"] == "yes"
    assert report["tuned"]["parameters"] == 990
    losses = report["stylizing"]
    assert losses["style_loss"] < losses["nearest_style_loss"]
    assert report["metrics"]["style_loss"]["value"] == pytest.approx(losses["style_loss"])
    said = {one["code"]: one["message"] for one in report["findings"]}
    assert "in quarters" in said["one_picture"]
    assert "1 photograph that tuning did not see (flower.jpg)" in said["photographs"]
    assert "not about photographs" in said["photographs"]


def test_a_report_shows_the_style_and_a_photograph_before_and_after(fitted: tune.Model) -> None:
    rows = {one["name"]: one["pictures"] for one in fitted.report.data["generated"]["rows"]}
    assert {name: len(found) for name, found in rows.items()} == {
        "pictures of the style": 4,
        "photographs that tuning did not see": 1,
        "in the nearest published style": 1,
        "in the style as learned": 1,
    }
    page = fitted.report.html()
    assert "In the style as learned" in page
    assert rows["in the style as learned"][0] in page


def test_without_rows_a_report_shows_no_picture_of_the_person(painting: Path) -> None:
    model = tune.fit(painting, method="nearest_style", keep_rows=False, **UNTUNED)
    names = [one["name"] for one in model.report.data["generated"]["rows"]]
    assert names[0] == "photographs that tuning did not see"
    assert model.training_rows is None


def test_a_loaded_model_judges_and_paints_to_the_byte_as_before(fitted: tune.Model) -> None:
    assert fitted.folder is not None
    again = tune.load(fitted.folder)
    photograph = styles.pixels(styles.sample("china.jpg"), 80)
    other = noise(2, 64)
    assert again.predict([other]).tobytes() == fitted.predict([other]).tobytes()
    one, two = (each.generate(pictures=[photograph])[0] for each in (fitted, again))
    assert one.tobytes() == two.tobytes()
    assert one.shape == photograph.shape
    weaker = again.generate(pictures=photograph, strength=0.5)[0]
    assert not np.array_equal(weaker, one)
    blend = again.generate(pictures=[photograph], strength=0.5, blend={str(fitted.folder): 0.5})[0]
    assert np.abs(blend.astype(int) - one).max() <= 1  # rounding alone


def test_a_model_is_judged_by_other_pictures_of_the_style(fitted: tune.Model) -> None:
    found = fitted.evaluate([noise(1, 64), noise(3, 64)])
    assert found["rows"] == 2
    assert set(found["metrics"]) == {"skill", "style_loss", "content_loss"}
    assert found["estimate"]["low"] <= found["estimate"]["value"] <= found["estimate"]["high"]


def test_a_photograph_is_painted_from_the_command_line(
    fitted: tune.Model, supertune: Run, here: Path
) -> None:
    Image.fromarray(styles.pixels(styles.sample("flower.jpg"), 90)).save("a.png")
    (here / "more").mkdir()
    for name in ("b.png", "c.png"):
        (here / "more" / name).write_bytes(encoded(noise(5, 40)))
    model = str(fitted.folder)
    done = supertune("generate", model, "--picture", "a.png", "-o", "out.png", "--size", "50")
    assert done.code == 0, done
    assert "painted at 50 x" in done.err + done.out
    with Image.open("out.png") as painted:
        assert max(painted.size) == 50
    done = supertune(
        "generate", model, "--picture", "a.png", "--picture", "more", "-o", "out", "--json"
    )
    answer = json.loads(done.out)
    assert answer["count"] == 3
    assert answer["scaled"] == []
    assert sorted(path.name for path in (here / "out").iterdir()) == ["a.png", "b.png", "c.png"]
    with Image.open("out/a.png") as painted, Image.open("a.png") as given:
        assert painted.size == given.size


def test_auto_takes_the_tuned_style_and_a_plan_says_what_that_takes(painting: Path) -> None:
    plan = tune.plan(painting, **UNTUNED).data
    (tried,) = plan["candidates"]
    assert (tried["method"], tried["backbone"]) == ("style_vector", "multistyle")
    assert tried["seconds"] > 0
    assert "one_picture" in {one["code"] for one in plan["findings"]}


def test_a_fit_goes_on_with_another_picture_of_the_style(fitted: tune.Model) -> None:
    assert fitted.folder is not None
    again = tune.fit([noise(7, 64)], from_=fitted.folder, steps=2)
    assert again.report.data["data"]["rows"] == 5
    assert again.method == "style_vector"
