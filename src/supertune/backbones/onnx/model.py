"""One ONNX graph in a session of onnxruntime: texts or pictures in, pooled vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from supertune.backbones import _text_rows as text_rows
from supertune.backbones._picture_rows import PictureRows
from supertune.backbones._text_rows import Numbers, TextRows
from supertune.backbones.onnx.declared import Graph
from supertune.backbones.onnx.header import not_onnx
from supertune.catalogue.weights import digest_of
from supertune.contracts import BackboneRef, Encoding, FloatArray, Injection, Input, Tunable
from supertune.errors import EnvironmentFault, InputError

_PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


class OnnxBackbone:
    """See `supertune.contracts.Backbone`. Its weights are as the file has them.

    Raises:
        InputError: ``not_onnx``, ``tokenizer_unreadable``, ``device_unavailable``.
        EnvironmentFault: ``extra_missing``.
    """

    precision: Literal["fp32", "bf16"] = "fp32"

    def __init__(self, ref: BackboneRef, graph: Graph, *, device: str, threads: int | None) -> None:
        self.ref, self.graph, self.offer = ref, graph, graph.offer
        self.threads = threads
        self.session = _session(graph.path, device, threads)
        self.rows = _rows(ref, graph)

    @cached_property
    def sha256(self) -> str:
        """sha256 over the file, and over those that hold weights of it."""
        return digest_of((self.graph.path, *self.graph.beside))

    @property
    def arithmetic(self) -> str:
        """What a vector's bits depend on beside weights, input and `Encoding`."""
        import onnxruntime

        where = f"{self.session.get_providers()[0]}, {self.threads} threads"
        return f"onnxruntime {onnxruntime.__version__}, {where}, {self.rows.settings}"

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()  # the file says in which numbers it computes

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Any, ...]]:
        """The pieces of each input; see `supertune.contracts.Backbone`."""
        self._check(encoding)
        return self.rows.pieces(inputs, encoding)

    def features(
        self, tokens: Sequence[tuple[Any, ...]], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, d) float32; see `supertune.contracts.Backbone`."""
        self._check(encoding)
        states, vectors = self.graph.states, self.graph.vectors
        how = encoding.pooling or self.offer.pooling

        def run(batch: Numbers) -> FloatArray:
            if how == "projected":
                assert vectors is not None
                return self._run(vectors.name, batch)
            assert states is not None
            return self.rows.pooled(self._run(states.name, batch), batch, how)

        return self.rows.vectors(tokens, exact, run)

    def scores(self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True) -> Any:
        raise text_rows.nothing_to_tune(self.ref, "onnxruntime", "scores of words in a prompt")

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        raise text_rows.nothing_to_tune(self.ref, "onnxruntime", "the activations at a cut")

    def tapped(self, cut: int) -> Any:
        raise text_rows.nothing_to_tune(self.ref, "onnxruntime", "the activations at a cut")

    def inject(self, injection: Injection, *, seed: int, numbers: Any = None) -> Tunable:
        raise text_rows.refused_injection(self.ref, "onnxruntime", injection)

    def _check(self, encoding: Encoding) -> None:
        """Raises: InputError ``pooling_unavailable``."""
        how = encoding.pooling or self.offer.pooling
        own = ("projected",) if self.graph.vectors is not None else ()
        kinds = (
            ("mean", "cls", "last") if self.graph.reading is None else ("mean", "cls", "cls_mean")
        )
        pooled = kinds if self.graph.states is not None else ()
        if how not in own + pooled:
            raise InputError(
                "pooling_unavailable",
                f"{self.ref.name} has no vectors of that kind.",
                received=f"pooling {how}",
                allowed=", ".join(own + pooled),
                next="Leave the pooling out, or export the hidden states as an output too.",
            )

    def _run(self, output: str, batch: Numbers) -> FloatArray:
        given: dict[str, Any] = {}
        for port in self.graph.inputs:
            array = batch.get(port.name)
            if array is None:  # position_ids
                array = np.broadcast_to(np.arange(batch["input_ids"].shape[1]), _shape(batch))
            given[port.name] = array.astype(port.kept)
        return np.asarray(self.session.run([output], given)[0], dtype=np.float32)


def _rows(ref: BackboneRef, graph: Graph) -> TextRows | PictureRows:
    sizes = {"rows": graph.rows}
    if graph.reading is None:
        return TextRows(ref, graph.offer, graph.folder, width=graph.width, **sizes)
    made = graph.reading
    return PictureRows(ref, graph.offer, made, side=graph.width, patch=graph.patch, **sizes)


def _shape(batch: Numbers) -> tuple[int, ...]:
    return batch["input_ids"].shape


def _session(path: Path, device: str, threads: int | None) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise EnvironmentFault(
            "extra_missing",
            f"{path.name} is run by onnxruntime, which is not installed.",
            received="No module named 'onnxruntime'",
            next="pip install 'supertune[onnx]'; with a GPU, onnxruntime-gpu.",
        ) from error
    there = onnxruntime.get_available_providers()
    kinds = ["cuda", "cpu"] if device == "auto" else [device.split(":")[0]]
    providers = [_PROVIDERS[kind] for kind in kinds if _PROVIDERS.get(kind) in there]
    if not providers:
        raise InputError(
            "device_unavailable",
            f"Device '{device}' cannot be used by this onnxruntime.",
            received=f"its providers: {', '.join(there)}",
            allowed="auto, cpu",
            next="Leave --device out, or install onnxruntime-gpu.",
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it warns of is the exporter's business
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its own kinds share no base
        raise not_onnx(path, str(error).splitlines()[0]) from error
