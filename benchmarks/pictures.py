"""Pictures: what folds add to encoding them, and tuning beside PEFT with the Trainer."""

from __future__ import annotations

import statistics
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures, peft_trainer
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import Laps, interleaved, processor_lap
from supertune import pipeline, registry
from supertune.catalogue.corpora import few_shot
from supertune.catalogue.resolve import resolve
from supertune.config import method_options, recipe
from supertune.contracts import Examples, Picture
from supertune.data.pictures.decoding import opened
from supertune.pipeline import Candidate, Workshop
from supertune.training import fitting, readout
from supertune.training.cache import ActivationCache

BACKBONE, SIDE = "dinov2-small", 112
DATA, LABELS = "emoji", ("Animals & Nature", "Flags", "Food & Drink", "Objects")
BLOCKS, RANK, BATCH, EPOCHS = (10, 11), 8, 16, 20
PLAIN_BATCH = 32
CONTESTANTS = {"fp32, cut": "fp32", "bf16, cut": "bf16"}
PEER = "PEFT + Trainer"
TARGETS = {"fp32, cut": 3, "bf16, cut": 6}


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [
            {"what": "folds", "pictures": 20, "repeats": 1},
            {"what": "lora", "pictures": 8, "epochs": 1, "seed": 0, "repeats": 1},
        ]
    shape = {"what": "lora", "pictures": 48, "epochs": EPOCHS}
    return [
        {"what": "folds", "pictures": 200, "repeats": 5},
        *({**shape, "seed": seed, "repeats": 1} for seed in range(3)),
    ]


def measure(item: Item) -> dict[str, Any]:
    return _folds(item) if item["what"] == "folds" else _lora(item)


def drawn(count: int, seed: int, kept: Sequence[str] = ()) -> Examples:
    """``count`` labelled pictures, as equally many of each category as there can be."""
    rows, _ = few_shot(DATA, per_class=count, test_rows=0, seed=seed)
    by_label: dict[str, list[Any]] = {}
    for row in rows:
        if not kept or row[1] in kept:
            by_label.setdefault(row[1], []).append(row)
    full = [own for own in by_label.values() if len(own) >= count // len(by_label)]
    some = [row for round_ in zip(*full, strict=False) for row in round_][:count]
    settled = recipe({"task": "image_classification"})
    return pipeline.labelled(pipeline.read(some, settled).train)


# --- folds ------------------------------------------------------------------------------------


def _folds(item: Item) -> dict[str, Any]:
    examples = drawn(item["pictures"], 0)
    pictures = [one for one in examples.inputs if isinstance(one, Picture)]
    encode = plain_encoder()

    def fit() -> None:
        with tempfile.TemporaryDirectory() as folder, ActivationCache(Path(folder)) as store:
            keys = {"method": "linear_probe", "backbone": BACKBONE, "precision": "fp32"}
            workshop = Workshop(recipe({"task": "image_classification", **keys}), store=store)
            forget(workshop)
            probe = Candidate(BACKBONE, "linear_probe")
            pipeline.assess(workshop, probe, examples, workshop.folds(examples))
            pipeline.tune(workshop, probe, examples)

    contestants: dict[str, Callable[[], Laps]] = {
        "encode": lambda: {"encode": processor_lap(lambda: encode(pictures))},
        "fit": lambda: {"fit": processor_lap(fit)},
    }
    return {"processor_seconds": interleaved(contestants, item["repeats"])}


def plain_encoder() -> Callable[[Sequence[Picture]], Any]:
    """transformers as its documentation does it: its image processor, batches of 32, float32."""
    import torch
    from transformers import AutoImageProcessor, AutoModel

    folder = str(resolve(BACKBONE).folder)
    size = {"height": SIDE, "width": SIDE}
    processor = AutoImageProcessor.from_pretrained(folder, size=size)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def encode(pictures: Sequence[Picture]) -> Any:
        parts = []
        with torch.inference_mode():
            for start in range(0, len(pictures), PLAIN_BATCH):
                images = [opened(one) for one in pictures[start : start + PLAIN_BATCH]]
                last = model(**processor(images, return_tensors="pt")).last_hidden_state
                parts.append(torch.cat([last[:, 0], last[:, 1:].mean(1)], dim=1))
        return torch.cat(parts).numpy()

    return encode


def forget(workshop: Workshop) -> None:
    """What the open backbone holds of pictures that it decoded before."""
    lens: Any = workshop.lens(BACKBONE)
    lens.backbone.reader.forget()


# --- LoRA -------------------------------------------------------------------------------------


def _lora(item: Item) -> dict[str, Any]:
    rows = drawn(item["pictures"], item["seed"], LABELS)
    losses: dict[str, list[float]] = {}

    def us(name: str) -> Laps:
        run = processor_lap(lambda: losses.update({name: ours(rows, item, CONTESTANTS[name])}))
        return {name: run}

    def them() -> Laps:
        trainer = peer(rows, item)
        run = processor_lap(lambda: losses.update({PEER: peft_trainer.run(trainer)}))
        return {PEER: run}

    ours(rows, {**item, "epochs": 1}, "bf16")  # imports, first calls
    pair: dict[str, Callable[[], Laps]] = {n: (lambda n=n: us(n)) for n in CONTESTANTS}
    laps = interleaved({**pair, PEER: them}, item["repeats"], warm=0)
    apart = np.abs(np.subtract(losses["fp32, cut"], losses[PEER]))
    return {
        "processor_seconds": laps,
        "largest difference of a step's loss": float(apart.max()),
        "losses": [losses[PEER][0], losses[PEER][-1]],
    }


def ours(rows: Examples, item: Item, precision: str) -> list[float]:
    """A fit from nothing in the cache: decoded, encoded up to the cut, then trained on."""
    with tempfile.TemporaryDirectory() as folder, ActivationCache(Path(folder)) as store:
        method, problem, options, workshop = _asked(rows, item, precision, store)
        forget(workshop)
        return list(fitting.fit(method, problem, options).losses)  # type: ignore[attr-defined]


def _asked(rows: Examples, item: Item, precision: str, store: ActivationCache) -> Any:
    keys = {"blocks": list(BLOCKS), "rank": RANK, "epochs": item["epochs"], "batch_size": BATCH}
    settled = recipe(
        {
            "task": "image_classification",
            "method": "lora",
            "backbone": BACKBONE,
            "precision": precision,
            "options": keys,
        }
    )
    workshop = Workshop(settled, store=store)
    problem = workshop.problem(rows, BACKBONE)
    return registry.method("lora"), problem, method_options(settled), workshop


def peer(rows: Examples, item: Item) -> Any:
    """The same adapter and head, starting at the same numbers, with the same batches; its pixels
    were made before, which is not counted."""
    import torch
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from transformers import AutoModel

    with tempfile.TemporaryDirectory() as folder, ActivationCache(Path(folder)) as store:
        method, problem, options, _ = _asked(rows, item, "fp32", store)
        backbone = problem.lens.backbone
        tunable = backbone.inject(method.injection(backbone.offer, options), seed=problem.seed)
        with tunable:
            adapter = {name: torch.tensor(array) for name, array in tunable.state().items()}
        head = readout.solved(problem, problem.lens.features(rows.inputs))
        pieces = [own[0] for own in backbone.tokens(rows.inputs, problem.lens.encoding)]
        pixels = backbone.tensors(pieces, len(pieces), len(pieces[0])).inputs["pixel_values"]
    base = AutoModel.from_pretrained(str(resolve(BACKBONE).folder), dtype=torch.float32)
    config = LoraConfig(
        r=RANK,
        lora_alpha=options.alpha,
        target_modules=["q_proj", "v_proj"],
        layers_to_transform=list(BLOCKS),
        lora_dropout=0.0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by an older name
        adapted = get_peft_model(base, config)
    set_peft_model_state_dict(adapted, adapter)
    model = _classifier(adapted, head)
    targets = torch.tensor(rows.targets)
    order = peft_trainer.batches(rows, item, grouped=False)

    def collate(numbers: Sequence[int]) -> dict[str, Any]:
        index = list(numbers)
        return {"pixel_values": pixels[index], "labels": targets[index]}

    return peft_trainer.trainer(model, order, collate, options)


def _classifier(adapted: Any, head: Any) -> Any:
    import torch

    class Classifier(torch.nn.Module):
        """The class token beside the mean of the patches, then a linear head."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = adapted
            self.weight = torch.nn.Parameter(torch.tensor(head.weight))
            self.bias = torch.nn.Parameter(torch.tensor(head.bias))

        def forward(self, pixel_values: Any, labels: Any = None) -> dict[str, Any]:
            last = self.encoder(pixel_values=pixel_values).last_hidden_state
            pooled = torch.cat([last[:, 0], last[:, 1:].mean(1)], dim=1)
            logits = pooled @ self.weight + self.bias
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    return Classifier()


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found: list[Figure] = []
    for draw in draws:
        if draw["what"] == "folds":
            laps = draw["processor_seconds"]
            name = f"{draw['pictures']} pictures: 10 x 5-fold and tuning / encoding once"
            ratios = figures.ratios(laps["fit"], laps["encode"])
            found.append(figures.median(name, ratios, "x", at_most=1.2))
    tuned = [draw for draw in draws if draw["what"] == "lora"]
    for name, target in TARGETS.items() if tuned else ():
        speed = [_ratio(draw, name) for draw in tuned]
        title = f"LoRA, upper two of 12 blocks, {name}: times faster than {PEER}"
        found.append(figures.median(title, speed, "x", at_least=target))
    if tuned:
        apart = [draw["largest difference of a step's loss"] for draw in tuned]
        title = "LoRA, float32: largest difference of a loss"
        found.append(figures.median(title, apart, "", at_most=1e-5))
    return found


def _ratio(draw: Draw, name: str) -> float:
    laps = draw["processor_seconds"]
    return statistics.median(laps[PEER]) / statistics.median(laps[name])


BENCHMARK = Benchmark(
    name="pictures",
    question="What do 50 cross-validation fits add to encoding pictures once, and how much faster "
    "is tuning the upper blocks than with PEFT and the Trainer of transformers, at the same "
    "losses?",
    how="dinov2-small at 112 pixels a side, emoji, in process, models loaded, our cache empty. "
    "Processor time, not the clock's: other programs may have run meanwhile. Folds: encoding once "
    "is transformers' image processor and AutoModel in batches of 32 in float32; a fit is 10 x "
    "5-fold cross-validation of linear_probe and the model on all pictures, decoding included. "
    "LoRA: rank 8 on query and value in the upper two of 12 blocks and a linear head, 48 pictures "
    "of 4 categories, 20 epochs in batches of 16; both sides start at the same numbers, see the "
    "same batches and take the same steps. Of the peer the pixels are made before and not "
    "counted; of ours decoding, encoding up to the cut and all checks of a fit count.",
    peers=("accelerate",),
    plan=plan,
    measure=measure,
    figures=summarise,
)
