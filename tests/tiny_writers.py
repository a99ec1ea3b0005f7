"""A causal model with random weights, behind the real tokenizer and chat template of smollm2."""

from __future__ import annotations

from pathlib import Path

from supertune.catalogue.resolve import resolve


def save_tiny_writer(folder: Path) -> Path:
    """Two blocks, 16 numbers wide."""
    import torch
    import transformers as t

    real = resolve("smollm2").folder
    tokenizer = t.AutoTokenizer.from_pretrained(real)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = t.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    t.LlamaForCausalLM(config).save_pretrained(folder)
    return folder
