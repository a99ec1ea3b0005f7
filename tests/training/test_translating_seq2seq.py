"""Tuning tiny translators of transformers: the decoder over cached states, or the encoder too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests import tiny_translators
from tests.tiny_translators import PAIRS

from supertune import registry
from supertune.config import method_options, recipe
from supertune.contracts import Columns, Problem, translator
from supertune.pipeline import Workshop
from supertune.tasks.translation import TASK
from supertune.training import fitting

ASKED = {
    "marian": {},
    "nllb": {"source_language": "eng_Latn", "target_language": "por_Latn"},
    "t5": {"prefix": tiny_translators.TASK},
}


def problem(folder: Path, method: str, **more: Any) -> tuple[Problem, Any]:
    keys = {"task": "translation", "backbone": str(folder), "method": method, "precision": "fp32"}
    shop = Workshop(recipe({**keys, **more}))
    # Other words than those that it was taught, so that there is something to learn.
    rows = [{"source": a, "target": b.replace("arquivo", "ficheiro").upper()} for a, b in PAIRS]
    found = TASK.read(rows, Columns())
    made = shop.problem(found.train.canonical(), str(folder))
    return made, method_options(shop.recipe, method)


def test_losses_with_the_tuned_decoder_are_the_same_from_the_cache_and_from_the_text(
    translator_folder: Callable[[str], Path],
) -> None:
    for family, asked in ASKED.items():
        made, settings = problem(translator_folder(family), "lora", epochs=1, batch_size=5, **asked)
        tuned = fitting.fit(registry.method("lora"), made, settings)
        lens = made.lens
        assert lens is not None
        pair = translator(lens)
        pieces = pair.read([str(one) for one in made.examples.inputs])
        texts = [pair.spelled(str(one)) for one in made.examples.targets]  # type: ignore[union-attr]
        with tuned.entered(lens) as cut:
            assert cut == 3
            kept = pair.states(lens.activations(pieces, cut), cut)
            plain = pair.states(lens.backbone.activations(pieces, 0), 0)
            found = [pair.losses(one, texts, 0.1)[0].detach().numpy() for one in (kept, plain)]
        assert np.allclose(*found, rtol=1e-5)


def test_the_encoder_may_be_tuned_too(translator_folder: Callable[[str], Path]) -> None:
    made, settings = problem(
        translator_folder("t5"), "lora", epochs=2, batch_size=5, blocks=[1, 2, 3, 4], **ASKED["t5"]
    )
    tuned = fitting.fit(registry.method("lora"), made, settings)
    assert tuned.tunable.cut == 1
    numbers = tuned.tunable.kept
    moved = {name for name, array in numbers.items() if "lora_B" in name and array.any()}
    assert any("encoder.block.1" in name for name in moved)
    assert any("decoder.block.1" in name for name in moved)


def test_a_memory_of_pairs_serves_them_too(translator_folder: Callable[[str], Path]) -> None:
    made, settings = problem(translator_folder("marian"), "knn_memory")
    chosen = registry.method("knn_memory")
    tuned = fitting.fit(chosen, made, settings)
    known = made.examples.inputs[0]
    assert made.examples.targets is not None
    answers = TASK.decode(
        tuned.logits([known, "Open the copy."], made.lens), ("translation",), made.head
    )
    assert answers.texts[0] == str(made.examples.targets[0])  # type: ignore[attr-defined]
    again = chosen.restore(tuned.state(), made.head, made.lens)
    inputs = [known, "Open the copy."]
    assert np.array_equal(tuned.logits(inputs, made.lens), again.logits(inputs, made.lens))
