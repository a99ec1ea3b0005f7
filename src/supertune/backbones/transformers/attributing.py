"""What of a pooled vector comes from which token: states that add up, and gradients.

Texts run one at a time on padded batches: an explanation is about one text, and the steps of
integrated gradients are a batch of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.batching import Piece
from supertune.backbones.transformers.tokenizing import whole
from supertune.contracts import Encoding, FloatArray, Input, Span, fields_of
from supertune.errors import EnvironmentFault

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone

STEPS = 24  # points of the path that gradients are taken at
TOKENS = 4096  # of a batch of such points at most


class Attribution:
    """See `supertune.contracts.Attributing`."""

    def __init__(self, backbone: TransformersBackbone) -> None:
        self.backbone = backbone

    def ways(self, encoding: Encoding) -> tuple[str, ...]:
        """In a prompt, or where a long text is read in parts, a vector is no sum over a text."""
        if encoding.prompt is not None or encoding.long_text != "truncate":
            return ()
        pooling = encoding.pooling or self.backbone.offer.pooling
        return (*(("token_states",) if pooling == "mean" else ()), "integrated_gradients")

    def spans(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Span | None, ...]]:
        offer = self.backbone.offer
        limit = min(encoding.max_length, offer.max_length)
        prefix = offer.prefix if encoding.prefix is None else encoding.prefix
        return [self._spans(value, limit, prefix) for value in inputs]

    def _spans(self, value: Input, limit: int, prefix: str) -> tuple[Span | None, ...]:
        fields = [whole(one) for one in fields_of(value)]
        second = " ".join(fields[1:]) if len(fields) > 1 else None
        coded = self.backbone.tokenizer(
            prefix + fields[0],
            second,
            truncation=True,
            max_length=limit,
            return_offsets_mapping=True,
            verbose=False,
        )
        sides = coded.sequence_ids(0)
        found: list[Span | None] = []
        for side, (start, end) in zip(sides, coded["offset_mapping"], strict=True):
            if side is None or end <= start:
                found.append(None)
            elif side == 0:
                start, end = max(0, start - len(prefix)), end - len(prefix)
                found.append((0, start, end) if end > start else None)
            else:
                found.append(_placed(fields[1:], start, end))
        return tuple(found) or (None,)

    def token_states(self, inputs: Sequence[Input], encoding: Encoding) -> list[FloatArray]:
        import torch

        backbone, found = self.backbone, []
        with self._alone(), torch.inference_mode():
            for piece in self._pieces(inputs, encoding):
                batch = backbone.tensors([piece], 1, len(piece.ids))
                with backbone.running(batch) as laid:
                    states = backbone.body(**laid.inputs).last_hidden_state[0].float()
                states = states / len(piece.ids)
                if backbone.offer.normalize:
                    states = states / states.sum(0).norm()
                found.append(np.asarray(states.cpu().numpy()))
        return found

    def integrated_gradients(
        self, inputs: Sequence[Input], encoding: Encoding, weights: FloatArray, unit: bool
    ) -> list[tuple[FloatArray, float]]:
        whole_text = replace(encoding, reuse=False)
        spans = self.spans(inputs, encoding)
        pieces = self._pieces(inputs, encoding)
        with self._alone():
            return [
                self._integrated(piece, own, whole_text, row, unit)
                for piece, own, row in zip(pieces, spans, weights, strict=True)
            ]

    def _integrated(
        self,
        piece: Piece,
        spans: tuple[Span | None, ...],
        encoding: Encoding,
        weight: FloatArray,
        unit: bool,
    ) -> tuple[FloatArray, float]:
        """(tokens,) and the answer to the text with every token of its own blanked."""
        import torch

        attr = captum()
        backbone = self.backbone
        table = backbone.body.get_input_embeddings()
        ids = torch.tensor([piece.ids], device=backbone.device)
        own = torch.tensor([span is not None for span in spans], device=backbone.device)
        # Padding says less than a mask does, which a model takes for a word; docs/log.md.
        blank = torch.where(own, int(backbone.tokenizer.pad_token_id or 0), ids)
        toward = torch.as_tensor(weight, dtype=torch.float32, device=backbone.device)
        with torch.no_grad():
            given, start = table(ids).detach(), table(blank).detach()

        def answer(embedded: Any) -> Any:
            batch: Batch = backbone.tensors([piece], len(embedded), len(piece.ids))
            hook = table.register_forward_hook(lambda *_: embedded)
            try:
                vectors = backbone.forward(batch, encoding)
            finally:
                hook.remove()
            if unit:
                vectors = torch.nn.functional.normalize(vectors, dim=-1)
            return vectors @ toward

        with torch.enable_grad():
            rows = max(1, TOKENS // len(piece.ids))
            shares = attr.IntegratedGradients(answer).attribute(
                given, baselines=start, n_steps=STEPS, internal_batch_size=rows
            )
        with torch.no_grad():
            rest = float(answer(start)[0])
        return np.asarray(shares[0].sum(-1).detach().cpu().numpy(), dtype=np.float64), rest

    def _pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[Piece]:
        return [pieces[0] for pieces in self.backbone.tokens(inputs, encoding)]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Inside, rows are padded, and nobody else uses the model."""
        backbone = self.backbone
        with backbone.lock:
            before, backbone.apart = backbone.apart, True
            backbone.model.eval()
            try:
                yield
            finally:
                backbone.apart = before


def _placed(fields: Sequence[str], start: int, end: int) -> Span | None:
    """A span of fields joined by blanks as one of the field that it begins in."""
    for number, text in enumerate(fields, start=1):
        if start < len(text) or (start == len(text) and number == len(fields)):
            return (number, start, min(end, len(text))) if start < min(end, len(text)) else None
        start, end = start - len(text) - 1, end - len(text) - 1
        if start < 0:
            start = 0
    return None


def captum() -> Any:
    """Captum's attributions.

    Raises:
        EnvironmentFault: ``extra_missing``.
    """
    try:
        from captum import attr
    except ImportError:
        raise EnvironmentFault(
            "extra_missing",
            "Integrated gradients need the package captum.",
            received="integrated_gradients",
            allowed="token_states and occlusion without it",
            next="pip install 'supertune[explain]'",
        ) from None
    return attr
