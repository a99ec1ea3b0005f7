"""Several LoRA adapters in one model at once: each row of a batch goes through its own.

A row's update is B A x with the A and B of its adapter, so that of a batch is two batched
products over gathered factors, and the frozen layers see one batch whoever its rows belong to
(Chen et al. 2023, arXiv:2310.18547; Sheng et al. 2023, arXiv:2311.03285).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from supertune.backbones.transformers.tuning import layers
from supertune.contracts import Encoding, FloatArray

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone
    from supertune.backbones.transformers.tuning.peft_adapter import PeftAdapter

_FACTOR = re.compile(r"base_model\.model\.(.+)\.lora_(A|B)\.weight")

# Arguments of peft's LoRA after which an adapter still is A, B and one scale. Any other argument
# that was changed, or that a newer peft has, may mean something else.
_PLAIN = {
    *("r", "lora_alpha", "use_rslora", "lora_dropout", "init_lora_weights", "fan_in_fan_out"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("task_type", "inference_mode", "base_model_name_or_path", "revision", "auto_mapping"),
    *("peft_type", "peft_version"),
}

Factors = dict[str, tuple[Any, Any]]  # layer: A (M, r, inputs), B (M, outputs, r) with its scale


def plain(backbone: TransformersBackbone, config: Any, numbers: Mapping[str, Any]) -> bool:
    """Whether an adapter can be one of several: it is A, B and one scale and nothing else, in
    layers that see the rows of a batch apart. ``config`` is peft's."""
    found = [_FACTOR.fullmatch(name) for name in numbers]
    apart = all(one is not None and one[1] in _by_rows(backbone) for one in found)
    return apart and _usual(config)


def shapes(backbone: TransformersBackbone, config: Any) -> dict[str, tuple[int, int]] | None:
    """Names and shapes of the numbers of a plain LoRA, as peft saves them; None: ask peft."""
    if not _usual(config):
        return None
    where = config.target_modules
    if not isinstance(where, str) or config.exclude_modules:
        return None
    found = {}
    for name, inputs, outputs in layers.linears(backbone.model):
        if re.fullmatch(where, name):
            found[f"base_model.model.{name}.lora_A.weight"] = (config.r, inputs)
            found[f"base_model.model.{name}.lora_B.weight"] = (outputs, config.r)
    return found


def _usual(config: Any) -> bool:
    if type(config).__name__ != "LoraConfig":
        return False
    usual = type(config)()
    unusual = (f.name for f in fields(config) if getattr(config, f.name) != getattr(usual, f.name))
    return _PLAIN.issuperset(unusual)


_known: WeakKeyDictionary[TransformersBackbone, frozenset[str]] = WeakKeyDictionary()


def _by_rows(backbone: TransformersBackbone) -> frozenset[str]:
    """Names of the linear layers that are given (rows, width, d): tried out once a model.

    Some architectures put the tokens first, or make one long row of all.
    """
    import torch

    if backbone in _known:
        return _known[backbone]
    seen: dict[str, bool] = {}
    handles = []

    def look(name: str) -> Any:
        def hook(_layer: Any, args: tuple[Any, ...]) -> None:
            seen[name] = seen.get(name, True) and args[0].dim() == 3 and len(args[0]) == 2

        return hook

    within = layers.place(backbone, backbone.blocks)
    with backbone.lock, torch.inference_mode():
        for name, _, _ in layers.linears(backbone.blocks):
            layer = backbone.blocks.get_submodule(name)
            handles.append(layer.register_forward_pre_hook(look(f"{within}.{name}")))
        try:
            backbone.body(**backbone.unlike_rows().inputs)
        finally:
            for handle in handles:
                handle.remove()
    _known[backbone] = frozenset(name for name, apart in seen.items() if apart)
    return _known[backbone]


class SideBySide:
    """See `supertune.contracts.Joined`.

    Ranks may differ, and so may the layers: what an adapter lacks is zeros.
    """

    def __init__(self, backbone: TransformersBackbone, tunables: Sequence[PeftAdapter]) -> None:
        self.backbone = backbone
        self._cut = 0 if any(one.from_input for one in tunables) else min(t.cut for t in tunables)
        self._factors = _stacked(tunables, backbone.device)
        self._which: Any = None  # (rows,) of the batch that is being computed
        self._handles: list[Any] = []
        self._before = False  # whether rows stay apart in the backbone itself

    def __enter__(self) -> Self:
        self.backbone.lock.acquire()
        if self.backbone.tuned:
            self.backbone.lock.release()
            raise RuntimeError(f"{self.backbone.ref.name} has tuned numbers in it already")
        self.backbone.tuned, self.backbone.extend = True, self._noting
        # In a pack no row of a layer's input is a row of the batch.
        self._before, self.backbone.apart = self.backbone.apart, True
        for name in self._factors:
            layer = self.backbone.model.get_submodule(name)
            self._handles.append(layer.register_forward_hook(self._updating(name)))
        return self

    def __exit__(self, *exc: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, self._which = [], None
        self.backbone.tuned, self.backbone.extend = False, None
        self.backbone.apart = self._before
        self.backbone.lock.release()

    def vectors(
        self,
        tokens: Sequence[tuple[Any, ...]],
        which: Sequence[int],
        encoding: Encoding,
        *,
        words: bool = False,
    ) -> FloatArray:
        marked = [
            tuple(replace(piece, adapter=number) for piece in pieces)
            for pieces, number in zip(tokens, which, strict=True)
        ]
        if words:
            return self.backbone.scores(marked, encoding, exact=False)
        if not (self._cut and encoding.reuse) or encoding.prompt is not None:
            return self.backbone.features(marked, encoding, exact=False)
        return self._features(marked, encoding)

    def _features(self, tokens: Sequence[tuple[Any, ...]], encoding: Encoding) -> FloatArray:
        """As `TransformersBackbone.features`; below the lowest adapter a text that several
        adapters are asked about is computed once."""
        from supertune.backbones.transformers.pooling import per_input

        def run(batch: Batch) -> Any:
            first, place = _distinct(batch)
            if len(first) == len(place):
                return self.backbone.forward(batch, encoding)
            inputs = {n: v[first] if _by_row(v) else v for n, v in batch.inputs.items()}
            lower = replace(batch, inputs=inputs, mask=batch.mask[first])
            hidden = self.backbone.entering(lower, self._cut)[place]
            return self.backbone.forward(batch, encoding, cut=self._cut, hidden=hidden)

        flat = [piece for pieces in tokens for piece in pieces]
        vectors = self.backbone.gathered(
            len(flat), encoding, self.backbone.batched(flat, False, run)
        )
        return per_input(vectors, [len(pieces) for pieces in tokens])

    def _noting(self, batch: Batch) -> Batch:
        self._which = batch.adapters
        return batch

    def _updating(self, name: str) -> Any:
        """What adds to the output of one layer the update of each row's adapter."""
        import torch

        downs, ups = self._factors[name]

        def update(_layer: Any, args: tuple[Any, ...], output: Any) -> Any:
            rows, entering = self._which, args[0]
            down, up = downs[rows].transpose(1, 2), ups[rows].transpose(1, 2)
            return torch.baddbmm(output, torch.bmm(entering, down), up)

        return update


def _distinct(batch: Batch) -> tuple[list[int], list[int]]:
    """The first row of each distinct input of a batch, and for each row which of these it is."""
    tables = [one.flatten(1).cpu().numpy() for one in batch.inputs.values() if _by_row(one)]
    given = [b"".join(table[row].tobytes() for table in tables) for row in range(len(tables[0]))]
    places: dict[bytes, int] = {}
    first: list[int] = []
    for row, values in enumerate(given):
        if values not in places:
            places[values] = len(first)
            first.append(row)
    return first, [places[values] for values in given]


def _by_row(value: Any) -> bool:
    return hasattr(value, "dim")


def _stacked(tunables: Sequence[PeftAdapter], device: Any) -> Factors:
    """The factors of all adapters by layer."""
    import torch

    sides: dict[str, dict[str, dict[int, npt.NDArray[Any]]]] = {}
    for number, tunable in enumerate(tunables):
        scale = np.float32(tunable.scale)
        for name, array in tunable.kept.items():
            found = _FACTOR.fullmatch(name)
            assert found is not None
            of_layer = sides.setdefault(found[1], {"A": {}, "B": {}})
            of_layer[found[2]][number] = array * scale if found[2] == "B" else array
    stacked = {}
    for layer, pair in sides.items():
        down, up = (torch.from_numpy(_one(pair[side], len(tunables))).to(device) for side in "AB")
        stacked[layer] = (down, up)
    return stacked


def _one(arrays: Mapping[int, npt.NDArray[Any]], count: int) -> npt.NDArray[Any]:
    """(count, ...) with zeros where an adapter has a lower rank, or nothing."""
    shape = np.max([array.shape for array in arrays.values()], axis=0)
    stacked = np.zeros((count, *shape), dtype=np.float32)
    for number, array in arrays.items():
        stacked[number, : array.shape[0], : array.shape[1]] = array
    return stacked
