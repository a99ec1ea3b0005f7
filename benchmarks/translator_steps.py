"""Steps that tune a translator: over what is kept of its encoder and anew, among few words and all.

Every way tunes the same numbers on the same batches, so each loss is that of the others.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.benchmark import Draw
from benchmarks.figures import Figure, median, ratios
from benchmarks.timing import Laps, interleaved

BACKBONE = "bergamot-en-pt"
KEPT, ANEW = "kept", "anew"
FASTER, NEAR = 1.2, 1e-5  # how much, and how far apart losses may be, of themselves
TOLD = {"likely": "likely words", "whole": "all words"}


def measured(method: str, pairs: int, epochs: int, repeats: int) -> dict[str, Any]:
    """Processor seconds of the steps by way, one value a repeat, and how far losses are apart.

    ``kept`` leaves out what is done once: encoding the sources and looking for likely words.
    """
    from benchmarks.study_translation import rows
    from supertune import pipeline, registry
    from supertune.config import recipe
    from supertune.pipeline import Workshop
    from supertune.training import translating, worded

    keys = {"task": "translation", "backbone": BACKBONE, "method": method, "seed": 0, "threads": 1}
    workshop = Workshop(recipe({**keys, "device": "cpu", "options": {"epochs": epochs}}))
    examples, _ = rows("en-pt", 0, pairs, 1)
    problem = workshop.problem(examples, BACKBONE)
    lens, declared = problem.lens, registry.method(method)
    assert lens is not None
    options: Any = pipeline.method_options(workshop.recipe, method)
    backbone = translating.translator(lens)
    read = translating.Pairs.of(problem, lens)
    injection = translating.injected(declared, lens.backbone.offer, options)
    losses: dict[str, list[float]] = {}
    once: Laps = {}

    def way(encoder: str, words: str) -> Laps:
        cut = lens.backbone.offer.depth if encoder == KEPT else 0
        begun = time.process_time()
        held = translating._held(lens, read.sources, cut)
        between = time.process_time()
        among = translating._among(backbone, read, held, cut) if words == "likely" else None
        once[f"{encoder}, {words}"] = time.process_time() - between
        if encoder == KEPT:
            once.setdefault("encoding", between - begun)
        tunable = lens.backbone.inject(injection, seed=0)

        def summed(chosen: list[int]) -> tuple[Any, Any]:
            states = backbone.states([held(i) for i in chosen], cut)
            texts = [read.texts[i] for i in chosen]
            sums, counts = backbone.losses(states, texts, options.label_smoothing, among)
            return sums.sum(), counts.sum()

        lengths = [len(text) for text in read.texts]
        with tunable:
            start = time.process_time()
            found = worded.descended(tunable, problem, options, lengths, summed)
            spent = time.process_time() - start
        losses[f"{encoder}, {words}"] = [loss for _, loss in found]
        return {f"{encoder}, {words}": spent}

    ways = {f"{e}, {w}": partial(way, e, w) for w in TOLD for e in (KEPT, ANEW)}
    seconds = interleaved(ways, repeats)
    apart = {
        words: float(
            np.max(np.abs(np.array(losses[f"{KEPT}, {words}"]) / losses[f"{ANEW}, {words}"] - 1))
        )
        for words in TOLD
    }
    return {"seconds": seconds, "apart": apart, "once": once, "steps": len(losses["kept, likely"])}


def figures(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        seconds = draw["seconds"]
        for words, told in TOLD.items():
            name = f"{draw['method']}, {told}: encoder kept over anew"
            times = ratios(seconds[f"{ANEW}, {words}"], seconds[f"{KEPT}, {words}"])
            found.append(median(name, times, "x", at_least=FASTER if words == "likely" else None))
            name = f"{draw['method']}, {told}: losses of the two apart, of themselves"
            found.append(median(name, [draw["apart"][words]], "", at_most=NEAR))
        times = ratios(seconds[f"{KEPT}, whole"], seconds[f"{KEPT}, likely"])
        found.append(median(f"{draw['method']}, encoder kept: likely words over all", times, "x"))
        times = ratios(seconds[f"{ANEW}, whole"], seconds[f"{KEPT}, likely"])
        found.append(median(f"{draw['method']}: both together", times, "x"))
    return found
