"""Which token of which word a vector came from."""

from __future__ import annotations

import numpy as np
import pytest
from tests.backbones.transformers.conftest import Opened

from supertune.backbones.transformers.model import TransformersBackbone
from supertune.contracts import Encoding, Prompt

TEXTS = ("An unforgettable film, très drôle!", "房间不干净", "", ("who?", "nobody", "x"))


@pytest.mark.parametrize("fixture", ["minilm", "e5"])
def test_token_states_add_up_to_features(fixture: str, request: pytest.FixtureRequest) -> None:
    backbone: TransformersBackbone = request.getfixturevalue(fixture)
    encoding = Encoding(32)
    states = backbone.attributing.token_states(TEXTS, encoding)
    features = backbone.features(backbone.tokens(TEXTS, encoding), encoding)
    for own, vector, pieces in zip(states, features, backbone.tokens(TEXTS, encoding), strict=True):
        assert len(own) == len(pieces[0].ids)
        assert own.sum(axis=0) == pytest.approx(vector, abs=1e-4)


@pytest.mark.parametrize("fixture", ["minilm", "e5"])
def test_spans_are_those_of_the_tokens(fixture: str, request: pytest.FixtureRequest) -> None:
    backbone: TransformersBackbone = request.getfixturevalue(fixture)
    for text in TEXTS:
        fields = (text,) if isinstance(text, str) else text
        (spans,) = backbone.attributing.spans([text], Encoding(32))
        (pieces,) = backbone.tokens([text], Encoding(32))
        assert len(spans) == len(pieces[0].ids)
        covered = ["".join(_cut(fields, spans, number)) for number in range(len(fields))]
        assert covered == ["".join(field.split()) for field in fields]


def _cut(fields, spans, number):
    own = [span for span in spans if span is not None and span[0] == number]
    return ["".join(fields[number][start:end].split()) for _, start, end in own]


def test_a_text_that_is_cut_has_spans_of_what_is_read(minilm: TransformersBackbone) -> None:
    (spans,) = minilm.attributing.spans(["word " * 50], Encoding(10))
    assert len(spans) == 10
    assert [span for span in spans if span][-1] == (0, 35, 39)


def test_gradients_reach_every_word_and_leave_the_model_alone(tiny: Opened) -> None:
    for family in ("bert", "distilbert", "gpt2", "t5"):
        backbone = tiny(family)
        before = backbone.fingerprint()
        weights = np.random.default_rng(0).normal(size=(1, backbone.offer.width))
        encoding = Encoding(16)
        given = backbone.attributing.integrated_gradients(
            ["the good film"], encoding, weights, False
        )
        shares, rest = given[0]
        vector = backbone.features(backbone.tokens(["the good film"], encoding), encoding)[0]
        own = [
            span is not None for span in backbone.attributing.spans(["the good film"], encoding)[0]
        ]
        assert (np.abs(shares[own]) > 0).all()
        assert np.abs(shares[~np.array(own)]).max(initial=0.0) == 0
        moved = float(vector @ weights[0]) - rest
        assert shares.sum() == pytest.approx(moved, abs=0.1 * np.abs(shares).sum() + 1e-4), family
        assert backbone.fingerprint() == before


def test_what_is_no_sum_over_a_text_is_not_offered(minilm: TransformersBackbone) -> None:
    asked = minilm.attributing
    assert asked.ways(Encoding()) == ("token_states", "integrated_gradients")
    assert asked.ways(Encoding(pooling="cls")) == ("integrated_gradients",)
    assert asked.ways(Encoding(long_text="chunk")) == ()
    prompt = Prompt("{text} {answer}", (("a",), ("b",)))
    assert asked.ways(Encoding(prompt=prompt)) == ()
