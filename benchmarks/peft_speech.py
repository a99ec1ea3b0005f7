"""Beside PEFT with the Trainer of transformers: LoRA on a decoder of speech, the same losses."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.peft_trainer import run, trainer
from benchmarks.timing import processor_lap
from supertune import pipeline, registry
from supertune.catalogue.corpora import few_clips
from supertune.config import method_options, recipe
from supertune.contracts import Clip, Examples
from supertune.pipeline import Workshop
from supertune.training import transcribing, worded
from supertune.training.cache import ActivationCache
from supertune.training.steps import WARMING

BACKBONE, SPOKEN, RANK, BATCH = "whisper-base", "fr", 8, 4
PEER = "PEFT + Trainer"
WINDOWS: dict[str, Any] = {"whole window": "whole", "windows by clip": 10.0}


def plan(tiny: bool) -> list[Item]:
    rows, epochs = (2, 1) if tiny else (8, 2)
    return [{"rows": rows, "epochs": epochs, "seed": seed} for seed in range(1 if tiny else 3)]


def measure(item: Item) -> dict[str, Any]:
    rows = drawn(item)
    losses: dict[str, list[float]] = {}
    seconds: dict[str, float] = {}
    with ActivationCache(Path(tempfile.mkdtemp())) as store:
        for name, window in WINDOWS.items():
            made = _asked(rows, item, window, store)
            _ours({**item, "epochs": 1}, made)  # imports, and the encoder's states are kept

            def fit(name: str = name, made: Any = made) -> None:
                losses[name] = _ours(item, made)

            seconds[name] = processor_lap(fit) / item["epochs"]
        theirs = _peer(rows, item, _asked(rows, item, "whole", store))
    seconds[PEER] = processor_lap(lambda: losses.update({PEER: run(theirs)})) / item["epochs"]
    apart = np.abs(np.subtract(losses["whole window"], losses[PEER]))
    return {"seconds": seconds, "largest difference of a step's loss": float(apart.max())}


def drawn(item: Item) -> Examples:
    rows, _ = few_clips(
        f"prompts-{SPOKEN}", train_rows=item["rows"], test_rows=0, seed=item["seed"], words=3
    )
    return pipeline.read(rows, _settled(item, "whole")).train


def _settled(item: Item, window: Any) -> Any:
    return recipe(
        {
            "task": "speech_to_text",
            "backbone": BACKBONE,
            "method": "lora",
            "language": SPOKEN,
            "precision": "fp32",
            "options": {
                "rank": RANK,
                "epochs": item["epochs"],
                "batch_size": BATCH,
                "window": window,
            },
        }
    )


def _asked(rows: Examples, item: Item, window: Any, store: ActivationCache) -> Any:
    settled = _settled(item, window)
    return Workshop(settled, store=store).problem(rows, BACKBONE), method_options(settled)


def _ours(item: Item, made: Any) -> list[float]:
    problem, options = made
    asked = options.model_copy(update={"epochs": item["epochs"]})
    fitted = transcribing.train(registry.method("lora"), problem, asked)
    return [loss for _, loss in fitted.losses]


def _peer(rows: Examples, item: Item, made: Any) -> Any:
    """The same adapter, starting at the same numbers, with the same batches; spectra are ready."""
    import torch
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from transformers import WhisperForConditionalGeneration

    problem, options = made
    backbone = problem.lens.backbone
    injection = worded.injected(registry.method("lora"), backbone.offer, options)  # type: ignore[arg-type]
    tunable = backbone.inject(injection, seed=problem.seed)
    with tunable:
        start = tunable.state()
    base = WhisperForConditionalGeneration.from_pretrained(
        str(backbone.ref.folder), dtype=torch.float32
    )
    config = LoraConfig(
        r=RANK,
        lora_alpha=options.alpha,
        target_modules=r".*decoder\.layers.*\.(q_proj|v_proj)",
        lora_dropout=0.0,
    )
    adapted = get_peft_model(base, config)
    loaded = set_peft_model_state_dict(adapted, {n: torch.tensor(a) for n, a in start.items()})
    assert not loaded.unexpected_keys
    texts = [backbone.spelled(str(text)) for text in problem.examples.targets]
    prompt = backbone.vocabulary.prompt(SPOKEN)
    spectra = [
        backbone.read(Clip(one, 0.0, backbone.seconds(one), backbone.window)) for one in rows.inputs
    ]

    def collate(numbers: Sequence[int]) -> dict[str, Any]:
        longest = max(len(texts[i]) for i in numbers)
        ids = torch.full((len(numbers), len(prompt) + longest - 1), backbone.vocabulary.end)
        labels = torch.full_like(ids, -100)
        for row, i in enumerate(numbers):
            whole = [*prompt, *texts[i]]
            ids[row, : len(whole) - 1] = torch.tensor(whole[:-1])
            labels[row, len(prompt) - 1 : len(whole) - 1] = torch.tensor(texts[i])
        sound = torch.from_numpy(np.stack([spectra[i].T for i in numbers]))
        return {"input_features": sound, "decoder_input_ids": ids, "labels": labels}

    rng, sizes = np.random.default_rng(problem.seed), np.array([len(text) for text in texts])
    order = [
        batch
        for _ in range(item["epochs"])
        for batch in worded.batches(rng, sizes, BATCH)
    ]  # fmt: skip
    made = trainer(adapted, order, collate, options)
    made.lr_scheduler = _cosine(made.optimizer, len(order))
    return made


def _cosine(optimizer: Any, steps: int) -> Any:
    """Our rate: a linear rise, then half a cosine."""
    import torch

    rise = max(1, round(WARMING * steps))

    def rate(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for name, least in zip(WINDOWS, (None, 4.0)):
        ratios = [draw["seconds"][PEER] / draw["seconds"][name] for draw in draws]
        wanted = {} if least is None else {"at_least": least}
        found.append(figures.median(f"{name}: times less processor time", ratios, "x", **wanted))
    apart = [draw["largest difference of a step's loss"] for draw in draws]
    found.append(
        figures.median("whole window: largest difference of a loss", apart, "", at_most=1e-5)
    )
    return found


BENCHMARK = Benchmark(
    name="peft_speech",
    question="How much faster is an epoch of tuning a decoder of speech, its encoder computed "
    "once, than with PEFT and the Trainer of transformers, at the same losses?",
    how=f"LoRA (rank {RANK} on query and value) in all blocks of the decoder of {BACKBONE}, 8 "
    "French prompts in batches of 4, 2 epochs. Both sides start at the same numbers, see the same "
    "batches and take the same steps; each step's loss is compared where both read whole windows "
    "of 30 s. Processor time of an epoch, in process, models loaded: our states of the encoder "
    "are in the cache, their spectra are ready.",
    peers=("accelerate",),
    plan=plan,
    measure=measure,
    figures=summarise,
)
