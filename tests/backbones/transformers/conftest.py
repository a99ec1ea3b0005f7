"""Real models, opened once; and tiny ones with random weights, one a family, built here.

The tiny ones show that an architecture is handled; what a model is worth is never asked of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supertune.backbones.transformers import ENGINE
from supertune.backbones.transformers.model import TransformersBackbone
from supertune.catalogue.resolve import resolve
from supertune.contracts import BackboneRef

WORDS = [
    "the",
    "a",
    "film",
    "was",
    "good",
    "bad",
    "and",
    "very",
    "long",
    "dull",
    "story",
    "of",
    "two",
]
FAMILIES = ("bert", "roberta", "distilbert", "t5", "gpt2", "llama")
Opened = Callable[[str], TransformersBackbone]


def opened(folder: Path, name: str, *, packing: bool = True) -> TransformersBackbone:
    ref = BackboneRef(name, "transformers", folder)
    return ENGINE.open(ref, device="cpu", threads=None, packing=packing)


@pytest.fixture(scope="session")
def minilm(own_activations: Path) -> TransformersBackbone:
    return opened(resolve("minilm").folder, "minilm")


@pytest.fixture(scope="module")
def e5(own_activations: Path) -> TransformersBackbone:
    return opened(resolve("e5-small").folder, "e5-small")


@pytest.fixture(scope="module")
def smollm2(own_activations: Path) -> TransformersBackbone:
    return opened(resolve("smollm2").folder, "smollm2")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``tiny_folder("t5")``: a saved model of 4 blocks with random weights, and a tokenizer."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp("models") / f"tiny-random-{family}"
            _tokenizer(family).save_pretrained(made[family])
            _model(family).save_pretrained(made[family])
        return made[family]

    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder: Callable[[str], Path]) -> Opened:
    """``tiny("t5")``: the same, opened."""
    known: dict[str, TransformersBackbone] = {}

    def found(family: str) -> TransformersBackbone:
        if family not in known:
            known[family] = opened(tiny_folder(family), f"tiny-random-{family}")
        return known[family]

    return found


def _tokenizer(family: str) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    frame = {
        "t5": "$A </s>",
        "llama": "<s> $A",
        "gpt2": "$A",
    }.get(family, "<s> $A </s>")
    made.post_processor = processors.TemplateProcessing(
        single=frame, pair=None, special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    pad = {} if family in {"gpt2", "llama"} else {"pad_token": "<pad>"}
    if family.startswith("masked"):
        pad["mask_token"] = "<mask>"
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", eos_token="</s>", bos_token="<s>", **pad
    )


def _model(family: str) -> Any:
    import torch
    import transformers as t

    torch.manual_seed(3)
    size = 5 + len(WORDS)  # one more for a mask
    bert = {"vocab_size": size, "hidden_size": 32, "num_hidden_layers": 4, "pad_token_id": 1}
    bert |= {"num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 66}
    ends = {"bos_token_id": 0, "eos_token_id": 2}
    llama = {**bert, "num_key_value_heads": 2, **ends}
    wide = {"vocab_size": size, "dim": 32, "n_layers": 4, "n_heads": 4, "hidden_dim": 48}
    t5 = {"vocab_size": size, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 4, "num_heads": 4}
    bart = {"vocab_size": size, "d_model": 32, "encoder_layers": 4, "decoder_layers": 3}
    bart |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "init_std": 0.2}
    bart |= {"encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 64}
    bart |= {"pad_token_id": 1, "decoder_start_token_id": 2, "forced_eos_token_id": 2, **ends}
    gpt = {"vocab_size": size, "n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 64, **ends}
    build: dict[str, Callable[[], Any]] = {
        "bert": lambda: t.BertModel(t.BertConfig(**bert)),
        "roberta": lambda: t.RobertaModel(t.RobertaConfig(**bert, **ends)),
        "masked-bert": lambda: t.BertForMaskedLM(t.BertConfig(**bert)),
        "masked-roberta": lambda: t.RobertaForMaskedLM(t.RobertaConfig(**bert, **ends)),
        "masked-distilbert": lambda: t.DistilBertForMaskedLM(
            t.DistilBertConfig(**wide, max_position_embeddings=64, pad_token_id=1)
        ),
        "bart": lambda: t.BartForConditionalGeneration(t.BartConfig(**bart)),
        "distilbert": lambda: t.DistilBertModel(
            t.DistilBertConfig(**wide, max_position_embeddings=64, pad_token_id=1)
        ),
        "t5": lambda: t.T5ForConditionalGeneration(
            t.T5Config(**t5, pad_token_id=1, eos_token_id=2, decoder_start_token_id=1)
        ),
        "gpt2": lambda: t.GPT2LMHeadModel(t.GPT2Config(**gpt)),
        "roberta-prelayernorm": lambda: t.RobertaPreLayerNormModel(
            t.RobertaPreLayerNormConfig(**bert, **ends)
        ),
        "olmo2": lambda: t.Olmo2ForCausalLM(t.Olmo2Config(**llama)),
        "granite": lambda: t.GraniteForCausalLM(t.GraniteConfig(**llama, residual_multiplier=0.5)),
        "electra": lambda: t.ElectraModel(t.ElectraConfig(**bert, embedding_size=16)),
        "mpnet": lambda: t.MPNetModel(t.MPNetConfig(**bert, **ends)),
        "opt": lambda: t.OPTForCausalLM(
            t.OPTConfig(**bert, ffn_dim=48, word_embed_proj_dim=32, **ends)
        ),
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**llama)),
    }
    return build[family]()


os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
