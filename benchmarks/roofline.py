"""How near encoding comes to what the machine can do: its rate beside that of a plain GEMM."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.rows import mixed
from benchmarks.timing import Laps, interleaved, lap

WIDTH, INNER = 384, 1536  # minilm's, whose widest product is the plain one
TEXTS, TOKENS = 256, 64
SHARE = 0.5  # of the plain product's rate that an encode should reach
GIGA = 1e9


def plan(tiny: bool) -> list[Item]:
    texts, repeats = (8, 1) if tiny else (TEXTS, 5)
    kinds = ("fp32",) if tiny else ("fp32", "bf16")
    return [{"precision": kind, "texts": texts, "repeats": repeats} for kind in kinds]


def measure(item: Item) -> dict[str, Any]:
    """GF/s of encoding texts and of one product of as many rows as a pack has tokens."""
    from supertune.config import recipe
    from supertune.contracts import Encoding
    from supertune.pipeline import open_backbone, reference

    settled = recipe({"precision": item["precision"]})
    backbone: Any = open_backbone(reference("minilm"), settled)
    encoding = Encoding(max_length=TOKENS)
    tokens = backbone.tokens([text for text, _ in mixed("r8", item["texts"])], encoding)
    lengths = [len(piece.ids) for pieces in tokens for piece in pieces]
    product, work = _product(item["precision"])
    laps = interleaved(
        {
            "encode": _named("encode", lambda: backbone.features(tokens, encoding)),
            "gemm": _named("gemm", product),
        },
        item["repeats"],
    )
    return {"seconds": laps, "operations": {"encode": flops(lengths), "gemm": work}}


def flops(lengths: Sequence[int], width: int = WIDTH, depth: int = 6) -> float:
    """Operations of the blocks: 24 x width² a token for weights, 4 x length x width for
    attention, a multiplication and an addition counted as two."""
    each = (24 * width**2 * n + 4 * n**2 * width for n in lengths)
    return float(depth * sum(each))


def _product(precision: str) -> tuple[Callable[[], Any], float]:
    import torch

    rows, times = 1024, 20
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = torch.randn(rows, WIDTH, dtype=kind), torch.randn(WIDTH, INNER, dtype=kind)

    def once() -> None:
        with torch.inference_mode():
            for _ in range(times):
                torch.mm(left, right)

    return once, 2.0 * rows * WIDTH * INNER * times


def _named(name: str, action: Callable[[], Any]) -> Callable[[], Laps]:
    return lambda: {name: lap(action)}


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        rates = {
            name: [draw["operations"][name] / seconds / GIGA for seconds in laps]
            for name, laps in draw["seconds"].items()
        }
        kind = draw["precision"]
        for name, title in (("encode", "encoding"), ("gemm", "plain product")):
            low, high = min(rates[name]), max(rates[name])
            middle = statistics.median(rates[name])
            found.append(Figure(f"{title}, {kind}", middle, low, high, "GF/s", "extremes"))
        shares = [a / b for a, b in zip(rates["encode"], rates["gemm"], strict=True)]
        share = statistics.median(shares)
        found.append(
            Figure(
                f"share of the plain product's rate, {kind}", share, min(shares), max(shares),
                "", "extremes", f"at least {SHARE:g}", share >= SHARE,
            )
        )  # fmt: skip
    return found


BENCHMARK = Benchmark(
    name="roofline",
    question="How much of what this machine can multiply does encoding use?",
    how="News of R8 cut to 64 tokens through minilm for learning, operations counted from the "
    "tokens that are there (24 x width² and 4 x length x width a token and block), beside a "
    "product of 1,024 rows with a matrix of 384 x 1,536 in the same precision, interleaved.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=summarise,
)
