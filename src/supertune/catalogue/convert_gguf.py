"""A GGUF file as a plain Transformers folder, once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from supertune.errors import EnvironmentFault


def convert(data: bytes, target: Path) -> None:
    """Dequantise to float32 and write config, weights and tokenizer into ``target``."""
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise EnvironmentFault(
            "extra_missing",
            "Converting a GGUF file needs the package gguf.",
            next='Install it: pip install "supertune[gguf]"',
        ) from error
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        file = "model.gguf"
        (Path(folder) / file).write_bytes(data)
        loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file)
        settings = loaded.config.to_dict()
        for key in ("quantization_config", "dtype", "torch_dtype"):
            settings.pop(key, None)
        plain = LlamaForCausalLM(LlamaConfig(**settings))
        plain.load_state_dict(loaded.state_dict())
        plain.save_pretrained(target)
        AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(target)
