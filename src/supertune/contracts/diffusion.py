"""Pictures drawn out of noise: what a denoiser owes, and what its losses are as answers.

Answers pass through the straight line as (n, 2 T) numbers: the losses of a tuned denoiser at T
fixed draws of a noise level and of noise, and beside them those of the untuned one at the same
draws. So a score can say what tuning was worth, whichever rows a bootstrap draws.

What is frozen is kept under the ``repr`` of what it is made of: `Still`, `Caption`, `Untuned` and
`Imagined` are pieces as `Backbone.activations` takes them. Cut 0 is the text encoder and cut 1 the
denoiser: what enters the denoiser is computed once for each picture and each caption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import Field

from supertune.contracts.answers import unlike
from supertune.contracts.backbone import Encoding, Lens
from supertune.contracts.data import FloatArray, Picture
from supertune.contracts.method import Options, Tuned

DRAWS = 16  # noise levels that a picture is judged at
TEXT, DENOISER = 0, 1  # cuts


@dataclass(frozen=True)
class Still:
    """A part of a picture, as a denoiser learns from it.

    Attributes:
        side: pixels a side.
        part: the share of the picture that is seen: left, top, right, bottom, each from 0 to 1.
        mirrored: from left to right.
    """

    picture: Picture
    side: int
    part: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    mirrored: bool = False

    def __repr__(self) -> str:
        """What is said of the picture does not matter."""
        return f"Still({self.picture.sha256}, {self.side}, {self.part}, {self.mirrored})"


@dataclass(frozen=True)
class Caption:
    """A text that pictures are drawn by."""

    text: str


@dataclass(frozen=True)
class Untuned:
    """The losses of the untuned denoiser: a picture, what is said of it, and how many draws."""

    still: Still
    caption: str
    draws: int


class Sampling(Options):
    """How pictures are drawn. The same seed and settings give the same picture."""

    steps: int = Field(30, ge=1, le=1000, description="from noise to a picture")
    guidance: float | None = Field(
        None,
        ge=0,
        le=50,
        description="how much more of the text than of no text (classifier-free guidance, "
        "arXiv:2207.12598); 1 is the text alone, none the backbone's own",
    )
    negative: str = Field("", description="what is guided away from, instead of no text")


@dataclass(frozen=True)
class Imagined:
    """A picture that the untuned denoiser draws, as it enters the denoiser."""

    caption: str
    seed: int
    sampling: Sampling


@dataclass(frozen=True)
class Noise:
    """Draws of noise for one batch: (B,) noise levels as numbers of steps, and as many seeds."""

    levels: npt.NDArray[np.int64]
    seeds: tuple[int, ...]
    signs: tuple[int, ...]  # -1 takes the same noise the other way round


@runtime_checkable
class Denoising(Protocol):
    """What a `Backbone` with ``denoise`` among its capabilities also owes.

    Tensors are the engine's own. Inside ``with tunable:`` all but `activations` is as tuned.
    """

    @property
    def guidance(self) -> float:
        """See `Sampling.guidance`: by how much pictures are drawn where nothing is asked."""
        ...

    @property
    def levels(self) -> int:
        """How many noise levels there are, 0 the least noisy."""
        ...

    @property
    def foretells(self) -> Literal["epsilon", "v_prediction", "sample"]:
        """What the denoiser is trained to say: the noise, a mixture of both, or the picture."""
        ...

    def side(self, encoding: Encoding) -> int:
        """Pixels a side of the pictures that it draws, as near to what is asked for as it can."""
        ...

    def known(self, word: str) -> bool:
        """Whether a word is one token of the text encoder."""
        ...

    def states(self, captions: Sequence[str]) -> FloatArray | Any:
        """(B, L, d + 1) what the text encoder makes of captions, padded to one length, with
        gradients where it is tuned; the last column is 1 where there is a token."""
        ...

    def losses(self, latents: Any, states: Any, noise: Noise) -> Any:
        """(B,) mean squared error of each of a batch, with gradients: ``latents`` (B, c, h, w) as
        they enter the denoiser, ``states`` as `states` gives them."""
        ...

    def judged_by(self, still: Still, caption: str) -> str:
        """The name under which a picture meets its fixed draws of noise."""
        ...

    def judged(self, latents: FloatArray, caption: str | FloatArray, noise: Noise) -> FloatArray:
        """(T,) losses of one picture (c, h, w) at T draws, by a caption or by its states (L, d +
        1). Their bits depend on nothing else."""
        ...

    def ratio(self, levels: npt.NDArray[np.int64]) -> FloatArray:
        """(B,) signal to noise at these levels."""
        ...

    def sample(
        self,
        captions: Sequence[str],
        seeds: Sequence[int],
        how: Sampling,
        *,
        size: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[npt.NDArray[np.uint8]]:
        """(h, w, 3) pictures, one for each caption and its seed. A picture depends on its caption,
        its seed, the settings and the weights, and not on those beside it."""
        ...


@runtime_checkable
class Drawing(Tuned, Protocol):
    """A `Tuned` that draws."""

    def sample(
        self,
        captions: Sequence[str],
        seeds: Sequence[int],
        how: Sampling,
        lens: Lens,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[npt.NDArray[np.uint8]]:
        """(h, w, 3) pictures; see `Denoising.sample`."""
        ...


def fixed(name: str, levels: int, draws: int) -> Noise:
    """The draws by which a picture is judged, the same in every run: noise levels spread evenly
    over all there are, each met by one noise and by its opposite.

    Args:
        name: of what is judged; other pictures meet other noise.
        draws: an even number.
    """
    pairs = draws // 2
    rng = np.random.default_rng([*name.encode("utf-8", "surrogatepass")])
    places = (np.arange(pairs) + rng.random(pairs)) / pairs
    found = np.minimum((places * levels).astype(np.int64), levels - 1)
    seeds = rng.integers(1 << 62, size=pairs)
    return Noise(np.repeat(found, 2), tuple(np.repeat(seeds, 2).tolist()), (1, -1) * pairs)


@dataclass(frozen=True, eq=False)
class Denoised:
    """Losses of n pictures; see `supertune.contracts.Answers`.

    Attributes:
        losses: (n, 2 T) of the tuned denoiser and, behind them, of the untuned one.
        likeness: as in `supertune.contracts.Predictions`.
    """

    losses: FloatArray
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.losses)

    @property
    def scored(self) -> FloatArray:
        return self.losses

    @property
    def own(self) -> FloatArray:
        """(n,) mean loss of each picture."""
        return np.asarray(self.losses[:, : self.losses.shape[1] // 2].mean(axis=1))

    @property
    def untuned(self) -> FloatArray:
        """(n,) the same of the untuned denoiser."""
        return np.asarray(self.losses[:, self.losses.shape[1] // 2 :].mean(axis=1))

    def columns(self) -> dict[str, list[Any]]:
        """``denoising_loss`` and ``untuned_loss``."""
        found: dict[str, list[Any]] = {
            "denoising_loss": [round(float(one), 6) for one in self.own],
            "untuned_loss": [round(float(one), 6) for one in self.untuned],
        }
        return found | unlike(self.likeness)

    def listed(self) -> list[dict[str, Any]]:
        cells = self.columns()
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

    def lines(self) -> list[str]:
        return [
            f"loss {own:.4f} (untuned {untuned:.4f})"
            for own, untuned in zip(self.own, self.untuned, strict=True)
        ]

    def counts(self) -> dict[str, int]:
        return {"denoising_loss": len(self)}

    def marks(self) -> dict[str, int]:
        return {name: sum(cells) for name, cells in unlike(self.likeness).items()}

    def compared(self, likeness: FloatArray) -> Denoised:
        return replace(self, likeness=likeness)
