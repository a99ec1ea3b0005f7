"""What ``supertune export --format onnx`` writes: a graph, its tokenizer, and a program that runs
them with onnxruntime alone."""

from __future__ import annotations

import io
import runpy
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from supertune import registry
from supertune.api import eight_bits, onnx_programs
from supertune.artifact.states import json_bytes
from supertune.artifact.tensors import Arrays
from supertune.contracts import (
    Backbone,
    BackboneRef,
    Encoding,
    FloatArray,
    Input,
    Lens,
    Offer,
    Picture,
)
from supertune.errors import EnvironmentFault, InputError
from supertune.metrics import THRESHOLD
from supertune.model import Model

SAME = 1e-4  # probabilities, or values in units of the largest
CHANGED = 0.02  # share of rows that 8-bit weights may answer otherwise
CHECKED = 64  # rows that a graph is compared on
PROBES = ("A short text.", "Another one, somewhat longer than the first, to compare by.", "42")
GRAPH, LABELS, PROGRAM = "model.onnx", "labels.json", "predict.py"


@runtime_checkable
class Graphing(Protocol):
    """An engine whose backbones become ONNX graphs with a linear head."""

    def write_onnx(
        self,
        ref: BackboneRef,
        offer: Offer,
        encoding: Encoding,
        head: tuple[FloatArray, FloatArray],
        shares: str | None,
        path: Path,
    ) -> None: ...
    def graph_reading(self, backbone: Backbone, encoding: Encoding) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Compared:
    """How far a graph's answers are from the model's own, over so many rows."""

    difference: float
    rows: int
    changed: float = 0.0  # share of rows with another answer


def write(model: Model, readout: Arrays, merged: Path, folder: Path, *, int8: bool) -> Compared:
    """Fill ``folder`` from a merged transformers folder and the head.

    Args:
        readout: ``head.weight`` (d, C) and ``head.bias`` (C,), calibrated.
        int8: weights of matrix products in 8 bits.

    Returns:
        The comparison with the model's own answers; of what is written, 8 bits or not.

    Raises:
        InputError: ``no_onnx``; ``onnx_differs`` or ``int8_differs`` when the graph does not
            answer as the model does.
        EnvironmentFault: ``extra_missing``.
    """
    required()
    if {*readout} != {"head.weight", "head.bias"} or model.head.kind:
        raise InputError(
            "no_onnx",
            f"What {model.method} learned is no linear head on vectors.",
            received=f"{model.method} for {model.task}",
            allowed="linear_probe, and methods trained by gradients with readout: head",
            next="Use the model's folder as it is, with `supertune predict`.",
        )
    lens = model.workshop.lens(model.backbone)
    assert lens is not None
    engine = registry.engine(lens.backbone.ref.engine)
    assert isinstance(engine, Graphing)
    plain = replace(lens.backbone.ref, folder=merged)
    shares = None if model.head.valued else "sigmoid" if model.head.multi_label else "softmax"
    head = (readout["head.weight"].T, readout["head.bias"])
    engine.write_onnx(plain, lens.backbone.offer, lens.encoding, head, shares, folder / GRAPH)
    about = _about(model, lens)
    if lens.backbone.offer.modality == "image":
        about |= engine.graph_reading(lens.backbone, lens.encoding)
    else:
        shutil.copyfile(merged / "tokenizer.json", folder / "tokenizer.json")
        about |= _of_texts(lens)
    (folder / LABELS).write_bytes(json_bytes(about))
    program = onnx_programs.program(lens.backbone.offer.modality, shares)
    (folder / PROGRAM).write_text(program, encoding="utf-8")
    return checked(lambda: _compared(model, lens, folder), folder, int8=int8)


def required() -> None:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401

        del onnxruntime
    except ImportError as error:
        raise EnvironmentFault(
            "extra_missing",
            f"Writing ONNX needs the package {error.name}.",
            received="--format onnx",
            allowed="--format peft and --format merged without it",
            next="pip install 'supertune[onnx]'",
        ) from error


def _about(model: Model, lens: Lens) -> dict[str, Any]:
    """``labels.json``: what the program has to know beside the graph."""
    return {"task": model.task, "labels": list(model.labels)}


def _of_texts(lens: Lens) -> dict[str, Any]:
    encoding, offer = lens.encoding, lens.backbone.offer
    return {
        "prefix": offer.prefix if encoding.prefix is None else encoding.prefix,
        "max_length": min(encoding.max_length, offer.max_length),
        "long_texts": "cut at max_length",
        "positions": offer.max_length,
    }


def checked(compared: Callable[[], Compared], folder: Path, *, int8: bool) -> Compared:
    """The comparison of what lies in ``folder``, after 8-bit weights came there if asked for.

    Raises:
        InputError: ``onnx_differs``, ``int8_differs``.
    """
    found = compared()
    if not found.difference <= SAME:
        raise InputError(
            "onnx_differs",
            "The ONNX graph does not answer what the model answers.",
            received=f"{found.difference:.1e} apart over {found.rows} rows",
            allowed=f"at most {SAME:g}",
            next="Report it with the output of `supertune doctor`.",
        )
    if not int8:
        return found
    eight_bits.put(folder / GRAPH)
    found = compared()
    if found.changed > CHANGED:
        raise InputError(
            "int8_differs",
            "With weights in 8 bits the model answers otherwise too often.",
            received=f"{found.changed:.1%} of {found.rows} rows",
            allowed=f"at most {CHANGED:.0%}",
            next="Leave --int8 out.",
        )
    return found


def _compared(model: Model, lens: Lens, folder: Path) -> Compared:
    rows = _rows(model, lens)
    with lens.backbone.at("fp32"):
        logits = model.tuned.logits(rows, lens)
    ours = model.decoded(logits).scored
    given = [io.BytesIO(row.read()) if isinstance(row, Picture) else row for row in rows]
    theirs = runpy.run_path(str(folder / PROGRAM))["answered"](given)
    apart = np.abs(ours - theirs)
    if model.head.valued:
        size = float(np.abs(ours).max())
        return Compared(float(apart.max()) / size, len(rows), float((apart > SAME * size).mean()))
    if model.head.multi_label:
        other = ((ours >= THRESHOLD) != (theirs >= THRESHOLD)).any(axis=1)
    else:
        other = ours.argmax(axis=1) != theirs.argmax(axis=1)
    return Compared(float(apart.max()), len(rows), float(other.mean()))


def _rows(model: Model, lens: Lens) -> list[Input]:
    """Rows that the model learned from and that both read alike: long texts where the model cuts
    them too. Examples where none are kept."""
    kept: Sequence[Input] = () if model.training_rows is None else model.training_rows.inputs
    if lens.backbone.offer.modality == "image":
        examples: Any = lens.backbone
        return list(kept[:CHECKED]) or list(examples.reader.samples())
    if kept and lens.encoding.long_text == "truncate":
        return list(kept[:CHECKED])
    whole = replace(lens.encoding, long_text="truncate", max_length=lens.backbone.offer.max_length)
    longest = _of_texts(lens)["max_length"]
    some = list(kept[: 2 * CHECKED])
    read = lens.backbone.tokens(some, whole) if some else []
    fitting = [row for row, (one, *_) in zip(some, read, strict=True) if len(one.ids) <= longest]
    return fitting[:CHECKED] or list(PROBES)
