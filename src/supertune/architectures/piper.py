"""Piper's VITS: the end-to-end synthesiser of Kim et al. 2021 (arXiv:2106.06103) in a small size.

Its decoder has residual blocks of one convolution a dilation (the second kind of Kong et al. 2020,
arXiv:2010.05646) where transformers' has two. What serves training alone is absent from published
voices: the posterior encoder, the posterior of durations, and a flow of durations that synthesis
passes over.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize
from transformers import VitsConfig, VitsModel


class PiperConfig(VitsConfig):  # type: ignore[misc]
    """As `VitsConfig`; ``phonemes`` by symbol, ``espeak_voice`` and the marks that stand before,
    between and behind phonemes."""

    model_type = "piper"

    phonemes: dict[str, int] | None = None
    espeak_voice: str = "en-us"
    marks: tuple[str, ...] | list[str] = ("^", "_", "$")


class ResidualBlock(nn.Module):
    """(n, c, t) -> (n, c, t): each convolution is added to what goes into it."""

    def __init__(self, channels: int, kernel: int, dilations: list[int], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=one, padding=one * (kernel - 1) // 2)
            for one in dilations
        )

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        for conv in self.convs:
            states = states + conv(functional.leaky_relu(states, self.slope))
        return states


class PiperModel(VitsModel):  # type: ignore[misc]
    """`VitsModel` with Piper's decoder, and weights that are not split into norm and direction."""

    config_class = PiperConfig

    def __init__(self, config: PiperConfig) -> None:
        super().__init__(config)
        del self.posterior_encoder
        durations = self.duration_predictor
        for name in [name for name, _ in durations.named_children() if name.startswith("post_")]:
            delattr(durations, name)
        durations.flows[1] = nn.Identity()  # the one that synthesis passes over
        channels = config.upsample_initial_channel
        self.decoder.resblocks = nn.ModuleList(
            ResidualBlock(channels // 2 ** (level + 1), kernel, dilations, config.leaky_relu_slope)
            for level in range(len(config.upsample_rates))
            for kernel, dilations in zip(
                config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True
            )
        )
        merge_norms(self)


def merge_norms(module: nn.Module) -> None:
    """Make one weight again of those that are kept as norm and direction, as synthesis does
    nothing else with them."""
    for part in module.modules():
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")
