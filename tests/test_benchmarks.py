"""The benchmarks' own code, at tiny sizes, and the page that shows what they found."""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

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


def counting(peers: tuple[str, ...] = (), draws: int = 3) -> tuple[Any, list[int]]:
    """A benchmark that notes which draws it was asked to measure."""
    asked: list[int] = []
    figures = module("figures")

    def measure(item: dict[str, Any]) -> dict[str, Any]:
        asked.append(item["seed"])
        time.sleep(0.02)
        return {"seconds": float(item["seed"] + 1)}

    built = module("benchmark").Benchmark(
        name="counting",
        question="?",
        how="!",
        peers=peers,
        plan=lambda tiny: [{"seed": seed} for seed in range(1 if tiny else draws)],
        measure=measure,
        figures=lambda found: [figures.median("time", [d["seconds"] for d in found], "s")],
    )
    return built, asked


def run(benchmark: Any, folder: Path, **demands: Any) -> dict[str, Any]:
    tools = module("benchmark")
    found: dict[str, Any] = tools.run(benchmark, folder, tools.Demands(**demands))
    return found


def test_the_page_is_what_the_results_give() -> None:
    page = module("page")
    assert page.PAGE.read_text("utf-8") == page.text()


def results() -> list[dict[str, Any]]:
    folder = ROOT / "benchmarks" / "results"
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]


def test_every_result_is_of_a_benchmark_and_every_target_has_a_verdict() -> None:
    for result in results():
        assert hasattr(module(result["benchmark"]), "plan")  # a benchmark's or a study's
        assert {bool(f["target"]) == (f["met"] is not None) for f in result["figures"]} == {True}
        assert any(figure["target"] for figure in result["figures"])


def test_the_page_names_what_was_not_measured_and_what_was_disturbed(tmp_path: Path) -> None:
    result = results()[0]
    result["draws"] = [{**draw, "others": 0.5} for draw in result["draws"]]
    (tmp_path / f"{result['benchmark']}.json").write_text(json.dumps(result), encoding="utf-8")
    page = module("page")
    absent = [name for name in page.ORDER if name != result["benchmark"]]
    assert f"Not measured yet: {', '.join(absent)}." in page.text(tmp_path)
    count = len(result["draws"])
    assert f"In {count} of {count} draws other programs used more than" in page.text(tmp_path)


def test_the_figures_of_a_result_follow_from_its_draws() -> None:
    tools, names = module("benchmark"), module("__main__").NAMES
    for result in (one for one in results() if one["benchmark"] in names):
        again = module("__main__").benchmark(result["benchmark"]).figures(result["draws"])
        assert tools._short([figure.as_dict() for figure in again]) == result["figures"]


def test_no_draw_is_planned_twice() -> None:
    for name in module("__main__").NAMES:
        benchmark = module("__main__").benchmark(name)
        for tiny in (True, False):
            items = [json.dumps(item, sort_keys=True) for item in benchmark.plan(tiny)]
            assert len(items) == len(set(items)) > 0


def test_a_draw_that_is_there_is_not_measured_again_unless_asked(tmp_path: Path) -> None:
    benchmark, asked = counting()
    first = run(benchmark, tmp_path)
    assert (asked, first["whole"]) == ([0, 1, 2], True)
    assert run(benchmark, tmp_path)["draws"] == first["draws"]
    assert asked == [0, 1, 2]
    run(benchmark, tmp_path, again=True)
    assert asked == [0, 1, 2, 0, 1, 2]


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    benchmark, asked = counting()
    started = run(benchmark, tmp_path, budget=0.03)  # room for one draw of 20 ms
    assert not started["whole"]
    assert len(started["draws"]) == len(asked) < 3
    assert run(benchmark, tmp_path)["whole"]
    assert asked == [0, 1, 2]


def test_only_draws_with_busy_bystanders_are_repeated_on_demand(tmp_path: Path) -> None:
    benchmark, asked = counting()
    run(benchmark, tmp_path)
    path = tmp_path / "counting.json"
    result = json.loads(path.read_text("utf-8"))
    for draw, others in zip(result["draws"], (0.0, 0.5, 0.0), strict=True):
        draw["others"] = others
    path.write_text(json.dumps(result), encoding="utf-8")
    asked.clear()
    run(benchmark, tmp_path, again_busy=True)
    assert asked == [1]


def test_a_benchmark_without_its_peer_is_refused_by_name(tmp_path: Path) -> None:
    from supertune.errors import EnvironmentFault

    benchmark, asked = counting(peers=("a-peer-that-is-nowhere",))
    with pytest.raises(EnvironmentFault, match="a-peer-that-is-nowhere") as raised:
        run(benchmark, tmp_path)
    assert raised.value.code == "benchmark_needs"
    assert "make bench" in str(raised.value)
    assert (asked, list(tmp_path.iterdir())) == ([], [])


def test_an_unknown_benchmark_is_answered_with_those_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "linear_prob"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "'linear_prob'; there are startup, linear_probe" in done.stderr


@pytest.mark.slow
def test_benchmarks_without_peers_run_at_tiny_size(tmp_path: Path) -> None:
    names = [
        name for name in module("__main__").NAMES if not module("__main__").benchmark(name).peers
    ]
    quick = ["startup", "linear_probe", "saved_sizes", "roofline", "more_rows"]
    # Of these parts are tried elsewhere.
    dear = ["translating", "many_pictures", "recommending", "remote"]
    assert names == [*quick, *dear]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *quick, "--tiny", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "first fit / second fit" in done.stdout
    probe = json.loads((tmp_path / "linear_probe.json").read_text("utf-8"))
    assert probe["whole"]
    assert {len(laps) for laps in probe["draws"][0]["seconds"].values()} == {1}
    page = module("page").text(tmp_path)
    assert page.index("## linear_probe") < page.index("## startup")


def test_our_side_answers_like_a_fit_of_the_public_api() -> None:
    side, rows = module("supertune_side"), module("rows")
    train = rows.mixed("pang-lee", 16)
    with side.own_cache() as cache:
        ours = side.fit(side.read(train), cache / "activations")
        public = side.whole_fit(train)
    texts = rows.sentences(40)
    assert ours.answers(texts) == list(public.predict(texts))
    assert ours.estimate == pytest.approx(public.report.data["estimate"]["value"])


def test_the_cache_of_a_comparison_is_empty_and_the_persons_own_comes_back() -> None:
    side, before = module("supertune_side"), os.environ["SUPERTUNE_CACHE"]
    with side.own_cache() as folder:
        assert os.environ["SUPERTUNE_CACHE"] == str(folder)
        assert sorted(path.name for path in folder.iterdir()) == ["data", "models"]
    assert os.environ["SUPERTUNE_CACHE"] == before
    assert not folder.exists()


def test_sentences_are_all_different_whatever_their_number() -> None:
    texts = module("rows").sentences(20_000)
    assert len(texts) == 20_000
    assert len(set(texts)) > 19_900
    assert module("rows").sentences(100) == texts[:100]


def test_rows_are_mixed_evenly() -> None:
    rows = module("rows").mixed("bbc-news", 64)
    counts = sorted(sum(label == one for _, label in rows) for one in {label for _, label in rows})
    assert counts == [12, 13, 13, 13, 13]


def test_rounds_alternate_their_order_and_the_first_is_thrown_away() -> None:
    order: list[str] = []

    def contestant(name: str) -> Any:
        def once() -> dict[str, float]:
            order.append(name)
            return {name: float(len(order))}

        return once

    laps = module("timing").interleaved({"a": contestant("a"), "b": contestant("b")}, 2)
    assert order == ["b", "a", "a", "b", "b", "a"]
    assert laps == {"a": [3.0, 6.0], "b": [4.0, 5.0]}


def test_a_child_tells_the_memory_that_it_took_itself() -> None:
    ballast = bytearray(300 * 2**20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    answer = module("timing").in_child("statistics:fmean", data=[2, 3, 7])
    assert answer["result"] == 4
    assert 2**20 < answer["peak_memory_bytes"] < len(ballast) / 2


BURN = "import time\nwhile time.process_time() < 0.4: pass"


def test_bystanders_are_other_processes() -> None:
    with module("timing").Bystanders() as watched, subprocess.Popen([sys.executable, "-c", BURN]):
        time.sleep(0.3)  # the child is not waited for yet, so it counts as another
        watched.__exit__()
        early = watched.share
    assert early > 0.1 / (os.cpu_count() or 1)


def test_a_child_that_was_waited_for_is_no_bystander() -> None:
    before = module("timing")._clocks()
    subprocess.run([sys.executable, "-c", BURN], check=True)
    _, all_, own = (b - a for a, b in zip(before, module("timing")._clocks(), strict=True))
    assert own >= 0.3  # of 0.4; what is counted as its own must hold the child
    assert all_ >= own - 0.1  # two clocks, one of which ticks every 10 ms a core


@pytest.mark.parametrize(
    ("gains", "met"),
    [
        ([0.0, 0.0], True),
        ([0.01, 0.008], True),
        ([-0.04, -0.03], False),  # the mean
        ([0.1, -0.1], False),  # the lower bound
    ],
)
def test_an_accuracy_difference_is_held_against_the_margin(gains: list[float], met: bool) -> None:
    figure = module("figures").paired("x", gains, judged=True)
    assert figure.met is met
    assert figure.value == pytest.approx(50 * sum(gains))
    assert figure.low <= figure.value <= figure.high


def test_one_draw_has_no_interval() -> None:
    figure = module("figures").paired("x", [0.1], judged=False)
    assert (figure.low, figure.high, figure.met) == (figure.value, figure.value, None)
    assert figure.spread == "one draw"


def test_numbers_keep_three_digits() -> None:
    number = module("page").number
    shown = [number(value) for value in (1234.5, 12.345, 1.2345, 0.0012345, 0.0, -0.5)]
    assert shown == ["1,234", "12.3", "1.23", "0.0012", "0", "-0.5"]
    assert math.isclose(float(number(99.95)), 99.95, rel_tol=0.01)


def test_the_page_of_evidence_is_the_one_that_the_results_give() -> None:
    evidence = module("evidence")
    assert evidence.PAGE.read_text("utf-8") == evidence.text()


def test_the_page_of_evidence_names_what_was_not_kept_and_what_is_missing(tmp_path: Path) -> None:
    kept = {"name": "coverage at 32", "value": 95.0, "low": 94.0, "high": 96.0, "unit": "%",
            "spread": "extremes of 4", "target": "93 to 98 %", "met": True}  # fmt: skip
    missed = {**kept, "name": "coverage at 16", "value": 90.0, "met": False}
    told = {**kept, "name": "rows", "target": "", "met": None}
    result = {
        "benchmark": "study_coverage", "question": "Do intervals cover?", "how": "By drawing.",
        "whole": True, "measured": "2026-11-26", "versions": {"numpy": "2"}, "draws": [],
        "machine": {"system": "s", "processor": "p", "cores": 2, "memory_gib": 4, "threads": 1},
        "figures": [kept, missed, told],
    }  # fmt: skip
    (tmp_path / "study_coverage.json").write_text(json.dumps(result), "utf-8")
    page = module("evidence").text(tmp_path)
    not_kept = page[page.index("## What is not kept") : page.index("## What was promised")]
    assert "coverage at 16" in not_kept
    assert "coverage at 32" not in not_kept
    assert "coverage at 32" in page[page.index("## What was promised") :]
    assert "Not measured yet: study_forecast" in page
    assert "| rows |" in page[page.index("## study_coverage") :]


def test_a_study_measures_what_it_is_asked_to(tmp_path: Path, capsys: Any) -> None:
    benchmark, command = module("benchmark"), module("study_command")
    figure = module("figures").Figure
    study = benchmark.Benchmark(
        "study_made_up", "Is it so?", "By counting.", (),
        lambda tiny: [{"data": data, "rows": rows} for data in ("a", "b") for rows in (16, 32)],
        lambda item: {"value": float(item["rows"])},
        lambda draws: [figure("rows", sum(d["value"] for d in draws), 0, 0, "", "")],
    )  # fmt: skip
    only = ["--only", "data=b", "--only", "rows=32", "--out", str(tmp_path)]
    assert command.main(study, only) == 0
    assert "rows: 32" in capsys.readouterr().out
    saved = json.loads((tmp_path / "study_made_up.json").read_text("utf-8"))
    assert [(draw["data"], draw["rows"]) for draw in saved["draws"]] == [("b", 32)]
    assert not saved["whole"]
    with pytest.raises(SystemExit):
        command.main(study, ["--only", "b"])


def test_words_a_second_are_measured_on_real_texts() -> None:
    found = module("translating").rates(beams=1, threads=1, texts=3, alone=1, repeats=1)
    assert found["words"] > 5
    assert all(found[name][0] > 0 for name in ("clock", "processor", "single"))
