"""Beside PEFT with the Trainer of transformers: the same trained subset, the same losses."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures, supertune_side
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import Laps, in_child, interleaved, own_lap
from supertune import pipeline, registry
from supertune.catalogue.corpora import few_shot
from supertune.config import method_options, recipe
from supertune.contracts import Examples
from supertune.pipeline import Workshop
from supertune.training import fitting
from supertune.training.cache import ActivationCache

TOPICS = 4
PER_CLASS, EPOCHS, BATCH = 16, 20, 16
MAX_LENGTH = 256
RANK = 8
CONTESTANTS: dict[str, dict[str, Any]] = {
    "fp32, cut": {"precision": "fp32", "packing": False},
    "fp32, cut, packed": {"precision": "fp32"},
    "bf16, cut": {"precision": "bf16", "packing": False},
    "bf16, cut, packed": {"precision": "bf16"},
    "bf16, cut, packed, CLS": {"precision": "bf16", "pooling": "cls"},
}
PEER = "PEFT + Trainer"
PEER_BEST = "PEFT + Trainer, bf16, grouped by length"
TARGETS = dict(zip(CONTESTANTS, (3, 3, 8, 20, 30), strict=True))


def plan(tiny: bool) -> list[Item]:
    shape = {"data": "r8", "per_class": 2 if tiny else PER_CLASS, "epochs": 1 if tiny else EPOCHS}
    seeds = 1 if tiny else 3
    items = [{"what": "time", **shape, "seed": seed, "repeats": 1} for seed in range(seeds)]
    return [items[0], {"what": "memory", **shape, "seed": 0}, *items[1:]]


def measure(item: Item) -> dict[str, Any]:
    if item["what"] == "memory":
        return _memory(item)
    rows = drawn(item)
    losses: dict[str, list[float]] = {}

    def us(name: str) -> Laps:
        return {name: own_lap(lambda: losses.update({name: ours(rows, item, CONTESTANTS[name])}))}

    def them(name: str, best: bool) -> Laps:
        made = peer(rows, item, best=best)
        return {name: own_lap(lambda: losses.update({name: run(made)}))}

    ours(rows, {**item, "epochs": 1}, CONTESTANTS["bf16, cut, packed"])  # imports, first calls
    pair = {name: (lambda name=name: us(name)) for name in CONTESTANTS}
    pair |= {PEER: lambda: them(PEER, False), PEER_BEST: lambda: them(PEER_BEST, True)}
    laps = interleaved(pair, item["repeats"], warm=0)
    apart = np.abs(np.subtract(losses["fp32, cut, packed"], losses[PEER]))
    return {
        "seconds": laps,
        "largest difference of a step's loss": float(apart.max()),
        "tokens": int(sum(lengths(rows))),
        "padded tokens": padded(rows, item),
    }


def drawn(item: Item) -> Examples:
    """Rows of a few topics whose texts are of very unequal length."""
    rows, _ = few_shot(item["data"], per_class=item["per_class"], test_rows=0, seed=item["seed"])
    kept = sorted({label for _, label in rows})[:TOPICS]
    return supertune_side.read([row for row in rows if row[1] in kept])


def ours(rows: Examples, item: Item, keys: dict[str, Any]) -> list[float]:
    """A fit from nothing in the cache: rows are encoded up to the cut, then trained on."""
    method, problem, options, store = _asked(rows, item, keys)
    with store:
        return list(fitting.fit(method, problem, options).losses)  # type: ignore[attr-defined]


def _asked(rows: Examples, item: Item, keys: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    folder = tempfile.mkdtemp()
    settled = recipe(
        {
            "method": "lora",
            "backbone": supertune_side.BACKBONE,
            "max_length": MAX_LENGTH,
            "options": {
                "blocks": [5],
                "rank": RANK,
                "epochs": item["epochs"],
                "batch_size": BATCH,
                "readout": "head",
            },
            **keys,
        }
    )
    store = ActivationCache(Path(folder))
    problem = Workshop(settled, store=store).problem(rows, supertune_side.BACKBONE)
    return registry.method("lora"), problem, method_options(settled), store


# --- theirs -----------------------------------------------------------------------------------


def peer(rows: Examples, item: Item, *, best: bool = False) -> Any:
    """The same adapter and head, starting at the same numbers, with the same batches.

    ``best``: bf16, and each batch made of texts of like length.
    """
    import torch
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from transformers import AutoModel

    _, problem, options, store = _asked(rows, item, {"precision": "fp32", "packing": False})
    start = _start(problem, options)
    store.close()
    base = AutoModel.from_pretrained(
        str(supertune_side.folder()),
        dtype=torch.float32,
        hidden_dropout_prob=0.0,  # as on our side, or no two losses would be equal
        attention_probs_dropout_prob=0.0,
    )
    config = LoraConfig(
        r=RANK,
        lora_alpha=options.alpha,
        target_modules=["query", "value"],
        layers_to_transform=[5],
        lora_dropout=0.0,
    )
    adapted = get_peft_model(base, config)
    set_peft_model_state_dict(adapted, {n: torch.tensor(a) for n, a in start.adapter.items()})
    model = _classifier(adapted, start, normalize=problem.lens.backbone.offer.normalize)
    order = batches(rows, item, grouped=best)
    texts, tokenizer = list(rows.inputs), problem.lens.backbone.tokenizer

    def collate(numbers: Sequence[int]) -> dict[str, Any]:
        made = tokenizer(
            [texts[i] for i in numbers],
            truncation=True,
            max_length=MAX_LENGTH,
            padding=True,
            return_tensors="pt",
        )
        return {**made, "labels": torch.tensor(rows.targets[list(numbers)])}  # type: ignore[index]

    return trainer(model, order, collate, options, bf16=best)


def trainer(
    model: Any, order: Sequence[Any], collate: Any, options: Any, *, bf16: bool = False
) -> Any:
    """A Trainer whose batches are those of ``order``: rows by number, made by ``collate``."""
    import torch
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback, Trainer, TrainingArguments

    rows = range(1 + max(row for batch in order for row in batch))

    class Given(Trainer):
        """Its batches are those that we were given."""

        def get_train_dataloader(self) -> Any:
            return DataLoader(rows, batch_sampler=order, collate_fn=collate)  # type: ignore[arg-type]

    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        max_steps=len(order),
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=not torch.cuda.is_available(),
        bf16=bf16,
        max_grad_norm=1.0,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    made = Given(model=model, args=arguments, optimizers=optimizer(model, options, len(order)))
    made.remove_callback(PrinterCallback)
    return made


def run(trainer: Any) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


class _Start:
    """Numbers that both sides begin with."""

    def __init__(self, adapter: dict[str, Any], weight: Any, bias: Any) -> None:
        self.adapter, self.weight, self.bias = adapter, weight, bias


def _start(problem: Any, options: Any) -> _Start:
    from supertune.training import readout

    method = registry.method("lora")
    injection = method.injection(problem.lens.backbone.offer, options)  # type: ignore[attr-defined]
    tunable = problem.lens.backbone.inject(injection, seed=problem.seed)
    with tunable:
        adapter = tunable.state()
    head = readout.solved(problem, problem.lens.features(problem.examples.inputs))
    return _Start(adapter, head.weight, head.bias)


def _classifier(adapted: Any, start: _Start, *, normalize: bool) -> Any:
    import torch

    class Classifier(torch.nn.Module):
        """Mean over the tokens, then a linear head: what people write around an encoder."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = adapted
            self.weight = torch.nn.Parameter(torch.tensor(start.weight))
            self.bias = torch.nn.Parameter(torch.tensor(start.bias))

        def forward(self, labels: Any = None, **inputs: Any) -> dict[str, Any]:
            hidden = self.encoder(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            pooled = ((hidden * mask).sum(1) / mask.sum(1)).float()
            if normalize:
                pooled = torch.nn.functional.normalize(pooled, dim=-1)
            logits = pooled @ self.weight + self.bias
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    return Classifier()


def optimizer(model: Any, options: Any, steps: int) -> tuple[Any, Any]:
    """AdamW and a rate that rises over a tenth of the steps and falls to zero."""
    import torch

    tuned = [p for n, p in model.named_parameters() if p.requires_grad and "lora" in n]
    head = [getattr(model, name) for name in ("weight", "bias") if hasattr(model, name)]
    groups = [{"params": tuned, "weight_decay": options.weight_decay}]
    groups += [{"params": head, "weight_decay": 0.0}] if head else []
    made = torch.optim.AdamW(groups, lr=options.learning_rate)
    rise = max(1, round(0.1 * steps))

    def rate(step: int) -> float:
        return (step + 1) / rise if step < rise else (steps - step) / max(1, steps - rise)

    return made, torch.optim.lr_scheduler.LambdaLR(made, rate)


def batches(rows: Examples, item: Item, *, grouped: bool) -> list[list[int]]:
    rng = np.random.default_rng(0)
    everything = np.arange(len(rows))
    made: list[list[int]] = []
    for _ in range(item["epochs"]):
        order = rng.permutation(everything)
        if grouped:
            order = np.array(sorted(order, key=lambda i: len(rows.inputs[i])))
        parts = [order[i : i + BATCH].tolist() for i in range(0, len(order), BATCH)]
        if grouped:
            rng.shuffle(parts)
        made += parts
    return made


def lengths(rows: Examples) -> list[int]:
    backbone: Any = pipeline.open_backbone(
        pipeline.reference(supertune_side.BACKBONE), recipe({"precision": "fp32"})
    )
    encoding = Workshop(recipe({"max_length": MAX_LENGTH})).encoding()
    return [len(pieces[0].ids) for pieces in backbone.tokens(list(rows.inputs), encoding)]


def padded(rows: Examples, item: Item) -> float:
    """Tokens of an epoch as the peer pads them."""
    sizes = lengths(rows)
    made = batches(rows, item, grouped=False)
    return sum(len(part) * max(sizes[i] for i in part) for part in made) / item["epochs"]


# --- memory and figures -----------------------------------------------------------------------


def _memory(item: Item) -> dict[str, Any]:
    asked = {key: item[key] for key in ("data", "per_class", "epochs", "seed")}
    sides = {"supertune": "peak_of_ours", PEER: "peak_of_theirs"}
    return {
        "peak_memory_bytes": {
            name: in_child(f"benchmarks.peft_trainer:{function}", item=asked)["peak_memory_bytes"]
            for name, function in sides.items()
        }
    }


def peak_of_ours(item: Item) -> float:
    """Called in a process of its own, which measures itself."""
    return ours(drawn(item), item, CONTESTANTS["fp32, cut, packed"])[-1]


def peak_of_theirs(item: Item) -> float:
    return run(peer(drawn(item), item))[-1]


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    timed = [draw for draw in draws if draw["what"] == "time"]
    found: list[Figure] = []
    for name, target in TARGETS.items() if timed else ():
        speed = [_ratio(draw, PEER, name) for draw in timed]
        found.append(figures.median(f"{name}: times faster", speed, "x", at_least=target))
    if timed:
        best = [_ratio(draw, PEER_BEST, "bf16, cut, packed") for draw in timed]
        found.append(figures.median("bf16, cut, packed: times faster than its best", best, "x"))
        apart = [draw["largest difference of a step's loss"] for draw in timed]
        found.append(
            figures.median("float32: largest difference of a loss", apart, "", at_most=1e-5)
        )
        padding = [draw["padded tokens"] / draw["tokens"] for draw in timed]
        found.append(figures.median("tokens with padding / without", padding, "x"))
    for draw in draws:
        if draw["what"] == "memory":
            peaks = draw["peak_memory_bytes"]
            share = peaks["supertune"] / peaks[PEER]
            found.append(figures.median("peak memory, ours / theirs", [share], "x", at_most=0.6))
    return found


def _ratio(draw: Draw, above: str, below: str) -> float:
    laps = draw["seconds"]
    return statistics.median(laps[above]) / statistics.median(laps[below])


BENCHMARK = Benchmark(
    name="peft_trainer",
    question="How much faster is tuning the upper block than with PEFT and the Trainer of "
    "transformers, at the same losses?",
    how="LoRA (rank 8 on query and value) in the last of MiniLM's six blocks and a linear head, "
    "4 topics x 16 texts of R8, at most 256 tokens and of very unequal length, 20 epochs in "
    "batches of 16. Both sides start at the same numbers, see the same batches and take the same "
    "steps; each step's loss is compared. In process, models loaded, our cache empty: encoding "
    "up to the cut and all checks of a fit count. On a processor it is its own time, since other "
    "programs may have run meanwhile. CLS is another read-out than the peer's mean, "
    "which costs the peer the same. Peak memory: a fresh process each, imports included.",
    peers=("accelerate",),
    plan=plan,
    measure=measure,
    figures=summarise,
)
