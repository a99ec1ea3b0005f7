"""A model of texts with a linear head as one ONNX graph, by torch's own exporter.

The graph reads token ids and their mask, both (n, t) int64, and gives ``scores`` (n, C), the
``vectors`` (n, d) behind them and, of labels, ``probabilities`` (n, C). Rows and tokens may be of
any number, up to the model's longest.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from supertune.backbones.transformers import loading
from supertune.contracts import BackboneRef, Encoding, FloatArray, Offer
from supertune.errors import InputError

INPUTS = ("input_ids", "attention_mask")
OPSET = 18
_TOKENS = 6  # of the rows that the graph is traced with; no size of it is kept


def write_onnx(
    ref: BackboneRef,
    offer: Offer,
    encoding: Encoding,
    head: tuple[FloatArray, FloatArray],
    shares: str | None,
    path: Path,
) -> None:
    """Write one self-contained file.

    Args:
        ref: the backbone, with whatever was tuned in its weights.
        head: weights (C, d) and biases (C,).
        shares: what makes probabilities of scores: ``softmax``, ``sigmoid``, or None.

    Raises:
        InputError: ``no_onnx`` where such a graph cannot be made.
    """
    pooling = encoding.pooling or offer.pooling
    inner = encoding.layer not in (None, offer.depth) or encoding.prompt is not None
    read = offer.modality == "text" and offer.family in ("encoder", "causal")
    if not read or pooling not in ("mean", "cls", "last"):
        raise refused(
            ref.name, f"a {offer.family} model that reads {offer.modality} and pools by {pooling}"
        )
    if inner:
        raise refused(ref.name, "its vectors are those of an inner block, or at a prompt's answer")
    model = loading.model(ref, offer)
    body = loading.body(model, offer).float().eval()
    body.set_attn_implementation("eager")  # the one without a branch on the mask's content
    whole = _Whole(
        body, offer.family, pooling, Head(*head, shares, normalize=offer.normalize)
    ).eval()
    ids = torch.ones((2, _TOKENS), dtype=torch.int64)
    sizes = dict.fromkeys((0, 1), torch.export.Dim.DYNAMIC)
    given = (ids, torch.ones_like(ids))
    write_graph(whole, given, INPUTS, whole.head.outputs, (sizes, sizes), path)


def write_graph(
    whole: nn.Module,
    given: tuple[torch.Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    sizes: tuple[dict[int, Any], ...],
    path: Path,
) -> None:
    """Write a module, traced with ``given``; ``sizes``: of each input the axes that stay open.

    Raises:
        InputError: ``no_onnx`` where torch's exporter does not know what the module does.
    """
    with _quiet(), _exporting(), torch.inference_mode(False), torch.no_grad():
        program = torch.onnx.export(
            whole,
            given,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=sizes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.save(str(path), external_data=False)


class Head(nn.Module):
    """Vectors to scores, the vectors by which the graph can be a backbone again, and shares.

    Args:
        weight, bias: (C, d) and (C,).
        shares: what makes probabilities of scores: ``softmax``, ``sigmoid``, or None.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(
        self, weight: FloatArray, bias: FloatArray, shares: str | None, *, normalize: bool = False
    ) -> None:
        super().__init__()
        self.shares, self.normalize = shares, normalize
        self.register_buffer("weight", torch.as_tensor(weight, dtype=torch.float32))
        self.register_buffer("bias", torch.as_tensor(bias, dtype=torch.float32))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What `forward` gives, by name."""
        return ("scores", "vectors", *(() if self.shares is None else ("probabilities",)))

    def forward(self, vectors: Any) -> Any:
        if self.normalize:
            vectors = nn.functional.normalize(vectors, dim=-1)
        scores = nn.functional.linear(vectors, self.weight, self.bias)
        if self.shares is None:
            return scores, vectors
        shares = scores.sigmoid() if self.shares == "sigmoid" else scores.softmax(-1)
        return scores, vectors, shares


class _Whole(nn.Module):
    """Tokens, padded on the right, to scores and vectors."""

    def __init__(self, body: Any, family: str, pooling: str, head: Head) -> None:
        super().__init__()
        self.body, self.family, self.pooling, self.head = body, family, pooling, head

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        if self.family == "causal":  # what stands before the padding does not see it
            hidden = self.body(input_ids=input_ids, use_cache=False).last_hidden_state
        else:
            read = {"input_ids": input_ids, "attention_mask": attention_mask}
            hidden = self.body(**read).last_hidden_state
        if self.pooling == "cls":
            return self.head(hidden[:, 0])
        if self.pooling == "last":
            last = (attention_mask.sum(1) - 1).view(-1, 1, 1).expand(-1, 1, hidden.shape[-1])
            return self.head(hidden.gather(1, last)[:, 0])
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return self.head((hidden * mask).sum(1) / mask.sum(1))


@contextmanager
def _exporting() -> Iterator[None]:
    try:
        yield
    except torch.onnx.OnnxExporterError as error:
        inmost: BaseException = error
        while inmost.__cause__ is not None:
            inmost = inmost.__cause__
        raise InputError(
            "no_onnx",
            "No ONNX graph is made of this model: torch's exporter does not know a part of it.",
            received=str(inmost).splitlines()[0],
            allowed="architectures that torch.onnx.export turns into a graph",
            next="Leave --format onnx out, or fit on another backbone: `supertune backbones`.",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of itself: packages of other domains that are missing."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), loading.quiet():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def refused(name: str, what: str) -> InputError:
    return InputError(
        "no_onnx",
        f"No ONNX graph is made of {name}: {what}.",
        received=name,
        allowed="models of texts that pool by mean, by their first token or by their last, and "
        "encoders of pictures",
        next="Leave --format onnx out, or fit on such a backbone: `supertune backbones`.",
    )
