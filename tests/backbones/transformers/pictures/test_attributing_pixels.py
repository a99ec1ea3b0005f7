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


def test_gradients_add_up_to_what_the_picture_changes(backbone, pictures, monkeypatch):
    monkeypatch.setattr(attributing_pixels, "STEPS", 64)
    monkeypatch.setattr(attributing_pixels, "AT_ONCE", 16)
    pytest.importorskip("captum")
    plain = encoding(backbone)
    vectors = backbone.features(backbone.tokens(pictures, plain), plain)
    weights = np.random.default_rng(0).standard_normal(vectors.shape)
    found = backbone.attributing.integrated_gradients(pictures, plain, weights, False)
    spans = backbone.attributing.spans(pictures, plain)
    for (shares, rest), own, vector, weight in zip(found, spans, vectors, weights, strict=True):
        assert len(own) == len(shares)
        wanted = float(vector @ weight)
        assert shares.sum() + rest == pytest.approx(wanted, abs=0.3 * abs(wanted - rest))


def test_a_grid_covers_the_picture_in_reading_order(backbone, pictures):
    plain = encoding(backbone)
    (own, _) = backbone.attributing.spans(pictures, plain)
    grid = [span for span in own if span is not None]
    side = round(len(grid) ** 0.5)
    assert grid[0] == (0, 0, side)
    assert grid[-1] == (side - 1, side - 1, side)
    assert len(set(grid)) == side * side
