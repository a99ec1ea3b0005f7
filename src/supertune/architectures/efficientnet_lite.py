"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation, and with ReLU6.

Tan & Le 2019 (arXiv:1905.11946) for the blocks and their numbers; Sandler et al. 2018
(arXiv:1801.04381) for the inverted residual. The lite variants were published by Google in 2020:
activations that quantise well, and a stem and a head that are not scaled.

Convolutions pad as TensorFlow does under ``SAME``: where the padding is odd, one more to the right
and below. Its weights were trained so.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

# Of EfficientNet-B0, of which lite0 has the same: repeats, kernel, stride, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class EfficientNetLiteConfig(PretrainedConfig):  # type: ignore[misc]
    """``block_args``: for each block in turn kernel, stride, expansion, channels in and out."""

    model_type = "efficientnet_lite"

    def __init__(
        self,
        block_args: list[list[int]] | None = None,
        stem_channels: int = 32,
        hidden_size: int = 1280,
        num_channels: int = 3,
        image_size: int = 224,
        batch_norm_eps: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        self.block_args = block_args or blocks_of(STAGES, stem_channels)
        self.stem_channels = stem_channels
        self.hidden_size = hidden_size
        self.num_hidden_layers = len(self.block_args)
        self.num_channels = num_channels
        self.image_size = image_size
        self.batch_norm_eps = batch_norm_eps
        super().__init__(**kwargs)


def blocks_of(stages: Any, stem_channels: int) -> list[list[int]]:
    """The blocks that stages are made of; only the first of each has the stride."""
    made, entering = [], stem_channels
    for repeats, kernel, stride, expansion, channels in stages:
        for number in range(repeats):
            made.append([kernel, stride if number == 0 else 1, expansion, entering, channels])
            entering = channels
    return made


class SameConv2d(nn.Conv2d):
    """A convolution whose output is the input's size divided by the stride, rounded up."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        height, width = (self._spare(size, way) for way, size in enumerate(hidden_states.shape[2:]))
        around = (width // 2, width - width // 2, height // 2, height - height // 2)
        return super().forward(functional.pad(hidden_states, around))

    def _spare(self, size: int, way: int) -> int:
        stride, kernel = self.stride[way], self.kernel_size[way]
        return max((-(-size // stride) - 1) * stride + kernel - size, 0)


class ConvNorm(nn.Module):
    """Convolution without a bias, batch normalisation and, if ``active``, ReLU6."""

    def __init__(
        self,
        config: EfficientNetLiteConfig,
        entering: int,
        leaving: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.convolution = SameConv2d(
            entering, leaving, kernel, stride=stride, groups=groups, bias=False
        )
        self.normalization = nn.BatchNorm2d(leaving, eps=config.batch_norm_eps)
        self.active = active

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.normalization(self.convolution(hidden_states))
        return functional.relu6(found) if self.active else found


class InvertedResidual(nn.Module):
    """Expand by a 1x1 convolution, filter each channel by itself, project back."""

    def __init__(self, config: EfficientNetLiteConfig, arguments: list[int]) -> None:
        super().__init__()
        kernel, stride, expansion, entering, leaving = arguments
        inner = entering * expansion
        self.expand = ConvNorm(config, entering, inner) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(config, inner, inner, kernel, stride, groups=inner)
        self.project = ConvNorm(config, inner, leaving, active=False)
        self.residual = stride == 1 and entering == leaving

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.project(self.depthwise(self.expand(hidden_states)))
        return found + hidden_states if self.residual else found


class EfficientNetLiteModel(PreTrainedModel):  # type: ignore[misc]
    """Pictures (n, 3, side, side) to a map (n, 1280, side / 32, side / 32) and its mean."""

    config_class = EfficientNetLiteConfig
    base_model_prefix = "efficientnet_lite"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    # Counted while training by those who go on with it; nothing is computed from it.
    _keys_to_ignore_on_load_missing = [r"num_batches_tracked"]  # noqa: RUF012

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.stem = ConvNorm(config, config.num_channels, config.stem_channels, 3, 2)
        self.blocks = nn.ModuleList(InvertedResidual(config, one) for one in config.block_args)
        self.head = ConvNorm(config, config.block_args[-1][-1], config.hidden_size)
        self.post_init()

    def forward(
        self, pixel_values: torch.Tensor, **kwargs: Any
    ) -> BaseModelOutputWithPooling | tuple[torch.Tensor, ...]:
        hidden_states = self.stem(pixel_values)
        for block in self.blocks:
            hidden_states = block(hidden_states)
        last = self.head(hidden_states)
        return BaseModelOutputWithPooling(last_hidden_state=last, pooler_output=last.mean((2, 3)))
