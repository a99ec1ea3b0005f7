"""``python -m benchmarks.study_methods``: every method on every backbone that it fits.

Resumable: each draw is saved as it comes, and what is there is not measured again. Nothing but
what fits and answers is imported, so that it runs where the report's libraries are missing.
"""

from __future__ import annotations

import argparse
import gc
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, study_page, study_plan
from benchmarks.benchmark import Benchmark, Demands, Draw, Item, draws_of, run
from benchmarks.study_plan import BACKBONES, DATA, MAX_LENGTH, NONE, PER_CLASS
from benchmarks.timing import in_child
from supertune import pipeline
from supertune.catalogue.corpora import few_shot
from supertune.config import recipe
from supertune.contracts import Examples, Tuned
from supertune.errors import EnvironmentFault, InputError, SupertuneError
from supertune.pipeline import Candidate, Workshop
from supertune.training.cache import ActivationCache

Row = tuple[str, str]


@dataclass(frozen=True)
class Fitted:
    tuned: Tuned
    hits: list[bool]  # of the test rows
    seconds: dict[str, float]
    processor_seconds: dict[str, float]  # of all threads; other programs hardly lengthen them


def measure(item: Item, device: str) -> dict[str, Any]:
    """One draw, or why it could not be: a study is about what fails too."""
    _check_device(device)
    where = {"device": device.partition(":")[0], "on": _circumstances(device)}
    try:
        return {**_measured(item, device), **where}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a result and recorded
        code = error.code if isinstance(error, SupertuneError) else type(error).__name__
        return {"failed": code, "why": _without_paths(str(error)), **where}


def _measured(item: Item, device: str) -> dict[str, Any]:
    weights = _warm_up(item["backbone"], device)
    before = _allocated(device)
    _forget_peak(device)
    fitted = fit_and_answer(item, device)
    losses = getattr(fitted.tuned, "losses", ())
    _, test = drawn(item["data"], item["per_class"], item["seed"], item["test_rows"])
    answers = [label for _, label in test]
    return {
        "accuracy": statistics.fmean(fitted.hits),
        "commonest": max(answers.count(one) for one in set(answers)) / len(answers),
        "seconds": fitted.seconds,
        "processor_seconds": fitted.processor_seconds,
        "tuned_parameters": fitted.tuned.tuned_parameters,
        "bytes": saved_bytes(fitted.tuned),
        "answered": len(test),
        **({"losses": [losses[0], losses[-1]]} if losses else {}),
        **_peak_memory(item, device, weights, before),
    }


def fit_and_answer(item: Item, device: str) -> Fitted:
    """Tune on the few rows and answer the unseen ones; the activation cache begins empty."""
    train, test = drawn(item["data"], item["per_class"], item["seed"], item["test_rows"])
    backbone = item["backbone"]
    settled = recipe(
        {
            "method": item["method"],
            "backbone": backbone,
            "options": item["options"],
            "max_length": MAX_LENGTH,
            "seed": item["seed"],
            "device": device,
        }
    )
    examples = _examples(tuple(train))
    workshop = Workshop(settled, store=ActivationCache(None))
    candidate = Candidate(None if backbone == NONE else backbone, item["method"])
    clocks = [_clocks()]
    tuned = pipeline.tune(workshop, candidate, examples)
    clocks.append(_clocks())
    logits = tuned.logits([text for text, _ in test], workshop.lens(candidate.backbone))
    clocks.append(_clocks())
    found = [examples.labels[place] for place in np.argmax(logits, axis=1)]
    hits = [answer == label for answer, (_, label) in zip(found, test, strict=True)]
    (fit, fit_processor), (predict, predict_processor) = (
        (after[0] - before[0], after[1] - before[1]) for before, after in pairwise(clocks)
    )
    return Fitted(
        tuned,
        hits,
        {"fit": fit, "predict": predict},
        {"fit": fit_processor, "predict": predict_processor},
    )


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


@cache
def drawn(data: str, per_class: int, seed: int, test_rows: int) -> tuple[list[Row], list[Row]]:
    return few_shot(data, per_class=per_class, test_rows=test_rows, seed=seed)


@cache
def _examples(train: tuple[Row, ...]) -> Examples:
    settled = recipe({"method": "majority", "backbone": NONE})
    return pipeline.labelled(pipeline.read(list(train), settled).train)


def saved_bytes(tuned: Tuned) -> int:
    """What is tuned, in a model folder: safetensors, PEFT's own two files, settings."""
    import json

    from supertune.artifact.tensors import tensor_bytes

    state = tuned.state()
    size = len(tensor_bytes(dict(state.arrays)))
    if state.adapter_config is not None:
        size += len(tensor_bytes(dict(state.adapter)))
        size += len(json.dumps(dict(state.adapter_config), default=str))
    return size + (len(json.dumps(dict(state.settings), default=str)) if state.settings else 0)


# --- the machine ------------------------------------------------------------------------------


@cache
def _warm_up(backbone: str, device: str) -> int:
    """Imports, weights and first kernels are paid for before anything is timed.

    Returns:
        bytes of the weights on a GPU.
    """
    import scipy.sparse  # noqa: F401
    import sklearn.linear_model  # noqa: F401

    if backbone == NONE:
        return 0
    import peft  # noqa: F401

    before = _allocated(device)
    few = {"data": "pang-lee", "per_class": 2, "seed": 0, "test_rows": 2, "options": {}}
    fit_and_answer({"method": "linear_probe", "backbone": backbone, **few}, device)
    return _allocated(device) - before


def _allocated(device: str) -> int:
    if not device.startswith("cuda"):
        return 0
    import torch

    gc.collect()
    return int(torch.cuda.memory_allocated(device))


def _peak_memory(item: Item, device: str, weights: int, before: int) -> dict[str, int]:
    """On a GPU of every draw: ``weights``, and what came on top of what lay there ``before``, the
    weights of other backbones among it. Else of one draw a method and backbone, in a process of
    its own."""
    if device.startswith("cuda"):
        import torch

        if item["backbone"] == NONE:
            return {}
        peak = int(torch.cuda.max_memory_allocated(device))
        return {"peak_memory_bytes": weights + peak - before}
    if (item["data"], item["seed"]) != ("pang-lee", 0) or item["per_class"] > PER_CLASS[0]:
        return {}
    told = in_child("benchmarks.study_methods:alone", item=item)
    return {"peak_memory_bytes": told["peak_memory_bytes"]}


def alone(item: Item) -> float:
    """Called in a process of its own, which measures itself."""
    return statistics.fmean(fit_and_answer(item, "cpu").hits)


def _forget_peak(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _check_device(device: str) -> None:
    """After a fault on the GPU nothing runs there until the process is another."""
    if not device.startswith("cuda"):
        return
    import torch

    try:
        torch.zeros(1, device=device).item()
    except RuntimeError as error:
        raise EnvironmentFault(
            "device_broken",
            f"{device} answers no longer; the draw before this one broke it.",
            received=str(error).splitlines()[0],
            next="Run the same command again: it goes on behind that draw.",
        ) from error


def resolved(device: str) -> str:
    """``"auto"`` as what it stands for here.

    Raises:
        InputError: ``device_unavailable``.
    """
    if device == "cpu":
        return device
    from supertune.backbones.transformers.loading import device as found

    return str(found(device))


@cache
def _circumstances(device: str) -> str:
    """The machine and versions of one draw; draws of several machines make one page."""
    versions = machine.versions(())
    packages = ("python", "torch", "transformers", "peft", "scikit-learn")
    told = machine.described()
    threads = f"{told['cores']} cores, threads: {told['threads']}"
    return f"{machine.processor(device)}, {threads}; " + ", ".join(
        f"{name} {versions[name]}" for name in packages
    )


def _without_paths(message: str) -> str:
    """The first line of an error; folders of this machine are nobody's business."""
    line = (message.splitlines() or [""])[0]
    return re.sub(r"(?<![\w.])(?:/[\w.@+-]+)+/", "", line)[:200]


# --- the command ------------------------------------------------------------------------------


def study(device: str, backbones: Sequence[str] = ()) -> Benchmark:
    """The study on one device; a process for some of the backbones has a file of its own."""
    return Benchmark(
        name="-".join([*(backbones or ["all"]), device.partition(":")[0]]),
        question="Which method is worth its cost on a few labelled rows?",
        how=study_page.HOW,
        peers=(),
        plan=study_plan.plan,
        measure=lambda item: measure(item, device),
        figures=lambda draws: [],  # of all files together: benchmarks.study_page
    )


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study_methods", description=__doc__)
    for option, told in (
        ("--only", "methods; 'peft:*' is a pattern"),
        ("--backbone", ", ".join(BACKBONES)),
        ("--data", ", ".join(DATA)),
        ("--per-class", ", ".join(map(str, PER_CLASS))),
    ):
        parser.add_argument(option, type=_listed, default=(), metavar="NAME,...", help=told)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument(
        "--budget",
        type=float,
        default=float("inf"),
        metavar="SECONDS",
        help="start no draw that would not end within this time",
    )
    parser.add_argument(
        "--out", type=Path, default=study_page.RESULTS, metavar="FOLDER", help="where draws go"
    )
    parser.add_argument(
        "--done", type=Path, action="append", metavar="FOLDER", help="draws there are not repeated"
    )
    parser.add_argument("--again-failed", action="store_true", help="try again what failed")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, to try the code")
    return parser


def _listed(given: str) -> tuple[str, ...]:
    return tuple(given.split(","))


def main(arguments_given: Sequence[str] | None = None) -> int:
    parser = arguments()
    given = parser.parse_args(arguments_given)
    try:
        device = resolved(given.device)
        benchmark = study(device, given.backbone)
        demands = Demands(
            budget=given.budget,
            tiny=given.tiny,
            again_failed=given.again_failed,
            wanted=_wanted(given, benchmark.plan(given.tiny)),
            elsewhere=_elsewhere(given, benchmark.name),
        )
        run(benchmark, given.out, demands)
    except SupertuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    draws = study_page.draws(given.out)
    failed = sum("failed" in draw for draw in draws)
    print(f"{len(draws)} draws in {given.out.name}, of which {failed} failed")
    if given.out == study_page.RESULTS:
        study_page.write()
    return 0


def _wanted(given: argparse.Namespace, plan: Sequence[Item]) -> Any:
    asked = {
        "method": given.only,
        "backbone": given.backbone,
        "data": given.data,
        "per_class": given.per_class,
    }

    def matches(item: Item, key: str) -> bool:
        return not asked[key] or any(fnmatch(str(item[key]), one) for one in asked[key])

    for key, patterns in asked.items():
        known = sorted({str(item[key]) for item in plan})
        for one in patterns:
            if not any(fnmatch(name, one) for name in known):
                raise InputError(
                    "not_in_the_plan",
                    f"The study has no {key} '{one}'.",
                    received=one,
                    allowed=", ".join(known),
                )
    return lambda item: all(matches(item, key) for key in asked)


def _elsewhere(given: argparse.Namespace, own: str) -> list[Draw]:
    """Draws that lie in other files of the same study."""
    files = [path for folder in [given.out, *(given.done or [])] for path in folder.rglob("*.json")]
    return [
        draw
        for path in dict.fromkeys(files)
        if path != given.out / f"{own}.json"
        for draw in draws_of(path)
        if not (given.again_failed and "failed" in draw)
    ]


if __name__ == "__main__":
    sys.exit(main())
