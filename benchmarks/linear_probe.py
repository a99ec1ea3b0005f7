"""What 10 x 5-fold cross-validation and tuning add to encoding the rows once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import figures, rows, supertune_side
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import Laps, interleaved, lap

MAX_LENGTH = 256
PLAIN_BATCH = 32


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"data": "pang-lee", "texts": 10, "repeats": 1}]
    sets = ("r8", "bbc-news", "pang-lee")
    return [{"data": name, "texts": 64, "repeats": 9} for name in sets]


def measure(item: Item) -> dict[str, Any]:
    drawn = rows.mixed(item["data"], item["texts"])
    examples = supertune_side.read(drawn)
    encode = plain_encoder()
    texts = [text for text, _ in drawn]
    laps = interleaved(
        {
            "encode": lambda: {"encode": lap(lambda: encode(texts))},
            "fit": lambda: _first_and_second(examples),
            "whole": lambda: _whole(drawn),
        },
        item["repeats"],
    )
    return {"seconds": laps, "tokens": _tokens(examples)}


def _first_and_second(examples: Any) -> Laps:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return {
            "first fit": lap(lambda: supertune_side.fit(examples, place)),
            "second fit": lap(lambda: supertune_side.fit(examples, place)),
        }


def _whole(drawn: Sequence[tuple[str, str]]) -> Laps:
    with supertune_side.own_cache():
        return {
            "supertune.fit": lap(lambda: supertune_side.whole_fit(drawn)),
            "supertune.fit again": lap(lambda: supertune_side.whole_fit(drawn)),
        }


def _tokens(examples: Any) -> int:
    with tempfile.TemporaryDirectory() as folder:
        lens = supertune_side.fit(examples, Path(folder)).workshop.lens(supertune_side.BACKBONE)
    assert lens is not None
    coded = lens.backbone.tokens(examples.inputs, lens.encoding)
    return sum(len(piece.ids) for pieces in coded for piece in pieces)


@cache
def plain_encoder() -> Callable[[Sequence[str]], Any]:
    """transformers as its documentation does it: padded batches, mean pooling, float32."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = str(supertune_side.folder())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def encode(texts: Sequence[str]) -> Any:
        parts = []
        with torch.inference_mode():
            for start in range(0, len(texts), PLAIN_BATCH):
                batch = tokenizer(
                    list(texts[start : start + PLAIN_BATCH]),
                    padding=True,
                    truncation=True,
                    max_length=MAX_LENGTH,
                    return_tensors="pt",
                )
                hidden = model(**batch).last_hidden_state
                mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
                parts.append((hidden * mask).sum(1) / mask.sum(1))
        return torch.cat(parts).numpy()

    return encode


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        seconds, name = draw["seconds"], f"{draw['data']}, {draw['texts']} texts"
        once, first, second = (seconds[key] for key in ("encode", "first fit", "second fit"))
        whole, again = seconds["supertune.fit"], seconds["supertune.fit again"]
        found += [
            figures.median(
                f"{name}: 10 x 5-fold and tuning / encoding once",
                figures.ratios(first, once),
                "x",
                at_most=1.3,
            ),
            figures.median(
                f"{name}: first fit / second fit",
                figures.ratios(first, second),
                "x",
                at_least=3,
            ),
            figures.median(
                f"{name}: whole supertune.fit with its report / encoding once",
                figures.ratios(whole, once),
                "x",
            ),
            figures.median(
                f"{name}: whole supertune.fit / the same again",
                figures.ratios(whole, again),
                "x",
            ),
        ]
    return found


BENCHMARK = Benchmark(
    name="linear_probe",
    question="What do 50 cross-validation fits and tuning add to encoding the rows once?",
    how="In process, backbone loaded, float32. Encoding once: transformers' AutoModel, mean "
    "pooling, padded batches of 32 in the given order, 256 tokens. A fit: 10 x 5-fold "
    "cross-validation and the model on all rows, activation cache in an empty folder; the second "
    "fit finds that folder filled, in a new workshop whose memory is empty. The whole fit is "
    "`supertune.fit` with reading, checks, baselines, intervals and the report.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=summarise,
)
