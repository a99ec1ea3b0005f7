"""Tiny translators of each family, opened once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from supertune.backbones.transformers import ENGINE
from supertune.backbones.transformers.translation.model import TranslatorBackbone
from supertune.contracts import BackboneRef, Encoding

# How each is asked to translate from English into Portuguese.
ASKED = {
    "marian": Encoding(),
    "m2m100": Encoding(source_language="en", target_language="pt"),
    "nllb": Encoding(source_language="eng_Latn", target_language="por_Latn"),
    "t5": Encoding(source_language="en", target_language="pt"),
}
Opened = Callable[[str], TranslatorBackbone]


@pytest.fixture(scope="session")
def tiny_translator(translator_folder: Callable[[str], Path]) -> Opened:
    known: dict[str, TranslatorBackbone] = {}

    def found(family: str) -> TranslatorBackbone:
        if family not in known:
            ref = BackboneRef(f"tiny-{family}", "transformers", translator_folder(family))
            opened = ENGINE.open(ref, device="cpu", threads=None)
            assert isinstance(opened, TranslatorBackbone)
            known[family] = opened
        return known[family]

    return found
