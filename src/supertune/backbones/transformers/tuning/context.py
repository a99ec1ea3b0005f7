"""Trainable vectors in front of labels' names, read by the tower of texts (CoOp).

Zhou et al. 2022, arXiv:2109.01134: a text begins with M vectors that are no token's, then the
name and a full stop. Pictures are read as they always are: nothing of their tower is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from supertune.backbones.transformers.tuning.base import TunableModel
from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone
    from supertune.backbones.transformers.two_towers import TwoTowers

ROOM = 8  # tokens that are left to a name and what stands around it
NOISE = 0.02  # standard deviation of vectors that begin at none


class Context(TunableModel):
    """Settings: ``tokens`` vectors, ``class_specific``, ``init_text``, and while training
    ``names``, the labels'."""

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        super().__init__(backbone, injection, seed)
        assert backbone.naming is not None
        self.towers: TwoTowers = backbone.naming
        self.names: tuple[str, ...] = tuple(injection.settings.get("names", ()))
        self._context: Any = None
        self._ids: Any = None

    def accept(self, numbers: Mapping[str, npt.NDArray[Any]]) -> None:
        """Numbers that answers do not need: these come from vectors that were made of them.

        Raises:
            InputError: ``adapter_mismatch``.
        """
        settings, own = self.injection.settings, numbers.get("context")
        tokens = None if settings.get("init_text") else int(settings["tokens"])
        shape = () if own is None else own.shape
        if shape[-1:] != (self.towers.width,) or tokens not in (None, shape[-2]):
            raise InputError(
                "adapter_mismatch",
                f"The context does not fit {self.backbone.ref.name}.",
                received=f"numbers of shape {shape}",
                allowed=f"(..., {tokens or 'tokens'}, {self.towers.width})",
                next="Load the model with the backbone it was tuned on.",
            )
        assert own is not None
        self.keep(numbers)
        self._tuned = int(own.size)

    def _put(self) -> None:
        import torch

        start = self._started()
        if len(start) > self.towers.longest - ROOM:
            raise InputError(
                "context_too_long",
                f"The texts of {self.backbone.ref.name} have {self.towers.longest} tokens.",
                received=f"{len(start)} vectors in front of the name",
                allowed=f"at most {self.towers.longest - ROOM}",
                next="Set fewer: --set tokens=16.",
            )
        if self.injection.settings.get("class_specific"):
            start = start.expand(max(1, len(self.names)), -1, -1)
        if self._given is not None:
            start = torch.from_numpy(self._given["context"]).to(start)
        self._context = torch.nn.Parameter(start.clone())
        texts = [f"{name.replace('_', ' ')}." for name in self.names]
        self._ids = self._laid(self.towers.ids(texts, room=start.shape[-2])) if texts else []

    def _started(self) -> Any:
        """(M, d), drawn or the vectors of a text's tokens."""
        import torch

        settings, device = self.injection.settings, self.backbone.device
        text = settings.get("init_text")
        if not text:
            shape = int(settings["tokens"]), self.towers.width
            return torch.randn(shape).to(device) * NOISE
        ids = self.towers.tokenizer(str(text), add_special_tokens=False)["input_ids"]
        table = self.towers.tower.embeddings.token_embedding
        return table(torch.tensor(ids, device=device)).detach()

    def _laid(self, rows: list[list[int]]) -> list[tuple[list[int], Any]]:
        """Labels of one length together, with their ids and places held by a word for the context:
        behind what begins every text, if anything does."""
        import torch

        held = [self.towers.word] * self._length  # CLIP reads where the first token of the end is
        by_length: dict[int, list[int]] = {}
        for index, row in enumerate(rows):
            by_length.setdefault(len(row), []).append(index)
        begun = self.towers.begun
        return [
            (members, torch.tensor(
                [[*rows[i][:begun], *held, *rows[i][begun:]] for i in members],
                device=self.backbone.device,
            ))
            for _, members in sorted(by_length.items())
        ]  # fmt: skip

    @property
    def _length(self) -> int:
        return int(self._context.shape[-2])

    def vectors(self) -> Any:
        """(C, d) of length 1, one a label, with gradients by the context."""
        import torch

        made: list[Any] = [None] * len(self.names)
        for members, ids in self._ids:
            with self._in_place(members):
                found = self.towers.read(ids)
            for label, vector in zip(members, found, strict=True):
                made[label] = vector
        return torch.stack(made)

    def _in_place(self, members: list[int]) -> Any:
        """Inside, the tower reads the context of these labels where its places are held."""
        import torch

        begun, context = self.towers.begun, self._context
        own = context[members] if context.dim() == 3 else context.expand(len(members), -1, -1)

        def put(_module: Any, _args: tuple[Any, ...], output: Any) -> Any:
            behind = output[:, begun + own.shape[1] :]
            return torch.cat([output[:, :begun], own.to(output.dtype), behind], dim=1)

        return self.towers.tower.embeddings.token_embedding.register_forward_hook(put)

    def _taken(self) -> None:
        self._context = self._ids = None

    def named(self) -> dict[str, Any]:
        return {"context": self._context}
