"""32 rows over 32 LoRA adapters beside one adapter of PEFT; and how long a model takes to load."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures, rows, supertune_side
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import Laps, interleaved

SHORT, WORDS = 12, 45  # of a text, about 16 and 64 tokens
NOISE = 0.02  # by which the numbers of one adapter are made those of another
OURS, SAME = "an adapter each", "one adapter"
ONE, MIXED = "PEFT, one adapter", "PEFT, adapter_names"
LOADED = ("linear_probe", "lora", "adapter", "ia3", "top_blocks")


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [
            {"what": "rows", "adapters": 2, "words": SHORT, "repeats": 1},
            {"what": "loading", "methods": ["linear_probe"], "repeats": 1},
        ]
    return [
        {"what": "rows", "adapters": 32, "words": SHORT, "repeats": 11},
        {"what": "rows", "adapters": 32, "words": WORDS, "repeats": 11},
        {"what": "loading", "methods": list(LOADED), "repeats": 11},
    ]


def measure(item: Item) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        if item["what"] == "loading":
            return {"processor_seconds": _loading(item, Path(folder))}
        return _rows(item, fitted("lora", Path(folder)))


def fitted(method: str, folder: Path) -> Path:
    """A small model folder of a method."""
    import supertune

    train = rows.mixed("pang-lee", 16)
    options: dict[str, Any] = {"precision": "fp32", "folds": 2, "repeats": 1}
    if method != "linear_probe":
        options["epochs"] = 1
    with supertune_side.own_cache():
        model = supertune.fit(train, backbone=supertune_side.BACKBONE, method=method, **options)
        return model.save(folder / method)


def processor(action: Callable[[], Any]) -> float:
    """Processor seconds: what others do meanwhile hardly shows in them."""
    gc.collect()
    started = time.process_time()
    action()
    return time.process_time() - started


def _loading(item: Item, folder: Path) -> dict[str, list[float]]:
    import supertune

    def contestant(method: str) -> Callable[[], Laps]:
        saved = fitted(method, folder)
        return lambda: {method: processor(lambda: supertune.load(saved))}

    return interleaved({name: contestant(name) for name in item["methods"]}, item["repeats"])


def _rows(item: Item, folder: Path) -> dict[str, Any]:
    import supertune

    count, words = item["adapters"], item["words"]
    models = [_other(supertune.load(folder), seed) for seed in range(count)]
    texts = [" ".join((text * 2).split()[:words]) for text in rows.sentences(count)]
    which = list(range(count))
    found = supertune.predict_many(models, texts, which)
    asked = [model.predict_proba([text])[0] for model, text in zip(models, texts, strict=True)]
    apart = max(
        float(np.abs(found.answers[number].scored[0] - asked[number]).max()) for number in which
    )
    one, mixed = _peft(folder, models[0].tuned.readout, count)
    alike = [0] * count
    laps = interleaved(
        {
            OURS: lambda: {OURS: processor(lambda: supertune.predict_many(models, texts, which))},
            SAME: lambda: {SAME: processor(lambda: supertune.predict_many(models, texts, alike))},
            ONE: lambda: {ONE: processor(lambda: one(texts))},
            MIXED: lambda: {MIXED: processor(lambda: mixed(texts))},
        },
        item["repeats"],
        warm=2,
    )
    return {"processor_seconds": laps, "apart": apart}


def _other(model: Any, seed: int) -> Any:
    """Another model of the same shape."""
    rng, tunable = np.random.default_rng(seed), model.tuned.tunable
    tunable.keep(
        {
            name: a + NOISE * rng.standard_normal(a.shape, np.float32)
            for name, a in tunable.kept.items()
        }
    )
    return model


def _peft(folder: Path, head: Any, count: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """From texts to scores with plain peft: one adapter for all rows, and one for each row."""
    import torch
    from peft import PeftModel
    from transformers import AutoModel, AutoTokenizer

    where = str(supertune_side.folder())
    tokenizer = AutoTokenizer.from_pretrained(where)
    whole = PeftModel.from_pretrained(AutoModel.from_pretrained(where), str(folder)).eval()
    names = [f"adapter {number}" for number in range(count)]
    weight, bias = torch.from_numpy(head.weight), torch.from_numpy(head.bias)

    def asked(texts: Sequence[str], **chosen: Any) -> Any:
        batch = tokenizer(
            list(texts), padding=True, truncation=True, max_length=256, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = whole(**batch, **chosen).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
            return (pooled @ weight + bias).softmax(-1).numpy()

    def mixed(texts: Sequence[str]) -> Any:
        for name in names:
            if name not in whole.peft_config:
                whole.load_adapter(str(folder), adapter_name=name)
        return asked(texts, adapter_names=names)

    return asked, mixed


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found: list[Figure] = []
    for draw in draws:
        laps = draw["processor_seconds"]
        if draw["what"] == "loading":
            for method, seconds in laps.items():
                milliseconds = [1000 * one for one in seconds]
                found.append(figures.median(f"loading {method}", milliseconds, "ms"))
            continue
        name = f"{draw['adapters']} rows of {draw['words']} words, an adapter each"
        ratios = figures.ratios(laps[OURS], laps[ONE])
        found.append(figures.median(f"{name}: ours / PEFT, one adapter", ratios, "x", at_most=1.10))
        for title, other in (("PEFT, adapter_names", MIXED), ("ours, one adapter", SAME)):
            ratios = figures.ratios(laps[OURS], laps[other])
            found.append(figures.median(f"{name}: ours / {title}", ratios, "x"))
    return found


BENCHMARK = Benchmark(
    name="many_adapters",
    question="What do 32 LoRA adapters in one batch cost, where PEFT has one; and how long does a "
    "tuned model take to load when its backbone is there?",
    how="Film review sentences, minilm, float32, rank 8 in the upper half. Ours: "
    "`supertune.predict_many` from texts to labels, every row with a model of its own. Theirs: "
    "tokenizer, PeftModel, mean, head; once with one adapter for all rows, once with "
    "`adapter_names`, peft's own way to mix adapters. Ours cuts a batch where it would exceed "
    "1,024 tokens, theirs pads 32 rows to one width. Processor seconds, since they do not count "
    "what others do. `apart` is the largest difference of a probability from the model alone.",
    peers=("peft",),
    plan=plan,
    measure=measure,
    figures=summarise,
)
