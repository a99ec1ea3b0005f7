"""A pipeline as a backbone: what enters its denoiser, the losses of the denoiser, and pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from supertune.backbones.diffusers import loading, sampling, tuning
from supertune.backbones.diffusers.declared import WEIGHTS, Declared, offer, weights
from supertune.backbones.transformers.loading import device as chosen_device
from supertune.contracts import (
    BackboneRef,
    Caption,
    Encoding,
    FloatArray,
    Imagined,
    Injection,
    Input,
    Noise,
    Offer,
    Picture,
    Sampling,
    Still,
    Tunable,
    Untuned,
)
from supertune.contracts.diffusion import fixed
from supertune.data.pictures.decoding import fitted, opened
from supertune.errors import InputError

AT_ONCE = 16_384  # places of noisy pictures that are judged in one batch


@dataclass(eq=False)
class DiffusionBackbone:
    """See `supertune.contracts.Backbone` and `supertune.contracts.Denoising`."""

    ref: BackboneRef
    offer: Offer
    sha256: str
    declared: Declared
    unet: Any
    vae: Any
    text: Any
    tokenizer: Any
    scheduler: Any
    device: torch.device
    precision: Literal["fp32", "bf16"] = "fp32"
    arithmetic: str = field(
        default_factory=lambda: (
            f"torch {torch.__version__}, diffusers {metadata.version('diffusers')}"
        )
    )

    @classmethod
    def load(cls, declared: Declared, *, device: str, threads: int | None) -> DiffusionBackbone:
        """Raises: EnvironmentFault ``extra_missing``, InputError ``device_unavailable``, and as
        `loading.part`."""
        loading.check_installed()
        if threads is not None:
            torch.set_num_threads(threads)
        place = chosen_device(device)
        return cls(
            declared.ref,
            offer(declared),
            _digest(declared),
            declared,
            loading.part(declared, "unet").to(place),
            None if declared.vae is None else loading.part(declared, "vae").to(place),
            loading.part(declared, "text_encoder").to(place),
            loading.tokenizer(declared),
            loading.scheduler(declared),
            place,
        )

    # --- what is frozen -----------------------------------------------------------------------

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[Any]:
        """Of each picture its one piece, the whole of it."""
        side = self.side(encoding)
        return [Still(value, side) for value in inputs if isinstance(value, Picture)]

    def features(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        raise NotImplementedError("a denoiser gives no vector of a picture")

    def scores(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        raise NotImplementedError("a denoiser is not asked in words")

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """What enters or leaves the denoiser, one by one, so that no bits depend on the others:
        of a `Still` or `Imagined` latents (c, h, w), of a `Caption` its states (L, d + 1), of
        `Untuned` losses (T,)."""
        with torch.inference_mode():
            imagined = [piece for piece in pieces if isinstance(piece, Imagined)]
            drawn_ones = dict(zip(imagined, self._imagined(imagined), strict=True))
            return [
                drawn_ones[piece] if isinstance(piece, Imagined) else self._piece(piece)
                for piece in pieces
            ]

    def _imagined(self, pieces: Sequence[Imagined]) -> list[FloatArray]:
        """(c, h, w) each; those of the same settings in batches of one size."""
        found: dict[Imagined, FloatArray] = {}
        for how in dict.fromkeys((one.sampling, one.caption) for one in pieces):
            same = [one for one in pieces if (one.sampling, one.caption) == how]
            captions, seeds = [one.caption for one in same], [one.seed for one in same]
            made = sampling.latents(self, captions, seeds, same[0].sampling, self.declared.side)
            found |= {one: each.cpu().numpy().copy() for one, each in zip(same, made, strict=True)}
        return [found[one] for one in pieces]

    def _piece(self, piece: Any) -> FloatArray:
        if isinstance(piece, Still):
            found = self._latents(piece)
        elif isinstance(piece, Caption):
            found = self.states([piece.text])[0]
        elif isinstance(piece, Untuned):
            name = self.judged_by(piece.still, piece.caption)
            noise = fixed(name, self.levels, piece.draws)
            return self.judged(self._latents(piece.still).cpu().numpy(), piece.caption, noise)
        else:
            raise TypeError(f"a denoiser reads no {type(piece).__name__}")
        return np.asarray(found.cpu().numpy(), dtype=np.float32).copy()

    def _latents(self, still: Still) -> Tensor:
        """(c, h, w) as they enter the denoiser: pixels from -1 to 1, or the autoencoder's mean."""
        image = opened(still.picture)
        if still.part != (0.0, 0.0, 1.0, 1.0):
            left, top, right, bottom = still.part
            x0, y0 = round(left * image.width), round(top * image.height)
            x1, y1 = round(right * image.width), round(bottom * image.height)
            image = image.crop((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))
        pixels = np.asarray(fitted(image, still.side, "crop"), dtype=np.float32) / 127.5 - 1.0
        if still.mirrored:
            pixels = pixels[:, ::-1]
        tensor = torch.from_numpy(pixels.transpose(2, 0, 1).copy()).to(self.device)
        if self.vae is None:
            return tensor
        mean = self.vae.encode(tensor[None]).latent_dist.mode()[0]
        return cast(Tensor, mean * self.vae.config.scaling_factor)

    def judged_by(self, still: Still, caption: str) -> str:
        text = f"{still!r} {caption!r}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def judged(self, latents: FloatArray, caption: str | FloatArray, noise: Noise) -> FloatArray:
        size = max(1, AT_ONCE // (latents.shape[-1] * latents.shape[-2]))
        found = []
        with torch.inference_mode():
            picture = torch.from_numpy(np.array(latents)).to(self.device)
            states = (
                self.states([caption])[0]
                if isinstance(caption, str)
                else torch.from_numpy(np.array(caption)).to(self.device)
            )
            for start in range(0, len(noise.seeds), size):
                part = slice(start, start + size)
                some = Noise(noise.levels[part], noise.seeds[part], noise.signs[part])
                count = len(some.seeds)
                shown = picture.expand(count, *picture.shape)
                found.append(self.losses(shown, states.expand(count, *states.shape), some))
        return np.asarray(torch.cat(found).cpu().numpy(), dtype=np.float32)

    def tapped(self, cut: int) -> AbstractContextManager[Mapping[Any, FloatArray]]:
        return nullcontext({})

    # --- what may be tuned --------------------------------------------------------------------

    def inject(
        self,
        injection: Injection,
        *,
        seed: int,
        numbers: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Tunable:
        """Raises: InputError ``injection_unsupported``, and what is wrong with its settings."""
        if injection.kind not in tuning.KINDS:
            raise InputError(
                "injection_unsupported",
                "A denoiser cannot be tuned so.",
                received=injection.kind,
                allowed=", ".join(tuning.KINDS),
                next="Choose the method lora, textual_inversion, dreambooth or style_norms.",
            )
        return cast(Tunable, tuning.KINDS[injection.kind](self, injection, seed, numbers))

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()

    # --- see `supertune.contracts.Denoising` ----------------------------------------------------

    @property
    def guidance(self) -> float:
        return self.declared.guidance

    @property
    def levels(self) -> int:
        return int(self.scheduler.config.num_train_timesteps)

    @property
    def foretells(self) -> Literal["epsilon", "v_prediction", "sample"]:
        return cast(Literal["epsilon", "v_prediction", "sample"], self.declared.foretells)

    def side(self, encoding: Encoding) -> int:
        wanted, step = encoding.resolution or self.declared.side, self.declared.multiple
        return max(step, round(wanted / step) * step)

    def known(self, word: str) -> bool:
        return len(self.tokenizer.tokenize(word)) == 1 and not self._unknown(word)

    def _unknown(self, word: str) -> bool:
        return bool(self.tokenizer.tokenize(word) == [self.tokenizer.unk_token])

    def states(self, captions: Sequence[str]) -> Tensor:
        """(B, L, d + 1); see `supertune.contracts.Denoising`. A longer caption is cut."""
        read = self.tokenizer(
            list(captions),
            padding="max_length",
            truncation=True,
            max_length=self.declared.length,
            return_tensors="pt",
        )
        ids, mask = read["input_ids"].to(self.device), read["attention_mask"].to(self.device)
        shown = mask if self.declared.masked else None
        hidden = self.text(input_ids=ids, attention_mask=shown).last_hidden_state
        if not self.declared.masked:
            mask = torch.ones_like(mask)
        return torch.cat([hidden, mask[..., None].to(hidden.dtype)], dim=-1)

    def denoised(self, noisy: Tensor, levels: Tensor, states: Tensor) -> Tensor:
        """(B, c, h, w) what the denoiser says."""
        mask = states[..., -1] if self.declared.masked else None
        said = self.unet(
            noisy, levels, encoder_hidden_states=states[..., :-1], encoder_attention_mask=mask
        )
        return cast(Tensor, said.sample)

    def losses(self, latents: Tensor, states: Tensor, noise: Noise) -> Tensor:
        made = torch.stack(
            [sign * drawn(seed, latents.shape[1:]) for seed, sign in zip(noise.seeds, noise.signs)]
        ).to(self.device)
        levels = torch.from_numpy(np.asarray(noise.levels)).to(self.device)
        kept = self.scheduler.alphas_cumprod.to(self.device)[levels].view(-1, 1, 1, 1)
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * made
        wanted = {"epsilon": made, "sample": latents}.get(
            self.foretells, kept.sqrt() * made - (1 - kept).sqrt() * latents
        )
        said = self.denoised(noisy, levels, states)
        return cast(Tensor, (said - wanted).square().flatten(1).mean(1))

    def ratio(self, levels: npt.NDArray[np.int64]) -> FloatArray:
        kept = self.scheduler.alphas_cumprod.numpy()[levels]
        return np.asarray(kept / np.maximum(1 - kept, 1e-12))

    def sample(
        self,
        captions: Sequence[str],
        seeds: Sequence[int],
        how: Sampling,
        *,
        size: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[npt.NDArray[np.uint8]]:
        with torch.inference_mode():
            made = sampling.latents(self, captions, seeds, how, size, progress)
            return [self.pixels(one) for one in made]

    def pixels(self, latents: Tensor) -> npt.NDArray[np.uint8]:
        """(h, w, 3) of (c, h, w)."""
        if self.vae is not None:
            latents = self.vae.decode(latents[None] / self.vae.config.scaling_factor).sample[0]
        shares = (latents / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
        return np.asarray((shares * 255).round(), dtype=np.uint8)

    @contextmanager
    def tuned_text(self, embedding: Any, tokenizer: Any) -> Iterator[None]:
        """Inside, texts are read by another tokenizer and another table of embeddings."""
        table, words = self.text.get_input_embeddings(), self.tokenizer
        self.text.set_input_embeddings(embedding)
        self.tokenizer = tokenizer
        try:
            yield
        finally:
            self.text.set_input_embeddings(table)
            self.tokenizer = words


def drawn(seed: int, shape: Sequence[int]) -> Tensor:
    """Noise of a seed, on the processor, so that it is the same whatever the device."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(int(seed)))


def _digest(declared: Declared) -> str:
    """sha256 (hex) of the weights, configurations and words of all parts that are used."""
    total = hashlib.sha256()
    for name in declared.sizes:
        for path in [*weights(declared.folder / name, WEIGHTS[name])]:
            with path.open("rb") as stream:
                while chunk := stream.read(1 << 22):
                    total.update(chunk)
        total.update((declared.folder / name / "config.json").read_bytes())
    total.update(repr(sorted(declared.scheduler.items(), key=lambda item: item[0])).encode())
    total.update(f"{declared.length} {declared.masked}".encode())
    words = declared.folder / "tokenizer"
    for path in sorted(words.glob("*.json")) + sorted(words.glob("*.txt")):
        total.update(path.read_bytes())
    return total.hexdigest()
