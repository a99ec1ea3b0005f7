"""Tiny models with random weights, a few rows, and what a fit of them says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune import registry
from supertune.backbones.transformers import ENGINE
from supertune.contracts import BackboneRef, Encoding, Examples, HeadSpec, Problem, Prompt
from supertune.errors import SupertuneError
from supertune.training import fitting
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens
from supertune.training.verify import verified

GOOD = ("good", "fine", "bright", "warm")
BAD = ("bad", "dull", "cold", "weak")
OTHER = ("the", "film", "was", "a", "story", "of", "two", "very", "long", "it", "is")
WORDS = (*OTHER, *GOOD, *BAD)
PROMPT = Prompt("{text} it was {answer}", (("good",), ("bad",)))
TEXTS = (
    ("the film was good and bright", 0),
    ("a dull story of two", 1),
    ("very warm", 0),
    ("the long story was cold and weak", 1),
    ("a fine film of two very good", 0),
    ("it is bad", 1),
    ("the story is bright and warm", 0),
    ("a very weak and very dull film", 1),
    ("two fine and good", 0),
    ("the cold film is bad and long", 1),
)


@dataclass
class Setting:
    """One fit: everything a fault may spoil before it runs."""

    method: Any
    backbone: Any
    examples: Examples
    encoding: Encoding
    options: dict[str, Any]
    prompts: tuple[Prompt, ...]
    opened: Any = None

    def lens(self, backbone: Any = None) -> CachedLens:
        return CachedLens(backbone or self.backbone, self.encoding, ActivationCache(None))

    def unchecked(self) -> Any:
        """Options as a broken reader could let them through."""
        return self.method.options.model_construct(
            **{**self.method.options().model_dump(), **self.options}
        )

    def run(self) -> set[str]:
        """Codes of all findings of the fit, or of the error that stopped it."""
        try:
            problem = Problem(
                self.examples,
                HeadSpec(len(self.examples.labels)),
                self.lens(),
                seed=0,
                prompts=self.prompts,
            )
            options = self.unchecked()
            tuned = fitting.fit(self.method, problem, options)
            found = verified(self.method, problem, options, tuned)
        except SupertuneError as error:
            return {error.code}
        return {finding.code for finding in found if finding.severity == "warning"}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """``folders("bert", 0)``: a saved model of 4 blocks, weights drawn from a seed."""
    made: dict[tuple[str, int], Path] = {}

    def folder(family: str, seed: int) -> Path:
        if (family, seed) not in made:
            place = tmp_path_factory.mktemp("tiny") / f"tiny-random-{family}-{seed}"
            _tokenizer(family).save_pretrained(place)
            _model(family, seed).save_pretrained(place)
            made[family, seed] = place
        return made[family, seed]

    return folder


@pytest.fixture
def opened(folders: Callable[[str, int], Path]) -> Callable[..., Any]:
    """A backbone of its own for each test, since a fault may break it for good."""

    def backbone(family: str, seed: int = 0) -> Any:
        ref = BackboneRef(f"tiny-random-{family}", "transformers", folders(family, seed))
        return ENGINE.open(ref, device="cpu", threads=None)

    return backbone


SETTINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    # name: method, family, options
    "lora": ("lora", "bert", {"epochs": 8, "rank": 2, "learning_rate": 3e-3}),
    "top_blocks": ("top_blocks", "bert", {"epochs": 6, "learning_rate": 1e-3}),
    "full": ("full", "bert", {"epochs": 6, "learning_rate": 1e-3}),
    "tied": ("full", "llama", {"epochs": 3, "learning_rate": 1e-3}),
    "adapter": ("adapter", "bert", {"epochs": 6, "learning_rate": 3e-3}),
    "words": ("lora", "masked-bert", {"epochs": 8, "rank": 2, "learning_rate": 1e-2}),
    "causal": ("lora", "llama", {"epochs": 8, "rank": 2, "learning_rate": 1e-2}),
    "soft_prompt": ("prompt_tuning", "bert", {"epochs": 8}),
    "contrastive": ("contrastive", "bert", {"epochs": 8}),
    "probe": ("linear_probe", "bert", {}),
    "centroid": ("nearest_centroid", "bert", {}),
    "asked": ("zero_shot_prompt", "masked-bert", {}),
}


@pytest.fixture
def setting(opened: Callable[..., Any]) -> Callable[[str], Setting]:
    """``setting("lora")``: a healthy fit, not run yet."""

    def made(name: str) -> Setting:
        method, family, options = SETTINGS[name]
        texts, targets = zip(*TEXTS, strict=True)
        rows = np.arange(1, len(TEXTS) + 1)
        examples = Examples(texts, np.array(targets), ("good", "bad"), rows)
        options = dict(options)
        return Setting(
            registry.method(method), opened(family), examples, Encoding(), options, (PROMPT,)
        )

    return made


def changed(examples: Examples, **values: Any) -> Examples:
    return replace(examples, **values)


def _tokenizer(family: str) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    vocabulary = {word: place for place, word in enumerate((*special, *WORDS, "and"))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    frame = "<s> $A" if family == "llama" else "<s> $A </s>"
    made.post_processor = processors.TemplateProcessing(
        single=frame, pair=None, special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    marks = {"unk_token": "<unk>", "eos_token": "</s>", "bos_token": "<s>", "pad_token": "<pad>"}
    if family.startswith("masked"):
        marks["mask_token"] = "<mask>"
    return PreTrainedTokenizerFast(tokenizer_object=made, **marks)


def _model(family: str, seed: int) -> Any:
    import torch
    import transformers as t

    torch.manual_seed(seed)
    size: dict[str, Any] = {
        "vocab_size": 6 + len(WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 66,
        "pad_token_id": 1,
        "initializer_range": 0.1,  # so that words tell in a model that never learned any
    }
    if family == "bert":
        return t.BertModel(t.BertConfig(**size))
    if family == "masked-bert":
        return t.BertForMaskedLM(t.BertConfig(**size))
    ends = {"bos_token_id": 0, "eos_token_id": 2, "tie_word_embeddings": True}
    return t.LlamaForCausalLM(t.LlamaConfig(**size, num_key_value_heads=2, **ends))
