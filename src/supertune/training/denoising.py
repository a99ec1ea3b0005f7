"""A denoiser tuned by its own loss on a few pictures and what is said of them.

Latents of pictures and states of captions are computed once and kept; where the text encoder is
tuned, its states are computed in every step. Steps are weighted by min-SNR-γ (Hang et al. 2023,
arXiv:2303.09556), noise levels spread evenly over each batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from supertune import limits
from supertune.contracts import (
    Caption,
    Curve,
    Denoising,
    Finding,
    FloatArray,
    GradientMethod,
    GradientOptions,
    HeadSpec,
    Imagined,
    Injection,
    Input,
    Lens,
    Method,
    Noise,
    Notes,
    Picture,
    Problem,
    Sampling,
    State,
    StateFile,
    Still,
    Tunable,
    Tuned,
    Untuned,
)
from supertune.contracts.diffusion import DENOISER, TEXT, fixed
from supertune.errors import InputError
from supertune.training.steps import descend, endless, set_rate, sound

GAMMA = 5.0  # of min-SNR-γ
CLIPPED = 1.0  # norm of a gradient
# Options of every method trained by gradients that mean something to answers with labels alone.
UNSERVED = (
    *("readout", "search_template", "head_start", "label_smoothing", "dropout"),
    *("cached_augmentations", "views", "r_drop", "layer_decay", "early_stopping"),
    *("interpolation", "seeds", "lr_ratio"),
)


@dataclass(eq=False)
class TunedDenoiser:
    """See `supertune.contracts.Replaying`."""

    injection: Injection
    tunable: Tunable
    spec: HeadSpec
    losses: list[tuple[float, float]] = field(default_factory=list)
    learned: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tuned_parameters(self) -> int:
        return self.tunable.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, 2 T) losses; each picture is judged by itself, and nothing is kept."""
        assert lens is not None
        return self._answers(inputs, lens, lens.backbone.activations)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return self._answers(inputs, lens, lens.activations)

    def _answers(self, inputs: Sequence[Input], lens: Lens, activations: Any) -> FloatArray:
        if not inputs:
            return np.zeros((0, self.spec.width))
        backbone, stills = denoiser(lens), stills_of(inputs, lens)
        texts = [one.picture.caption for one in stills]
        asked = [Untuned(one, text, self.spec.draws) for one, text in zip(stills, texts)]
        before = activations(asked, DENOISER)
        latents = activations(stills, DENOISER)
        frozen = self.tunable.cut != TEXT
        states = activations([Caption(text) for text in texts], DENOISER) if frozen else texts
        found = []
        with self.tunable:
            for still, text, at, said in zip(stills, texts, latents, states):
                limits.check()
                noise = fixed(backbone.judged_by(still, text), backbone.levels, self.spec.draws)
                found.append(backbone.judged(at, said, noise))
        return np.concatenate([np.stack(found), np.stack(before)], axis=1).astype(np.float64)

    def sample(
        self,
        captions: Sequence[str],
        seeds: Sequence[int],
        how: Sampling,
        lens: Lens,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[npt.NDArray[np.uint8]]:
        """(h, w, 3) pictures; see `supertune.contracts.Denoising.sample`."""
        backbone = denoiser(lens)
        with self.tunable:
            size = backbone.side(lens.encoding)
            return backbone.sample(captions, seeds, how, size=size, progress=progress)

    @classmethod
    def blended(cls, styles: Sequence[tuple[TunedDenoiser, float]]) -> TunedDenoiser:
        """One whose numbers lie so far from untuned to each of several tuned ones together.

        Raises:
            InputError: ``styles_differ``.
        """
        first = styles[0][0]
        untuned: dict[str, Any] = cast(Any, first.tunable).untuned()
        kept = [(one.tunable.kept, weight) for one, weight in styles]
        shapes = [{name: value.shape for name, value in own.items()} for own, _ in kept]
        if any(one != shapes[0] for one in shapes):
            raise InputError(
                "styles_differ",
                "These styles are not of one backbone.",
                received=f"{len(styles)} models of {len({str(s) for s in shapes})} backbones",
                allowed="models of style_norms fitted on one backbone",
                next="Fit them again on the same backbone.",
            )
        numbers = {
            name: plain + sum(np.float32(weight) * (own[name] - plain) for own, weight in kept)
            for name, plain in untuned.items()
        }
        backbone = cast(Any, first.tunable).backbone
        tunable = backbone.inject(first.injection, seed=0, numbers=numbers)
        return cls(first.injection, tunable, first.spec)

    def state(self) -> State:
        files: Mapping[str, StateFile] = self.tunable.files()  # type: ignore[attr-defined]
        settings = {"kind": self.injection.kind, "settings": dict(self.injection.settings)}
        settings |= {"learned": dict(self.learned)}
        return State({} if files else self.tunable.kept, settings, files=files)

    def notes(self) -> Notes:
        curve = Curve("loss", "step", tuple(self.losses))
        return Notes((curve,) if self.losses else ())


def denoiser(lens: Lens) -> Denoising:
    assert isinstance(lens.backbone, Denoising)
    return lens.backbone


def stills_of(inputs: Sequence[Input], lens: Lens) -> list[Still]:
    """The whole of each picture."""
    side = denoiser(lens).side(lens.encoding)
    return [Still(value, side) for value in inputs if isinstance(value, Picture)]


def train(method: Method, problem: Problem, options: Any) -> TunedDenoiser:
    """``options`` as `supertune.methods.lora` has them, or `supertune.methods._denoising`.

    Raises:
        InputError: ``option_does_not_serve``, and what the method or the engine refuses.
        SupertuneError: ``loss_not_finite``.
    """
    lens = problem.lens
    assert lens is not None
    options = settled(method, problem, options)
    injection = cast(GradientMethod, method).injection(lens.backbone.offer, options)
    tunable = lens.backbone.inject(injection, seed=problem.seed)
    learned = {"captions": sorted({str(one.caption) for one in _pictures(problem)})}
    tuned = TunedDenoiser(injection, tunable, problem.head, learned=learned)
    pool = _Pool.of(problem, options, frozen=tunable.cut != TEXT)
    with tunable:
        tuned.losses = _descend(tunable, problem, pool, options)
    return tuned


def settled(method: Method, problem: Problem, options: Any) -> Any:
    """The options as the rows and the backbone have it, where a method leaves some to them.

    Raises:
        InputError: ``option_does_not_serve``.
    """
    if isinstance(options, GradientOptions):
        fields = type(options).model_fields
        idle = [n for n in UNSERVED if n in fields and getattr(options, n) != fields[n].default]
        if idle:
            raise InputError(
                "option_does_not_serve",
                "Some options mean nothing where pictures are drawn.",
                received=", ".join(f"{name}={getattr(options, name)}" for name in idle),
                allowed=", ".join(sorted(set(fields) - set(UNSERVED))),
                next=f"Leave {idle[0]} out.",
            )
    own = getattr(method, "settled", None)
    if own is None:
        return options
    assert problem.lens is not None
    return own(options, _pictures(problem), denoiser(problem.lens))


def restore(
    method: Method, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedDenoiser:
    assert lens is not None
    injection = Injection(str(state.settings["kind"]), (0,), dict(state.settings["settings"]))
    numbers = dict(state.arrays) or _read(injection.kind, state.files)
    tunable = lens.backbone.inject(injection, seed=0, numbers=numbers)
    return TunedDenoiser(injection, tunable, head, learned=state.settings.get("learned", {}))


def _read(kind: str, files: Mapping[str, StateFile]) -> dict[str, Any]:
    """The numbers of an injection from the files of diffusers' own formats."""
    held = {name: value for one in files.values() for name, value in one.arrays.items()}
    if kind == "word":
        return {"vectors": next(iter(held.values()))}
    return {name.removeprefix("unet."): value for name, value in held.items()}


def _pictures(problem: Problem) -> list[Picture]:
    return [value for value in problem.examples.inputs if isinstance(value, Picture)]


@dataclass(frozen=True, eq=False)
class _Pool:
    """What is learned from: latents (n, c, h, w), the number of each one's caption, captions with
    their states where these are frozen, row weights, and of prior pictures the same."""

    latents: FloatArray
    caption: npt.NDArray[np.int64]
    texts: tuple[str, ...]
    states: FloatArray | None
    weights: FloatArray
    prior: int  # the last so many are pictures of the untuned denoiser
    prior_weight: float = 0.0

    @classmethod
    def of(cls, problem: Problem, options: Any, *, frozen: bool) -> _Pool:
        lens = problem.lens
        assert lens is not None
        pictures = _pictures(problem)
        stills = [one for i, value in enumerate(pictures)
                  for one in _views(value, lens, options, problem.seed + i)]  # fmt: skip
        each = len(stills) // max(1, len(pictures))
        imagined = _imagined(options, problem.seed)
        texts = [one.picture.caption for one in stills] + [one.caption for one in imagined]
        names = tuple(dict.fromkeys(texts))
        latents = lens.activations([*stills, *imagined], DENOISER)
        states = None
        if frozen:
            states = np.stack(lens.activations([Caption(text) for text in names], DENOISER))
        own = problem.examples.weights
        weights = np.ones(len(pictures)) if own is None else np.asarray(own)
        return cls(
            np.stack(latents),
            np.array([names.index(text) for text in texts]),
            names,
            states,
            np.concatenate([np.repeat(weights, each), np.ones(len(imagined))]),
            len(imagined),
            float(getattr(options, "prior_weight", 0.0)),
        )

    @property
    def rows(self) -> int:
        return len(self.latents) - self.prior


def _views(picture: Picture, lens: Lens, options: Any, seed: int) -> Iterator[Still]:
    """The picture as it is, mirrored too, and parts of it, where the options want that."""
    side = denoiser(lens).side(lens.encoding)
    yield Still(picture, side)
    if getattr(options, "mirrored", False):
        yield Still(picture, side, mirrored=True)
    rng = np.random.default_rng(seed)
    for _ in range(getattr(options, "crops", 0)):
        share = rng.uniform(0.4, 0.9)
        left, top = rng.uniform(0, 1 - share, size=2)
        part = (left, top, left + share, top + share)
        edges = tuple(round(float(edge), 4) for edge in part)
        yield Still(picture, side, cast(Any, edges), bool(rng.random() < 0.5))


def _imagined(options: Any, seed: int) -> list[Imagined]:
    """Pictures of the class, as the untuned denoiser draws them (Ruiz et al. 2022)."""
    count = int(getattr(options, "class_pictures", 0) or 0)
    if not count or not getattr(options, "prior_weight", 0.0):
        return []
    how = Sampling(steps=options.class_steps)
    return [Imagined(str(options.class_caption), seed + i, how) for i in range(count)]


def planned(options: Any, rows: int, views: int) -> tuple[int, int]:
    """Steps, and noisy pictures a step. Where epochs are counted, no picture comes twice in a
    batch: of so few, more and smaller steps learn more."""
    steps, size = getattr(options, "steps", None), int(options.batch_size)
    if steps is None:
        size = min(size, rows)
        steps = int(options.epochs) * math.ceil(rows * views / size)
    return int(steps), size


def _descend(
    tunable: Tunable, problem: Problem, pool: _Pool, options: Any
) -> list[tuple[float, float]]:
    import torch

    lens = problem.lens
    assert lens is not None
    backbone: Any = denoiser(lens)
    rng = np.random.default_rng(problem.seed)
    steps, size = planned(options, pool.rows, lens.backbone.offer.views)
    parameters = tunable.parameters()
    optimizer = torch.optim.AdamW(
        parameters, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    latents = torch.from_numpy(pool.latents).to(backbone.device)
    states = None if pool.states is None else torch.from_numpy(pool.states).to(backbone.device)
    losses: list[tuple[float, float]] = []
    tunable.training(True)
    for step, chosen in enumerate(_batches(rng, pool, size, steps)):
        limits.check()
        set_rate(optimizer, options.learning_rate, step, steps)
        said = _states(backbone, pool, states, chosen)
        noise = _noise(rng, len(chosen), backbone.levels)
        each = backbone.losses(latents[torch.from_numpy(chosen)], said, noise)
        factor = weighting(backbone.ratio(noise.levels), backbone.foretells, GAMMA)
        factor = factor * pool.weights[chosen]
        factor[chosen >= pool.rows] *= pool.prior_weight
        loss = (each * torch.from_numpy(factor.astype(np.float32)).to(each.device)).mean()
        taken = descend(optimizer, loss, parameters, clipped=CLIPPED, step=step)
        losses.append((float(step + 1), taken))
        if problem.progress is not None:
            problem.progress(step + 1, steps)
    tunable.training(False)
    return losses


def _states(backbone: Any, pool: _Pool, states: Any, chosen: npt.NDArray[np.int64]) -> Any:
    """(B, L, d + 1) of the captions of a batch, each read once."""
    import torch

    numbers, place = np.unique(pool.caption[chosen], return_inverse=True)
    if states is None:
        return backbone.states([pool.texts[i] for i in numbers])[torch.from_numpy(place)]
    return states[torch.from_numpy(pool.caption[chosen])]


def weighting(ratio: FloatArray, foretells: str, gamma: float) -> FloatArray:
    """(B,) min-SNR-γ by what the denoiser says."""
    capped = np.minimum(ratio, gamma)
    if foretells == "epsilon":
        return np.asarray(capped / np.maximum(ratio, 1e-12))
    return np.asarray(capped / (ratio + 1) if foretells == "v_prediction" else capped)


def _noise(rng: np.random.Generator, count: int, levels: int) -> Noise:
    """Levels spread evenly over a batch, in an order of their own."""
    places = (rng.permutation(count) + rng.random(count)) / count
    found = np.minimum((places * levels).astype(np.int64), levels - 1)
    return Noise(found, tuple(rng.integers(1 << 62, size=count).tolist()), (1,) * count)


def _batches(
    rng: np.random.Generator, pool: _Pool, size: int, steps: int
) -> Iterator[npt.NDArray[np.int64]]:
    """``steps`` batches of so many pictures, each once before any comes again, however few there
    are; and beside them as many prior ones, where there are any."""
    own, prior = endless(rng, pool.rows), endless(rng, pool.prior, pool.rows)
    for _ in range(steps):
        chosen = [next(own) for _ in range(size)]
        chosen += [next(prior) for _ in range(size)] if pool.prior else []
        yield np.array(chosen, dtype=np.int64)


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """Whether losses are numbers, whether the tuned denoiser knows what it learned from better
    than the untuned one, and whether it is the same once it is written down and restored.

    Raises:
        SupertuneError: ``answers_not_finite``, ``reload_differs``.
    """
    given = sound(method, problem, options, tuned, "the losses of pictures learned from")
    if not isinstance(tuned, TunedDenoiser):
        return ()
    own, before = given[:, : problem.head.draws], given[:, problem.head.draws :]
    if own.mean() < before.mean():
        return ()
    message = (
        "The tuned denoiser knows pictures that it learned from no better than before: raise "
        "steps (or epochs), or choose another learning_rate."
    )
    return (Finding("nothing_learned", message),)
