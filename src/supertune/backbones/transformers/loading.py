"""A tokenizer and a model from a folder of safetensors: float32, frozen, nothing of its own run."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from supertune import architectures
from supertune.contracts import BackboneRef, Offer
from supertune.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    import torch

# Parts that a checkpoint may lack, because nothing is read from them.
_UNREAD = ("pooler.", "classifier.")
# Of two towers, what reads texts and compares them.
_OF_NAMES = ("text_model.", "text_projection.", "logit_")


def device(wanted: str) -> torch.device:
    """The device asked for; ``"auto"`` is a GPU where there is one.

    Raises:
        InputError: ``device_unavailable``.
    """
    import torch

    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(wanted)
        torch.empty(1, device=found)
    except Exception as error:
        raise InputError(
            "device_unavailable",
            f"Device '{wanted}' cannot be used here.",
            received=str(error).splitlines()[0],
            allowed="auto, cpu" + (", cuda" if torch.cuda.is_available() else ""),
            next="Leave --device out; `supertune doctor` shows what this machine has.",
        ) from error
    return found


def tokenizer(ref: BackboneRef) -> Any:
    """The fast tokenizer of a folder; it always has a padding token, on the right.

    Raises:
        InputError: ``tokenizer_unreadable``.
        EnvironmentFault: ``extra_missing``.
    """
    from transformers import AutoTokenizer

    assert ref.folder is not None
    try:
        with quiet():
            loaded = AutoTokenizer.from_pretrained(str(ref.folder), local_files_only=True)
    except ImportError as error:
        raise EnvironmentFault(
            "extra_missing",
            f"The tokenizer of {ref.name} needs a library that is not installed.",
            received=_first_line(error),
            next="pip install 'supertune[translation]'",
        ) from error
    except Exception as error:
        raise InputError(
            "tokenizer_unreadable",
            f"The tokenizer of {ref.name} does not load.",
            received=_first_line(error),
            next="Save it beside the weights with tokenizer.save_pretrained(folder).",
        ) from error
    # Where its files are missing, transformers makes one that knows no word and says nothing.
    if len(loaded.get_vocab()) <= len(loaded.all_special_ids):
        raise InputError(
            "tokenizer_unreadable",
            f"The tokenizer of {ref.name} knows no words.",
            received=", ".join(sorted(path.name for path in ref.folder.iterdir())),
            allowed="tokenizer.json, or the files of the tokenizer's own kind",
            next="Save it beside the weights with tokenizer.save_pretrained(folder).",
        )
    if loaded.pad_token is None:
        loaded.pad_token = loaded.eos_token
    loaded.padding_side = "right"
    loaded.truncation_side = "right"
    return loaded


def model(ref: BackboneRef, offer: Offer) -> Any:
    """The model in float32 whatever its file holds, in evaluation mode, with its language-model
    head where it has one; of two stacks without, the encoder.

    Raises:
        InputError: ``remote_code``, ``backbone_unreadable`` or ``weights_incomplete``.
        EnvironmentFault: ``out_of_memory``.
    """
    import torch

    _refuse_own_code(ref)
    try:
        with quiet():
            loaded, notes = _class(offer).from_pretrained(
                str(ref.folder),
                local_files_only=True,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
            )
    except MemoryError as error:
        raise EnvironmentFault(
            "out_of_memory",
            f"{ref.name} ({offer.parameters * 4 / 1e9:.1f} GB) does not fit into memory.",
            next="Choose a smaller backbone: `supertune models`.",
        ) from error
    except Exception as error:
        raise InputError(
            "backbone_unreadable",
            f"The backbone {ref.name} does not load.",
            received=_first_line(error),
            next=f"Fetch it again: `supertune models pull {ref.name}`.",
        ) from error
    # What is missing was filled with random numbers, which no feature may come from.
    words = bool({"score_text", "transcribe", "translate"} & offer.capabilities)
    unread = _UNREAD if words else (*_UNREAD, "lm_head.", "cls.", "decoder.")
    if "names" not in offer.capabilities:
        unread = (*unread, *_OF_NAMES)
    missing = sorted(name for name in notes["missing_keys"] if not name.startswith(unread))
    if missing:
        raise InputError(
            "weights_incomplete",
            f"The weights of {ref.name} do not cover its architecture, {offer.architecture}.",
            received=f"{len(missing)} arrays are missing, e.g. {missing[0]}",
            next="Fetch the folder again, or save it once more with save_pretrained.",
        )
    if offer.family == "seq2seq" and not words:
        loaded = loaded.get_encoder()
    loaded.config.use_cache = False  # no text is generated: keys and values would only fill memory
    return loaded.requires_grad_(False).eval()


def body(whole: Any, offer: Offer) -> Any:
    """The part of a model that gives hidden states, without a language-model head; of two towers,
    the one that reads pictures."""
    if offer.pooling == "projected":
        return whole.vision_model
    if not {"score_text", "transcribe", "translate"} & offer.capabilities:
        return whole
    return whole.get_encoder() if offer.family == "seq2seq" else whole.base_model


def _class(offer: Offer) -> Any:
    import transformers

    if "transcribe" in offer.capabilities:
        two = offer.family == "seq2seq"
        return transformers.AutoModelForSpeechSeq2Seq if two else transformers.AutoModelForCTC
    if "translate" in offer.capabilities:
        return transformers.AutoModelForSeq2SeqLM
    if "score_text" not in offer.capabilities:
        return transformers.AutoModel
    return {
        "masked": transformers.AutoModelForMaskedLM,
        "causal": transformers.AutoModelForCausalLM,
        "seq2seq": transformers.AutoModelForSeq2SeqLM,
    }[offer.family]


def _refuse_own_code(ref: BackboneRef) -> None:
    from transformers import CONFIG_MAPPING

    assert ref.folder is not None
    config = json.loads((ref.folder / "config.json").read_text("utf-8"))
    kind = str(config.get("model_type"))
    if kind in CONFIG_MAPPING or architectures.register(kind):
        return
    own = "auto_map" in config
    raise InputError(
        "remote_code" if own else "unknown_architecture",
        f"The installed transformers has no architecture '{kind}'"
        + (", and code that a model brings is never run." if own else "."),
        received=f"model_type {kind} in config.json of {ref.name}",
        allowed="an architecture that transformers itself has",
        next="Choose another backbone (`supertune models`), or update transformers.",
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Progress bars, notices and questions of transformers off; afterwards as they were."""
    from transformers import dynamic_module_utils
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    patience = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # With no time to answer, the question whether to run a model's own code is not asked.
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = patience
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
