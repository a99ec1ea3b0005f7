"""What of a picture's vector comes from which patch: shares that add up."""

from __future__ import annotations

import numpy as np
import pytest

from supertune import pipeline
from supertune.backbones.transformers import attributing_pixels
from supertune.config import recipe
from supertune.contracts import Encoding

SMALL = Encoding(resolution=56)


@pytest.fixture(scope="module", params=["dinov2-small", "efficientnet-lite0"])
def backbone(request):
    name = request.param
    return pipeline.open_backbone(pipeline.reference(name), recipe({"precision": "fp32"}))


@pytest.fixture(scope="module")
def pictures(backbone):
    return backbone.reader.samples()[1:3]


def encoding(backbone, **keys):
    side = 56 if backbone.offer.capabilities & {"blocks"} else 64
    return Encoding(resolution=side, **keys)


def test_states_of_patches_add_up_to_the_mean(backbone, pictures):
    plain = encoding(backbone, pooling="mean")
    asked = backbone.attributing
    assert "token_states" in asked.ways(plain)
    vectors = backbone.features(backbone.tokens(pictures, plain), plain)
    for own, states, vector in zip(
        asked.spans(pictures, plain), asked.token_states(pictures, plain), vectors, strict=True
    ):
        assert len(own) == len(states)
        np.testing.assert_allclose(states.sum(axis=0), vector, atol=1e-4)


def test_gradients_add_up_to_what_the_picture_changes_the_better_the_more_points(
    backbone, pictures, monkeypatch
):
    pytest.importorskip("captum")
    monkeypatch.setattr(attributing_pixels, "AT_ONCE", 16)
    plain = encoding(backbone)
    one = pictures[1:]
    vectors = backbone.features(backbone.tokens(one, plain), plain)
    weights = np.random.default_rng(0).standard_normal(vectors.shape)
    wanted = (vectors * weights).sum()
    (own,) = backbone.attributing.spans(one, plain)

    def gap(points):
        """Of the sum from the answer, in sizes of all shares."""
        monkeypatch.setattr(attributing_pixels, "STEPS", points)
        ((shares, rest),) = backbone.attributing.integrated_gradients(one, plain, weights, False)
        assert len(shares) == len(own)
        return abs(shares.sum() + rest - wanted) / np.abs(shares).sum()

    # A path through ReLU6 is rough: few points are far off, but the gap must close all the same.
    few, many = gap(16), gap(128)
    assert many < few / 3
    assert many < 0.05


def test_a_grid_covers_the_picture_in_reading_order(backbone, pictures):
    plain = encoding(backbone)
    (own, _) = backbone.attributing.spans(pictures, plain)
    grid = [span for span in own if span is not None]
    side = round(len(grid) ** 0.5)
    assert grid[0] == (0, 0, side)
    assert grid[-1] == (side - 1, side - 1, side)
    assert len(set(grid)) == side * side
