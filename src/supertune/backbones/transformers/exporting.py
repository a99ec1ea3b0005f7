"""Tuned numbers put into a plain Transformers folder, by plain transformers and peft alone.

Nothing of a running model takes part: what is written is made from the backbone's files and the
saved numbers, as anybody with the two libraries would make it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy.typing as npt

from supertune.backbones.transformers import declared, loading
from supertune.contracts import BackboneRef, Offer
from supertune.errors import InputError

Arrays = Mapping[str, npt.NDArray[Any]]

# What lies beside the weights: the tokenizer, how pictures are read, how vectors are pooled.
_BESIDE = (
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt"),
    *("*.model", "*.bpe", "chat_template.jinja", "modules.json", "sentence_*config.json"),
    *("config_sentence_transformers.json", "[0-9]_*/config.json", "preprocessor_config.json"),
)


def write_merged(
    ref: BackboneRef,
    offer: Offer,
    folder: Path,
    *,
    adapter: Arrays,
    adapter_config: Mapping[str, Any] | None,
    weights: Arrays,
) -> None:
    """A Transformers folder of the backbone with tuned numbers in its weights, in float32.

    Args:
        folder: exists and is empty.
        adapter, adapter_config: what peft made, merged by peft.
        weights: tensors that take the place of the backbone's own of the same names.

    Raises:
        InputError: ``cannot_merge`` with the reason.
    """
    model = loading.model(ref, offer)
    if adapter_config is not None:
        model = _merged(model, adapter, adapter_config)
    _replace(model, weights)
    _save(model, ref, offer, folder)


def auto_class(model: Any) -> str:
    """What a person opens a backbone with to have what an adapter was made for."""
    kind = type(model).__name__
    known = {"ForCausalLM": "AutoModelForCausalLM", "LMHeadModel": "AutoModelForCausalLM"}
    known |= {"ForMaskedLM": "AutoModelForMaskedLM"}
    known |= {"ForConditionalGeneration": "AutoModelForSeq2SeqLM"}
    return next((auto for end, auto in known.items() if kind.endswith(end)), "AutoModel")


def _merged(model: Any, adapter: Arrays, config: Mapping[str, Any]) -> Any:
    import peft
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
    from safetensors.numpy import save_file

    kind = str(config["peft_type"])
    if issubclass(PEFT_TYPE_TO_CONFIG_MAPPING[kind], peft.PromptLearningConfig):
        raise _cannot(kind, "it puts vectors before the text and changes no weight")
    with TemporaryDirectory() as place, loading.quiet():
        Path(place, "adapter_config.json").write_text(json.dumps(dict(config)), "utf-8")
        save_file(dict(adapter), Path(place, "adapter_model.safetensors"), {"format": "pt"})
        wrapped = peft.PeftModel.from_pretrained(model, place)
        try:
            return wrapped.merge_and_unload(safe_merge=True)
        except Exception as error:
            reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            raise _cannot(kind, f"peft says: {reason}") from error


def _replace(model: Any, weights: Arrays) -> None:
    import torch

    own = dict(model.named_parameters())
    foreign = sorted(name for name in weights if name not in own)
    if foreign:
        raise _cannot(
            foreign[0], "they are modules of their own beside the weights, not changes of these"
        )
    with torch.no_grad():
        for name, array in weights.items():
            own[name].copy_(torch.from_numpy(array.copy()))


def _cannot(what: str, why: str) -> InputError:
    return InputError(
        "cannot_merge",
        f"{what} cannot be merged into the backbone's weights: {why}.",
        received=what,
        allowed="LoRA and its like, and weights that were tuned themselves",
        next="Leave --format merged out, or fit with --method lora.",
    )


def _save(model: Any, ref: BackboneRef, offer: Offer, folder: Path) -> None:
    assert ref.folder is not None
    with loading.quiet():
        whole = _whole(model, ref)
        # A pooler that the checkpoint lacks was filled with random numbers.
        pooler = _has_pooler(ref)
        kept = {n: t for n, t in whole.state_dict().items() if pooler or "pooler." not in n}
        whole.save_pretrained(str(folder), state_dict=kept)
    noted = {"backbone": ref.name, "languages": list(offer.languages)}
    (folder / declared.ORIGIN).write_text(json.dumps(noted, indent=1), "utf-8")
    for path in sorted(ref.folder.rglob("*")):
        name = path.relative_to(ref.folder).as_posix()
        if path.is_file() and any(fnmatch(name, pattern) for pattern in _BESIDE):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)


def _whole(model: Any, ref: BackboneRef) -> Any:
    """The architecture of the backbone's files with ``model`` as the part of it that it is, so
    that a language-model head or a decoder is not lost."""
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(str(ref.folder), local_files_only=True)
    name = (config.architectures or [""])[0]
    made = getattr(transformers, name, type(model))
    if isinstance(model, made):
        model.config.use_cache = getattr(config, "use_cache", True)
        return model
    whole = made.from_pretrained(
        str(ref.folder), local_files_only=True, dtype=torch.float32, use_safetensors=True
    )
    stack = whole.get_encoder() if config.is_encoder_decoder else whole.base_model
    stack.load_state_dict(model.state_dict())
    return whole


def _has_pooler(ref: BackboneRef) -> bool:
    from safetensors import safe_open

    assert ref.folder is not None
    for path in declared.weight_files(ref.folder):
        with safe_open(path, "np") as stream:
            if any("pooler." in name for name in stream.keys()):  # noqa: SIM118  not a mapping
                return True
    return False
