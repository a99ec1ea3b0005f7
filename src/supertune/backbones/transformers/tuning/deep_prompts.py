"""Trainable vectors in front of the sequence at each tuned block, and at no other.

Visual prompt tuning's deep form (Jia et al. 2022, arXiv:2203.12119), in the place of P-tuning
v2 (Liu et al. 2022, arXiv:2110.07602), which has no choice of blocks: every block reads its own
vectors and drops what came of them, so that lower blocks stay as they were and are replayed.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers.tuning.base import TunableModel
from supertune.backbones.transformers.tuning.first_numbers import batch_of, first_ids
from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

# Arguments of a block that say something of each position in another form than those below.
_RELATIVE = ("position_bias", "relative_pos", "rel_pos", "alibi", "rel_embeddings")


class DeepPrompts(TunableModel):
    """Settings: ``tokens`` vectors a block, ``init`` and ``init_text`` as for prompt tuning."""

    apart = True

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        super().__init__(backbone, injection, seed)
        blocks = injection.blocks
        self._blocks = list(range(len(backbone.blocks)) if blocks is None else blocks)
        self._prompts: dict[int, Any] = {}
        for i in self._blocks:
            _check_positions(backbone, backbone.block(i))

    def _put(self) -> None:
        import torch

        started = {i: self._started(i) for i in self._blocks}
        for i, start in started.items():
            self._prompts[i] = torch.nn.Parameter(start)
            block = self.backbone.block(i)
            _Prompted(block, self._prompts[i])
        self._put_given()

    def _started(self, block: int) -> Any:
        """What enters the block where the first words stand, (tokens, d)."""
        import torch

        settings = self.injection.settings
        count = int(settings.get("tokens", 8))
        ids = first_ids(self.backbone, settings, count)
        with torch.no_grad():
            entering = self.backbone.entering(batch_of(self.backbone, ids), block)[0]
        if settings.get("init") == "random":
            return torch.randn_like(entering) * entering.std()
        return entering.detach().clone()

    def _taken(self) -> None:
        self._prompts = {}

    def named(self) -> dict[str, Any]:
        return {f"deep_prompts.{i}": prompt for i, prompt in self._prompts.items()}


class _Prompted:
    """One block that reads ``prompt`` (tokens, d) before its rows and gives only the rows."""

    def __init__(self, block: Any, prompt: Any) -> None:
        self.prompt = prompt
        self.width = 0  # of the rows without the vectors, in the run that is going on
        self.signature = inspect.signature(block.forward)
        block.register_forward_pre_hook(self.enter, with_kwargs=True)
        block.register_forward_hook(self.leave)

    def enter(self, _block: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import torch

        bound = self.signature.bind(*args, **kwargs)
        given = bound.arguments
        loose = next(
            (p.name for p in self.signature.parameters.values() if p.kind is p.VAR_KEYWORD), ""
        )
        hidden = given["hidden_states"]
        front = self.prompt.to(hidden.dtype).expand(len(hidden), -1, -1)
        count, width = len(self.prompt), hidden.shape[1]
        self.width = width
        given["hidden_states"] = torch.cat([front, hidden], dim=1)
        for table in (given, given.get(loose, {})):
            for name, value in list(table.items()):
                table[name] = _longer(name, value, count, width)
        return bound.args, bound.kwargs

    def leave(self, _block: Any, _inputs: tuple[Any, ...], output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        # A last block that is computed only where it is read gives no more than that.
        rows = first[:, max(0, first.shape[1] - self.width) :]
        return (rows, *output[1:]) if isinstance(output, tuple) else rows


def _longer(name: str, value: Any, count: int, width: int) -> Any:
    """An argument of a block for ``count`` more positions in front of ``width``."""
    if name in ("attention_mask", "attn_mask", "mask") and hasattr(value, "dim"):
        return _longer_mask(value, count)
    if name == "position_embeddings" and isinstance(value, tuple):
        # No rotation: the vectors stand where the text begins, whatever its length.
        cosine, sine = value
        return _padded(cosine, count, 1.0, -2), _padded(sine, count, 0.0, -2)
    if name in ("position_ids", "cache_position") and hasattr(value, "dim"):
        return _padded(value, count, 0, -1) if value.shape[-1] == width else value
    return value


def _longer_mask(mask: Any, count: int) -> Any:
    """Every position may read the vectors in front; what these read is dropped anyway."""
    import torch

    seen = True if mask.dtype == torch.bool else (0.0 if mask.dim() > 2 else 1)
    mask = _padded(mask, count, seen, -1)
    if mask.dim() == 4 and mask.shape[-2] > 1:  # (rows, heads, from, to)
        mask = torch.cat([mask[..., :1, :].expand(-1, -1, count, -1), mask], dim=-2)
    return mask


def _padded(tensor: Any, count: int, value: float, dim: int) -> Any:
    import torch

    shape = list(tensor.shape)
    shape[dim] = count
    return torch.cat([tensor.new_full(shape, value), tensor], dim=dim)


def _check_positions(backbone: TransformersBackbone, block: Any) -> None:
    """Refuse blocks that are told of positions in a form that cannot be lengthened.

    Raises:
        InputError: ``prompts_unsupported``.
    """
    names = set(inspect.signature(block.forward).parameters)
    relative = sorted(names & set(_RELATIVE))
    if block in list(backbone.decoder_blocks):  # whose mask over the encoder would grow as well
        relative = ["encoder_hidden_states"]
    if relative or "hidden_states" not in names:
        raise InputError(
            "prompts_unsupported",
            f"The blocks of {backbone.ref.name} cannot take vectors in front of the text.",
            received=", ".join(relative) or "no hidden_states among their arguments",
            allowed="absolute and rotary positions",
            next="Use prompt_tuning, which goes in front of the first block.",
        )
