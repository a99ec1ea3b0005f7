"""The parts of a pipeline from safetensors: float32, frozen, in evaluation mode."""

from __future__ import annotations

from typing import Any

from supertune.backbones.diffusers.declared import WEIGHTS, Declared, weights
from supertune.errors import EnvironmentFault, InputError

UNREAD = ("pooler.", "text_model.embeddings.position_ids", "embeddings.position_ids")


def check_installed() -> None:
    """Raises: EnvironmentFault ``extra_missing``."""
    try:
        import diffusers  # noqa: F401
    except ImportError:
        raise EnvironmentFault(
            "extra_missing",
            "Drawing pictures needs the package diffusers.",
            received="a pipeline",
            next="pip install 'supertune[diffusers]'",
        ) from None


def part(declared: Declared, name: str) -> Any:
    """``unet``, ``vae`` or ``text_encoder``.

    Raises:
        InputError: ``weights_do_not_fit``, ``pipeline_unreadable``.
    """
    import torch

    folder = declared.folder / name
    first = weights(folder, WEIGHTS[name])[0].name
    settings: dict[str, Any] = {"use_safetensors": True, "output_loading_info": True}
    settings["local_files_only"] = True
    if ".fp16." in first:
        settings["variant"] = "fp16"
    settings["dtype" if name == "text_encoder" else "torch_dtype"] = torch.float32
    try:
        with _quiet():
            loaded, notes = _class(declared, name).from_pretrained(str(folder), **settings)
    except Exception as error:
        raise InputError(
            "weights_do_not_fit",
            f"The weights in {name} of {declared.ref.name} are not those of its configuration.",
            received=_first(str(error)),
            allowed="the arrays that its config.json describes",
            next="Fetch the folder again, or save it once more with pipe.save_pretrained(folder).",
        ) from error
    missing = [one for one in notes["missing_keys"] if not one.startswith(UNREAD)]
    wrong = [*missing, *map(str, notes.get("mismatched_keys", ()))]
    if wrong:
        raise InputError(
            "weights_do_not_fit",
            f"The weights in {name} of {declared.ref.name} do not cover its configuration.",
            received=f"{len(wrong)} arrays are missing or of another shape, e.g. {wrong[0]}",
            allowed="the arrays that its config.json describes",
            next="Fetch the folder again, or save it once more with pipe.save_pretrained(folder).",
        )
    return loaded.requires_grad_(False).eval()


def tokenizer(declared: Declared) -> Any:
    """Raises: InputError ``tokenizer_unreadable``."""
    from transformers import AutoTokenizer

    folder = declared.folder / "tokenizer"
    try:
        with _quiet():
            loaded = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:
        raise _bad_tokenizer(declared, _first(str(error))) from error
    if len(loaded.get_vocab()) <= len(loaded.all_special_ids):
        raise _bad_tokenizer(declared, "it knows no words")
    return loaded


def scheduler(declared: Declared) -> Any:
    """DDIM (Song et al. 2020, arXiv:2010.02502) with the pipeline's own noise levels."""
    from diffusers import DDIMScheduler

    kind: Any = DDIMScheduler
    with _quiet():
        return kind.from_config(dict(declared.scheduler))


def _class(declared: Declared, name: str) -> Any:
    if name == "text_encoder":
        import transformers

        clip = str(declared.text.get("model_type", "")) == "clip_text_model"
        return transformers.CLIPTextModel if clip else transformers.AutoModel
    import diffusers

    return diffusers.UNet2DConditionModel if name == "unet" else diffusers.AutoencoderKL


def _bad_tokenizer(declared: Declared, received: str) -> InputError:
    return InputError(
        "tokenizer_unreadable",
        f"The tokenizer of {declared.ref.name} does not load.",
        received=received,
        allowed="a folder tokenizer as its save_pretrained writes it",
        next="Save it with tokenizer.save_pretrained(folder + '/tokenizer').",
    )


def _first(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[0][:300]


def _quiet() -> Any:
    """Notices and warnings of both libraries off; afterwards as they were."""
    import contextlib
    import warnings

    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    @contextlib.contextmanager
    def within() -> Any:
        both = (diffusers_logging, transformers_logging)
        before = [one.get_verbosity() for one in both]
        bar = transformers_logging.is_progress_bar_enabled()
        for one in both:
            one.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            for one, level in zip(both, before):
                one.set_verbosity(level)
            if bar:
                transformers_logging.enable_progress_bar()

    return within()
