"""Trainable vectors in front of the sequence at each tuned block, and at no other.

Visual prompt tuning's deep form (Jia et al. 2022, arXiv:2203.12119), in the place of P-tuning
v2 (Liu et al. 2022, arXiv:2110.07602), which has no choice of blocks: every block reads its own
vectors and drops what came of them, so that lower blocks stay as they were and are replayed. In
the shallow form vectors enter the lowest tuned block alone and are carried through the others.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers.tuning.base import TunableModel
from supertune.backbones.transformers.tuning.first_numbers import first_states
from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

# Median size of a number that enters the blocks of smollm2's upper half, where the learning rate
# was chosen. Other models have a sixtieth of it, and there a step is to be as much smaller.
SIZE = 2.7
# Arguments of a block that say something of each position in another form than those below.
_RELATIVE = ("position_bias", "relative_pos", "rel_pos", "alibi", "rel_embeddings")


class DeepPrompts(TunableModel):
    """Settings: ``tokens`` vectors a block, ``init`` and ``init_text`` as for prompt tuning;
    ``depth`` is ``"deep"`` or ``"shallow"``."""

    apart = True

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        super().__init__(backbone, injection, seed)
        blocks = injection.blocks
        self._blocks = list(range(len(backbone.blocks)) if blocks is None else blocks)
        self._prompts: dict[int, Any] = {}
        self._paces: dict[int, float] = {}
        for i in self._blocks:
            _check_positions(backbone, backbone.block(i))

    def _put(self) -> None:
        import torch

        shallow = self.injection.settings.get("depth") == "shallow"
        runs = [self._blocks] if shallow else [[i] for i in self._blocks]
        started = [self._started(run[0]) for run in runs]
        for run, start in zip(runs, started, strict=True):
            self._prompts[run[0]] = torch.nn.Parameter(start)
            _Prompted([self.backbone.block(i) for i in run], self._prompts[run[0]])
        self._put_given()

    def _started(self, block: int) -> Any:
        """What enters the block where the first words stand, (tokens, d)."""
        import torch

        settings = self.injection.settings
        count = int(settings.get("tokens", 8))
        with torch.no_grad():
            entering = first_states(self.backbone, settings, count, block)
        self._paces[block] = min(1.0, float(entering.abs().median()) / SIZE)
        if settings.get("init") == "random":
            return torch.randn_like(entering) * entering.std()
        return entering.detach().clone()

    def _taken(self) -> None:
        self._prompts = {}

    def pace(self, name: str) -> float:
        return self._paces[int(name.rsplit(".", 1)[1])]

    def named(self) -> dict[str, Any]:
        return {f"deep_prompts.{i}": prompt for i, prompt in self._prompts.items()}


class _Prompted:
    """Blocks of which the first reads ``prompt`` (tokens, d) before its rows, and the last gives
    only the rows."""

    def __init__(self, blocks: Sequence[Any], prompt: Any) -> None:
        self.prompt = prompt
        self.width = 0  # of the rows without the vectors, in the run that is going on
        self.first = blocks[0]
        self.signatures = {block: inspect.signature(block.forward) for block in blocks}
        for block in blocks:
            block.register_forward_pre_hook(self.enter, with_kwargs=True)
        blocks[-1].register_forward_hook(self.leave)

    def enter(self, block: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import torch

        signature = self.signatures[block]
        bound = signature.bind(*args, **kwargs)
        given = bound.arguments
        loose = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), "")
        count = len(self.prompt)
        if block is self.first:
            hidden = given["hidden_states"]
            front = self.prompt.to(hidden.dtype).expand(len(hidden), -1, -1)
            self.width = hidden.shape[1]
            given["hidden_states"] = torch.cat([front, hidden], dim=1)
        for table in (given, given.get(loose, {})):
            for name, value in list(table.items()):
                table[name] = _longer(name, value, count, self.width)
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
