"""`supertune.export`: a tuned model in the plain format of peft, of transformers, of Sentence
Transformers or of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from supertune import __version__, registry
from supertune.api import detector_exporting, export_page, onnx_exporting, sentence_exporting
from supertune.api.loading import load
from supertune.api.onnx_exporting import PROBES
from supertune.artifact import exports, foreign, tensor_bytes
from supertune.artifact.states import json_bytes
from supertune.artifact.tensors import Arrays
from supertune.backbones._sentence_folder import read_json
from supertune.catalogue.entries import model as catalogue_model
from supertune.contracts import Backbone, BackboneRef, Lens, Offer, State
from supertune.errors import InputError
from supertune.model import Model
from supertune.pipeline import as_calibrated

SAME = 1e-5  # of the largest value: what float32 rounding may make of merging
_READOUT = ("head.weight", "head.bias", "words.scale", "words.bias")

Format = Literal["peft", "merged", "sentence-transformers", "onnx"]


@runtime_checkable
class Exporting(Protocol):
    """An engine whose backbones are plain folders that tuned numbers can be merged into."""

    def auto_class(self, backbone: Backbone) -> str: ...
    def write_merged(
        self,
        ref: BackboneRef,
        offer: Offer,
        folder: Path,
        *,
        adapter: Mapping[str, Any],
        adapter_config: Mapping[str, Any] | None,
        weights: Mapping[str, Any],
    ) -> None: ...


def export(
    model: Model | str | Path,
    to: str | Path,
    *,
    format: Format = "peft",
    int8: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a model for other people's libraries.

    Args:
        model: a `Model` or its folder.
        to: the folder to write, whole or not at all.
        format: ``"peft"`` the adapter alone; ``"merged"`` a transformers folder of the backbone
            with the tuned numbers in its weights (float32); ``"sentence-transformers"`` the same
            with the files by which that library makes the model's vectors; ``"onnx"`` one graph
            from tokens or pixels to answers, and a program that runs it (of a detector, that
            chooses boxes too).
        int8: of a graph, its weights in 8 bits.
        overwrite: whether an earlier export at ``to`` may be replaced.

    Returns:
        ``output``, ``format``, ``method``, ``backbone``, ``labels``, ``changed`` (whether the
        backbone's weights differ), ``difference`` (of merged vectors from the model's own,
        relative to the largest; of a graph's probabilities, or of its values relative to the
        largest), ``rows`` and ``answers_changed`` (of a graph: how many rows were compared, and
        the share of them that is answered otherwise; of a detector, on which other labels are
        found), ``files``, ``bytes``, ``next``.

    Raises:
        InputError: ``output_exists`` and its like; ``nothing_to_export`` for a method without a
            backbone, ``no_adapter``, ``cannot_merge`` with the reason, ``not_for_this_format``,
            ``no_onnx``, ``no_sentence_embeddings``; ``merge_differs``, ``onnx_differs`` or
            ``int8_differs`` when what was written does not compute the same.
        EnvironmentFault: ``extra_missing``.
    """
    _check_format(format, int8)
    target = Path(to)
    exports.check(target, overwrite)
    tuned = model if isinstance(model, Model) else load(model)
    base, changed, written = _planned(tuned, format, int8)
    compared: dict[str, Any] = {"difference": None}

    def fill(folder: Path) -> None:
        compared.update(written(folder))

    made = {"supertune": __version__, "method": tuned.method, "backbone": base}
    sizes = exports.write(target, made, fill, overwrite=overwrite)
    return {
        "output": str(target),
        "format": format,
        "method": tuned.method,
        "backbone": tuned.backbone,
        "labels": list(tuned.labels),
        "changed": changed,
        **compared,
        "files": sorted(sizes),
        "bytes": sum(sizes.values()),
        "next": _next(target, format),
    }


def _check_format(format: Format, int8: bool) -> None:
    if int8 and format != "onnx":
        raise InputError(
            "not_for_this_format",
            "Weights in 8 bits are written as ONNX alone.",
            received=f"int8 with format {format}",
            allowed="int8 with format onnx",
            next="Add --format onnx, or leave --int8 out.",
        )


def _planned(
    model: Model, format: Format, int8: bool
) -> tuple[str | None, bool, Callable[[Path], dict[str, Any]]]:
    """The backbone as others call it, whether its weights are changed, and what fills a folder."""
    if format == "onnx" and model.head.boxes:
        changed = model.tuned.tuned_parameters > 0
        return (
            model.backbone,
            changed,
            lambda at: _said(detector_exporting.write(model, at, int8=int8)),
        )
    source = _sourced(model, merge=format != "peft")
    base, changed = source.about["base"], source.about["changed"]
    if format == "onnx":
        return base, changed, lambda at: _graph(source, at, int8)
    return base, changed, lambda at: _plain(source, at, format)


def _graph(source: _Source, folder: Path, int8: bool) -> dict[str, Any]:
    with TemporaryDirectory() as place:
        _merge(source, Path(place))
        found = onnx_exporting.write(source.model, source.readout, Path(place), folder, int8=int8)
    return _said(found)


def _said(found: onnx_exporting.Compared) -> dict[str, Any]:
    return {
        "difference": found.difference,
        "rows": found.rows,
        "answers_changed": found.changed,
    }


def _plain(source: _Source, folder: Path, format: Format) -> dict[str, Any]:
    about, difference, sentences = source.about, None, format == "sentence-transformers"
    if sentences:
        sentence_exporting.check(source.lens)
    if format != "peft":
        _merge(source, folder)
        if sentences:
            sentence_exporting.write(folder, about, source.lens.backbone.offer.width)
        difference = _difference(source, folder)
    else:
        config = {**(source.state.adapter_config or {}), "base_model_name_or_path": about["base"]}
        (folder / foreign.CONFIG).write_bytes(json_bytes(config))
        (folder / foreign.WEIGHTS).write_bytes(tensor_bytes(source.state.adapter))
    (folder / foreign.HEAD).write_bytes(tensor_bytes(_as_torch(source.readout)))
    (folder / foreign.HEAD_CONFIG).write_bytes(json_bytes(about))
    opener = source.engine.auto_class(source.lens.backbone)
    written = export_page.page(about, opener, sentences=sentences)
    (folder / "README.md").write_bytes(written.encode("utf-8"))
    return {"difference": difference}


@dataclass(frozen=True, eq=False)
class _Source:
    """A model taken apart: ``readout`` turns vectors into answers, ``weights`` take the place of
    the backbone's own of the same names."""

    model: Model
    state: State
    readout: Arrays
    weights: Arrays
    ref: BackboneRef
    engine: Exporting
    lens: Lens
    about: dict[str, Any]


def _sourced(model: Model, *, merge: bool) -> _Source:
    ref, engine = _engine(model)
    state = model.tuned.state()
    readout, weights = _parted(model, state)
    readout = {name: as_calibrated(array, model.calibration) for name, array in readout.items()}
    changed = bool(weights) or state.adapter_config is not None
    if not merge and state.adapter_config is None:
        raise _no_adapter(model, changed)
    lens = model.workshop.lens(model.backbone)
    assert lens is not None
    about = _about(model, ref, lens, state) | {"merged": merge, "changed": changed}
    return _Source(model, state, readout, weights, ref, engine, lens, about)


def _merge(source: _Source, folder: Path) -> None:
    state = source.state
    source.engine.write_merged(
        source.ref,
        source.lens.backbone.offer,
        folder,
        adapter=state.adapter,
        adapter_config=state.adapter_config,
        weights=source.weights,
    )


def _engine(model: Model) -> tuple[BackboneRef, Exporting]:
    from supertune.opening import engine_of, reference

    if model.backbone is None:
        raise InputError(
            "nothing_to_export",
            f"A model of {model.method} has no backbone, so there is nothing for peft or "
            "transformers in it.",
            received=model.method,
            allowed="models with a pretrained backbone",
            next="Use its folder as it is, with `supertune predict`.",
        )
    engine = engine_of(model.backbone)
    if not isinstance(engine, Exporting):
        names = [each.name for each in registry.engines() if isinstance(each, Exporting)]
        raise InputError(
            "engine_cannot_export",
            f"Backbones of the engine {engine.name} are not files that could be exported.",
            received=model.backbone,
            allowed="engines: " + ", ".join(names),
            next="Add --format onnx."
            if model.head.boxes
            else "Fit on a backbone of these: `supertune backbones`.",
        )
    return reference(model.backbone), engine


def _parted(model: Model, state: State) -> tuple[Arrays, Arrays]:
    """The arrays that turn vectors into answers, and those that take the place of weights."""
    if not hasattr(model.tuned, "tunable"):
        return dict(state.arrays), {}
    readout = {name: array for name, array in state.arrays.items() if name in _READOUT}
    return readout, {name: a for name, a in state.arrays.items() if name not in readout}


def _as_torch(readout: Arrays) -> Arrays:
    """The linear head as torch's own linear layer has it: (C, d) and (C,)."""
    named = {name.removeprefix("head."): array for name, array in readout.items()}
    if "weight" in named:
        named["weight"] = named["weight"].T
    return named


def _about(model: Model, ref: BackboneRef, lens: Lens, state: State) -> dict[str, Any]:
    """``head.json``: everything that a reader of the folder has to know beside the numbers."""
    entry = catalogue_model(ref.name)
    encoding, offer = lens.encoding, lens.backbone.offer
    layer, folder = encoding.layer or offer.layer or offer.depth, ref.folder or Path(ref.name)
    return {
        "schema": 1,
        "supertune": __version__,
        "task": model.task,
        "method": model.method,
        "labels": list(model.labels),
        "multi_label": model.head.multi_label,
        "base": ref.name if entry is None or entry.hub is None else entry.hub,
        "backbone": ref.name,
        "backbone_sha256": lens.backbone.sha256,
        "family": offer.family,
        "pooling": encoding.pooling or offer.pooling,
        "normalize": offer.normalize,
        "prefix": offer.prefix if encoding.prefix is None else encoding.prefix,
        "max_length": min(encoding.max_length, offer.max_length),
        "long_text": encoding.long_text,
        "virtual_tokens": (state.adapter_config or {}).get("num_virtual_tokens") or 0,
        "prompt": state.settings.get("prompt"),
        "modality": offer.modality,
        "model_type": (read_json(folder / "config.json") or {}).get("model_type"),
        "layer": None if layer == offer.depth else layer,
        **({"picture": _reading(ref, lens)} if offer.modality == "image" else {}),
    }


def _reading(ref: BackboneRef, lens: Lens) -> dict[str, Any]:
    """How pictures are read."""
    engine = registry.engine(ref.engine)
    assert isinstance(engine, onnx_exporting.Graphing)
    return engine.graph_reading(lens.backbone, lens.encoding)


def _difference(source: _Source, folder: Path) -> float:
    """How far vectors of the merged backbone are from the model's own, of the largest value.

    Raises:
        InputError: ``merge_differs`` when they are not the same within rounding.
    """
    model, ref, lens = source.model, source.ref, source.lens
    opened = registry.engine(ref.engine).open(
        BackboneRef(ref.name, ref.engine, folder), device=model.recipe.device, threads=None
    )
    texts = lens.backbone.offer.modality == "text"
    own: Any = lens.backbone
    tokens = lens.backbone.tokens(PROBES if texts else own.reader.samples(), lens.encoding)
    theirs = opened.features(tokens, lens.encoding, exact=False)
    with getattr(model.tuned, "tunable", None) or nullcontext(), lens.backbone.at("fp32"):
        ours = lens.backbone.features(tokens, lens.encoding, exact=False)
    difference = float(np.abs(ours - theirs).max() / np.abs(ours).max())
    if not difference <= SAME:
        raise InputError(
            "merge_differs",
            "The merged backbone does not compute what the model computes.",
            received=f"vectors {difference:.1e} apart, of the largest value",
            allowed=f"at most {SAME:g}",
            next="Leave --format merged out, and report it with the output of `supertune doctor`.",
        )
    return difference


def _no_adapter(model: Model, changed: bool) -> InputError:
    kind = getattr(getattr(model.tuned, "tunable", None), "injection", None)
    own = changed and getattr(kind, "kind", "") != "unfreeze"
    if own:
        tunes, then = "modules of its own", "Use its folder as it is, with `supertune predict`."
    elif changed:
        tunes, then = (
            "the backbone's weights themselves",
            "Add --format merged for a transformers folder.",
        )
    else:
        tunes = "nothing in the backbone"
        then = "Add --format merged: the backbone as it is, and the head in a file beside it."
    return InputError(
        "no_adapter",
        f"{model.method} tunes {tunes}, so there is no adapter for peft.",
        received=model.method,
        allowed="methods through peft, such as lora" + ("" if own else "; or --format merged"),
        next=then,
    )


def _next(target: Path, format: Format) -> list[str]:
    if format == "onnx":
        asked = '"a text"' if (target / "tokenizer.json").is_file() else "PICTURE.png"
        return [f"python {target / onnx_exporting.PROGRAM} {asked}"]
    page = f"Read how to load it: {target / 'README.md'}"
    if format != "peft":
        return [page, f"supertune fit ROWS.csv --backbone {target} -o NEW-MODEL"]
    return [page, f"supertune predict {target} NEW.csv -o predictions.csv"]
