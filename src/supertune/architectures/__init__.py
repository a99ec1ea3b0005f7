"""Small PyTorch models that transformers lacks, one file each.

Each is a `PreTrainedModel` with a configuration of its own type. `register` makes them known to
transformers' `AutoConfig` and `AutoModel` in this process, through its public calls, so that a
folder of such a model is opened by the same code as any other.
"""

from __future__ import annotations

# By the ``model_type`` of config.json: the module, its configuration and its model.
KNOWN = {
    "bergamot": ("bergamot", "BergamotConfig", "BergamotForTranslation"),
    "efficientnet_lite": ("efficientnet_lite", "EfficientNetLiteConfig", "EfficientNetLiteModel"),
    "piper": ("piper", "PiperConfig", "PiperModel"),
}


def register(model_type: str) -> bool:
    """Make one known to transformers; False where there is none of that type here."""
    if model_type not in KNOWN:
        return False
    from importlib import import_module

    from transformers import CONFIG_MAPPING, AutoConfig, AutoModel, AutoModelForSeq2SeqLM

    if model_type not in CONFIG_MAPPING:
        name, config, model = KNOWN[model_type]
        module = import_module(f"{__name__}.{name}")
        AutoConfig.register(model_type, getattr(module, config))
        # What translates has a head of words.
        made = AutoModelForSeq2SeqLM if "Translation" in model else AutoModel
        made.register(getattr(module, config), getattr(module, model))
    return True


__all__ = ["KNOWN", "register"]
