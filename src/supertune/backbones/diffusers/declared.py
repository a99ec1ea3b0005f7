"""What a pipeline's folder says of itself, read from its configurations and headers of weights.

Everything that would fail later is refused here, by name, before a weight is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from supertune.contracts import BackboneRef, Offer
from supertune.errors import InputError

LISTING = "model_index.json"
PARTS = ("unet", "scheduler", "text_encoder", "tokenizer")
WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}
WEIGHTS |= {"text_encoder": "model"}
LENGTH = 16  # tokens of a caption where neither the folder nor the text encoder says
FORETOLD = ("epsilon", "v_prediction", "sample")
VIEWS = 16  # draws of noise that each picture meets in what counts as an epoch
# Their noise schedules can be taken over by the one that pictures are drawn by here, DDIM's.
SCHEDULERS = (
    *("DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler"),
    *("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler"),
    *("DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler"),
    *("DEISMultistepScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler"),
)
_OTHERS = {
    "transformer": "its denoiser is a transformer",
    "text_encoder_2": "it has two text encoders",
    "prior": "it is two pipelines, one behind the other",
    "controlnet": "it is guided by a second network",
}
_AGAIN = "Fetch the folder again, or save it once more with pipe.save_pretrained(folder)."


@dataclass(frozen=True)
class Declared:
    """A pipeline's configurations.

    Attributes:
        vae: None where pixels themselves are denoised.
        length: tokens that each caption is padded or cut to.
        masked: whether padding is hidden from the denoiser.
        sizes: by part, how many numbers its weights are.
    """

    ref: BackboneRef
    folder: Path
    unet: Mapping[str, Any]
    vae: Mapping[str, Any] | None
    text: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    length: int
    masked: bool
    sizes: Mapping[str, int]

    @property
    def foretells(self) -> str:
        return str(self.scheduler.get("prediction_type", "epsilon"))

    @property
    def guidance(self) -> float:
        """What is drawn out of pixels has harsher colours by more of it; docs/log.md."""
        return 1.0 if self.vae is None else 3.0

    @property
    def shrinks(self) -> int:
        """Pixels a side for each place of what is denoised."""
        if self.vae is None:
            return 1
        return int(2 ** (len(self.vae["block_out_channels"]) - 1))

    @property
    def channels(self) -> int:
        return int(self.unet["in_channels"])

    @property
    def side(self) -> int:
        """Pixels a side that it was trained to draw."""
        return int(self.unet.get("sample_size") or 64) * self.shrinks

    @property
    def multiple(self) -> int:
        """Pixels a side must be a multiple of so many."""
        return int(self.shrinks * 2 ** (len(self.unet["block_out_channels"]) - 1))


def read(ref: BackboneRef) -> Declared:
    """See `Declared`.

    Raises:
        InputError: ``not_a_pipeline``, ``unknown_pipeline``, ``remote_code``,
            ``pipeline_incomplete``, ``weights_pickled``, ``weights_damaged``,
            ``pipeline_unreadable``, ``unknown_scheduler``, ``unknown_prediction``,
            ``pipeline_parts_differ``.
    """
    folder = ref.folder or Path(ref.name)
    listed = _json(folder / LISTING, ref, "not_a_pipeline")
    _check_parts(listed, ref)
    has_vae = bool((listed.get("vae") or [None])[0])
    configs = {
        name: _json(folder / name / "config.json", ref, "pipeline_incomplete")
        for name in ("unet", "text_encoder", *(("vae",) if has_vae else ()))
    }
    scheduler = _json(folder / "scheduler" / "scheduler_config.json", ref, "pipeline_incomplete")
    sizes = {name: _numbers(folder / name, WEIGHTS[name], ref) for name in configs}
    _check_scheduler(scheduler, str((listed["scheduler"] or ["", ""])[1]), ref)
    clip = str(configs["text_encoder"].get("model_type", "")).startswith("clip")
    found = Declared(
        ref,
        folder,
        configs["unet"],
        configs.get("vae"),
        configs["text_encoder"],
        scheduler,
        length=int(listed.get("_text_length") or (_positions(configs) if clip else LENGTH)),
        masked=not clip,
        sizes=sizes,
    )
    _check_fit(found)
    return found


def offer(declared: Declared) -> Offer:
    """What it offers. One block stands for the denoiser: nothing of it is frozen and cached."""
    denoiser = declared.sizes["unet"]
    return Offer(
        capabilities=frozenset({"denoise", "blocks", "linears", "torch"}),
        family="encoder",
        architecture="UNet2DConditionModel",
        width=max(1, round(math.sqrt(denoiser / 12))),
        depth=1,
        parameters=sum(declared.sizes.values()),
        max_length=declared.length,
        pooling="mean",
        modality="image",
        resolution=declared.side,
        views=VIEWS,
        positions=_places(declared),
    )


def _places(declared: Declared) -> int:
    """How many places each weight of the U-Net meets, on average over its levels."""
    channels = [int(c) for c in declared.unet["block_out_channels"]]
    side = declared.side // declared.shrinks
    weights = [c * c for c in channels]
    places = [max(1, side >> level) ** 2 for level in range(len(channels))]
    return round(sum(w * p for w, p in zip(weights, places)) / sum(weights))


def _positions(configs: Mapping[str, Mapping[str, Any]]) -> int:
    text = configs["text_encoder"]
    return int(text.get("max_position_embeddings") or 77)


def _json(path: Path, ref: BackboneRef, code: str) -> dict[str, Any]:
    part = path.parent.name if code == "pipeline_incomplete" else "the folder"
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(
            code,
            f"{ref.name} lacks {path.name} in {part}.",
            received=_held(path.parent),
            allowed=f"{LISTING}, and a folder each for {', '.join(PARTS)}",
            next=_AGAIN,
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            "pipeline_unreadable",
            f"{path.name} in {part} of {ref.name} cannot be read.",
            received=f"{type(error).__name__}: {error}"[:200],
            allowed="a JSON object",
            next=_AGAIN,
        ) from None
    if not isinstance(found, dict):
        raise InputError(
            "pipeline_unreadable",
            f"{path.name} in {part} of {ref.name} holds no configuration.",
            received=f"a JSON {type(found).__name__}",
            allowed="a JSON object",
            next=_AGAIN,
        )
    return found


def _held(folder: Path) -> str:
    if not folder.is_dir():
        return f"no folder {folder.name}"
    return ", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "an empty folder"


def _check_parts(listed: Mapping[str, Any], ref: BackboneRef) -> None:
    parts = {name: value for name, value in listed.items() if not name.startswith("_")}
    there = {name for name, value in parts.items() if isinstance(value, list) and value[0]}
    for name, why in _OTHERS.items():
        if name in there:
            raise InputError(
                "unknown_pipeline",
                f"{ref.name} is a pipeline that is not known here: {why}.",
                received=f"{listed.get('_class_name')} with {', '.join(sorted(there))}",
                allowed=f"one U-Net, one text encoder, perhaps an autoencoder: {', '.join(PARTS)}",
                next="Choose a pipeline like Stable Diffusion 1 or 2.",
            )
    missing = [name for name in PARTS if name not in there]
    if missing:
        raise InputError(
            "pipeline_incomplete",
            f"{ref.name} lacks {', '.join(missing)}.",
            received=", ".join(sorted(there)) or f"no parts in {LISTING}",
            allowed=f"{', '.join(PARTS)}; vae where it works on latents",
            next=_AGAIN,
        )
    for name in (*PARTS, *(("vae",) if "vae" in there else ())):
        if parts[name][0] not in ("diffusers", "transformers"):
            raise InputError(
                "remote_code",
                f"{ref.name} brings code of its own for {name}, which is never run.",
                received=f"{name}: {parts[name]}",
                allowed="parts of diffusers and transformers",
                next="Choose a pipeline without code of its own.",
            )


def _numbers(folder: Path, stem: str, ref: BackboneRef) -> int:
    """How many numbers a part's safetensors hold, by their headers; whole files alone."""
    found = weights(folder, stem)
    if not found:
        _no_weights(folder, stem, ref)
    return sum(_header(path, ref) for path in found)


def weights(folder: Path, stem: str) -> list[Path]:
    """The safetensors files of a part: whole, or in numbered pieces, or in half precision."""
    for pattern in (f"{stem}.safetensors", f"{stem}-0*.safetensors", f"{stem}.fp16.safetensors"):
        if found := sorted(folder.glob(pattern)):
            return found
    return []


def _no_weights(folder: Path, stem: str, ref: BackboneRef) -> NoReturn:
    pickled = [
        path.name for pattern in ("*.bin", "*.pt", "*.ckpt") for path in folder.glob(pattern)
    ]
    if not pickled:
        raise InputError(
            "weights_missing",
            f"{ref.name} has no weights in {folder.name}.",
            received=_held(folder),
            allowed=f"{stem}.safetensors",
            next=_AGAIN,
        )
    library, kind = {
        "unet": ("diffusers", "UNet2DConditionModel"),
        "vae": ("diffusers", "AutoencoderKL"),
    }.get(folder.name, ("transformers", "AutoModel"))
    raise InputError(
        "weights_pickled",
        f"The weights in {folder.name} of {ref.name} can run code when they are opened.",
        received=", ".join(sorted(pickled)),
        allowed=f"{stem}.safetensors",
        next="Convert them once, where you trust them, in the pipeline's folder: "
        f"python -c \"from {library} import {kind} as M; M.from_pretrained('{folder.name}', "
        f"use_safetensors=False).save_pretrained('{folder.name}')\"",
    )


def _header(path: Path, ref: BackboneRef) -> int:
    """Numbers in a safetensors file that is as long as its header says."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > min(size, 1 << 27):
                raise ValueError(f"a header of {length:,} bytes in a file of {size:,}")
            header = json.loads(stream.read(length))
        ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
        wanted = 8 + length + max(ends, default=0)
        if wanted != size:
            raise ValueError(f"{size:,} bytes, where its header says {wanted:,}")
        return sum(
            math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "weights_damaged",
            f"{path.parent.name}/{path.name} of {ref.name} is not a whole safetensors file.",
            received=str(error)[:200] or type(error).__name__,
            allowed="a file as it was saved",
            next=_AGAIN,
        ) from None


def _check_scheduler(scheduler: Mapping[str, Any], named: str, ref: BackboneRef) -> None:
    kind = str(scheduler.get("_class_name") or named)
    if kind not in SCHEDULERS:
        raise InputError(
            "unknown_scheduler",
            f"{ref.name} adds noise in a way that is not known here.",
            received=kind,
            allowed=", ".join(SCHEDULERS),
            next="Choose a pipeline whose scheduler is one of these.",
        )
    foretold = scheduler.get("prediction_type", "epsilon")
    if foretold not in FORETOLD:
        raise InputError(
            "unknown_prediction",
            f"What the denoiser of {ref.name} says is not known here.",
            received=f"prediction_type {foretold!r}",
            allowed=", ".join(FORETOLD),
            next="Choose a pipeline whose scheduler says one of these.",
        )


def _check_fit(found: Declared) -> None:
    """Whether the parts belong together."""
    unet, name = found.unet, found.ref.name
    own = [f"{key} {unet[key]!r}" for key in _SPECIAL if unet.get(key)]
    latent = 3 if found.vae is None else int(found.vae.get("latent_channels", 4))
    width = int(found.text.get("hidden_size") or 0)
    wrong = ""
    if own:
        wrong = f"its U-Net asks for more than a text: {', '.join(own)}"
    elif unet.get("in_channels") != latent or unet.get("out_channels") != latent:
        wrong = (
            f"a U-Net from {unet.get('in_channels')} to {unet.get('out_channels')} channels, "
            f"where {'pixels' if found.vae is None else 'latents'} have {latent}"
        )
    elif unet.get("cross_attention_dim") != width:
        wrong = (
            f"a U-Net that reads states of {unet.get('cross_attention_dim')} numbers, and a text "
            f"encoder of {width}"
        )
    if wrong:
        raise InputError(
            "pipeline_parts_differ",
            f"The parts of {name} do not make a pipeline that draws by a text.",
            received=wrong,
            allowed="a U-Net that reads what the text encoder writes and nothing else",
            next="Choose a pipeline that draws from a text alone, neither filling in nor varying "
            "a picture.",
        )


_SPECIAL = ("addition_embed_type", "class_embed_type", "encoder_hid_dim", "time_cond_proj_dim")
