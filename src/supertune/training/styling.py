"""A style tuned so that photographs painted in it come near to pictures of the style.

Adam (Kingma and Ba 2015) over the style loss of Gatys et al. 2015 (arXiv:1508.06576) and a little
of the content loss, from the published style that is nearest. Several pictures of one style are one
style: the mean of what answers together on each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import numpy as np

from supertune import limits
from supertune.contracts import (
    STYLE_LOSSES,
    Curve,
    Finding,
    FloatArray,
    GradientMethod,
    HeadSpec,
    Injection,
    Input,
    Lens,
    Method,
    Notes,
    Picture,
    Problem,
    Seen,
    State,
    Stylizing,
    Tunable,
    Tuned,
)
from supertune.contracts.styling import Array
from supertune.data.pictures import styles
from supertune.errors import InputError
from supertune.training.codes import stop
from supertune.training.steps import endless, sound

FALL = 0.1  # of the learning rate, that the last step still has


@dataclass(eq=False)
class TunedStyle:
    """See `supertune.contracts.Painting`.

    Attributes:
        tunable: the style (S,).
        begun: (S,) the nearest published one.
        judged: photographs that losses are means over, (h, w, 3) each.
        steps: how many were made; without any, nothing is tuned.
    """

    injection: Injection
    tunable: Tunable
    begun: FloatArray
    judged: tuple[Array, ...]
    steps: int
    own_photographs: bool = False
    losses: list[tuple[float, float]] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()

    @property
    def style(self) -> FloatArray:
        return cast(FloatArray, self.tunable.kept["style"])

    @property
    def tuned_parameters(self) -> int:
        return self.tunable.tuned_parameters if self.steps else 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, 4) losses as `STYLE_LOSSES`; each picture is judged by itself."""
        assert lens is not None
        if not inputs:
            return np.zeros((0, len(STYLE_LOSSES)))
        return np.stack([self._losses(one, lens) for one in inputs if isinstance(one, Picture)])

    def _losses(self, picture: Picture, lens: Lens) -> FloatArray:
        backbone, wanted = stylizer(lens), grams(picture, lens)
        found = []
        for before, painted in self._painted(lens):
            found += [
                float(backbone.style_loss(painted, wanted)),
                float(backbone.content_loss(painted, before)),
            ]
        # Of each photograph: style and content as tuned, then of the nearest published style.
        own, own_content, near, near_content = np.array(found).reshape(-1, 4).mean(axis=0)
        return np.array([own, near, own_content, near_content])

    def _painted(self, lens: Lens) -> list[tuple[Seen, Seen]]:
        """Photographs as they are and as painted: each as tuned, then in the nearest style."""
        if not self._shown:
            import torch

            backbone = stylizer(lens)
            with torch.no_grad():
                for photograph in map(as_tensor, self.judged):
                    before = backbone.seen(photograph)
                    for style in (self.style, self.begun):
                        painted = backbone.paint(photograph, torch.from_numpy(style))
                        self._shown.append((before, backbone.seen(painted)))
        return self._shown

    @cached_property
    def _shown(self) -> list[tuple[Seen, Seen]]:
        return []

    def painted(self, picture: Array, lens: Lens, strength: float = 1.0) -> Array:
        """(h, w, 3) of the same size; see `supertune.contracts.Painting`."""
        import torch

        goal = self.begun + np.float32(strength) * (self.style - self.begun)
        style = self.style if strength == 1.0 else goal
        with torch.no_grad():
            found = stylizer(lens).paint(as_tensor(picture), torch.from_numpy(style))
        levels = (found[0].permute(1, 2, 0) * 255).round().clamp(0, 255)
        return cast(Array, levels.to(torch.uint8).numpy())

    def blended(self, others: Sequence[tuple[TunedStyle, float]], strength: float) -> TunedStyle:
        """From the published style that this one began at so far to each of them.

        Raises:
            InputError: ``styles_differ``.
        """
        parts = [(self, strength), *others]
        sizes = {one.style.shape for one, _ in parts}
        if len(sizes) > 1:
            raise InputError(
                "styles_differ",
                "These styles are not of one backbone.",
                received=f"{len(parts)} models, styles of {len(sizes)} sizes",
                allowed="models of style_vector fitted on one backbone",
                next="Fit them again on the same backbone.",
            )
        moved = sum(np.float32(weight) * (one.style - self.begun) for one, weight in parts)
        tunable = _Fixed({"style": np.asarray(self.begun + moved, dtype=np.float32)})
        return replace(self, tunable=cast(Tunable, tunable), losses=[], findings=())

    def state(self) -> State:
        """The style, and the photographs that a person gave to judge by."""
        kept = {f"photograph_{i}": one for i, one in enumerate(self.judged)}
        arrays = {**self.tunable.kept, "begun": self.begun}
        settings = {"settings": dict(self.injection.settings), "steps": self.steps}
        settings["side"] = max(max(one.shape[:2]) for one in self.judged)
        return State({**arrays, **(kept if self.own_photographs else {})}, settings)

    def notes(self) -> Notes:
        curve = Curve("loss", "step", tuple(self.losses))
        return Notes((curve,) if self.losses else (), findings=self.findings)


@dataclass
class _Fixed:
    """Numbers that are not tuned any more."""

    kept: dict[str, Any]

    @property
    def tuned_parameters(self) -> int:
        return int(self.kept["style"].size)


def stylizer(lens: Lens) -> Stylizing:
    assert isinstance(lens.backbone, Stylizing)
    return lens.backbone


def as_tensor(picture: Array) -> Any:
    """(1, 3, h, w) from 0 to 1 of (h, w, 3)."""
    import torch

    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255


def grams(picture: Picture, lens: Lens) -> tuple[Any, ...]:
    """Of each layer (1, c, c), what answers together on a picture of a style."""
    import torch

    backbone = stylizer(lens)
    with torch.no_grad():
        seen = backbone.seen(as_tensor(styles.pixels(picture, backbone.side(lens.encoding))))
    return seen.together


def train(method: Method, problem: Problem, options: Any) -> TunedStyle:
    """``options`` as `supertune.methods.style_vector` has them; without ``steps`` nothing is tuned.

    Raises:
        InputError, EnvironmentFault: as `styles.photographs`.
        SupertuneError: ``loss_not_finite``.
    """
    lens = problem.lens
    assert lens is not None
    backbone = stylizer(lens)
    side = backbone.side(lens.encoding)
    found = styles.photographs(problem.unlabelled)
    photographs = [styles.pixels(one, side) for one in found.tuned]
    wanted = _style_of(problem)
    start = nearest(backbone, photographs[0], wanted)
    made = cast(GradientMethod, method).injection(lens.backbone.offer, options)
    injection = replace(made, settings={**made.settings, "start": start})
    tunable = lens.backbone.inject(injection, seed=problem.seed)
    steps = int(getattr(options, "steps", 0))
    tuned = TunedStyle(
        injection,
        tunable,
        backbone.styles[start],
        tuple(styles.pixels(one, side) for one in found.judged),
        steps,
        found.own,
        findings=(Finding("photographs", styles.told(found), (), "info"),),
    )
    if steps:
        with tunable:
            tensors = [as_tensor(one) for one in photographs]
            tuned.losses = _descend(tunable, problem, tensors, wanted, options)
    return tuned


def _style_of(problem: Problem) -> tuple[Any, ...]:
    """The weighted mean over the rows of what answers together."""
    import torch

    assert problem.lens is not None
    pictures = [one for one in problem.examples.inputs if isinstance(one, Picture)]
    given = problem.examples.weights
    weights = np.ones(len(pictures)) if given is None else np.asarray(given)
    factors = torch.from_numpy((weights / weights.sum()).astype(np.float32)).view(-1, 1, 1)
    layers = zip(*(grams(one, problem.lens) for one in pictures), strict=True)
    return tuple((torch.cat(several) * factors).sum(0, keepdim=True) for several in layers)


def nearest(backbone: Stylizing, photograph: Array, wanted: Sequence[Any]) -> int:
    """The number of the published style in which a photograph comes nearest to the one wanted."""
    published = Seen(backbone.published(photograph), None)
    return int(backbone.style_loss(published, wanted).argmin())


def _descend(
    tunable: Tunable, problem: Problem, photographs: Sequence[Any], wanted: Any, options: Any
) -> list[tuple[float, float]]:
    import torch

    assert problem.lens is not None
    backbone = stylizer(problem.lens)
    (style,) = tunable.parameters()
    optimizer = torch.optim.Adam([style], lr=options.learning_rate)
    with torch.no_grad():
        own = [backbone.seen(one) for one in photographs]
    size = min(int(options.batch_size), len(photographs))
    order = endless(np.random.default_rng(problem.seed), len(photographs))
    losses: list[tuple[float, float]] = []
    for step in range(options.steps):
        limits.check()
        _set_rate(optimizer, options.learning_rate, step, options.steps)
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for _ in range(size):
            chosen = next(order)
            seen = backbone.seen(backbone.paint(photographs[chosen], style))
            loss = backbone.style_loss(seen, wanted).sum()
            loss = loss + options.content * backbone.content_loss(seen, own[chosen]).sum()
            (loss / size).backward()
            total += float(loss.detach()) / size
        if not math.isfinite(total):
            raise stop("loss_not_finite", f"step {step + 1}")
        optimizer.step()
        losses.append((float(step + 1), total))
        if problem.progress is not None:
            problem.progress(step + 1, options.steps)
    return losses


def _set_rate(optimizer: Any, rate: float, step: int, steps: int) -> None:
    """Half a cosine down to `FALL` of it."""
    done = step / max(1, steps - 1)
    factor = FALL + (1 - FALL) * 0.5 * (1 + math.cos(math.pi * done))
    for group in optimizer.param_groups:
        group["lr"] = rate * factor


def restore(
    method: Method, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedStyle:
    assert lens is not None
    injection = Injection("unfreeze", None, dict(state.settings["settings"]))
    numbers = {"style": state.arrays["style"]}
    tunable = lens.backbone.inject(injection, seed=0, numbers=numbers)
    kept = _photographs(state.arrays)
    own = bool(kept)
    if not kept:
        kept = (styles.pixels(styles.sample(styles.SAMPLES[1]), int(state.settings["side"])),)
    begun = np.asarray(state.arrays["begun"])
    return TunedStyle(injection, tunable, begun, kept, int(state.settings["steps"]), own)


def _photographs(arrays: Mapping[str, Any]) -> tuple[Array, ...]:
    count = sum(name.startswith("photograph_") for name in arrays)
    return tuple(np.asarray(arrays[f"photograph_{i}"]) for i in range(count))


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """Whether losses are numbers, whether the tuned style comes nearer than the nearest published
    one, and whether it is the same once it is written down and restored.

    Raises:
        SupertuneError: ``answers_not_finite``, ``reload_differs``.
    """
    given = sound(method, problem, options, tuned, "the losses of pictures learned from")
    if not tuned.tuned_parameters or given[:, 0].mean() < given[:, 1].mean():
        return ()
    message = (
        "Painted photographs come no nearer to the style than in the nearest published one: raise "
        "steps, or choose another learning_rate."
    )
    return (Finding("nothing_learned", message),)
