"""Beside SetFit at its documented default, on rows where a linear head is as accurate, and not."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures, supertune_side
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import Laps, interleaved, lap
from supertune.catalogue.corpora import few_shot

DRAWS = {"pang-lee": 5, "r8": 3, "bbc-news": 2}
WORTH = 100.0  # times faster, where nothing is lost


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"data": "pang-lee", "per_class": 2, "test_rows": 10, "seed": 0}]
    items = [
        {"data": data, "per_class": 8, "test_rows": 400, "seed": seed}
        for data, count in DRAWS.items()
        for seed in range(count)
    ]
    return sorted(items, key=lambda item: (item["seed"], item["data"] != "r8"))


def measure(item: Item) -> dict[str, Any]:
    train, test = few_shot(
        item["data"], per_class=item["per_class"], test_rows=item["test_rows"], seed=item["seed"]
    )
    texts, answers = [text for text, _ in test], np.array([label for _, label in test])
    examples = supertune_side.read(train)
    ours: list[supertune_side.Fitted] = []

    def us() -> Laps:
        with tempfile.TemporaryDirectory() as folder:
            return {"": lap(lambda: ours.append(supertune_side.fit(examples, Path(folder))))}

    before = interleaved({"us": us}, 3)[""]
    seconds, peer = _tuned(train)
    after = interleaved({"us": us}, 3, warm=0)[""]
    theirs = np.array([str(one) for one in peer.predict(texts, show_progress_bar=False)])
    return {
        "seconds": {"supertune": before + after, "SetFit": [seconds]},
        "accuracy": {
            "supertune": float((np.array(ours[-1].answers(texts)) == answers).mean()),
            "SetFit": float((theirs == answers).mean()),
        },
    }


def _tuned(rows: Sequence[tuple[str, str]]) -> tuple[float, Any]:
    """Seconds of ``trainer.train()`` alone, and the model that it tuned."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    labels = sorted({label for _, label in rows})
    model = SetFitModel.from_pretrained(
        str(supertune_side.folder()), labels=labels, device="cpu", local_files_only=True
    )
    data = Dataset.from_dict(
        {"text": [text for text, _ in rows], "label": [labels.index(label) for _, label in rows]}
    )
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, report_to="none", save_strategy="no", show_progress_bar=False
        )
        trainer = Trainer(model=model, args=settings, train_dataset=data)
        started = time.perf_counter()
        trainer.train()
        return time.perf_counter() - started, model


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found: list[Figure] = []
    for data in dict.fromkeys(draw["data"] for draw in draws):
        part = [draw for draw in draws if draw["data"] == data]
        title = f"{data}, {part[0]['per_class']} a class"
        speed = [
            draw["seconds"]["SetFit"][0] / statistics.median(draw["seconds"]["supertune"])
            for draw in part
        ]
        promised = WORTH if data == "r8" else None
        found.append(figures.median(f"{title}: times faster", speed, "x", at_least=promised))
        gains = [draw["accuracy"]["supertune"] - draw["accuracy"]["SetFit"] for draw in part]
        found.append(figures.paired(f"{title}: accuracy, difference", gains, judged=False))
    return found


BENCHMARK = Benchmark(
    name="setfit",
    question="How does it compare with SetFit at its documented default?",
    how="In process, models loaded on both sides, same weights, float32. SetFit: its Trainer with "
    "the defaults of its TrainingArguments (one epoch over oversampled pairs, batches of 16, "
    "cosine loss, logistic regression as the head), writing no checkpoints; the clock runs over "
    "train() alone. Ours: `linear_probe` with 10 x 5-fold cross-validation, cache empty, three "
    "times before and three times after. Differences in accuracy are on 400 unseen rows; where "
    "they are negative, that is what the speed costs.",
    peers=("setfit", "sentence-transformers", "datasets"),
    plan=plan,
    measure=measure,
    figures=summarise,
)
