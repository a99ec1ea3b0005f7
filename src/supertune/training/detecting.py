"""A detector's head, and its upper blocks where that is asked for, tuned by its own loss.

What lies below the cut is computed once for each view of a picture, mirrored views too, and
replayed in every epoch; see `supertune.contracts.Detecting` for what the detector itself owes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from supertune import limits
from supertune.contracts import (
    Curve,
    Detecting,
    DetectionHead,
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
    State,
    Tunable,
    Tuned,
    View,
)
from supertune.contracts.detection import padded
from supertune.data.boxes import tiles
from supertune.data.boxes.naming import same_class
from supertune.training.steps import descend, set_rate, sound

ZOOMED = 0.4  # logarithm of how much larger or smaller a varied view shows things
CLIPPED = 10.0  # norm of a gradient
TOO_SMALL, WELL_SEEN = 16, 38  # pixels a side of things on a view


@dataclass(frozen=True)
class Layout:
    """How pictures are cut into views: pixels a side of a view, of a part, and their overlap."""

    side: int
    tile: int | None = None
    overlap: float = 0.25

    def views(self, picture: Picture, size: tuple[int, int]) -> list[View]:
        found = tiles.parts(*size, self.tile, self.overlap)
        return [View(picture, part, self.side) for part in found]

    def as_dict(self) -> dict[str, Any]:
        return {"side": self.side, "tile": self.tile, "overlap": self.overlap}


@dataclass(eq=False)
class TunedDetector:
    """See `supertune.contracts.Replaying`."""

    injection: Injection
    tunable: Tunable
    head: DetectionHead
    layout: Layout
    spec: HeadSpec
    losses: list[tuple[float, float]] = field(default_factory=list)
    like: tuple[str | None, ...] = ()

    @property
    def tuned_parameters(self) -> int:
        own = sum(int(value.size) for value in self.head.state.values())
        return own + self.tunable.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, 6 K) boxes; each picture is answered by itself, and nothing is kept."""
        assert lens is not None
        return self._answers(inputs, lens, lens.backbone.activations)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return self._answers(inputs, lens, lens.activations)

    def _answers(self, inputs: Sequence[Input], lens: Lens, activations: Any) -> FloatArray:
        backbone = detector(lens)
        rows = []
        with self.tunable:
            for value in inputs:
                limits.check()
                assert isinstance(value, Picture)
                views = self.layout.views(value, backbone.size(value))
                rows.append(self._found(views, lens, activations))
        most = self.spec.boxes
        return padded(rows, most).reshape(len(inputs), 6 * most)

    def _found(self, views: Sequence[View], lens: Lens, activations: Any) -> FloatArray:
        """(k, 6) in pixels of the picture that the views are of."""
        backbone, found = detector(lens), []
        for view in views:  # one by one, so that a view's bits do not depend on the others
            maps = _entered(self.tunable, [view], lens, activations)
            found.append(view.back(self.head.boxes(maps, self.spec.boxes)[0]))
        together = tiles.merged(found, self.spec.boxes)
        return tiles.inside(together, backbone.size(views[0].picture))

    def said(self, value: Picture, lens: Lens) -> list[tuple[View, FloatArray, FloatArray]]:
        """Of each view of a picture what the answers are chosen from: chances (P, K) and corners
        (P, 4); see `supertune.contracts.DetectionHead.said`."""
        import torch

        found, activations = [], lens.backbone.activations
        with self.tunable, torch.inference_mode():
            for view in self.layout.views(value, detector(lens).size(value)):
                maps = _entered(self.tunable, [view], lens, activations)
                (chances,), (corners,) = self.head.said(maps)
                found.append((view, chances.numpy(), corners.numpy()))
        return found

    def state(self) -> State:
        arrays = {f"head.{name}": value for name, value in self.head.state.items()}
        arrays |= {f"blocks.{name}": value for name, value in self.tunable.kept.items()}
        return State(arrays, {"layout": self.layout.as_dict(), "classes": self.spec.outputs})

    def notes(self) -> Notes:
        curve = Curve("loss", "step", tuple(self.losses))
        begun = ", ".join(sorted({name for name in self.like if name})) or "none"
        return Notes((curve,), about=f"New classes began as the nearest known ones: {begun}.")


def _entered(tunable: Tunable, views: Sequence[View], lens: Lens, activations: Any) -> Any:
    """What a head reads of a batch of views: from what is kept of them on, or from the input."""
    if tunable.from_input:
        return tunable.run(views, None, lens.encoding)
    kept = detector(lens).maps(activations(views, tunable.cut), tunable.cut, views[0].side)
    return tunable.run(views, kept, lens.encoding)


def detector(lens: Lens) -> Detecting:
    assert isinstance(lens.backbone, Detecting)
    return lens.backbone


def train(method: Method, problem: Problem, options: Any) -> TunedDetector:
    """``options`` as `supertune.methods.detection_head` has them.

    Raises:
        SupertuneError: ``loss_not_finite``.
    """
    lens = problem.lens
    assert lens is not None
    injection = cast(GradientMethod, method).injection(lens.backbone.offer, options)
    side = detector(lens).side(lens.encoding)
    tile = _tile(problem, side, options) if options.tile == "auto" else options.tile
    layout = Layout(side, tile, options.overlap)
    pool = _Pool.of(problem, layout, options)
    tunable = lens.backbone.inject(injection, seed=problem.seed)
    like = _like(problem, pool, options.start)
    head = detector(lens).detection_head(like, seed=problem.seed)
    names = tuple(None if one is None else detector(lens).classes[one] for one in like)
    tuned = TunedDetector(injection, tunable, head, layout, problem.head, like=names)
    with tunable:
        tuned.losses = _descend(tuned, problem, pool, options)
    return tuned


def restore(
    method: Method, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedDetector:
    assert lens is not None
    injection = cast(GradientMethod, method).injection(lens.backbone.offer, options)
    arrays: dict[str, dict[str, Any]] = {"head": {}, "blocks": {}}
    for name, value in state.arrays.items():
        part, _, inner = name.partition(".")
        arrays[part][inner] = value
    tunable = lens.backbone.inject(injection, seed=0, numbers=arrays["blocks"])
    again = detector(lens).detection_head([None] * head.outputs)
    again.keep(arrays["head"])
    return TunedDetector(injection, tunable, again, Layout(**state.settings["layout"]), head)


def _tile(problem: Problem, side: int, options: Any) -> int | None:
    """Pixels a side of parts on which half of the things to learn are seen well; None where they
    are seen well enough on whole pictures."""
    lens, targets = problem.lens, problem.examples.targets
    assert lens is not None
    assert targets is not None
    own, seen = [], []
    for value, boxes in zip(problem.examples.inputs, targets, strict=True):
        assert isinstance(value, Picture)
        true = boxes[boxes[:, 4] >= 0]
        sides = np.sqrt((true[:, 2:4] - true[:, :2]).clip(min=1).prod(axis=1))
        own += sides.tolist()
        seen += (sides * side / max(detector(lens).size(value))).tolist()
    if not own or (not options.from_above and np.median(seen) >= TOO_SMALL):
        return None
    return int(np.clip(round(side * float(np.median(own)) / WELL_SEEN), 32, 8192))


@dataclass(frozen=True, eq=False)
class _Pool:
    """Views to learn from, with their boxes (m, 5) in their own pixels."""

    views: list[View]
    truths: list[FloatArray]

    @classmethod
    def of(cls, problem: Problem, layout: Layout, options: Any) -> _Pool:
        examples = problem.examples
        assert problem.lens is not None
        assert examples.targets is not None
        backbone, views, truths = detector(problem.lens), [], []
        for value, target in zip(examples.inputs, examples.targets, strict=True):
            assert isinstance(value, Picture)
            boxes = target[target[:, 4] >= 0]
            for plain in layout.views(value, backbone.size(value)):
                for view in (plain, *_varied(plain, options, problem.seed)):
                    views.append(view)
                    truths.append(tiles.shown(view.onto(boxes), view.side))
        return cls(views, truths)


def _varied(view: View, options: Any, seed: int) -> list[View]:
    """Other views of the same part: larger or smaller, moved, mirrored, lit otherwise. Which ones
    depends on the picture and the seed alone, so that folds share what is computed of them."""
    key = hashlib.sha256(f"{seed} {view!r}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(key[:8], "little"))
    x0, y0, x1, y1 = view.part
    found = []
    for _ in range(options.views):
        scale = np.exp(rng.uniform(-ZOOMED, ZOOMED))
        wide, high = (max(8, round(scale * length)) for length in (x1 - x0, y1 - y0))
        slack = abs(x1 - x0 - wide), abs(y1 - y0 - high)
        left = round(rng.uniform(0, slack[0])) * (1 if wide < x1 - x0 else -1)
        top = round(rng.uniform(0, slack[1])) * (1 if high < y1 - y0 else -1)
        part = x0 + left, y0 + top, x0 + left + wide, y0 + top + high
        turns = int(rng.integers(4)) if options.from_above else 0
        flip, tint = bool(rng.random() < 0.5), int(rng.integers(1, 1 << 30))
        found.append(View(view.picture, part, view.side, flip, turns, tint))
    return found


def _like(problem: Problem, pool: _Pool, start: str) -> list[int | None]:
    """For each new class the known one whose row it begins with."""
    assert problem.lens is not None
    backbone, labels = detector(problem.lens), problem.examples.labels
    named = [same_class(label, backbone.classes) for label in labels]
    if start == "none":
        return [None] * len(labels)
    if start == "name" or all(one is not None for one in named):
        return named
    depth = problem.lens.backbone.offer.depth
    plain = [i for i, view in enumerate(pool.views) if not view.tint]
    lens = problem.lens

    def maps() -> Iterator[Any]:
        for i in plain:
            array = lens.activations([pool.views[i]], depth)
            yield backbone.maps(array, depth, pool.views[i].side)

    seen = backbone.responses(maps(), [pool.truths[i] for i in plain], len(labels))
    return [
        int(seen[row].argmax()) if one is None and seen[row].any() else one
        for row, one in enumerate(named)
    ]


def _descend(
    tuned: TunedDetector, problem: Problem, pool: _Pool, options: Any
) -> list[tuple[float, float]]:
    import torch

    lens = problem.lens
    assert lens is not None
    tunable = tuned.tunable
    parameters = [*tuned.head.parameters(), *tunable.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    rng = np.random.default_rng(problem.seed)
    steps = options.length(len(pool.views))
    losses: list[tuple[float, float]] = []
    for step, chosen in enumerate(_batches(rng, len(pool.views), options.batch_size, steps)):
        limits.check()
        set_rate(optimizer, options.learning_rate, step, steps)
        views = [pool.views[i] for i in chosen]
        maps = _entered(tunable, views, lens, lens.activations)
        loss = tuned.head.loss(maps, [pool.truths[i] for i in chosen])
        taken = descend(optimizer, loss, parameters, clipped=CLIPPED, step=step)
        losses.append((float(step + 1), taken))
        if problem.progress is not None:
            problem.progress(step + 1, steps)
    return losses


def _batches(rng: np.random.Generator, count: int, size: int, steps: int) -> Iterator[list[int]]:
    """``steps`` batches; each view once before any comes again."""
    waiting: list[int] = []
    for _ in range(steps):
        if len(waiting) < min(size, count):
            waiting += rng.permutation(count).tolist()
        yield waiting[:size]
        del waiting[:size]


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """Whether a detector answers with numbers, finds anything on pictures that it learned from,
    and is the same once it is written down and restored.

    Raises:
        SupertuneError: ``answers_not_finite``, ``reload_differs``.
    """
    given = sound(method, problem, options, tuned, "what is found on pictures learned from")
    if isinstance(tuned, TunedDetector) and (given < 0).all():
        message = "Nothing is found on pictures learned from: raise steps or learning_rate."
        return (Finding("nothing_found", message),)
    return ()
