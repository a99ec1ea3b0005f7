"""A few labels a class beside what people use: SetFit and PEFT, as documented and at their best."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures, supertune_side
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import processor_lap
from supertune import pipeline
from supertune.catalogue.corpora import few_shot
from supertune.config import recipe
from supertune.pipeline import Candidate, Workshop
from supertune.training.cache import ActivationCache

MAX_LENGTH = 64  # tokens, on all sides
STEPS = 50  # of SetFit at its best
TEST_ROWS = 400
PER_CLASS = {"pang-lee": 8, "bbc-news": 8, "r8": 8, "20newsgroups": 4}
DRAWS = {"pang-lee": 3, "bbc-news": 3, "r8": 1, "20newsgroups": 1}  # the last two cost most
OURS = ("linear_probe", "named_probe", "contrastive")
FOLDED = ("linear_probe", "named_probe")  # with 10 x 5 folds, which no peer has
SETFIT, SETFIT_BEST = "SetFit", "SetFit, bf16, 50 steps"
PEFT, PEFT_BEST = "PEFT LoRA + Trainer", "PEFT LoRA + Trainer, bf16, grouped by length"
# Who is compared with whom, and how many times faster was promised.
PAIRS = (
    ("contrastive", SETFIT, 100),
    ("contrastive", SETFIT_BEST, 20),
    ("linear_probe", PEFT, 50),
    ("linear_probe", PEFT_BEST, 20),
)
EASY = ("linear_probe", SETFIT, 300)  # where a linear head is as accurate
LORA = {"rank": 8, "epochs": 20, "rate": 1e-3, "batch": 8}


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [_item("pang-lee", 2, 10, 0) | {"steps": 2}]
    items = [
        _item(data, PER_CLASS[data], TEST_ROWS, seed)
        for data, count in DRAWS.items()
        for seed in range(count)
    ]
    return sorted(items, key=lambda item: item["seed"])


def _item(data: str, per_class: int, test_rows: int, seed: int) -> Item:
    return {
        "data": data,
        "per_class": per_class,
        "test_rows": test_rows,
        "seed": seed,
        "steps": STEPS,
    }


def measure(item: Item) -> dict[str, Any]:
    """Ours before and after every peer, so that a machine that slows down is seen."""
    train, test = few_shot(
        item["data"], per_class=item["per_class"], test_rows=item["test_rows"], seed=item["seed"]
    )
    texts, answers = [text for text, _ in test], [label for _, label in test]
    seconds: dict[str, list[float]] = {}
    accuracy: dict[str, float] = {}

    def race(name: str, run: Callable[[], Callable[[], Sequence[str]]]) -> None:
        found: list[Callable[[], Sequence[str]]] = []
        seconds.setdefault(name, []).append(processor_lap(lambda: found.append(run())))
        if name not in accuracy:
            hits = np.array(list(found[-1]())) == np.array(answers)
            accuracy[name] = float(hits.mean())

    def us() -> None:
        for method in OURS:
            race(method, lambda method=method: ours(method, train, texts))

    ours("contrastive", train[:4], texts)  # imports, first calls
    for name, run in _peers(train, texts, item["steps"]).items():
        us()
        race(name, run)
    return {"seconds": seconds, "accuracy": accuracy}


def ours(
    method: str, rows: Sequence[tuple[str, str]], texts: Sequence[str]
) -> Callable[[], Sequence[str]]:
    """A fit with nothing in the cache; what it answers is asked for afterwards."""
    settled = recipe(
        {"method": method, "backbone": supertune_side.BACKBONE, "max_length": MAX_LENGTH}
    )
    examples = pipeline.labelled(pipeline.read(list(rows), settled).train)
    candidate = Candidate(supertune_side.BACKBONE, method)
    with tempfile.TemporaryDirectory() as folder, ActivationCache(Path(folder)) as store:
        workshop = Workshop(settled, store=store)
        if method in FOLDED:
            pipeline.assess(workshop, candidate, examples, workshop.folds(examples))
        tuned = pipeline.tune(workshop, candidate, examples)

    def answers() -> Sequence[str]:
        plain = Workshop(settled)
        logits = tuned.logits(texts, plain.lens(supertune_side.BACKBONE))
        return [examples.labels[place] for place in logits.argmax(axis=1)]

    return answers


# --- theirs -----------------------------------------------------------------------------------


def _peers(
    rows: Sequence[tuple[str, str]], texts: Sequence[str], steps: int
) -> dict[str, Callable[[], Callable[[], Sequence[str]]]]:
    setups = {
        PEFT: lambda: _adapter(rows, texts, best=False),
        SETFIT_BEST: lambda: _pairs(rows, texts, steps),
        PEFT_BEST: lambda: _adapter(rows, texts, best=True),
        SETFIT: lambda: _pairs(rows, texts, None),
    }
    return {name: setup() for name, setup in setups.items()}


def _pairs(
    rows: Sequence[tuple[str, str]], texts: Sequence[str], steps: int | None
) -> Callable[[], Callable[[], Sequence[str]]]:
    """SetFit ready to train: its defaults, or so many steps in bf16."""
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    labels = sorted({label for _, label in rows})
    model = SetFitModel.from_pretrained(
        str(supertune_side.folder()), labels=labels, device="cpu", local_files_only=True
    )
    model.model_body.max_seq_length = MAX_LENGTH
    data = Dataset.from_dict(
        {"text": [text for text, _ in rows], "label": [labels.index(label) for _, label in rows]}
    )
    settings = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        report_to="none",
        save_strategy="no",
        show_progress_bar=False,
        max_length=MAX_LENGTH,
        max_steps=steps or -1,
    )
    trainer = Trainer(model=model, args=settings, train_dataset=data)

    def run() -> Callable[[], Sequence[str]]:
        with torch.autocast("cpu", torch.bfloat16, enabled=steps is not None):
            trainer.train()
        return lambda: [str(one) for one in model.predict(list(texts), show_progress_bar=False)]

    return run


def _adapter(
    rows: Sequence[tuple[str, str]], texts: Sequence[str], *, best: bool
) -> Callable[[], Callable[[], Sequence[str]]]:
    """LoRA on all layers under a classifier, as PEFT's guide to sequence classification has it."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        PrinterCallback,
        Trainer,
        TrainingArguments,
    )

    labels = sorted({label for _, label in rows})
    folder = str(supertune_side.folder())
    torch.manual_seed(0)
    base = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels))
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=LORA["rank"],
        lora_alpha=2 * LORA["rank"],
        lora_dropout=0.1,
        target_modules=["query", "value"],
    )
    model = get_peft_model(base, config)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def coded(some: Sequence[str]) -> Any:
        return tokenizer(list(some), truncation=True, max_length=MAX_LENGTH)

    made = coded([text for text, _ in rows])
    items = [
        {**{key: values[i] for key, values in made.items()}, "labels": labels.index(label)}
        for i, (_, label) in enumerate(rows)
    ]
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        num_train_epochs=LORA["epochs"],
        learning_rate=LORA["rate"],
        per_device_train_batch_size=LORA["batch"],
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        use_cpu=True,
        bf16=best,
        disable_tqdm=True,
        train_sampling_strategy="group_by_length" if best else "random",
    )
    collate = DataCollatorWithPadding(tokenizer)
    trainer = Trainer(model=model, args=arguments, train_dataset=items, data_collator=collate)
    trainer.remove_callback(PrinterCallback)

    def answers() -> Sequence[str]:
        model.eval()
        found: list[str] = []
        with torch.inference_mode():
            for start in range(0, len(texts), 32):
                batch = tokenizer.pad(coded(texts[start : start + 32]), return_tensors="pt")
                found += [labels[i] for i in model(**batch).logits.argmax(dim=1).tolist()]
        return found

    def run() -> Callable[[], Sequence[str]]:
        trainer.train()
        return answers

    return run


# --- figures ----------------------------------------------------------------------------------


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found: list[Figure] = []
    for data in dict.fromkeys(draw["data"] for draw in draws):
        part = [draw for draw in draws if draw["data"] == data]
        title = f"{data}, {part[0]['per_class']} a class"
        for one, other, least in PAIRS if data != "r8" else (*PAIRS, EASY):
            found += _compared(f"{title}: {one} against {other}", part, one, other, least)
    for one, other, _ in PAIRS:
        gains = [draw["accuracy"][one] - draw["accuracy"][other] for draw in draws]
        if gains:
            name = f"all sets: {one} against {other}: accuracy, difference"
            found.append(figures.paired(name, gains, judged=True))
    return found


def _compared(
    title: str, draws: Sequence[Draw], one: str, other: str, at_least: float
) -> list[Figure]:
    speed = [
        statistics.median(draw["seconds"][other]) / statistics.median(draw["seconds"][one])
        for draw in draws
    ]
    gains = [draw["accuracy"][one] - draw["accuracy"][other] for draw in draws]
    return [
        figures.median(f"{title}: times faster", speed, "x", at_least=at_least),
        figures.paired(f"{title}: accuracy, difference", gains, judged=False),
    ]


BENCHMARK = Benchmark(
    name="few_labels",
    question="How much faster than SetFit and PEFT is a model from a few labels, and is it as "
    "accurate?",
    how="In process, models loaded, the same weights (MiniLM), rows and 64 tokens on all sides; "
    "400 other rows judge. Processor time, since other programs may have run meanwhile. Ours: the "
    "cache empty, encoding and all checks count; linear and named probes with 10 x 5-fold "
    "cross-validation besides, which no peer has; contrastive on the upper half, without folds. "
    "SetFit: train() with its defaults, and 50 steps in bf16. PEFT: LoRA of rank 8 on query and "
    "value of all layers under a classifier, 20 epochs at .001, batches of 8; and in bf16 with "
    "texts of like length together. A difference in accuracy below 0 is what the speed costs.",
    peers=("setfit", "sentence-transformers", "datasets", "accelerate"),
    plan=plan,
    measure=measure,
    figures=summarise,
)
