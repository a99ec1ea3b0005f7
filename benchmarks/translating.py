"""Translating files: words a second, greedy and with a beam, all texts together and one by one; and
tuning what translates, over what is kept of its encoder and anew."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmarks import translator_steps
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, median, ratios
from benchmarks.timing import in_child

BACKBONE = "bergamot-en-pt"
TEXTS, ALONE, REPEATS = 200, 40, 3
ENOUGH = 300.0  # source words a second on two cores


def plan(tiny: bool) -> list[Item]:
    sizes = {"texts": 6, "alone": 2, "repeats": 1} if tiny else SIZES
    threads = (1,) if tiny else (1, 2)
    steps = {"pairs": 6, "epochs": 1, "repeats": 1} if tiny else STEPS
    return [
        *({"beams": beams, "threads": count} | sizes for count in threads for beams in (1, 4)),
        *({"method": method} | steps for method in METHODS),
    ]


SIZES = {"texts": TEXTS, "alone": ALONE, "repeats": REPEATS}
METHODS = ("top_blocks", "lora")
STEPS = {"pairs": 64, "epochs": 1, "repeats": 5}


def measure(item: Item) -> dict[str, Any]:
    what = "translator_steps:measured" if "method" in item else "translating:rates"
    found: dict[str, Any] = in_child(f"benchmarks.{what}", **item)["result"]
    return found


def rates(beams: int, threads: int, texts: int, alone: int, repeats: int) -> dict[str, Any]:
    """Source words a second of the clock and of a processor, one value a repeat; ``alone``: of
    the first texts, one call each, a second of a processor."""
    from supertune.api.translating import rendering, untuned
    from supertune.catalogue.corpora import few_pairs

    _, held = few_pairs("gnome-help-pt", train_rows=0, test_rows=texts, seed=3)
    sources = [source for source, *_ in held]
    rendered, workshop, _ = untuned(BACKBONE, "cpu", threads)
    lens, how = workshop.lens(BACKBONE), rendering({"beams": beams})
    assert lens is not None

    def once(some: Sequence[str]) -> None:
        list(rendered.translate(some, lens, how))

    once(sources[:8])
    clock, processor, single = [], [], []
    for _ in range(repeats):
        begun = time.perf_counter(), time.process_time()
        once(sources)
        clock.append(words(sources) / (time.perf_counter() - begun[0]))
        processor.append(words(sources) / (time.process_time() - begun[1]))
        start = time.process_time()
        for text in sources[:alone]:
            once([text])
        single.append(words(sources[:alone]) / (time.process_time() - start))
    return {"clock": clock, "processor": processor, "single": single, "words": words(sources)}


def words(texts: Sequence[str]) -> int:
    return sum(len(text.split()) for text in texts)


def figures(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in (one for one in draws if "beams" in one):
        way = "greedy" if draw["beams"] == 1 else f"a beam of {draw['beams']}"
        cores = f"{draw['threads']} thread" + "s" * (draw["threads"] > 1)
        asked = {"at_least": ENOUGH} if draw["threads"] == 2 else {}
        name = f"{way}, {cores}: source words a second"
        found.append(median(name, draw["clock"], "words", **asked))
        name = f"{way}, {cores}: source words a second of a processor"
        found.append(median(name, draw["processor"], "words"))
        if draw["threads"] == 1:
            times = ratios(draw["processor"], draw["single"])
            found.append(median(f"{way}: together over one by one", times, "x"))
    return [*found, *translator_steps.figures([one for one in draws if "method" in one])]


BENCHMARK = Benchmark(
    name="translating",
    question="How many words are translated in a second, and how fast is a translator tuned?",
    how=f"{TEXTS} texts of GNOME's help pages through {BACKBONE} in float32, all words of its "
    f"vocabulary in the running; the first {ALONE} of them also one by one. Then the steps of one "
    f"epoch over {STEPS['pairs']} pairs, in processor time of one thread, the ways in turn: the "
    "same numbers are tuned on the same batches over what is kept of the encoder and over what it "
    "makes anew each time, with all words in the running and with likely ones: those of the "
    "translations, and the 16 likeliest of each place before tuning.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)
