"""Bottleneck adapters: two small layers beside the big ones, starting as nothing.

Houlsby et al. 2019 (arXiv:1902.00751) put one after attention and one after the feed-forward
half, Pfeiffer et al. 2021 (arXiv:2005.00247) only the latter, He et al. 2022 (arXiv:2110.04366)
one parallel to the feed-forward half. Each adds up(activation(down(x))); ``up`` starts at zero.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers.tuning.base import TunableModel
from supertune.backbones.transformers.tuning.layers import feed_forward
from supertune.contracts import Injection

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

STD = 0.02  # of the down-projection at the start; biases are zero


class BottleneckAdapters(TunableModel):
    """Settings: ``placement`` (houlsby, pfeiffer, parallel), ``reduction`` (the bottleneck has
    width / reduction numbers), ``activation`` (gelu, relu)."""

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        super().__init__(backbone, injection, seed)
        blocks = injection.blocks
        self._blocks = range(len(backbone.blocks)) if blocks is None else blocks
        self._adapters: dict[str, Any] = {}

    def _put(self) -> None:
        placement = self.injection.settings.get("placement", "pfeiffer")
        for i in self._blocks:
            block, found = self.backbone.block(i), feed_forward(self.backbone, i)
            output = block.get_submodule(found.output)
            if placement == "parallel":
                beside = self._made(f"{i}.parallel")
                source = block.get_submodule(found.input)
                self._beside(source, output, beside)
                continue
            if placement == "houlsby":
                attention = block.get_submodule(found.attention_output)
                self._after(attention, self._made(f"{i}.attention"))
            self._after(output, self._made(f"{i}.feed_forward"))
        self._put_given()

    def _made(self, name: str) -> Any:
        import torch

        width, settings = self.backbone.offer.width, self.injection.settings
        inner = max(1, width // int(settings.get("reduction", 16)))
        activation = {"gelu": torch.nn.GELU, "relu": torch.nn.ReLU}[
            str(settings.get("activation", "gelu"))
        ]
        down, up = torch.nn.Linear(width, inner), torch.nn.Linear(inner, width)
        torch.nn.init.normal_(down.weight, std=STD)
        for tensor in (down.bias, up.weight, up.bias):
            torch.nn.init.zeros_(tensor)
        made = torch.nn.Sequential(OrderedDict(down=down, activation=activation(), up=up))
        self._adapters[name] = made.to(self.backbone.device)
        return self._adapters[name]

    def _after(self, layer: Any, adapter: Any) -> None:
        layer.register_forward_hook(lambda _layer, _inputs, output: output + adapter(output))

    def _beside(self, source: Any, output: Any, adapter: Any) -> None:
        entered: list[Any] = []

        def enter(_layer: Any, inputs: tuple[Any, ...]) -> None:
            entered[:] = [inputs[0]]

        source.register_forward_pre_hook(enter)
        output.register_forward_hook(lambda _layer, _inputs, out: out + adapter(entered.pop()))

    def _taken(self) -> None:
        self._adapters = {}

    def named(self) -> dict[str, Any]:
        return {
            f"adapter.{place}.{name}": parameter
            for place, adapter in self._adapters.items()
            for name, parameter in adapter.named_parameters()
        }
