"""What ``supertune export --format onnx`` writes of a detector: a graph from views of pictures to
chances and corners, and a program that chooses among them as the model does."""

from __future__ import annotations

import io
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from supertune.api import onnx_programs
from supertune.api.onnx_exporting import (
    CHECKED,
    GRAPH,
    LABELS,
    PROGRAM,
    SAME,
    Compared,
    checked,
    required,
)
from supertune.artifact.states import json_bytes
from supertune.contracts import DetectionHead, Detections, FloatArray, Lens, Picture
from supertune.errors import InputError
from supertune.model import Model
from supertune.training.detecting import TunedDetector

_SUREST = 100  # places of a view that are compared even if nothing is found there


@runtime_checkable
class Graphing(Protocol):
    """A detector that becomes an ONNX graph, with what is tuned in its weights at the moment."""

    def write_onnx(self, head: DetectionHead, side: int, path: Path) -> dict[str, Any]:
        """Write it for views of ``side`` pixels; returns what a program has to know beside."""
        ...


def write(model: Model, folder: Path, *, int8: bool) -> Compared:
    """Fill ``folder`` with a graph, what lies beside it, and a program.

    Returns:
        The comparison with the model's own answers; of what is written, 8 bits or not. A picture
        counts as answered otherwise where the labels that are found on it differ.

    Raises:
        InputError: ``no_onnx``, ``onnx_differs``, ``int8_differs``.
        EnvironmentFault: ``extra_missing``.
    """
    required()
    tuned, lens = model.tuned, model.workshop.lens(model.backbone)
    if not isinstance(tuned, TunedDetector) or lens is None:
        raise _nothing_tuned(model)
    backbone: Any = lens.backbone
    assert isinstance(backbone, Graphing)
    with tuned.tunable:
        about = backbone.write_onnx(tuned.head, tuned.layout.side, folder / GRAPH)
    threshold = Detections(np.zeros((0, 1, 6)), model.labels).threshold
    about |= {"task": model.task, "labels": list(model.labels), "threshold": threshold}
    about |= {**tuned.layout.as_dict(), "boxes": model.head.boxes}
    (folder / LABELS).write_bytes(json_bytes(about))
    (folder / PROGRAM).write_text(onnx_programs.of_boxes(), encoding="utf-8")
    return checked(lambda: _compared(model, lens, folder), folder, int8=int8)


def _nothing_tuned(model: Model) -> InputError:
    return InputError(
        "no_onnx",
        f"{model.method} tunes nothing, so there is no model of yours to write.",
        received=model.method,
        allowed="detection_head, and other methods trained by gradients",
        next="Fit with --method detection_head.",
    )


def _compared(model: Model, lens: Lens, folder: Path) -> Compared:
    program = runpy.run_path(str(folder / PROGRAM))
    tuned = cast(TunedDetector, model.tuned)
    apart, other, pictures = 0.0, 0, _pictures(model)
    for picture in pictures:
        image = program["upright"](io.BytesIO(picture.read()))
        views = tuned.said(picture, lens)
        parts = program["parts"](*image.size, tuned.layout.tile, tuned.layout.overlap)
        if [view.part for view, *_ in views] != list(parts):
            apart = 1.0
        for view, *own in views:
            given = program["said"](image, view.part)
            apart = max(apart, _apart(own, given, view.side))
        theirs = Detections(program["answered"]([io.BytesIO(picture.read())]), model.labels)
        ours = model.decoded(tuned.logits([picture], lens))
        other += ours.counts() != theirs.counts()
    return Compared(apart, len(pictures), other / len(pictures))


def _apart(ours: Sequence[FloatArray], theirs: Sequence[FloatArray], side: int) -> float:
    """The largest difference of chances, and of corners in shares of a view, over the surest
    places. Queries may come in another order, as where two are as good as one another."""
    own, given = (np.hstack([chances, corners / side]) for chances, corners in (ours, theirs))
    surest = np.argsort(-ours[0].max(1))[:_SUREST]
    differences = np.abs(own[surest] - given[surest]).max(1)
    for place in np.flatnonzero(differences > SAME):
        differences[place] = np.abs(given - own[surest[place]]).max(1).min()
    return float(differences.max())


def _pictures(model: Model) -> list[Picture]:
    """Pictures that the model learned from; noise where none are kept."""
    kept = () if model.training_rows is None else model.training_rows.inputs
    rows = [row for row in kept[:CHECKED] if isinstance(row, Picture)]
    return rows or [_noise(edge) for edge in (64, 8)]


def _noise(edge: int) -> Picture:
    from PIL import Image

    drawn, stream = np.random.default_rng(edge), io.BytesIO()
    Image.fromarray(drawn.integers(0, 256, (edge, edge, 3), dtype=np.uint8)).save(stream, "PNG")
    return Picture.of(stream.getvalue(), f"noise-{edge}.png")
