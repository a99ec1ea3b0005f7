"""One draw of the study of methods: a fit on few rows, its answers to others, and its cost.

Nothing but what fits and answers is imported, so that it runs where the report's libraries are
missing.
"""

from __future__ import annotations

import gc
import json
import re
import statistics
import time
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.benchmark import Item
from benchmarks.study_plan import MAX_LENGTH, NONE, PER_CLASS, defaults
from benchmarks.timing import in_child
from supertune import pipeline
from supertune.catalogue.corpora import few_shot
from supertune.config import recipe
from supertune.contracts import Examples, Tuned
from supertune.errors import EnvironmentFault, SupertuneError
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
    where = {
        "defaults": defaults(item["method"]),
        "device": device.partition(":")[0],
        "on": _circumstances(device),
    }
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
    told = in_child("benchmarks.study_draw:alone", item=item)
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
