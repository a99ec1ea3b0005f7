"""What can be tuned of a pipeline: updates of its attention, a new word, norms, or its weights.

Each is a `supertune.contracts.Tunable`. While it is entered the pipeline draws as tuned; afterwards
it is what it was, and ``kept`` holds the numbers. ``files`` are those numbers in diffusers' own
formats.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from supertune.contracts import Encoding, Injection, StateFile
from supertune.contracts.diffusion import DENOISER, TEXT
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.diffusers.model import DiffusionBackbone

Numbers = Mapping[str, npt.NDArray[Any]]
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")  # the projections of every attention
CONVOLUTIONS = ("conv1", "conv2")  # of every residual block
NAME = "supertune"
LORA_FILE = "pytorch_lora_weights.safetensors"
WORD_FILE = "learned_embeds.safetensors"
NUDGED = 0.01  # standard deviations by which the vectors of one word begin apart


class Part:
    """What all of them share. ``_there`` are the parameters by name, while it is entered."""

    joins: str | None = None
    room = 0
    from_input = True
    cut = DENOISER

    def __init__(
        self,
        backbone: DiffusionBackbone,
        injection: Injection,
        seed: int,
        numbers: Numbers | None,
    ) -> None:
        self.backbone, self.seed = backbone, seed
        self.settings = dict(injection.settings)
        self._there: dict[str, nn.Parameter] = {}
        self._kept: dict[str, npt.NDArray[Any]] = {}
        self._check()
        if numbers:
            self.keep(numbers)

    def _check(self) -> None:
        """Refuse settings that cannot be."""

    def __enter__(self) -> Part:
        self._there = self._put_in()
        with torch.no_grad():
            for name, value in self._kept.items():
                self._there[name].copy_(torch.from_numpy(np.array(value)))
        for parameter in self._there.values():
            parameter.requires_grad_(True)
        return self

    def __exit__(self, *exc: object) -> None:
        self._kept = {
            name: value.detach().cpu().numpy().copy() for name, value in self._there.items()
        }
        for parameter in self._there.values():
            parameter.requires_grad_(False)
            parameter.grad = None
        self._take_out()
        self._there = {}

    def _put_in(self) -> dict[str, nn.Parameter]:
        raise NotImplementedError

    def _take_out(self) -> None:
        raise NotImplementedError

    def parameters(self) -> list[Any]:
        return list(self._there.values())

    def named(self) -> dict[str, Any]:
        return dict(self._there)

    def run(
        self, batch: Any, hidden: Any | None, encoding: Encoding, *, words: bool = False
    ) -> Any:
        raise NotImplementedError("a denoiser is trained by its own losses")

    def training(self, on: bool, dropout: float = 0.0) -> None:
        """Nothing behaves otherwise while it learns."""

    @property
    def kept(self) -> dict[str, npt.NDArray[Any]]:
        if not self._kept:
            with self:
                pass
        return self._kept

    @property
    def tuned_parameters(self) -> int:
        return sum(int(value.size) for value in self.kept.values())

    def keep(self, state: Numbers) -> None:
        with self:
            wanted = {name: tuple(value.shape) for name, value in self._there.items()}
        given = {name: tuple(value.shape) for name, value in state.items()}
        if wanted != given:
            odd = sorted(set(wanted.items()) ^ set(given.items()))[:3]
            raise ValueError(f"not numbers of this model: {odd}")
        self._kept = {name: np.array(value) for name, value in state.items()}

    def config(self) -> dict[str, Any] | None:
        return None

    def files(self) -> dict[str, StateFile]:
        return {}


class Lora(Part):
    """Low-rank updates of the U-Net, through peft (Hu et al. 2021).

    By default of its attention; where fewer than half of its levels attend to the text, of the
    convolutions too: what the others draw could not be changed.
    """

    def _check(self) -> None:
        init = self.settings.get("init_lora_weights", True)
        if init not in (True, "gaussian"):
            raise InputError(
                "option_does_not_serve",
                "A denoiser's updates begin at nothing.",
                received=f"init {init}",
                allowed="default, gaussian",
                next="Leave init out.",
            )
        names = self.settings.get("target_modules") or self._usual()
        able = [name for name, one in self.backbone.unet.named_modules()
                if isinstance(one, nn.Linear | nn.Conv2d)]  # fmt: skip
        for wanted in names:
            if not any(one == wanted or one.endswith(f".{wanted}") for one in able):
                raise InputError(
                    "unknown_target",
                    f"The denoiser has no linear or convolutional layer '{wanted}'.",
                    received=wanted,
                    allowed=", ".join((*ATTENTION, *CONVOLUTIONS)),
                    next="Leave targets out for those that serve most.",
                )
        self.settings["target_modules"] = list(names)

    def _usual(self) -> list[str]:
        levels = self.backbone.unet.config.down_block_types
        attending = sum("CrossAttn" in level for level in levels)
        few = 2 * attending < len(levels)
        return [*ATTENTION, *(CONVOLUTIONS if few else ())]

    def _config(self) -> Any:
        from peft import LoraConfig

        return LoraConfig(**self.settings)

    def _put_in(self) -> dict[str, nn.Parameter]:
        from peft import inject_adapter_in_model

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            inject_adapter_in_model(self._config(), self.backbone.unet, adapter_name=NAME)
        mark = f".{NAME}"
        found = {
            name.replace(mark, "", 1): value
            for name, value in self.backbone.unet.named_parameters()
            if "lora_" in name
        }
        return dict(sorted(found.items()))

    def _take_out(self) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        unet = self.backbone.unet
        held = [name for name, one in unet.named_modules() if isinstance(one, BaseTunerLayer)]
        for name in held:
            above, _, last = name.rpartition(".")
            setattr(unet.get_submodule(above), last, unet.get_submodule(name).get_base_layer())
        if hasattr(unet, "peft_config"):
            del unet.peft_config

    def training(self, on: bool, dropout: float = 0.0) -> None:
        for name, one in self.backbone.unet.named_modules():
            if "lora_dropout" in name:
                one.train(on)

    def files(self) -> dict[str, StateFile]:
        """As ``pipe.load_lora_weights`` reads it."""
        config = {
            f"unet.{key}": sorted(value) if isinstance(value, set) else value
            for key, value in self._config().to_dict().items()
        }
        config["unet.peft_type"], config["unet.task_type"] = "LORA", None
        header = {"format": "pt", "lora_adapter_metadata": json.dumps(config, sort_keys=True)}
        arrays = {f"unet.{name}": value for name, value in self.kept.items()}
        return {LORA_FILE: StateFile(arrays, header)}


class Word(Part):
    """A new word: vectors in the text encoder's table (Gal et al. 2022, arXiv:2208.01618)."""

    cut = TEXT

    def _check(self) -> None:
        word = str(self.settings["word"])
        if self.backbone.known(word):
            raise InputError(
                "word_known",
                f"The text encoder knows '{word}' already.",
                received=word,
                allowed="a word of your own, such as wug or <mine>",
                next="Choose another with --set word=NAME, and put it into the captions.",
            )
        start = self.settings.get("start")
        ids = self._ids(str(start)) if start else []
        unknown = self.backbone.tokenizer.unk_token_id
        if start and (not ids or (unknown in ids and self.backbone.declared.masked)):
            raise InputError(
                "word_unknown",
                f"The text encoder cannot read '{start}', which the new word should begin as.",
                received=str(start),
                allowed="a word that is near in meaning, such as clock",
                next="Choose another with --set start=WORD, or leave it out.",
            )

    def _ids(self, text: str) -> list[int]:
        return list(self.backbone.tokenizer(text, add_special_tokens=False)["input_ids"])

    @property
    def names(self) -> list[str]:
        """A token each vector, as diffusers calls them."""
        word = str(self.settings["word"])
        return [word, *(f"{word}_{i}" for i in range(1, int(self.settings["vectors"])))]

    def _begun(self) -> Tensor:
        """(k, d): the mean of the word that it begins as, or of all words, a little apart."""
        table = self.backbone.text.get_input_embeddings().weight
        start = self.settings.get("start")
        rows = table[self._ids(str(start))] if start else table
        begun = rows.mean(dim=0, keepdim=True).repeat(int(self.settings["vectors"]), 1)
        noise = torch.randn(begun.shape, generator=torch.Generator().manual_seed(self.seed))
        noise[0] = 0.0
        return cast(Tensor, begun + NUDGED * table.std() * noise.to(begun.device)).clone()

    def _put_in(self) -> dict[str, nn.Parameter]:
        own = nn.Parameter(self._begun())
        words = copy.deepcopy(self.backbone.tokenizer)
        table = self.backbone.text.get_input_embeddings()
        first = max(len(words), table.num_embeddings)
        words.add_tokens(self.names)
        reading = Reading(words, self.names, first)
        self._place = self.backbone.tuned_text(Extended(table, own, first), reading)
        self._place.__enter__()
        return {"vectors": own}

    def _take_out(self) -> None:
        self._place.__exit__(None, None, None)

    def files(self) -> dict[str, StateFile]:
        """As ``pipe.load_textual_inversion`` reads it."""
        vectors = self.kept["vectors"]
        return {WORD_FILE: StateFile({str(self.settings["word"]): vectors}, {"format": "pt"})}


class Extended(nn.Module):
    """A table of embeddings, and vectors of our own behind it, from the number ``first`` on."""

    def __init__(self, table: nn.Embedding, own: nn.Parameter, first: int) -> None:
        super().__init__()
        self.table, self.own, self.first = table, own, first
        self.num_embeddings = first + len(own)

    @property
    def weight(self) -> Tensor:
        return self.table.weight

    def forward(self, ids: Tensor) -> Tensor:
        mine = ids >= self.first
        known = self.table(torch.where(mine, torch.zeros_like(ids), ids))
        new = self.own[(ids - self.first).clamp(0, len(self.own) - 1)]
        return torch.where(mine[..., None], new.to(known.dtype), known)


class Reading:
    """A tokenizer that reads a word of ours as all of its tokens, under numbers of our own."""

    def __init__(self, tokenizer: Any, names: list[str], first: int) -> None:
        self.tokenizer, self.names = tokenizer, names
        self.own = {tokenizer.convert_tokens_to_ids(name): first + i
                    for i, name in enumerate(names)}  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tokenizer, name)

    def __call__(self, texts: Any, **settings: Any) -> Any:
        several = " ".join(self.names)
        given = [texts] if isinstance(texts, str) else list(texts)
        read = self.tokenizer([t.replace(self.names[0], several) for t in given], **settings)
        ids = read["input_ids"]
        if isinstance(ids, Tensor):
            for old, new in self.own.items():
                ids = torch.where(ids == old, torch.full_like(ids, new), ids)
            read["input_ids"] = ids
        return read


class Weights(Part):
    """Weights of the U-Net themselves: all, or those of its group norms (``norms``), by which a
    style is told (Dumoulin et al. 2017, arXiv:1610.07629)."""

    def _wanted(self) -> dict[str, nn.Parameter]:
        unet = self.backbone.unet
        if not self.settings.get("norms"):
            return dict(unet.named_parameters())
        return {
            f"{name}.{inner}": value
            for name, one in unet.named_modules()
            if isinstance(one, nn.GroupNorm)
            for inner, value in one.named_parameters()
        }

    def _put_in(self) -> dict[str, nn.Parameter]:
        found = self._wanted()
        self._own = {name: value.detach().clone() for name, value in found.items()}
        return found

    def _take_out(self) -> None:
        with torch.no_grad():
            for name, value in self._wanted().items():
                value.copy_(self._own[name])
        self._own = {}

    def untuned(self) -> dict[str, npt.NDArray[Any]]:
        """The numbers as they were, to blend with."""
        return {name: value.detach().cpu().numpy() for name, value in self._wanted().items()}


KINDS: Mapping[str, type[Part]] = {"LORA": Lora, "word": Word, "unfreeze": Weights}
