"""A tower of pictures and a tower of texts, whose vectors are compared by their cosine.

Pictures go through the first as through any encoder. What is special is here: what is made of its
hidden states for the comparison, and the vectors of labels' names, which the second tower reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers import loading
from supertune.contracts import Encoding, FloatArray
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

ROWS = 8  # texts of a batch; of one shape, so that the bits of one do not depend on the others


class TwoTowers:
    """See `supertune.contracts.Naming`."""

    phrase = "a photo of a {label}."

    def __init__(self, backbone: TransformersBackbone) -> None:
        self.backbone = backbone
        self.scale = float(backbone.model.logit_scale.detach().exp().reshape(()))
        bias = getattr(backbone.model, "logit_bias", None)  # of SigLIP, whose labels stand alone
        self.bias = 0.0 if bias is None else float(bias.detach().reshape(()))

    @cached_property
    def tokenizer(self) -> Any:
        return loading.tokenizer(self.backbone.ref)

    @property
    def width(self) -> int:
        """Of the vectors that stand for tokens."""
        return int(self.tower.embeddings.token_embedding.embedding_dim)

    @property
    def tower(self) -> Any:
        """The one of texts."""
        return self.backbone.model.text_model

    @property
    def longest(self) -> int:
        """Positions of the tower of texts."""
        return int(self.tower.embeddings.position_embedding.num_embeddings)

    def check(self, encoding: Encoding) -> None:
        """See `supertune.contracts.Naming`.

        Raises:
            InputError: ``names_not_comparable``.
        """
        offer = self.backbone.offer
        layer = encoding.layer or offer.depth
        if layer == offer.depth and (encoding.pooling or offer.pooling) == "projected":
            return
        raise InputError(
            "names_not_comparable",
            f"{self.backbone.ref.name} compares names with what it makes of a picture at its end.",
            received=f"layer {layer}, pooling {encoding.pooling or offer.pooling}",
            allowed=f"layer {offer.depth}, pooling projected",
            next="Leave layer and pooling out.",
        )

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        import torch

        rows = self.ids(texts)
        found: list[Any] = [None] * len(rows)
        with self.backbone.lock, torch.inference_mode():
            self.backbone.model.eval()
            for index in _alike(rows):
                filled = [rows[index[place % len(index)]] for place in range(ROWS)]
                made = self.read(torch.tensor(filled, device=self.backbone.device))
                for place, row in zip(index, made.float().cpu().numpy(), strict=False):
                    found[place] = row
        return np.stack(found) if found else np.zeros((0, 0), np.float32)

    def ids(self, texts: Sequence[str], room: int = 0) -> list[list[int]]:
        """Token ids of each text, cut so that ``room`` positions are left free; as the tower was
        trained, padded to its full length where it reads the last position."""
        limit = self.longest - room
        given = self.tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]
        if not self._reads_last:
            return [list(row) for row in given]
        pad = self.tokenizer.pad_token_id
        return [[*row, *[pad] * (limit - len(row))] for row in given]

    @cached_property
    def begun(self) -> int:
        """Tokens in front of every text."""
        return list(self.tokenizer("a")["input_ids"]).index(self.word)

    @cached_property
    def word(self) -> int:
        """A token that stands for a word: nothing is read where it is."""
        return int(self.tokenizer("a", add_special_tokens=False)["input_ids"][0])

    def read(self, ids: Any) -> Any:
        """(n, d) of length 1 from token ids (n, length) without padding, with gradients if asked
        for."""
        import torch

        made = self.backbone.model.get_text_features(input_ids=ids).pooler_output
        return torch.nn.functional.normalize(made.float(), dim=-1)

    @property
    def _reads_last(self) -> bool:
        return bool(self.backbone.model.config.model_type == "siglip")


def projected(backbone: TransformersBackbone, states: Any) -> Any:
    """(rows, d) of the last hidden states (rows, positions, width): what is compared with texts."""
    model, body = backbone.model, backbone.body
    if hasattr(model, "visual_projection"):
        return model.visual_projection(body.post_layernorm(states[:, 0]))
    return body.head(states)


def projected_width(backbone: TransformersBackbone) -> int:
    """Of the vectors that `projected` gives."""
    projection = getattr(backbone.model, "visual_projection", None)
    return backbone.offer.width if projection is None else int(projection.out_features)


def check_pooling(backbone: TransformersBackbone, encoding: Encoding) -> None:
    """Refuse a projection that the backbone does not have.

    Raises:
        InputError: ``no_projection``.
    """
    if encoding.pooling == "projected" != backbone.offer.pooling:
        raise InputError(
            "no_projection",
            f"{backbone.ref.name} has no tower of texts that its vectors are compared with.",
            received="pooling projected",
            allowed="mean, cls, cls_mean" if backbone.offer.modality != "text" else "mean, cls",
            next="Leave pooling out.",
        )


def _alike(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Indices of up to `ROWS` rows of one length each."""
    by_length: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        by_length.setdefault(len(row), []).append(index)
    return [
        members[start : start + ROWS]
        for _, members in sorted(by_length.items())
        for start in range(0, len(members), ROWS)
    ]
